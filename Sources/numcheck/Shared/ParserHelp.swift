import ArgumentParser
import Foundation
import Reports

/// The parser's own description of itself.
struct ParserHelp: Decodable {
  let command: Command

  struct Command: Decodable {
    let commandName: String
    let shouldDisplay: Bool?
    let abstract: String?
    let arguments: [Argument]?
    let subcommands: [Command]?
  }

  struct Argument: Decodable {
    let kind: String
    let names: [Name]?
    let isRepeating: Bool?
    let abstract: String?
    let allValues: [String]?
  }

  struct Name: Decodable { let kind: String, name: String }

  /// Of the program whose first command `root` is.
  init(of root: any ParsableCommand.Type) throws {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(root._dumpHelp().utf8))
    } catch { throw UsageError("the parser does not tell its flags: \(error)") }
  }

  /// What the parser says of an option that a command does not have; nil where it has all. The parser itself looks for such after
  /// everything else: where a command takes files, the value of a misspelled option is one, and what is wrong with it came first.
  func unknownOption(_ arguments: [String]) -> String? {
    var command = command
    var rest = arguments[...]
    while let next = rest.first, let part = command.subcommands?.first(where: { $0.commandName == next }) {
      command = part
      rest = rest.dropFirst()
    }
    let known = (command.arguments ?? []).flatMap { argument in
      (argument.names ?? []).filter { $0.kind == "long" }.map {
        (name: $0.name, takesValue: argument.kind == "option")
      }
    }
    if known.isEmpty { return nil }
    var isValue = false
    for argument in rest {
      if argument == "--" { return nil }
      guard argument.hasPrefix("--"), !isValue else {
        isValue = false
        continue
      }
      let name = String(argument.dropFirst(2).prefix { $0 != "=" })
      guard let option = known.first(where: { $0.name == name }) else {
        let near = Names.near(name, in: known.map(\.name)).first
        return "Unknown option '--\(name)'" + (near.map { ". Did you mean '--\($0)'?" } ?? "")
      }
      isValue = option.takesValue && !argument.contains("=")
    }
    return nil
  }
}
