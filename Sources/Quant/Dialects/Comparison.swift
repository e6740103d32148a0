import CSchemes
import NumKit

/// What two schemes disagree about in a block.
public enum DifferenceKind: String, Sendable, Hashable, CaseIterable {
  /// The blocks' scales: what their elements can say at most differs.
  case scale
  /// The codes of elements under the same scale.
  case element
  /// The answer for NaN, an infinity or a zero's sign.
  case special
  /// The values, by schemes that do not tell their scales (no `LimitedScheme`).
  case value
}

/// A small input on which two schemes differ.
public struct DialectWitness: Sendable, Hashable {
  /// One row; the schemes see nothing else.
  public let values: [Float]
  /// Where the difference shows.
  public let index: Int
  /// What the first scheme decodes there.
  public let first: Float
  /// What the second decodes there.
  public let second: Float
}

/// How two schemes differ on a matrix.
public struct DialectComparison: Sendable {
  /// The runs of a row that were compared.
  public let blockLength: Int
  /// How many there were.
  public private(set) var blockCount = 0
  /// How many of them decode differently.
  public private(set) var differingBlocks = 0
  /// How many of them differ in what way; a block can do so in several.
  public private(set) var kinds: [DifferenceKind: Int] = [:]
  /// The error of the first scheme, and of the second.
  public private(set) var first = ErrorSums()
  public private(set) var second = ErrorSums()
  /// The same within the blocks that differ.
  public private(set) var firstWhereDiffering = ErrorSums()
  public private(set) var secondWhereDiffering = ErrorSums()
  /// The smallest witness found for each kind.
  public private(set) var witnesses: [DifferenceKind: DialectWitness] = [:]

  /// The share of blocks that differ.
  public var share: Double { blockCount == 0 ? 0 : Double(differingBlocks) / Double(blockCount) }
  /// How many dB of SQNR the second scheme loses against the first; 0 where both are exact.
  public var cost: Double { first.sqnr == second.sqnr ? 0 : first.sqnr - second.sqnr }

  /// What there is in the tensor that is no number.
  public let nonFinite: NonFinite

  /// Compares two schemes on a matrix that both fit. Throws what they throw.
  public init(
    _ a: any Scheme, _ b: any Scheme, _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int
  ) throws {
    try self.init(a, b, BufferBands(values: values, rows: rows, columns: columns))
  }

  /// The same on a tensor that is read in bands of about `bandElements`, twice; no digit depends on them. `progress` is told how many
  /// elements more are compared.
  public init(
    _ a: any Scheme, _ b: any Scheme, _ source: some BandSource, bandElements: Int = 1 << 17,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    blockLength = try DialectPair.blockLength(a, b)
    let columns = source.columns
    let bands = try DecodedBands([a, b], source, limits: true, bandElements: bandElements)
    nonFinite = bands.nonFinite
    // Blocks from which to look for witnesses, a few of each kind.
    var candidates: [DifferenceKind: [Candidate]] = [:]
    // What scales of rows and of the tensor are made of.
    var largest: Float = 0
    try bands.forEach { _, values, decoded in
      for x in values where x.isFinite && x.magnitude > largest.magnitude { largest = x }
      let pair = DialectPair(a: decoded[0], b: decoded[1])
      for start in stride(from: 0, to: values.count, by: max(columns, 1)) {
        addRow(start..<start + columns, values, pair, &candidates)
      }
      progress?(values.count)
    }
    for (kind, blocks) in candidates {
      for candidate in blocks {
        let search = WitnessSearch(a, b, kind)
        guard
          let witness = try search.shrink(candidate.block)
            ?? search.shrink(candidate.beside(candidate.largestOfRow))
            ?? search.shrink(candidate.beside(largest))
        else { continue }
        if witnesses[kind].map({ WitnessSearch.size(witness.values) < WitnessSearch.size($0.values) }) ?? true
        {
          witnesses[kind] = witness
        }
      }
    }
  }

  /// A block that decodes differently.
  private struct Candidate {
    let block: [Float]
    let largestOfRow: Float

    /// The block behind one that holds `largest` alone, so that scales of the whole are what they were.
    func beside(_ largest: Float) -> [Float] {
      [largest] + [Float](repeating: 0, count: block.count - 1) + block
    }
  }

  private mutating func addRow(
    _ row: Range<Int>, _ values: UnsafeBufferPointer<Float>, _ pair: DialectPair,
    _ candidates: inout [DifferenceKind: [Candidate]]
  ) {
    func part(_ range: Range<Int>) -> (
      x: UnsafeBufferPointer<Float>, a: UnsafeBufferPointer<Float>, b: UnsafeBufferPointer<Float>
    ) {
      (
        UnsafeBufferPointer(rebasing: values[range]),
        UnsafeBufferPointer(rebasing: pair.a.valuesBuffer[range]),
        UnsafeBufferPointer(rebasing: pair.b.valuesBuffer[range])
      )
    }
    let whole = part(row)
    first.add(whole.x, whole.a)
    second.add(whole.x, whole.b)
    for start in stride(from: row.lowerBound, to: row.upperBound, by: blockLength) {
      let range = start..<min(start + blockLength, row.upperBound)
      blockCount += 1
      let found = pair.kinds(range, values)
      if found.isEmpty { continue }
      differingBlocks += 1
      let block = part(range)
      firstWhereDiffering.add(block.x, block.a)
      secondWhereDiffering.add(block.x, block.b)
      for kind in found {
        kinds[kind, default: 0] += 1
        if candidates[kind, default: []].count < 8 {
          let padding = [Float](repeating: 0, count: blockLength - range.count)
          let largest = whole.x.reduce(0) { $1.isFinite && $1.magnitude > $0.magnitude ? $1 : $0 }
          candidates[kind, default: []].append(
            Candidate(block: Array(block.x) + padding, largestOfRow: largest))
        }
      }
    }
  }
}

/// What one scheme makes of a matrix.
final class DecodedMatrix {
  let values: UnsafeMutableBufferPointer<Float>
  let highest: UnsafeMutableBufferPointer<Float>?
  let lowest: UnsafeMutableBufferPointer<Float>?
  /// The bytes it is stored in.
  private(set) var storedBytes = 0

  var valuesBuffer: UnsafeBufferPointer<Float> { UnsafeBufferPointer(values) }

  /// `limits`: with the ends of the grid.
  init(
    _ scheme: any Scheme, _ x: UnsafeBufferPointer<Float>, rows: Int, columns: Int, limits: Bool = true
  ) throws {
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try scheme.byteCount(rows: rows, columns: columns), alignment: 64)
    defer { bytes.deallocate() }
    values = .allocate(capacity: x.count)
    values.initialize(repeating: 0)
    let grid = limits ? scheme as? any LimitedScheme : nil
    lowest = grid.map { _ in .allocate(capacity: x.count) }
    highest = grid.map { _ in .allocate(capacity: x.count) }
    try scheme.encode(x, rows: rows, columns: columns, into: bytes)
    storedBytes = try scheme.storedByteCount(UnsafeRawBufferPointer(bytes), rows: rows, columns: columns)
    try scheme.decode(UnsafeRawBufferPointer(bytes), rows: rows, columns: columns, into: values)
    if let grid, let lowest, let highest {
      try grid.decodeLimits(
        UnsafeRawBufferPointer(bytes), rows: rows, columns: columns, lowest: lowest, highest: highest)
    }
  }

  deinit {
    values.deallocate()
    lowest?.deallocate()
    highest?.deallocate()
  }
}

/// What two schemes make of the same matrix.
struct DialectPair {
  let a: DecodedMatrix
  let b: DecodedMatrix

  init(a: DecodedMatrix, b: DecodedMatrix) { (self.a, self.b) = (a, b) }

  init(
    _ a: any Scheme, _ b: any Scheme, _ x: UnsafeBufferPointer<Float>, rows: Int, columns: Int
  ) throws {
    self.a = try DecodedMatrix(a, x, rows: rows, columns: columns)
    self.b = try DecodedMatrix(b, x, rows: rows, columns: columns)
  }

  static func same(_ x: Float, _ y: Float) -> Bool {
    x.bitPattern == y.bitPattern || (x.isNaN && y.isNaN)
  }

  /// How the elements of `range` differ; empty where they do not.
  func kinds(_ range: Range<Int>, _ x: UnsafeBufferPointer<Float>) -> Set<DifferenceKind> {
    var found: Set<DifferenceKind> = []
    for index in range {
      if let kind = kind(index, x[index]) { found.insert(kind) }
    }
    return found
  }

  /// How an element differs; nil if it does not.
  func kind(_ index: Int, _ x: Float) -> DifferenceKind? {
    let (first, second) = (a.values[index], b.values[index])
    if DialectPair.same(first, second) { return nil }
    if !x.isFinite || first.isFinite != second.isFinite || first == second { return .special }
    guard let low = a.lowest, let high = a.highest, let otherLow = b.lowest, let otherHigh = b.highest
    else { return .value }
    let sameScale =
      DialectPair.same(low[index], otherLow[index]) && DialectPair.same(high[index], otherHigh[index])
    return sameScale ? .element : .scale
  }

  /// The shortest row, of a multiple of 32 elements, that holds whole blocks of both.
  static func blockLength(_ a: any Scheme, _ b: any Scheme) throws -> Int {
    var refusal: (any Error)?
    for length in [32, 64, 128, 256, 512] {
      if let width = natural(a), length < width { continue }
      if let width = natural(b), length < width { continue }
      do {
        _ = try (a.byteCount(rows: 1, columns: length), b.byteCount(rows: 1, columns: length))
        return length
      } catch { refusal = error }
    }
    throw refusal ?? SchemeError.shape("\(a.name) and \(b.name) share no block of up to 512 elements")
  }

  /// The length of a scheme's blocks where a row has several.
  private static func natural(_ scheme: any Scheme) -> Int? {
    guard let blocked = scheme as? any BlockedScheme else { return nil }
    switch blocked.granularity {
    case .group(let length) where length <= 512: return length
    case .block(_, let width) where width <= 512: return width
    default: return nil
    }
  }
}
