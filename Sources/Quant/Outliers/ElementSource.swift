/// A tensor that can be read more than once, as rows (tokens) × columns (channels) of Float, row-major.
public protocol ElementSource: Sendable {
  /// Rows: tokens.
  var rows: Int { get }
  /// Columns: channels.
  var columns: Int { get }

  /// The elements of `range`, numbered row by row, into `buffer`, which has as many. From any thread.
  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws
}

extension ElementSource {
  /// The number of elements.
  public var count: Int { rows * columns }
}

/// A tensor in memory, which the caller keeps alive.
public struct MemorySource: ElementSource, @unchecked Sendable {
  public let rows: Int
  public let columns: Int
  private let values: UnsafeBufferPointer<Float>

  /// - Precondition: `values.count` is rows × columns.
  public init(_ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int) {
    precondition(values.count == rows * columns, "as many values as rows × columns")
    self.values = values
    self.rows = rows
    self.columns = columns
  }

  public func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) {
    guard let to = buffer.baseAddress, let from = values.baseAddress, !range.isEmpty else { return }
    precondition(range.lowerBound >= 0 && range.upperBound <= values.count && buffer.count >= range.count)
    to.update(from: from + range.lowerBound, count: range.count)
  }
}
