/// How terms were added: a leaf is a term, a node the sum of its children, two unless several are added at once.
package indirect enum SumTree: Sendable, Equatable {
  case leaf(Int)
  case node([SumTree])

  /// Children by their smallest leaf, for addition commutes.
  package static func sum(_ parts: [SumTree]) -> SumTree {
    if parts.count == 1 { return parts[0] }
    return .node(parts.sorted { $0.first < $1.first })
  }

  /// Parts added one after the other.
  package static func chain(_ parts: [SumTree]) -> SumTree {
    guard var tree = parts.first else { return .node([]) }
    for part in parts.dropFirst() { tree = sum([tree, part]) }
    return tree
  }

  /// The smallest leaf.
  package var first: Int {
    switch self {
    case .leaf(let k): k
    case .node(let parts): parts.first?.first ?? .max
    }
  }

  /// `((0 1) 2)`, with runs of a chain as `(0..7)`.
  package var text: String {
    if let (start, end) = run, end > start + 1 { return "(\(start)..\(end))" }
    switch self {
    case .leaf(let k): return "\(k)"
    case .node(let parts): return "(" + parts.map(\.text).joined(separator: " ") + ")"
    }
  }

  /// The first and last of neighbours that are added in their order.
  private var run: (Int, Int)? {
    switch self {
    case .leaf(let k): return (k, k)
    case .node(let parts):
      guard parts.count == 2, case .leaf(let last) = parts[1], let (start, end) = parts[0].run,
        end + 1 == last
      else { return nil }
      return (start, last)
    }
  }

  /// All leaves.
  package var leaves: [Int] {
    switch self {
    case .leaf(let k): [k]
    case .node(let parts): parts.flatMap(\.leaves)
    }
  }
}

extension SumTree {
  /// One after the other from the left.
  package static func sequential(_ count: Int) -> SumTree { chain((0..<count).map { .leaf($0) }) }

  /// Halves of halves down to runs of `leaf`.
  package static func pairwise(_ range: Range<Int>, leaf: Int) -> SumTree {
    if range.count <= max(leaf, 1) { return chain(range.map { .leaf($0) }) }
    let middle = range.lowerBound + range.count / 2
    return sum([
      pairwise(range.lowerBound..<middle, leaf: leaf), pairwise(middle..<range.upperBound, leaf: leaf),
    ])
  }

  /// Runs of `block`, their sums one after the other.
  package static func blocked(_ count: Int, _ block: Int) -> SumTree {
    chain(
      stride(from: 0, to: count, by: block).map { start in
        chain((start..<min(start + block, count)).map { .leaf($0) })
      })
  }

  /// `lanes` sums side by side, each of every `lanes`-th term, combined by `combine` of their numbers.
  package static func lanes(_ count: Int, _ lanes: Int, combine: SumTree) -> SumTree {
    let sums = (0..<lanes).map { lane in chain(stride(from: lane, to: count, by: lanes).map { .leaf($0) }) }
    return combine.replacingLeaves { sums[$0] }
  }

  /// The upper half of lanes added to the lower, again and again, as processors add the numbers of a vector.
  package static func folded(_ count: Int) -> SumTree {
    var parts = (0..<count).map { SumTree.leaf($0) }
    while parts.count > 1 {
      let half = (parts.count + 1) / 2
      parts = (0..<half).map { $0 + half < parts.count ? sum([parts[$0], parts[$0 + half]]) : parts[$0] }
    }
    return parts.first ?? .node([])
  }

  /// The sum of `terms` in an accumulator of so many bits and any range, rounded to nearest; where several are added at once, once.
  package func sum(of terms: [Double], bits: Int) -> Double {
    switch self {
    case .leaf(let k): return terms[k]
    case .node(let parts):
      let exact = parts.reduce(0) { $0 + $1.sum(of: terms, bits: bits) }
      guard exact != 0, bits < 53 else { return exact }
      let unit = Double.powerOfTwo(Int(exact.exponent) - bits + 1)
      return (exact / unit).rounded(.toNearestOrEven) * unit
    }
  }

  package func replacingLeaves(_ tree: (Int) -> SumTree) -> SumTree {
    switch self {
    case .leaf(let k): tree(k)
    case .node(let parts): .sum(parts.map { $0.replacingLeaves(tree) })
    }
  }
}
