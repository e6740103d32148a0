/// Names of orders of summation: `sequential`, `pairwise:8`, `blocked:128`, `lanes:16`.
///
/// Of a structure in structures, `lanes:32, then lanes:8, then folded`: each lane of 32 sequential, the 32 sums added as 8 lanes, those
/// by folding halves.
package enum OrderName {
  /// The name of `tree` over leaves 0 ..< `count`; nil where it has none.
  package static func of(_ tree: SumTree, count: Int) -> String? {
    if count == 1 { return "sequential" }
    if let name = plain(tree, count) { return name }
    return structured(tree, count)
  }

  /// The tree of a name, over so many terms; nil where the name is none, or says too little.
  package static func tree(_ name: String, count: Int) -> SumTree? {
    let parts = name.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let number = parts.count == 2 ? Int(parts[1]) : nil
    guard parts.count == 1 || parts.count == 2 && (1...(1 << 30)).contains(number ?? 0) else { return nil }
    switch parts[0] {
    case "sequential" where number == nil: return .sequential(count)
    case "reversed" where number == nil: return .chain((0..<count).reversed().map { .leaf($0) })
    case "pairwise": return .pairwise(0..<count, leaf: number ?? 8)
    case "folded" where number == nil: return .folded(count)
    case "blocked": return number.map { .blocked(count, $0) }
    case "split-k": return number.map { .blocked(count, max(1, (count + $0 - 1) / $0)) }
    default: return nil
    }
  }

  /// Whether a name is one that claims may have; `lanes:N` leaves open how lanes are added.
  package static func isKnown(_ name: String) -> Bool {
    if name.hasPrefix("lanes:"), let n = Int(name.dropFirst(6)) { return n >= 2 }
    return tree(name, count: 16) != nil
  }

  /// Whether `found`, a name that `of` gave, is what `name` says of so many terms.
  package static func holds(_ name: String, of found: String, tree known: SumTree?, count: Int) -> Bool {
    if name == found || found.hasPrefix(name + ",") && name.hasPrefix("lanes:") { return true }
    guard let tree = tree(name, count: count) else { return false }
    return known.map { $0 == tree } ?? (of(tree, count: count) == found)
  }

  private static func plain(_ tree: SumTree, _ count: Int) -> String? {
    if tree == .sequential(count) { return "sequential" }
    if tree == .chain((0..<count).reversed().map { .leaf($0) }) { return "reversed" }
    var leaf = 1
    while leaf < count {
      if tree == .pairwise(0..<count, leaf: leaf) { return leaf == 8 ? "pairwise" : "pairwise:\(leaf)" }
      leaf *= 2
    }
    if tree == .folded(count) { return "folded" }
    if case .node(let parts) = tree, parts.count == count { return "all at once" }
    return nil
  }

  private static func structured(_ tree: SumTree, _ count: Int) -> String? {
    let clades = Clades(tree)
    // Lanes first, the most: a lane of 32 is no lane of 16 whose terms are in blocks.
    for lanes in stride(from: count / 2, through: 2, by: -1) {
      let members = (0..<lanes).map { stride(from: $0, to: count, by: lanes) }
      guard members.allSatisfy({ clades.contains($0.map { $0 }, step: lanes) }) else { continue }
      guard let split = clades.split(tree, parts: lanes, part: { $0 % lanes }, rank: { $0 / lanes }) else {
        continue
      }
      if let name = joined("lanes:\(lanes)", split, inner: (count + lanes - 1) / lanes, outer: lanes) {
        return name
      }
    }
    for block in stride(from: 2, to: count, by: 1) {
      let parts = (count + block - 1) / block
      let members = (0..<parts).map { ($0 * block)..<min(($0 + 1) * block, count) }
      guard members.allSatisfy({ clades.contains(Array($0), step: 1) }) else { continue }
      guard let split = clades.split(tree, parts: parts, part: { $0 / block }, rank: { $0 % block }) else {
        continue
      }
      if let name = joined("blocked:\(block)", split, inner: block, outer: parts) { return name }
    }
    return nil
  }

  private static func joined(_ name: String, _ split: Clades.Split, inner: Int, outer: Int) -> String? {
    guard let within = of(split.inner, count: split.innerCount), let across = of(split.outer, count: outer)
    else {
      return nil
    }
    var text = name
    if within != "sequential" { text += " of \(within)" }
    if across == "sequential" && name.hasPrefix("blocked") { return text }
    return text + ", then " + across
  }
}

/// What sets of leaves hang together in a tree.
struct Clades {
  private struct Key: Hashable {
    let first: Int
    let last: Int
    let count: Int
  }
  /// The step between leaves of each, the greatest common one.
  private var steps: [Key: Int] = [:]

  init(_ tree: SumTree) { _ = visit(tree) }

  private mutating func visit(_ tree: SumTree) -> (Key, step: Int) {
    switch tree {
    case .leaf(let k):
      let key = Key(first: k, last: k, count: 1)
      steps[key] = 0
      return (key, 0)
    case .node(let parts):
      let seen = parts.map { visit($0) }
      let first = seen.map(\.0.first).min() ?? 0
      let key = Key(
        first: first, last: seen.map(\.0.last).max() ?? 0, count: seen.reduce(0) { $0 + $1.0.count })
      let step = seen.reduce(0) { Self.gcd($0, Self.gcd($1.step, $1.0.first - first)) }
      steps[key] = step
      return (key, step)
    }
  }

  private static func gcd(_ a: Int, _ b: Int) -> Int { b == 0 ? a.magnitude.asInt : gcd(b, a % b) }

  /// Whether these leaves, `step` apart, are all those of a node.
  func contains(_ leaves: [Int], step: Int) -> Bool {
    guard let first = leaves.first, let last = leaves.last else { return false }
    guard let found = steps[Key(first: first, last: last, count: leaves.count)] else { return false }
    return found % step == 0
  }

  struct Split {
    /// The tree of each part, alike in all but a shorter last one.
    let inner: SumTree
    let innerCount: Int
    /// That of the parts.
    let outer: SumTree
  }

  /// Takes a tree apart into parts whose leaves hang together; nil where they are not all alike.
  func split(_ tree: SumTree, parts: Int, part: (Int) -> Int, rank: (Int) -> Int) -> Split? {
    var inner: [Int: SumTree] = [:]
    func cut(_ tree: SumTree) -> SumTree {
      let leaves = tree.leaves
      if let own = leaves.first.map(part), leaves.allSatisfy({ part($0) == own }) {
        inner[own] = tree.replacingLeaves { .leaf(rank($0)) }
        return .leaf(own)
      }
      guard case .node(let children) = tree else { return tree }
      return .sum(children.map(cut))
    }
    let outer = cut(tree)
    guard inner.count == parts, outer.leaves.count == parts, let first = inner[0] else { return nil }
    let count = first.leaves.count
    for k in 1..<parts {
      guard let other = inner[k] else { return nil }
      if other == first { continue }
      // A last part may be shorter, in the same order.
      let rest = other.leaves.count
      guard rest < count, let name = OrderName.of(first, count: count),
        OrderName.of(other, count: rest) == name
      else { return nil }
    }
    return Split(inner: first, innerCount: count, outer: outer)
  }
}

extension UInt {
  fileprivate var asInt: Int { Int(self) }
}
