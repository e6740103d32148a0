import Foundation
import Testing

/// Runs the built command as a person would.
struct CommandRunner {
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  /// The binary beside the tests.
  static let binary: URL = {
    let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    return folder.appendingPathComponent("numcheck")
  }()

  static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  static let fixtures = tests.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("fixtures")

  /// Runs `numcheck` with `arguments`, `input` on its standard input, `environment` beside this process's own.
  static func run(
    _ arguments: [String], input: Data? = nil, folder: URL? = nil, environment: [String: String] = [:]
  ) throws -> Outcome {
    let process = Process()
    process.executableURL = binary
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let (out, err, stdin) = (Pipe(), Pipe(), Pipe())
    process.standardOutput = out
    process.standardError = err
    process.standardInput = input == nil ? FileHandle.nullDevice : stdin
    try process.run()
    if let input {
      stdin.fileHandleForWriting.write(input)
      try stdin.fileHandleForWriting.close()
    }
    // Errors are short; they fit the pipe while the output is read.
    let output = out.fileHandleForReading.readDataToEndOfFile()
    let errors = err.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -1,
      output: String(decoding: output, as: UTF8.self), errors: String(decoding: errors, as: UTF8.self))
  }

  /// Runs with a terminal of so many columns as its standard output; what was shown there.
  static func onTerminal(columns: Int, _ arguments: [String], environment: [String: String] = [:]) throws
    -> String
  {
    var (master, slave): (Int32, Int32) = (-1, -1)
    var size = winsize(ws_row: 50, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    try #require(openpty(&master, &slave, nil, nil, &size) == 0)
    let process = Process()
    process.executableURL = binary
    process.arguments = arguments
    var all = ProcessInfo.processInfo.environment.filter { !["COLUMNS", "NO_COLOR"].contains($0.key) }
    all.merge(environment) { _, new in new }
    process.environment = all
    let terminal = FileHandle(fileDescriptor: slave, closeOnDealloc: false)
    process.standardOutput = terminal
    process.standardInput = FileHandle.nullDevice
    try process.run()
    close(slave)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    // The end is an error of its own kind: nobody is left on the other side.
    while true {
      let n = read(master, &buffer, buffer.count)
      if n <= 0 { break }
      bytes += buffer[..<n]
    }
    close(master)
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
  }

  /// Runs with a terminal as its standard error until that shows `text`, for so many seconds at most; what was shown there.
  static func errorsOnTerminal(_ arguments: [String], folder: URL, until text: String, seconds: Double = 60)
    throws -> String
  {
    var (master, slave): (Int32, Int32) = (-1, -1)
    var size = winsize(ws_row: 50, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0)
    try #require(openpty(&master, &slave, nil, nil, &size) == 0)
    defer { close(master) }
    let process = Process()
    process.executableURL = binary
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(fileDescriptor: slave, closeOnDealloc: false)
    try process.run()
    close(slave)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    let end = Date(timeIntervalSinceNow: seconds)
    while Date() < end, !String(decoding: bytes, as: UTF8.self).contains(text) {
      var wait = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
      guard poll(&wait, 1, 100) > 0 else { continue }
      let n = read(master, &buffer, buffer.count)
      if n <= 0 { break }
      bytes += buffer[..<n]
    }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Runs and parses the JSON report.
  static func json(_ arguments: [String], status: Int32 = 0) throws -> [String: Any] {
    let outcome = try run(arguments + ["--format", "json"])
    #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(object as? [String: Any])
  }

  /// A new empty folder, removed by the caller's `defer`.
  static func temporaryFolder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "numcheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }
}
