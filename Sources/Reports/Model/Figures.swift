#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Numbers as text.
package enum Figures {
  /// Three or four significant digits, for tables.
  package static func short(_ x: Double) -> String {
    if x.isNaN { return "NaN" }
    if x.isInfinite { return x < 0 ? "-inf" : "inf" }
    if x == 0 { return "0" }
    let m = x.magnitude
    if m >= 999_999.5 || m < 1e-3 { return shortExponent(printed("%.2e", x)) }
    // Where rounding reaches the next power of ten, its form.
    if m >= 999.95 { return printed("%.0f", x) }
    if m >= 99.995 { return printed("%.1f", x) }
    if m >= 0.9995 { return printed("%.2f", x) }
    if m >= 0.09995 { return printed("%.3f", x) }
    return printed(m >= 0.009995 ? "%.4f" : "%.5f", x)
  }

  /// As C prints it, correctly rounded.
  private static func printed(_ format: String, _ x: Double) -> String {
    withVaList([x]) { arguments in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
        vsnprintf(buffer.baseAddress, buffer.count, format, arguments)
        return String(cString: buffer.baseAddress!)
      }
    }
  }

  /// `1.00e-07` as `1.00e-7`, `1.00e+07` as `1.00e7`.
  private static func shortExponent(_ s: String) -> String {
    let parts = s.split(separator: "e", maxSplits: 1)
    guard parts.count == 2, let exponent = Int(parts[1]) else { return s }
    return "\(parts[0])e\(exponent)"
  }

  /// The shortest decimal that reads back as the same Double.
  package static func number(_ x: Double) -> String {
    if x.isNaN { return "NaN" }
    if x.isInfinite { return x < 0 ? "-inf" : "inf" }
    if x == x.rounded() && x.magnitude < 1e15 { return x == 0 && x.sign == .minus ? "-0" : "\(Int(x))" }
    return "\(x)"
  }

  /// C's hexadecimal notation, exact.
  package static func hex(_ x: Double) -> String {
    if !x.isFinite { return number(x) }
    if x == 0 { return x.sign == .minus ? "-0x0p+0" : "0x0p+0" }
    let sign = x.sign == .minus ? "-" : ""
    let e = Int(x.exponent)
    var digits = String(x.significand.bitPattern & ((1 << 52) - 1), radix: 16)
    digits = String(repeating: "0", count: 13 - digits.count) + digits
    while digits.last == "0" { digits.removeLast() }
    return "\(sign)0x1\(digits.isEmpty ? "" : "." + digits)p\(e < 0 ? "" : "+")\(e)"
  }

  /// Thousands apart.
  package static func count(_ n: Int) -> String {
    var out = ""
    for (i, c) in String(n).reversed().enumerated() {
      if i > 0 && i % 3 == 0 && c != "-" { out.append(",") }
      out.append(c)
    }
    return String(out.reversed())
  }

  /// A share as a percentage, never rounded to 0 or 100 that it is not.
  package static func percent(_ part: Int, of total: Int) -> String {
    if total == 0 { return "-" }
    if part == 0 { return "0 %" }
    if part == total { return "100 %" }
    let share = 100 * Double(part) / Double(total)
    if share > 99.9 { return "> 99.9 %" }
    return "\(short(share)) %"
  }

  /// a; a and b; a, b and c.
  package static func list(_ names: [String]) -> String {
    guard names.count > 1, let last = names.last else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " and " + last
  }
}
