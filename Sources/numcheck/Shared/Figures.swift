import NumKit
import Reports

/// Numbers as text: see `Reports`.
typealias Figures = Reports.Figures
/// What makes text from outside safe to write: see `Reports`.
typealias Escaping = Reports.Escaping

extension Reports.Figures {
  /// The code of `x` in `dtype`, as hexadecimal digits; nil for integer grids.
  static func bits(_ x: Double, _ dtype: DType) -> String? {
    guard let format = dtype.numberFormat else { return nil }
    let digits = String(format.encode(x), radix: 16)
    let width = (format.bitWidth + 3) / 4
    return "0x" + String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
  }
}
