import Foundation
import NumKit

/// Numbers as text.
enum Figures {
  /// Three or four significant digits, for tables.
  static func short(_ x: Double) -> String {
    if x.isNaN { return "NaN" }
    if x.isInfinite { return x < 0 ? "-inf" : "inf" }
    if x == 0 { return "0" }
    let m = x.magnitude
    if m >= 999_999.5 || m < 1e-3 { return trimExponent(String(format: "%.2e", x)) }
    // Where rounding reaches the next power of ten, its form.
    if m >= 999.95 { return String(format: "%.0f", x) }
    if m >= 99.995 { return String(format: "%.1f", x) }
    if m >= 0.9995 { return String(format: "%.2f", x) }
    if m >= 0.09995 { return String(format: "%.3f", x) }
    return String(format: m >= 0.009995 ? "%.4f" : "%.5f", x)
  }

  private static func trimExponent(_ s: String) -> String {
    s.replacingOccurrences(of: "e-0", with: "e-").replacingOccurrences(of: "e+0", with: "e")
      .replacingOccurrences(of: "e+", with: "e")
  }

  /// The shortest decimal that reads back as the same Double.
  static func number(_ x: Double) -> String {
    if x.isNaN { return "NaN" }
    if x.isInfinite { return x < 0 ? "-inf" : "inf" }
    if x == x.rounded() && x.magnitude < 1e15 { return x == 0 && x.sign == .minus ? "-0" : "\(Int(x))" }
    return "\(x)"
  }

  /// C's hexadecimal notation, exact.
  static func hex(_ x: Double) -> String {
    if !x.isFinite { return number(x) }
    if x == 0 { return x.sign == .minus ? "-0x0p+0" : "0x0p+0" }
    let sign = x.sign == .minus ? "-" : ""
    let e = Int(x.exponent)
    var digits = String(x.significand.bitPattern & ((1 << 52) - 1), radix: 16)
    digits = String(repeating: "0", count: 13 - digits.count) + digits
    while digits.last == "0" { digits.removeLast() }
    return "\(sign)0x1\(digits.isEmpty ? "" : "." + digits)p\(e < 0 ? "" : "+")\(e)"
  }

  /// The code of `x` in `dtype`, as hexadecimal digits; nil for integer grids.
  static func bits(_ x: Double, _ dtype: DType) -> String? {
    guard let format = dtype.numberFormat else { return nil }
    let digits = String(format.encode(x), radix: 16)
    let width = (format.bitWidth + 3) / 4
    return "0x" + String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
  }

  /// Thousands apart.
  static func count(_ n: Int) -> String {
    var out = ""
    for (i, c) in String(n).reversed().enumerated() {
      if i > 0 && i % 3 == 0 && c != "-" { out.append(",") }
      out.append(c)
    }
    return String(out.reversed())
  }
}

extension Figures {
  /// A name from a file on one line, without what could drive a terminal.
  static func line(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      let isControl =
        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        || scalar.value == 0x2028 || scalar.value == 0x2029
      if isControl {
        out += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// A share as a percentage, never rounded to 0 or 100 that it is not.
  static func percent(_ part: Int, of total: Int) -> String {
    if total == 0 { return "-" }
    if part == 0 { return "0 %" }
    if part == total { return "100 %" }
    let share = 100 * Double(part) / Double(total)
    if share > 99.9 { return "> 99.9 %" }
    return "\(short(share)) %"
  }
}
