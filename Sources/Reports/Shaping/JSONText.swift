/// Values as JSON, for every format that is JSON.
package enum JSONText {
  /// A document, its last line ended; lists and members that fit into `width` columns stand on one line.
  package static func of(_ value: JSONValue, width: Int = 0) -> String {
    var out = ""
    write(value, to: &out, indent: 0, before: 0, width: width)
    return out + "\n"
  }

  /// Two-space indented, behind `before` columns; numbers that are not finite as strings.
  private static func write(
    _ value: JSONValue, to out: inout String, indent: Int, before: Int, width: Int
  ) {
    if width > 0, let line = line(value, room: width - before) {
      out += line
      return
    }
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
        write(item, to: &out, indent: indent + 1, before: pad.utf8.count + 1, width: width)
        out += i + 1 < list.count ? ",\n" : "\n"
      }
      out += close + "]"
    case .members(let members):
      out += "{\n"
      for (i, member) in members.enumerated() {
        let start = pad + quoted(member.name) + ": "
        out += start
        write(member.value, to: &out, indent: indent + 1, before: start.utf8.count + 1, width: width)
        out += i + 1 < members.count ? ",\n" : "\n"
      }
      out += close + "}"
    }
  }

  /// A list or members on one line of at most `room` bytes; nil where they are longer, and for what is one word anyway.
  private static func line(_ value: JSONValue, room: Int) -> String? {
    let items: [(start: String, value: JSONValue)]
    let ends: (String, String)
    switch value {
    case .list(let list) where !list.isEmpty: (items, ends) = (list.map { ("", $0) }, ("[", "]"))
    case .members(let members) where !members.isEmpty:
      (items, ends) = (members.map { (quoted($0.name) + ": ", $0.value) }, ("{ ", " }"))
    default: return nil
    }
    var text = ends.0
    for (i, item) in items.enumerated() {
      text += (i > 0 ? ", " : "") + item.start
      if let inner = line(item.value, room: room - text.utf8.count) {
        text += inner
      } else if item.value.isScalar || item.value.isEmpty {
        write(item.value, to: &text, indent: 0, before: 0, width: 0)
      } else {
        return nil
      }
      if text.utf8.count > room { return nil }
    }
    text += ends.1
    return text.utf8.count <= room ? text : nil
  }

  /// On one line, its end with it.
  package static func line(of value: JSONValue) -> String {
    var out = ""
    compact(value, to: &out)
    return out + "\n"
  }

  private static func compact(_ value: JSONValue, to out: inout String) {
    switch value {
    case .list(let list):
      out += "["
      for (i, item) in list.enumerated() {
        if i > 0 { out += "," }
        compact(item, to: &out)
      }
      out += "]"
    case .members(let members):
      out += "{"
      for (i, member) in members.enumerated() {
        if i > 0 { out += "," }
        out += quoted(member.name) + ":"
        compact(member.value, to: &out)
      }
      out += "}"
    default: write(value, to: &out, indent: 0, before: 0, width: 0)
    }
  }

  private static func digits(_ x: Double) -> String {
    x == x.rounded() && x.magnitude < 1e15 && !(x == 0 && x.sign == .minus) ? "\(Int(x))" : "\(x)"
  }

  private static func quoted(_ s: String) -> String { "\"" + Escaping.json(s) + "\"" }
}
