import NumKit
import NumKitNumbers
import TensorFiles

/// How one tensor differs from another of the same shape: of a pair of dumps, the second held against the first.
public struct DumpDifference: Sendable {
  /// Elements.
  public private(set) var count = 0
  /// NaN in each.
  public private(set) var nan = (first: 0, second: 0)
  /// Elements that are infinite in the second and finite in the first.
  public private(set) var overflow = 0
  /// Elements that are finite in one alone, or infinite with another sign.
  public private(set) var unlike = 0
  /// Elements that are not equal, NaN being equal to NaN.
  public private(set) var different = 0
  /// The largest difference in ulps at the first's number, of the coarser of both formats.
  public private(set) var maxUlp = 0.0
  /// Where that is.
  public private(set) var worst: Int?
  /// Energies, errors and products, of what is finite in both.
  public private(set) var sums = ErrorSums()
  private var ulpSum = ExactSum()

  /// The mean difference in ulps.
  public var meanUlp: Double { sums.finiteCount == 0 ? .nan : ulpSum.value / Double(sums.finiteCount) }

  init() {}

  mutating func add(
    _ a: UnsafeBufferPointer<Double>, _ b: UnsafeBufferPointer<Double>, first: Int, _ format: NumberFormat
  ) {
    for i in a.indices {
      let (x, y) = (a[i], b[i])
      count += 1
      if x.isNaN { nan.first += 1 }
      if y.isNaN { nan.second += 1 }
      if x.isFinite && y.isInfinite { overflow += 1 }
      sums.add(exact: x, computed: y, error: y - x)
      if x == y || x.isNaN && y.isNaN { continue }
      different += 1
      guard x.isFinite, y.isFinite else {
        unlike += 1
        continue
      }
      let ulps = (y - x).magnitude / format.ulp(of: x)
      ulpSum.add(ulps)
      if ulps > maxUlp {
        maxUlp = ulps
        worst = first + i
      }
    }
  }
}

extension DumpDifference: Portable {
  mutating func merge(_ other: DumpDifference) {
    count += other.count
    nan.first += other.nan.first
    nan.second += other.nan.second
    overflow += other.overflow
    different += other.different
    unlike += other.unlike
    if let theirs = other.worst,
      other.maxUlp > maxUlp || other.maxUlp == maxUlp && theirs < worst ?? .max
    {
      (maxUlp, worst) = (other.maxUlp, theirs)
    }
    sums.merge(other.sums)
    ulpSum.merge(other.ulpSum)
  }

  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(count: &count)
    try c.carry(count: &nan.first)
    try c.carry(count: &nan.second)
    try c.carry(count: &overflow)
    try c.carry(count: &different)
    try c.carry(count: &unlike)
    try c.carry(&maxUlp)
    try c.carry(&worst, blank: 0) { try $0.carry(count: &$1) }
    try c.carry(&sums)
    try c.carry(&ulpSum)
  }
}

/// Two tensors of two dumps.
public struct DumpPair: Sendable {
  /// The first's name.
  public let name: String
  /// The second's, where it has another.
  public let otherName: String
  /// Both.
  public let first: TensorView
  public let second: TensorView
  private let decoder: DumpComparison.Decoding

  /// Two tensors; throws `GuestError` where they cannot be compared.
  init(_ first: TensorView, _ second: TensorView, _ decoder: @escaping DumpComparison.Decoding) throws {
    guard first.shape == second.shape else {
      throw GuestError("its shapes differ: \(first.shape) and \(second.shape)")
    }
    for view in [first, second]
    where view.elementType.dtype == nil && !view.elementType.isNumeric && decoder(view.elementType) == nil {
      throw GuestError("its \(view.elementType) elements are no plain numbers")
    }
    self.decoder = decoder
    guard first.count > 0 else { throw GuestError("it has no elements") }
    (name, otherName) = (first.name, second.name)
    (self.first, self.second) = (first, second)
  }

  /// The coarser of both formats; f64 where neither has one.
  public var format: NumberFormat {
    let formats = [first, second].compactMap(\.elementType.numberFormat)
    return formats.min { $0.precision < $1.precision } ?? .f64
  }

  /// Whether one of both is stored in blocks with scales: quantized already.
  public var isQuantized: (first: Bool, second: Bool) {
    func isBlock(_ view: TensorView) -> Bool {
      switch view.elementType {
      case .block, .packed: true
      default: false
      }
    }
    return (isBlock(first), isBlock(second))
  }

  /// Compares them, in pieces.
  public func difference() throws -> DumpDifference {
    try Sharing.share(
      "pieces", units: (first.count + Self.piece - 1) / Self.piece, make: { DumpDifference() },
      work: { try difference($0) }, merge: { $0.merge($1) })
  }

  private static let piece = 1 << 14

  private func difference(_ pieces: Range<Int>) throws -> DumpDifference {
    let piece = Self.piece
    let (a0, b0) = (try rows(first), try rows(second))
    var found = DumpDifference()
    let format = format
    try withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * piece) { room in
      let (a, b) = (
        UnsafeMutableBufferPointer(rebasing: room[..<piece]),
        UnsafeMutableBufferPointer(rebasing: room[piece...])
      )
      for start in pieces.lazy.map({ $0 * piece }) {
        let range = start..<min(start + piece, first.count)
        try a0.copyDoubles(elements: range, into: a)
        try b0.copyDoubles(elements: range, into: b)
        found.add(
          UnsafeBufferPointer(rebasing: a[..<range.count]), UnsafeBufferPointer(rebasing: b[..<range.count]),
          first: start, format)
      }
    }
    return found
  }
}

extension DumpPair {
  private func rows(_ view: TensorView) throws -> TensorSource {
    try view.rows(axis: view.shape.isEmpty ? nil : -1, decoder: decoder(view.elementType))
  }
}

/// Two dumps of tensors, matched by their names.
public struct DumpComparison: Sendable {
  /// What both have, in order.
  public private(set) var pairs: [DumpPair] = []
  /// What one has and the other has not, and what cannot be compared, and why.
  public private(set) var leftOut: [(tensor: String, reason: String)] = []

  /// What decodes the blocks of a type; nil for types that nobody does.
  public typealias Decoding = @Sendable (ElementType) -> (any BlockDecoder)?

  /// The tensors of two files, in the order of the first or in that of `order`; `map` gives the name in the second of one in the first.
  public init(
    _ first: TensorFile, _ second: TensorFile, order: [String] = [], map: [NameRule] = [],
    decoder: @escaping Decoding = { _ in nil }
  ) throws {
    let (views, others) = (first.views, second.views)
    // Two files of one tensor each: names, which may be the files' own, say nothing.
    if views.count == 1, others.count == 1, order.isEmpty, map.isEmpty {
      pairs = [try DumpPair(views[0], others[0], decoder)]
      return
    }
    let byName = Dictionary(others.map { (Spelling($0.name), $0) }, uniquingKeysWith: { a, _ in a })
    let mine = Dictionary(views.map { (Spelling($0.name), $0) }, uniquingKeysWith: { a, _ in a })
    var names = views.map(\.name)
    if !order.isEmpty {
      for name in order where mine[Spelling(name)] == nil {
        leftOut.append((name, "stands in the order, but not in \(first.path)"))
      }
      let listed = Set(order.map { Spelling($0) })
      names = order.filter { mine[Spelling($0)] != nil } + names.filter { !listed.contains(Spelling($0)) }
    }
    var used: Set<Spelling> = []
    for name in names {
      guard let view = mine[Spelling(name)] else { continue }
      let other = map.lazy.compactMap { $0.apply(name) }.first ?? name
      guard let match = byName[Spelling(other)] else {
        let reason = other == name ? "" : " as \(other)"
        leftOut.append((name, "is missing in \(second.path)\(reason)"))
        continue
      }
      used.insert(Spelling(other))
      do { pairs.append(try DumpPair(view, match, decoder)) } catch let error as GuestError {
        leftOut.append((name, error.description))
      }
    }
    for other in others where !used.contains(Spelling(other.name)) {
      leftOut.append((other.name, "is missing in \(first.path)"))
    }
    for file in [first, second] {
      for tensor in file.unreadable { leftOut.append((tensor.name, "\(file.path): \(tensor.reason)")) }
    }
  }
}

/// Names of the first dump and what the second calls them: `model.*=*`, a `*` on each side standing for the same.
public struct NameRule: Sendable, Hashable {
  private let from: [Substring]
  private let to: [Substring]

  /// A rule as it is written; nil where it is none.
  public init?(_ text: String) {
    let sides = text.split(separator: "=", omittingEmptySubsequences: false)
    guard sides.count == 2, !sides[0].isEmpty, !sides[1].isEmpty else { return nil }
    from = sides[0].split(separator: "*", omittingEmptySubsequences: false)
    to = sides[1].split(separator: "*", omittingEmptySubsequences: false)
    guard from.count <= 2, to.count <= from.count else { return nil }
  }

  /// The other name of `name`; nil where the rule does not speak of it.
  public func apply(_ name: String) -> String? {
    guard from.count == 2 else { return name == from[0] ? String(to[0]) : nil }
    guard name.hasPrefix(from[0]), name.hasSuffix(from[1]),
      name.utf8.count >= from[0].utf8.count + from[1].utf8.count
    else { return nil }
    let middle = name.dropFirst(from[0].count).dropLast(from[1].count)
    return to.count == 2 ? String(to[0]) + middle + String(to[1]) : String(to[0])
  }
}
