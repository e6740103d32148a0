/// Where wrong results stand among all: rows of `length` results, the rows themselves in the shape of the tensor's other axes.
public struct WrongPlaces: Sendable {
  /// How many rows there are.
  public let rows: Int
  /// Their shape, row-major: batches, heads, tokens.
  public let rowShape: [Int]
  /// Results in a row.
  public let length: Int
  /// What a row is called: `row`, `query`.
  public var noun = "row"
  /// What the axes of `rowShape` count: `batch`, `head`, `query`; empty where nobody knows.
  public var axes: [String] = []

  /// All sizes.
  public init(rows: Int, rowShape: [Int], length: Int) {
    self.rows = rows
    self.rowShape = rowShape.reduce(1, *) == rows ? rowShape : [rows]
    self.length = length
  }

  /// The pattern of `wrong`: which rows, and which places in them; nil where both are scattered, or nothing is wrong.
  ///
  /// A pattern is a product of rows and places that holds nine tenths of what is wrong, and seven tenths of which are wrong: a wrong
  /// result may be right by chance.
  public func pattern(of wrong: WrongResults) -> WrongPattern? {
    guard wrong.count > 0 else { return nil }
    let known = wrong.knownRows
    var counts: [Int: Int] = [:]
    var total = 0
    for row in known {
      for i in wrong.wrongIndices(inRow: row) {
        counts[i, default: 0] += 1
        total += 1
      }
    }
    let often = counts.filter { 2 * $0.value >= known.count }
    let held = often.values.reduce(0, +)
    let isProduct =
      !often.isEmpty && 10 * held >= 9 * total && 10 * held >= 7 * often.count * known.count
    let places = isProduct ? IndexPattern(of: often.keys.sorted(), among: length) : nil
    let which = rowPattern(known, wrong)
    if places == nil && which == nil { return nil }
    if which == .all && places == .all { return WrongPattern(rows: .all, places: .all, text: "everything") }
    return WrongPattern(rows: which, places: places, text: text(which, places, wrong, of: counts.count))
  }

  /// Which rows; of more than are known their number and their span must agree.
  private func rowPattern(_ known: [Int], _ wrong: WrongResults) -> IndexPattern? {
    if wrong.rowCount == rows { return .all }
    if known.count == wrong.rowCount {
      // Few of many rows that happen to be neighbours, or evenly apart, are a pattern only where something else would be odd.
      if let simple = IndexPattern(of: known, among: rows) { return simple }
    } else if let span = wrong.span, wrong.rowCount == span.count {
      return IndexPattern(block: span.lowerBound..<span.upperBound + 1, among: rows)
    } else if let first = known.first, known.count > 2 {
      let step = known[1] - first
      let isEven = zip(known, known.dropFirst()).allSatisfy { $1 - $0 == step }
      if isEven && wrong.rowCount == (rows - first + step - 1) / step { return .every(step, from: first) }
    }
    return axisPattern(known, wrong)
  }

  /// All rows with one index along one of the axes: one head, one batch.
  private func axisPattern(_ known: [Int], _ wrong: WrongResults) -> IndexPattern? {
    var inner = rows
    for (axis, size) in rowShape.enumerated() {
      inner /= size
      guard size > 1, let first = known.first else { continue }
      let index = first / inner % size
      if wrong.rowCount == rows / size && known.allSatisfy({ $0 / inner % size == index }) {
        return .slice(index, axis: axis, of: size)
      }
    }
    return nil
  }

  private static func plural(_ noun: String) -> String { IndexPattern.plural(noun) }

  private func text(
    _ which: IndexPattern?, _ places: IndexPattern?, _ wrong: WrongResults, of columns: Int
  ) -> String {
    if case .block(let r) = which, case .block(let c) = places, r.count > 1, c.count > 1 {
      return
        "one tile: \(Self.plural(noun)) \(r.lowerBound) to \(r.upperBound - 1), results \(c.lowerBound) to "
        + "\(c.upperBound - 1)"
    }
    let what = places.map { $0.text("result") } ?? "results here and there"
    let whose = which.map { $0.text(noun, axes: axes) }
    switch (whose, places) {
    case (let whose?, .all?): return whose
    case (let whose?, _): return "\(what) of \(whose)"
    case (nil, _): return "\(what), in \(wrong.rowCount) of \(rows) \(Self.plural(noun))"
    }
  }
}

/// Which rows and which places in them.
public struct WrongPattern: Sendable, Hashable {
  /// Which rows; nil where they are scattered.
  public let rows: IndexPattern?
  /// Which places; nil where they are scattered.
  public let places: IndexPattern?
  /// In words: `the last 16 results of every row`.
  public let text: String
}

/// A simple set of numbers from 0 up.
public enum IndexPattern: Sendable, Hashable {
  case all
  /// One.
  case one(Int)
  case first(Int)
  case last(Int)
  /// Neighbours.
  case block(Range<Int>)
  /// All but the first so many.
  case allButFirst(Int)
  /// Every so many-th, from one on.
  case every(Int, from: Int)
  /// A part of each so many: of 64 the last 16.
  case part(Range<Int>, of: Int)
  /// One index along one of several axes.
  case slice(Int, axis: Int, of: Int)

  /// The pattern of `numbers`, in order, of those below `count`; nil where they have none.
  init?(of numbers: [Int], among count: Int) {
    guard let first = numbers.first, let last = numbers.last else { return nil }
    if numbers.count == last - first + 1 {
      self = IndexPattern(block: first..<last + 1, among: count)
      return
    }
    if numbers.count > 2 {
      let step = numbers[1] - first
      // To the end, and from the beginning.
      if first < step, last + step >= count, zip(numbers, numbers.dropFirst()).allSatisfy({ $1 - $0 == step })
      {
        self = .every(step, from: first)
        return
      }
    }
    for period in Self.periods where 2 * period <= count {
      if let part = Self.part(numbers, period, count) {
        self = part
        return
      }
    }
    return nil
  }

  /// Neighbours, by their simplest name.
  init(block: Range<Int>, among count: Int) {
    switch (block.lowerBound, block.upperBound) {
    case (0, count): self = .all
    case (let a, let b) where b == a + 1: self = .one(a)
    case (0, let b): self = .first(b)
    case (let a, count): self = 2 * a <= count ? .allButFirst(a) : .last(count - a)
    default: self = .block(block)
    }
  }

  private static let periods = [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]

  /// Of each `period` numbers the same neighbours.
  private static func part(_ numbers: [Int], _ period: Int, _ count: Int) -> IndexPattern? {
    let residues = Set(numbers.map { $0 % period }).sorted()
    guard let low = residues.first, let high = residues.last, high - low + 1 == residues.count,
      residues.count < period
    else { return nil }
    let whole = count / period * residues.count
    let rest = residues.count { $0 < count % period }
    return numbers.count == whole + rest ? .part(low..<high + 1, of: period) : nil
  }

  /// In words, of things called `noun`, whose numbers along `axes` count those.
  public func text(_ noun: String, axes: [String] = []) -> String {
    switch self {
    case .all: return "every \(noun)"
    case .one(let i): return "\(noun) \(i)"
    case .first(1): return "the first \(noun)"
    case .last(1): return "the last \(noun)"
    case .first(let n): return "the first \(n) \(Self.plural(noun))"
    case .last(let n): return "the last \(n) \(Self.plural(noun))"
    case .block(let r): return "\(Self.plural(noun)) \(r.lowerBound) to \(r.upperBound - 1)"
    case .allButFirst(1): return "every \(noun) but the first"
    case .allButFirst(let n): return "every \(noun) but the first \(n)"
    case .every(let k, let first):
      return "every \(k)\(Self.ordinal(k)) \(noun) from \(first) on"
    case .part(let r, let k) where r.count == 1:
      return "lane \(r.lowerBound) of every \(k) \(Self.plural(noun))"
    case .part(let r, let k):
      if r.upperBound == k { return "the last \(r.count) of every \(k) \(Self.plural(noun))" }
      return "\(Self.plural(noun)) \(r.lowerBound) to \(r.upperBound - 1) of every \(k)"
    case .slice(let i, let axis, let n):
      guard axes.indices.contains(axis) else { return "index \(i) of \(n) along axis \(axis)" }
      let before = axis == 0 ? "" : " of every \(axes[axis - 1])"
      return "\(axes[axis]) \(i) of \(n)\(before)"
    }
  }

  /// `rows`, `queries`.
  static func plural(_ noun: String) -> String {
    noun.hasSuffix("y") ? noun.dropLast() + "ies" : noun + "s"
  }

  private static func ordinal(_ n: Int) -> String {
    if (11...13).contains(n % 100) { return "th" }
    return [1: "st", 2: "nd", 3: "rd"][n % 10] ?? "th"
  }
}
