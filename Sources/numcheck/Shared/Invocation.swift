import Foundation

/// The line that started this process, as a shell reads it, without what only says where reports go and where parts lie.
enum Invocation {
  /// This program, for a process of its own.
  static var executable: String { Bundle.main.executablePath ?? CommandLine.arguments[0] }
  /// The command by which that process serves a library's kernel.
  static let libraryCommand = "call-library"

  static var line: String { line(replayed ?? ArgumentText.given) }

  /// The line of the run whose parts are put together on this thread.
  @TaskLocal private static var replayed: [String]?

  /// Runs `body` as if `arguments` had been given.
  static func with<T>(_ arguments: [String], _ body: () throws -> T) rethrows -> T {
    try $replayed.withValue(arguments, operation: body)
  }

  private static let places = ["--report", "--format", "--history", "--commit", "--save", "--merge"]

  static func line(_ arguments: [String]) -> String {
    var kept: [String] = []
    var skips = false
    for argument in arguments {
      if skips {
        skips = false
      } else if places.contains(argument) {
        skips = true
      } else if !places.contains(where: { argument.hasPrefix($0 + "=") }) {
        kept.append(argument)
      }
    }
    return (["numcheck"] + kept.map { quoted(ArgumentText.shown($0)) }).joined(separator: " ")
  }

  /// Between quotes where a shell would read more than letters.
  static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty
      && word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "-_./:=,@+%".utf8.contains(byte)
        }
      }
    return isPlain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
