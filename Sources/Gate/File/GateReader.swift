import Reports
import Shards
import Yams

/// Reads a gate's file. All that is wrong is said at its line, with what was probably meant.
package struct GateReader {
  private let catalogue: Catalogue
  private let path: String
  private var defaults: [(name: String, value: YAMLValue)] = []

  /// Keys of the file itself.
  static let fileKeys = [
    "checks", "defaults", "threads", "time-limit", "fail-fast", "lock", "slack", "history",
  ]
  /// Keys of a check that are no flags.
  static let checkKeys = [
    "name", "run", "arguments", "limit", "tolerance", "allow-vacuous", "matrix", "exclude", "pin", "slack",
    "time-limit",
  ]
  private static let mostChecks = 10_000

  private init(_ catalogue: Catalogue, _ path: String) {
    self.catalogue = catalogue
    self.path = path
  }

  package static func read(_ text: String, path: String, _ catalogue: Catalogue) throws -> GateFile {
    var reader = GateReader(catalogue, path)
    guard let root = try YAMLValue.document(text, file: path), !root.isNull else {
      throw GateError(
        "it holds nothing: 'numcheck gate --init' writes a file to begin with",
        at: Location(file: path, line: 1))
    }
    var sum = Checksum()
    sum.add(Array(text.utf8))
    return try reader.file(root, fingerprint: sum.text)
  }

  private mutating func file(_ root: YAMLValue, fingerprint: String) throws -> GateFile {
    var file = GateFile(path: path, fingerprint: fingerprint)
    let members = try root.members()
    for (key, _) in members where !Self.fileKeys.contains(key.name) {
      throw key.wrong("unknown key '\(key.name)'" + didYouMean(key.name, in: Self.fileKeys))
    }
    // Defaults count for all checks, wherever they stand.
    for (_, value) in members where value.name == "defaults" { try readDefaults(value) }
    for (_, value) in members {
      switch value.name {
      case "threads": file.settings.threads = try value.whole(in: 1...1024)
      case "time-limit": file.settings.timeLimit = try seconds(value)
      case "fail-fast": file.settings.failFast = try value.flag()
      case "lock": file.settings.lock = try value.text()
      case "slack": file.settings.slack = try slack(value)
      case "history": file.settings.history = try value.text()
      case "checks":
        for item in try value.items() {
          file.checks += try checks(item)
          if file.checks.count > Self.mostChecks {
            throw item.wrong("more than \(Figures.count(Self.mostChecks)) checks")
          }
        }
      default: break
      }
    }
    guard members.contains(where: { $0.value.name == "checks" }) else {
      throw root.wrong("there is no 'checks'")
    }
    try requireDistinct(file.checks)
    return file
  }

  private func seconds(_ value: YAMLValue) throws -> Double {
    try value.number("a number of seconds above 0") { $0 > 0 }
  }

  private func slack(_ value: YAMLValue) throws -> Double {
    try value.number("a share from 0 to 1000, like 0.1 for a tenth") { (0...1000).contains($0) }
  }

  private mutating func readDefaults(_ value: YAMLValue) throws {
    let known = catalogue.allFlags.map(\.name)
    for (key, value) in try value.members() {
      guard known.contains(key.name) else {
        throw key.wrong("no command has a flag '\(key.name)'" + didYouMean(key.name, in: known))
      }
      defaults.append((key.name, value))
    }
  }

  /// Two checks of one name could not be told apart by a lock.
  private func requireDistinct(_ checks: [GateCheck]) throws {
    var places: [String: Location] = [:]
    for check in checks {
      if let other = places[check.name] {
        throw GateError(
          "'\(check.name)' is the name of the check in line \(other.line) too; give one another 'name'",
          at: check.location)
      }
      places[check.name] = check.location
    }
  }

  /// A check, or those of its matrix.
  private func checks(_ item: YAMLValue) throws -> [GateCheck] {
    let members = try item.members()
    func value(_ key: String) -> YAMLValue? { members.first { $0.key.name == key }?.value }
    guard let run = value("run") else {
      throw item.wrong(
        "a check needs 'run', the command: one of \(catalogue.commands.map(\.name).joined(separator: ", "))")
    }
    let (command, words) = try self.command(run)
    let keys = Self.checkKeys + command.flags.map(\.name)
    for (key, _) in members where !keys.contains(key.name) {
      throw key.wrong("'\(command.name)' has no '\(key.name)'" + didYouMean(key.name, in: keys))
    }
    var check = GateCheck(name: "", family: "", arguments: [], location: item.location)
    check.family = try value("name")?.text() ?? command.name
    check.name = check.family
    let tolerance = try value("tolerance")?.number("a number above 0") { $0 > 0 }
    for limit in try value("limit")?.itemsOrOne() ?? [] {
      check.limits.append(
        try GateLimit.parsed(limit.text(), tolerance: tolerance ?? 1, at: limit.location))
    }
    let isDerived = check.limits.contains { if case .derived = $0.kind { true } else { false } }
    if let given = value("tolerance"), !isDerived { throw given.wrong("'tolerance' is for 'limit: derived'") }
    check.allowVacuous = try value("allow-vacuous")?.itemsOrOne().map { try $0.text() } ?? []
    check.slack = try value("slack").map(slack)
    check.timeLimit = try value("time-limit").map(seconds)
    if let pin = value("pin") {
      check.pinned =
        pin.asFlag == false ? [] : pin.asFlag == true ? nil : try pin.itemsOrOne().map { try $0.text() }
    }
    var flags = Flags()
    let given = Set(members.map(\.key.name) + (value("arguments") == nil ? [] : ["input"]))
    for (name, value) in defaults where command.flag(name)?.yieldsTo.isDisjoint(with: given) == true {
      flags.set(name, value)
    }
    for (key, value) in members where command.flag(key.name) != nil { flags.set(key.name, value) }
    let arguments = try value("arguments")?.itemsOrOne().map { try $0.text() } ?? []
    if let given = value("arguments"), !command.takesArguments {
      throw given.wrong("'\(command.name)' takes no arguments beside its flags")
    }
    let cells = try Matrix.cells(value("matrix"), excluding: value("exclude"), of: command)
    return try cells.map { cell in
      var one = check
      var own = flags
      for (axis, value) in cell { own.set(axis, value) }
      one.cell = try cell.map { .init(name: $0.axis, value: try $0.value.text()) }
      if !cell.isEmpty {
        one.name += " {" + one.cell.map { "\($0.name)=\($0.value)" }.joined(separator: ", ") + "}"
      }
      one.arguments = command.name.split(separator: " ").map(String.init) + words
      one.arguments += try own.arguments(of: command) + arguments
      one.places = own.places
      one.places["run"] = run.location
      return one
    }
  }

  /// The command that `run` names, and the words behind it.
  private func command(_ run: YAMLValue) throws -> (Catalogue.Command, [String]) {
    let words = try run.text().split(separator: " ").map(String.init)
    for length in [2, 1] where words.count >= length {
      if let command = catalogue.command(words[..<length].joined(separator: " ")) {
        return (command, Array(words[length...]))
      }
    }
    throw run.wrong(
      "unknown command '\(words.first ?? "")'"
        + didYouMean(words.first ?? "", in: catalogue.commands.map(\.name)))
  }
}

/// Flags under way: later ones replace earlier ones of the same name.
private struct Flags {
  private var order: [String] = []
  private var values: [String: YAMLValue] = [:]

  mutating func set(_ name: String, _ value: YAMLValue) {
    if values[name] == nil { order.append(name) }
    values[name] = value
  }

  var places: [String: Location] { values.mapValues(\.location) }

  /// As a command line has them, each with its value in one word.
  func arguments(of command: Catalogue.Command) throws -> [String] {
    var list: [String] = []
    for name in order {
      guard let value = values[name], let flag = command.flag(name) else { continue }
      if flag.isSwitch {
        if try value.flag() { list.append("--\(name)") }
        continue
      }
      if value.isList && !flag.isRepeating {
        throw value.wrong("'\(name)' takes one value; for several, 'matrix' makes a check of each")
      }
      for item in try value.itemsOrOne() { list.append("--\(name)=\(try item.text())") }
    }
    return list
  }
}
