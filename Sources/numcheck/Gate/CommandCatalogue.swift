import ArgumentParser
import Foundation
import Gate

/// The program's commands and flags, from what the parser itself knows of them: every command that there is can be gated.
enum CommandCatalogue {
  /// What only says where a report goes, or is asked of the whole run.
  private static let ours: Set<String> = [
    "help", "version", "format", "report", "columns", "wide", "check", "threads", "shard", "save",
  ]
  /// What generated rows alone have.
  private static let generated: Set<String> = ["length", "distribution", "range"]
  private static let notGated: Set<String> = ["gate", "history", "list", "merge", "help"]

  /// Of the program whose first command `root` is.
  static func made(of root: any ParsableCommand.Type) throws -> Catalogue {
    let commands = try ParserHelp(of: root).command.subcommands ?? []
    let shown = commands.filter { $0.shouldDisplay ?? true }.map(\.commandName)
    return Catalogue(
      commands.filter { !notGated.contains($0.commandName) }.flatMap { command -> [Catalogue.Command] in
        if shown.contains(command.commandName) { return self.commands(command, after: "") }
        // One word for the parser and two for people: see `Arguments`. Other hidden ones are nobody's to ask for.
        guard let first = shown.first(where: { command.commandName.hasPrefix($0 + "-") }) else { return [] }
        return [made(command, first + " " + command.commandName.dropFirst(first.count + 1))]
      })
  }

  /// A command, or those that it consists of.
  private static func commands(_ command: ParserHelp.Command, after start: String) -> [Catalogue.Command] {
    let name = start + command.commandName
    let parts = (command.subcommands ?? []).filter { $0.commandName != "help" }
    if !parts.isEmpty { return parts.flatMap { commands($0, after: name + " ") } }
    return [made(command, name)]
  }

  private static func made(_ command: ParserHelp.Command, _ name: String) -> Catalogue.Command {
    let arguments = command.arguments ?? []
    return Catalogue.Command(
      name: name, summary: command.abstract ?? "", flags: arguments.flatMap(flags),
      takesArguments: arguments.contains { $0.kind == "positional" })
  }

  private static func flags(_ argument: ParserHelp.Argument) -> [Catalogue.Flag] {
    if argument.kind == "positional" { return [] }
    return (argument.names ?? []).filter { $0.kind == "long" && !ours.contains($0.name) }.map {
      Catalogue.Flag(
        name: $0.name, isSwitch: argument.kind == "flag", isRepeating: argument.isRepeating ?? false,
        values: argument.allValues ?? [], summary: argument.abstract ?? "",
        yieldsTo: generated.contains($0.name) ? ["input"] : [])
    }
  }
}
