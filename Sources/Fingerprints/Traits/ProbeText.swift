import NumKit

/// Probes in words: rows with what is not special left out.
enum ProbeText {
  /// `x[3] = 0, x[17] = -16.9, else -800`.
  static func row(_ values: [Double], else rest: Double? = nil, name: String = "x") -> String {
    let others = rest ?? mostFrequent(values)
    let special = values.indices.filter { values[$0] != others || values[$0].isNaN }
    var parts = special.prefix(4).map { "\(name)[\($0)] = \(number(values[$0]))" }
    if special.count > 4 { parts.append("…") }
    if special.count < values.count {
      parts.append(parts.isEmpty ? "all \(number(others))" : "else \(number(others))")
    }
    return parts.joined(separator: ", ")
  }

  static func number(_ x: Double) -> String {
    if x.isNaN { return "NaN" }
    if x.isFinite, x == x.rounded() && x.magnitude < 1e15 { return "\(Int(x))" }
    let text = "\(x)"
    return text.utf8.count <= 12 ? text : hex(x)
  }

  /// As C writes it: `0x1.8p-4`.
  static func hex(_ x: Double) -> String {
    guard x.isFinite, x != 0 else { return "\(x)" }
    var digits = String(x.significandBitPattern, radix: 16)
    digits = String(repeating: "0", count: 13 - digits.utf8.count) + digits
    while digits.hasSuffix("0") { digits.removeLast() }
    return (x < 0 ? "-" : "") + "0x1" + (digits.isEmpty ? "" : "." + digits)
      + "p\(x.exponent < 0 ? "" : "+")\(x.exponent)"
  }

  private static func mostFrequent(_ values: [Double]) -> Double {
    var counts: [UInt64: Int] = [:]
    for x in values { counts[x.bitPattern, default: 0] += 1 }
    let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
    return most.map { Double(bitPattern: $0.key) } ?? 0
  }
}
