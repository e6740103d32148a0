import NumKitNumbers

/// The order in which the products of a dot product are added: part of an algorithm, because it changes the answer.
///
/// Units are added one after the other by fused multiply-add, from 0; what lies beside such runs is added by plain additions.
public enum MatmulOrder: Sendable, Hashable, CustomStringConvertible {
  /// One run.
  case sequential
  /// Halves of halves down to runs of 8.
  case pairwise
  /// Runs of so many, their sums added one after the other.
  case blocked(Int)
  /// So many runs, as equal as whole runs of ⌈n/S⌉ make them, their sums added one after the other.
  case splitK(Int)

  /// What runs where nothing is asked for: one of each.
  public static let all: [MatmulOrder] = [.sequential, .pairwise, .blocked(128), .splitK(4)]

  /// The order of that name; nil where there is none. Blocks are of 128 and shares 4 unless the name says otherwise.
  public init?(_ name: String) {
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    let number = parts.count == 2 ? Int(parts[1]) : nil
    guard parts.count == 1 || parts.count == 2 && 1...(1 << 30) ~= number ?? 0 else { return nil }
    switch parts[0] {
    case "sequential" where parts.count == 1: self = .sequential
    case "pairwise" where parts.count == 1: self = .pairwise
    case "blocked": self = .blocked(number ?? 128)
    case "split-k": self = .splitK(number ?? 4)
    default: return nil
    }
  }

  public var description: String {
    switch self {
    case .sequential: "sequential"
    case .pairwise: "pairwise"
    case .blocked(let n): "blocked:\(n)"
    case .splitK(let s): "split-k:\(s)"
    }
  }

  /// One line for a person.
  public var summary: String {
    switch self {
    case .sequential: "one product after the other"
    case .pairwise: "halves of halves, down to runs of 8"
    case .blocked: "runs of N products, their sums one after the other"
    case .splitK: "S equal shares of the inner dimension, their sums one after the other"
    }
  }

  /// The order within blocks of `length` that each have a scale.
  package func withinBlocks(of length: Int) -> MatmulOrder {
    switch self {
    case .splitK: .sequential
    case .blocked(let n) where n >= length: .sequential
    default: self
    }
  }

  /// The order of the scaled sums of such blocks.
  package func acrossBlocks(of length: Int) -> MatmulOrder {
    if case .blocked(let n) = self { return n >= 2 * length ? .blocked(n / length) : .sequential }
    return self
  }

  /// Units of a run, of `count` in all; nil where they are halved instead.
  package func run(_ count: Int) -> Int? {
    switch self {
    case .sequential: count
    case .pairwise: count <= 8 ? count : nil
    case .blocked(let n): n
    case .splitK(let s): (count + s - 1) / s
    }
  }

  /// How many buffers `sum` needs beside the one for the answer.
  func scratchCount(_ count: Int) -> Int {
    guard case .pairwise = self, count > 8 else { return 1 }
    return 1 + scratchCount(count - count / 2)
  }

  /// Writes to `sums`, `width` side by side, the units of `range` added in this order; `add` adds one by fused multiply-add to
  /// what it is given. `scratch` has `scratchCount` times `width` places.
  func sum<T: Scalar>(
    _ range: Range<Int>, width: Int, into sums: UnsafeMutablePointer<T>, scratch: UnsafeMutablePointer<T>,
    add: (Int, UnsafeMutablePointer<T>) -> Void
  ) {
    func chain(_ part: Range<Int>, _ sums: UnsafeMutablePointer<T>) {
      sums.update(repeating: .zero, count: width)
      for unit in part { add(unit, sums) }
    }
    func join() {
      for j in 0..<width { sums[j] = sums[j] + scratch[j] }
    }
    guard let run = run(range.count) else {
      let middle = range.lowerBound + range.count / 2
      sum(range.lowerBound..<middle, width: width, into: sums, scratch: scratch, add: add)
      sum(middle..<range.upperBound, width: width, into: scratch, scratch: scratch + width, add: add)
      return join()
    }
    var start = Swift.min(range.lowerBound + run, range.upperBound)
    chain(range.lowerBound..<start, sums)
    while start < range.upperBound {
      let end = Swift.min(start + run, range.upperBound)
      chain(start..<end, scratch)
      join()
      start = end
    }
  }
}
