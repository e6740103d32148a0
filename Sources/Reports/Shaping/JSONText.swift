/// Values as JSON, for every format that is JSON.
package enum JSONText {
  /// A document, its last line ended.
  package static func of(_ value: JSONValue) -> String {
    var out = ""
    write(value, to: &out, indent: 0)
    return out + "\n"
  }

  /// Two-space indented; numbers that are not finite as strings.
  private static func write(_ value: JSONValue, to out: inout String, indent: Int) {
    let pad = String(repeating: " ", count: 2 * indent + 2)
    let close = String(repeating: " ", count: 2 * indent)
    switch value {
    case .none: out += "null"
    case .flag(let b): out += b ? "true" : "false"
    case .integer(let n): out += String(n)
    case .unsigned(let n): out += String(n)
    case .number(let x): out += x.isFinite ? digits(x) : quoted(Figures.number(x))
    case .text(let s): out += quoted(s)
    case .list(let list) where list.isEmpty: out += "[]"
    case .members(let members) where members.isEmpty: out += "{}"
    case .list(let list):
      out += "[\n"
      for (i, item) in list.enumerated() {
        out += pad
        write(item, to: &out, indent: indent + 1)
        out += i + 1 < list.count ? ",\n" : "\n"
      }
      out += close + "]"
    case .members(let members):
      out += "{\n"
      for (i, member) in members.enumerated() {
        out += pad + quoted(member.name) + ": "
        write(member.value, to: &out, indent: indent + 1)
        out += i + 1 < members.count ? ",\n" : "\n"
      }
      out += close + "}"
    }
  }

  private static func digits(_ x: Double) -> String {
    x == x.rounded() && x.magnitude < 1e15 && !(x == 0 && x.sign == .minus) ? "\(Int(x))" : "\(x)"
  }

  private static func quoted(_ s: String) -> String { "\"" + Escaping.json(s) + "\"" }
}
