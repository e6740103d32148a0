import NumKitNumbers

/// Rows of logits: generated, or read from somewhere.
public protocol RowSource: Sendable {
  /// How many rows.
  var rowCount: Int { get }
  /// How many elements a row has.
  var length: Int { get }
  /// Puts row number `row` into `buffer`, exactly as it is; called from several threads.
  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws
}

/// Rows drawn from a distribution.
public struct GeneratedRows: RowSource {
  /// What they are drawn from.
  public let distribution: Distribution
  /// R.
  public let range: Double
  /// What makes them these and no others.
  public let seed: UInt64
  public let rowCount: Int
  public let length: Int

  /// All parts.
  public init(_ distribution: Distribution, range: Double, rows: Int, length: Int, seed: UInt64) {
    self.distribution = distribution
    self.range = range
    self.seed = seed
    rowCount = rows
    self.length = length
  }

  public func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
    var random = RandomSource(seed: seed, row: row)
    distribution.fill(buffer, range: range, &random)
  }
}
