import Reports
import Yams

/// A value of a YAML file and where it stands. It reads what it is asked for, or throws what was meant.
struct YAMLValue {
  let node: Node
  let file: String
  /// What people call it: `threads`.
  let name: String

  /// The one document of a text; nil where it has none.
  static func document(_ text: String, file: String) throws -> YAMLValue? {
    do {
      guard let node = try Yams.compose(yaml: text) else { return nil }
      return YAMLValue(node: node, file: file, name: "the file")
    } catch let error as YamlError {
      throw Self.error(error, file: file)
    }
  }

  private static func error(_ error: YamlError, file: String) -> GateError {
    func at(_ mark: Mark) -> Location { Location(file: file, line: mark.line, column: mark.column) }
    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let more = context.map { " (\($0.text))" } ?? ""
      return GateError("not YAML: \(problem)\(more)", at: at(mark))
    case .reader(let problem, _, _, _):
      return GateError("not YAML: \(problem)", at: Location(file: file, line: 1))
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.map { "'\($0)'" }
      return GateError("\(Figures.list(names)) stands here twice", at: at(context.mark))
    default: return GateError("not YAML: \(error)", at: Location(file: file, line: 1))
    }
  }

  var location: Location {
    Location(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
  }

  func wrong(_ message: String) -> GateError { GateError(message, at: location) }

  private func named(_ node: Node, _ name: String) -> YAMLValue {
    YAMLValue(node: node, file: file, name: name)
  }

  var isMapping: Bool { node.mapping != nil }
  var isList: Bool { node.sequence != nil }
  /// Whether nothing is written.
  var isNull: Bool { node.null != nil }

  /// Keys and values, in order.
  func members() throws -> [(key: YAMLValue, value: YAMLValue)] {
    guard let mapping = node.mapping else {
      throw wrong("'\(name)' must be keys and values, not \(kind)")
    }
    return try mapping.map { key, value in
      guard let text = key.scalar?.string else { throw named(key, name).wrong("a key must be a word") }
      return (named(key, text), named(value, text))
    }
  }

  /// The items of a list.
  func items() throws -> [YAMLValue] {
    guard let list = node.sequence else { throw wrong("'\(name)' must be a list, not \(kind)") }
    return list.map { named($0, name) }
  }

  /// A list, or one item as a list.
  func itemsOrOne() throws -> [YAMLValue] { isList ? try items() : [self] }

  /// A word, a number or a flag, as it is written.
  func text() throws -> String {
    guard let scalar = node.scalar else { throw wrong("'\(name)' must be one value, not \(kind)") }
    if isNull { throw wrong("'\(name)' has no value") }
    if scalar.string.isEmpty { throw wrong("'\(name)' is empty") }
    return scalar.string
  }

  func flag() throws -> Bool {
    guard let flag = asFlag else { throw wrong("'\(name)' must be true or false, not \(kind)") }
    return flag
  }

  /// Quoted it is text, whatever it spells.
  var asFlag: Bool? { node.bool }

  func whole(in range: ClosedRange<Int>) throws -> Int {
    guard let number = node.int, range.contains(number) else {
      throw wrong(
        "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound), not \(kind)")
    }
    return number
  }

  func number(_ what: String, _ isFit: (Double) -> Bool) throws -> Double {
    guard let number = node.float, number.isFinite, isFit(number) else {
      throw wrong("'\(name)' must be \(what), not \(kind)")
    }
    return number
  }

  /// What it is, for messages.
  private var kind: String {
    if isMapping { return "keys and values" }
    if isList { return "a list" }
    if isNull { return "nothing" }
    return "'\(node.scalar?.string ?? "")'"
  }
}
