import ArgumentParser
import Foundation
import Quant
import TensorFiles

/// A check that did not hold: exit status 1.
struct CheckFailed: Error {
  /// What to say on standard error.
  let message: String
}

/// A wrong use of the command: exit status 2.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension ParsableCommand {
  /// One line for a usage error or an unreadable input.
  static func line(of error: any Error) -> String {
    // The parser's own messages may take several lines; ours are lines, whatever names are in them.
    guard String(reflecting: type(of: error)).hasPrefix("ArgumentParser.") else {
      return (error as? TensorFileError)?.withNearNames ?? (error as? SchemeError)?.withNearNames
        ?? "\(error)"
    }
    let text = message(for: error)
    var known = text.isEmpty ? "\(error)" : text
    // What is no number, of the flags that do not say so themselves.
    if known.wholeMatch(of: /The value '.*' is invalid for '--report <[^>]*>'/) != nil {
      known += ": must be FORMAT=FILE, like html=page.html; formats: \(ReportFormat.names)"
    } else if known.wholeMatch(of: /The value '.*' is invalid for '--emit <[^>]*>'/) != nil {
      known += ": must be KIND=FILE, KIND one of pytest, gtest, swift-testing, c"
    } else if known.wholeMatch(of: /The value '.*' is invalid for '--[a-z-]+ <[^>]*>'/) != nil {
      known += ": must be a number"
    }
    let lines = known.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
    return lines.map { $0.hasPrefix("- ") ? String($0.dropFirst(2)) + "," : $0 }.joined(separator: " ")
      .trimmingCharacters(in: CharacterSet(charactersIn: ","))
  }
}
