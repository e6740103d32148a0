import Foundation

/// What the process is told beside its command line.
enum Surroundings {
  /// A variable that is set to something.
  static func variable(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// A variable read by `read`; throws where it is set to what cannot be read.
  static func variable<T>(_ name: String, _ what: String, _ read: (String) -> T?) throws -> T? {
    guard let text = variable(name) else { return nil }
    guard let value = read(text) else { throw UsageError("\(name)='\(text)' must be \(what)") }
    return value
  }

  /// What is checked out here: what CI says, else what git does, with `-dirty` behind it where files differ; empty where nobody knows.
  static var commit: String {
    for name in ["NUMCHECK_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA"] {
      if let commit = variable(name) { return String(commit.prefix(12)) }
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return "" }
    let said = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return "" }
    return String(decoding: said, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Seconds since 1970; what reproducible builds say it is where they do.
  static var time: Double {
    variable("SOURCE_DATE_EPOCH").flatMap { Double($0) } ?? Date().timeIntervalSince1970
  }
}
