import NumKit

/// Where a generator gets its choices from: chance, or choices that were made before. Both times they are written down. One instance
/// makes one value.
public final class Draw {
  /// These choices lead to no value: they are not those that the generator asks for, or a filter does not want what came of them.
  public struct Unfit: Error {}

  /// What was chosen so far.
  public private(set) var choices: [Choice] = []
  /// From which choice on numbers are of which format.
  private(set) var formats: [(from: Int, format: NumberFormat)] = []
  private let recorded: [Choice]?
  private var position = 0
  private var random: RandomSource

  /// Choices of a seed: `run` says which of its values.
  public init(seed: UInt64, run: Int) {
    recorded = nil
    random = RandomSource(seed: seed, row: run)
  }

  /// The same choices once more.
  public init(replaying choices: [Choice]) {
    recorded = choices
    random = RandomSource(seed: 0, row: 0)
  }

  /// Whether every recorded choice was asked for.
  var isUsedUp: Bool { recorded.map { position == $0.count } ?? true }

  private func next() throws -> Choice {
    guard let recorded, position < recorded.count else { throw Unfit() }
    position += 1
    return recorded[position - 1]
  }

  /// A number of `domain`; `make` draws one, which is rounded to the domain's format.
  public func float(_ domain: FloatDomain, _ make: (inout RandomSource) -> Double) throws -> Double {
    var value: Double?
    if recorded == nil {
      // A filter of its own may refuse what was drawn.
      for _ in 0..<64 where value == nil {
        let x = domain.format.round(make(&random))
        if domain.contains(x) { value = x }
      }
    } else if case .float(let x) = try next(), domain.contains(x) {
      value = x
    }
    guard let value else { throw Unfit() }
    if formats.last?.format != domain.format { formats.append((choices.count, domain.format)) }
    choices.append(.float(value))
    return value
  }

  /// A whole number in `range`.
  public func integer(_ range: ClosedRange<Int>, _ make: ((inout RandomSource) -> Int)? = nil) throws -> Int {
    var value: Int?
    if recorded == nil {
      value = make?(&random) ?? random.integer(in: range)
    } else if case .integer(let n) = try next() {
      value = n
    }
    guard let value, range.contains(value) else { throw Unfit() }
    choices.append(.integer(value))
    return value
  }

  /// True or false.
  public func flag(_ make: ((inout RandomSource) -> Bool)? = nil) throws -> Bool {
    try integer(0...1) { make?(&$0) ?? ($0.next() & 1 == 1) ? 1 : 0 } == 1
  }

  /// A list of as many elements as `count` allows, how many by `length`; shrinking takes elements away. `element` is told its place.
  public func list<T>(
    _ count: ClosedRange<Int>, length: ((inout RandomSource) -> Int)? = nil, _ element: (Int) throws -> T
  ) throws -> [T] {
    var list: [T] = []
    choices.append(.open)
    if let recorded {
      guard case .open = try next() else { throw Unfit() }
      // Of a list as long as something else says, what is too much is left out: that may shrink by itself.
      let most = count.lowerBound == count.upperBound ? count.upperBound : Int.max
      while list.count < most, position < recorded.count, recorded[position] != .close {
        list.append(try element(list.count))
      }
      try skipToEnd()
    } else {
      let n = length?(&random) ?? random.length(in: count)
      for k in 0..<max(n, 0) { list.append(try element(k)) }
    }
    choices.append(.close)
    guard count.contains(list.count) else { throw Unfit() }
    return list
  }

  /// Goes behind the end of the list that is being replayed.
  private func skipToEnd() throws {
    var depth = 1
    while depth > 0 {
      switch try next() {
      case .open: depth += 1
      case .close: depth -= 1
      default: break
      }
    }
  }

  /// Something that only chance needs to know and that is not written down: how what follows is to be drawn. nil in a replay.
  public func decide<T>(_ choose: (inout RandomSource) -> T) -> T? {
    recorded == nil ? choose(&random) : nil
  }
}

extension RandomSource {
  /// A whole number in `range`, each as likely.
  public mutating func integer(in range: ClosedRange<Int>) -> Int {
    let span = UInt64(bitPattern: Int64(range.upperBound &- range.lowerBound))
    if span == .max { return Int(Int64(bitPattern: next())) }
    return range.lowerBound &+ Int(Int64(bitPattern: next() % (span + 1)))
  }

  /// True with probability `p`.
  public mutating func chance(_ p: Double) -> Bool { uniform() < p }

  /// One of a collection that is not empty.
  public mutating func one<T>(of all: [T]) -> T { all[integer(in: 0...all.count - 1)] }

  /// A length in `range`: small ones, those around powers of two, and any.
  public mutating func length(in range: ClosedRange<Int>) -> Int {
    let n: Int
    switch next() % 4 {
    case 0: n = range.lowerBound + integer(in: 0...min(8, range.upperBound - range.lowerBound))
    case 1:
      let top = Int.bitWidth - max(range.upperBound, 1).leadingZeroBitCount
      n = (1 << integer(in: 0...top)) + integer(in: -1...1)
    default: n = integer(in: range)
    }
    return min(max(n, range.lowerBound), range.upperBound)
  }
}
