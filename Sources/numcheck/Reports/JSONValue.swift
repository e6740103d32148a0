import Foundation

/// A JSON document, keys in the order they were written, non-finite numbers as strings.
indirect enum JSONValue {
  case null
  case bool(Bool)
  case int(Int)
  case uint(UInt64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([(String, JSONValue)])

  /// Two-space indented, ending in a newline.
  var text: String {
    var out = ""
    write(to: &out, indent: 0)
    out.append("\n")
    return out
  }

  private func write(to out: inout String, indent: Int) {
    let pad = String(repeating: "  ", count: indent + 1)
    let close = String(repeating: "  ", count: indent)
    switch self {
    case .null: out += "null"
    case .bool(let b): out += b ? "true" : "false"
    case .int(let i): out += String(i)
    case .uint(let i): out += String(i)
    case .number(let x): out += x.isFinite ? Self.digits(x) : "\"\(Figures.number(x))\""
    case .string(let s): out += Self.quoted(s)
    case .array(let list) where list.isEmpty: out += "[]"
    case .object(let members) where members.isEmpty: out += "{}"
    case .array(let list):
      out += "[\n"
      for (i, value) in list.enumerated() {
        out += pad
        value.write(to: &out, indent: indent + 1)
        out += i + 1 < list.count ? ",\n" : "\n"
      }
      out += close + "]"
    case .object(let members):
      out += "{\n"
      for (i, (key, value)) in members.enumerated() {
        out += pad + Self.quoted(key) + ": "
        value.write(to: &out, indent: indent + 1)
        out += i + 1 < members.count ? ",\n" : "\n"
      }
      out += close + "}"
    }
  }

  private static func digits(_ x: Double) -> String {
    x == x.rounded() && x.magnitude < 1e15 && !(x == 0 && x.sign == .minus) ? "\(Int(x))" : "\(x)"
  }

  private static func quoted(_ s: String) -> String {
    // Foundation knows every escape there is.
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    guard let data = try? encoder.encode(s) else { return "\"\"" }
    return String(decoding: data, as: UTF8.self)
  }
}
