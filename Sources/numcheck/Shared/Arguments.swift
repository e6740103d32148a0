import ArgumentParser
import Foundation

/// The command line before it is parsed: what the parser itself would get wrong or say badly.
struct Arguments {
  let list: [String]

  /// Throws where the first argument is no command.
  init(_ given: [String], commands: [any ParsableCommand.Type]) throws {
    if let first = given.first {
      let names = commands.filter { $0.configuration.shouldDisplay }.compactMap {
        $0.configuration.commandName
      }
      let isKnown = commands.contains { $0.configuration.commandName == first } || first == "help"
      if first.hasPrefix("-") {
        let own = ["-h", "--help", "--help-hidden", "--version", "--experimental-dump-help"]
        guard own.contains(first) || first.hasPrefix("--generate-completion-script") else {
          throw UsageError("a command comes before '\(first)': \(names.joined(separator: ", "))")
        }
      } else if !isKnown {
        throw Self.unknown("unknown command '\(first)'", first, names)
      } else if first == "help", given.count > 1, !names.contains(given[1]), !given[1].hasPrefix("-") {
        throw Self.unknown("unknown command '\(given[1])'", given[1], names)
      }
    }
    if given.count > 1, !given[1].hasPrefix("-"), !Self.isDirected(given, commands),
      let parts = commands.first(where: { $0.configuration.commandName == given[0] })?.configuration
        .subcommands, !parts.isEmpty,
      !parts.contains(where: {
        $0.configuration.commandName == given[1] || $0.configuration.aliases.contains(given[1])
      }), given[1] != "help"
    {
      let names = parts.compactMap { $0.configuration.commandName }
      throw Self.unknown("no operation '\(given[1])' to \(given[0])", given[1], names)
    }
    list = try Self.joined(Self.directed(given, commands))
  }

  /// The near names, or all where none is.
  private static func unknown(_ what: String, _ name: String, _ known: [String]) -> UsageError {
    let near = NearNames.question(name, known)
    return UsageError(what + (near.isEmpty ? "; there are: \(known.joined(separator: ", "))" : near))
  }

  /// `reference attention` and its like take other flags than the operations on rows, so they are commands of their own.
  private static func directed(_ given: [String], _ commands: [any ParsableCommand.Type]) -> [String] {
    guard isDirected(given, commands) else { return given }
    return ["\(given[0])-\(given[1])"] + given.dropFirst(2)
  }

  private static func isDirected(_ given: [String], _ commands: [any ParsableCommand.Type]) -> Bool {
    given.count > 1
      && commands.contains { $0.configuration.commandName == "\(given[0])-\(given[1])" }
  }

  /// Numbers below zero as part of their flags: the parser takes what begins with '-' for another flag. Throws for an empty value,
  /// which it takes for none.
  private static func joined(_ arguments: [String]) throws -> [String] {
    var list: [String] = []
    for argument in arguments {
      if let last = list.last, last.wholeMatch(of: /--[a-z0-9-]+/) != nil {
        if argument.isEmpty { throw UsageError("the value of '\(last)' is empty") }
        if argument.prefixMatch(of: /-(\.?[0-9]|inf|nan)/) != nil {
          list[list.count - 1] = last + "=" + argument
          continue
        }
      }
      if let flag = argument.wholeMatch(of: /(--[a-z0-9-]+)=/) {
        throw UsageError("the value of '\(flag.1)' is empty")
      }
      list.append(argument)
    }
    return list
  }

  /// Whether help is what is to be printed.
  var asksForHelp: Bool {
    list.isEmpty || list[0] == "help" || list.contains { ["-h", "--help", "--help-hidden"].contains($0) }
  }

  /// Help needs some room beside the names of flags: a narrower terminal wraps its lines.
  static func widenHelp() {
    var size = winsize()
    let isTerminal = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    let given = ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) }
    if let columns = given ?? (isTerminal ? Int(size.ws_col) : nil), columns < leastColumns {
      setenv("COLUMNS", "\(leastColumns)", 1)
    }
  }

  private static let leastColumns = 50
}
