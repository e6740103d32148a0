import NumKitNumbers

/// Every row of a length over the finite numbers of a format: not a sample but all there is.
public struct ExhaustiveRows: RowSource {
  /// The format's finite numbers, ascending, −0 left out.
  public let values: [Double]
  public let length: Int
  public let rowCount: Int

  /// nil where there are more than 2^26 rows.
  public init?(_ format: NumberFormat, length: Int) {
    guard format.bitWidth <= 19, length >= 1 else { return nil }
    let values = format.finiteValues
    var count = 1
    for _ in 0..<length {
      count *= values.count
      if count > 1 << 26 { return nil }
    }
    self.values = values
    self.length = length
    rowCount = count
  }

  public func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
    var rest = row
    for i in buffer.indices {
      buffer[i] = values[rest % values.count]
      rest /= values.count
    }
  }
}

extension NumberFormat {
  /// Every finite number, ascending, one zero.
  public var finiteValues: [Double] {
    (0..<(1 << bitWidth)).map { decode(UInt64($0)) }.filter { $0.isFinite && !($0 == 0 && $0.sign == .minus) }
      .sorted()
  }
}
