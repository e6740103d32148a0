/// The whole tree of a summation from sums in which two terms cancel, as FPRev finds it (Xie et al., "FPRev: revealing the order of
/// floating-point summation through numerical testing", 2025): with M at i, −M at j and units elsewhere, what is left counts the units
/// that were added after both met, so that the leaves below that meeting are known in number.
struct CancellingTree {
  /// How many leaves stand below the meeting of each pair; nil where sums are none of a tree.
  let meetings: ([(Int, Int)]) throws -> [Int?]

  /// The tree over leaves 0 ..< `count`; nil where answers are none that a tree gives.
  func find(_ count: Int) throws -> SumTree? {
    if count == 1 { return .leaf(0) }
    /// A set of leaves that is added up below a node, and how many leaves that node has.
    struct Task {
      let leaves: [Int]
      let parent: Int
      /// Where its children go.
      let slot: Int
    }
    /// What becomes of a slot: children of one node, each a leaf or another slot.
    enum Part { case leaf(Int), slot(Int) }
    var slots: [[[Part]]] = [[]]
    var tasks = [Task(leaves: Array(0..<count), parent: .max, slot: 0)]
    var isTree = true
    while !tasks.isEmpty && isTree {
      let pairs = tasks.flatMap { task in task.leaves.dropFirst().map { (task.leaves[0], $0) } }
      let sizes = try meetings(pairs)
      var position = 0
      var next: [Task] = []
      for task in tasks {
        let own = task.leaves.dropFirst().map { leaf -> (Int, Int?) in
          defer { position += 1 }
          return (leaf, sizes[position])
        }
        // Nodes on the way up from the first leaf: what hangs beside it at each.
        var levels: [Int: [Int]] = [:]
        var beside: [Int] = []
        for (leaf, size) in own {
          guard let size else { return nil }
          if size == task.parent { beside.append(leaf) } else { levels[size, default: []].append(leaf) }
        }
        // The way up: each part is joined with what is below it.
        var path: [Part] = [.leaf(task.leaves[0])]
        var below = 1
        for size in levels.keys.sorted() {
          let group = levels[size] ?? []
          guard below + group.count == size else { return nil }
          below = size
          if group.count == 1 {
            path.append(.leaf(group[0]))
          } else {
            slots.append([])
            path.append(.slot(slots.count - 1))
            next.append(Task(leaves: group, parent: size, slot: slots.count - 1))
          }
        }
        slots[task.slot].append(path)
        if !beside.isEmpty {
          guard task.parent != .max else { isTree = false; break }
          next.append(Task(leaves: beside, parent: task.parent, slot: task.slot))
        }
      }
      tasks = next
    }
    guard isTree else { return nil }
    /// The subtrees that hang beside each other at the node above a slot.
    func subtrees(_ slot: Int) -> [SumTree] {
      slots[slot].map { path in
        var tree: SumTree?
        for part in path {
          let hanging: [SumTree]
          switch part {
          case .leaf(let k): hanging = [.leaf(k)]
          case .slot(let s): hanging = subtrees(s)
          }
          tree = tree.map { .sum([$0] + hanging) } ?? .sum(hanging)
        }
        return tree ?? .node([])
      }
    }
    let roots = subtrees(0)
    guard roots.count == 1, roots[0].leaves.count == count else { return nil }
    return roots[0]
  }
}
