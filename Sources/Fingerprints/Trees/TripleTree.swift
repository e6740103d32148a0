/// The whole tree of a summation of positive terms: with a term of 1 and two that are each too small to move it, the sum moves just
/// where the two meet first. Three leaves of which that is known are a rooted triple, and these make the tree.
struct TripleTree {
  /// One term of 1, at `large`, and two small ones.
  struct Query: Hashable {
    let large: Int
    let first: Int
    let second: Int
  }

  /// Whether the small ones met first.
  let areTogether: ([Query]) throws -> [Bool]

  /// The tree over leaves 0 ..< `count`; nil where answers are none that a tree gives.
  func find(_ count: Int) throws -> SumTree? {
    var sets = [Array(0..<count)]
    /// What a set is made of: the way up from its first leaf.
    var ways: [[Int]: [[[Int]]]] = [:]
    while !sets.isEmpty {
      // All pairs of others, beside the first leaf of each set.
      var queries: [Query] = []
      for set in sets where set.count > 2 {
        for j in 1..<set.count {
          for k in j + 1..<set.count { queries.append(Query(large: set[0], first: set[j], second: set[k])) }
        }
      }
      var answers = try queries.isEmpty ? [] : areTogether(queries)
      var position = 0
      var groupsOf: [[[Int]]] = []
      for set in sets {
        var group = Array(0..<set.count)
        var pairs: [(Int, Int, Bool)] = []
        if set.count > 2 {
          for j in 1..<set.count {
            for k in j + 1..<set.count {
              pairs.append((j, k, answers[position]))
              position += 1
            }
          }
        }
        for (j, k, together) in pairs where together {
          let (a, b) = (group[j], group[k])
          if a != b { for i in group.indices where group[i] == b { group[i] = a } }
        }
        // Meeting first is no relation of a tree unless it is one of equivalence.
        for (j, k, together) in pairs where (group[j] == group[k]) != together { return nil }
        var byGroup: [Int: [Int]] = [:]
        for i in 1..<max(set.count, 1) { byGroup[group[i], default: []].append(set[i]) }
        groupsOf.append(byGroup.values.sorted { $0[0] < $1[0] })
      }
      // Which group is met first on the way up.
      queries = []
      for (set, groups) in zip(sets, groupsOf) {
        for g in groups.indices {
          for h in groups.indices where h != g {
            queries.append(Query(large: groups[h][0], first: set[0], second: groups[g][0]))
          }
        }
      }
      answers = try queries.isEmpty ? [] : areTogether(queries)
      position = 0
      var next: [[Int]] = []
      for (set, groups) in zip(sets, groupsOf) {
        // How many groups are met after each: the earliest before all others.
        var later = [Int](repeating: 0, count: groups.count)
        var before = [[Bool]](repeating: [Bool](repeating: false, count: groups.count), count: groups.count)
        for g in groups.indices {
          for h in groups.indices where h != g {
            before[g][h] = answers[position]
            if answers[position] { later[g] += 1 }
            position += 1
          }
        }
        var way: [[[Int]]] = []
        for count in Set(later).sorted(by: >) {
          way.append(groups.indices.filter { later[$0] == count }.map { groups[$0] })
        }
        // The order must be one: every group of a level before every group of a later one, none before one of its own.
        for g in groups.indices {
          for h in groups.indices where h != g && before[g][h] != (later[g] > later[h]) { return nil }
        }
        ways[set] = way
        next += groups.filter { $0.count > 1 }
      }
      sets = next
    }
    func tree(_ set: [Int]) -> SumTree? {
      if set.count == 1 { return .leaf(set[0]) }
      guard let way = ways[set] else { return nil }
      var made = SumTree.leaf(set[0])
      for level in way {
        let parts = level.compactMap { tree($0) }
        guard parts.count == level.count else { return nil }
        made = .sum([made] + parts)
      }
      return made
    }
    guard let made = tree(Array(0..<count)), made.leaves.count == count else { return nil }
    return made
  }
}
