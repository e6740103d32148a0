import Foundation
import Testing

/// Runs the built command under a shell: with limits, redirections, names that are no text.
struct Shell {
  let status: Int32
  /// How it ended where that was a signal.
  let signal: Int32?
  let output: String
  let errors: String

  /// Runs `script`, in which `$N` is the command, in `folder`; ends it after `patience` seconds.
  init(_ script: String, in folder: URL, patience: Double = 60) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", script]
    process.currentDirectoryURL = folder
    var environment = ProcessInfo.processInfo.environment
    environment["N"] = CommandRunner.binary.path
    environment["SWIFT_BACKTRACE"] = "enable=no"
    process.environment = environment
    let (out, err) = (folder.appendingPathComponent(".out"), folder.appendingPathComponent(".err"))
    for file in [out, err] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: out)
    process.standardError = try FileHandle(forWritingTo: err)
    try process.run()
    let end = Date(timeIntervalSinceNow: patience)
    while process.isRunning && Date() < end { usleep(5000) }
    let isLate = process.isRunning
    if isLate { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    #expect(!isLate, "\(script) did not end")
    let bySignal = process.terminationReason == .uncaughtSignal
    // A shell says that its command ended by a signal with 128 and its number.
    let code = process.terminationStatus
    signal = bySignal ? code : code > 128 ? code - 128 : nil
    status = code
    output = String(decoding: try Data(contentsOf: out), as: UTF8.self)
    errors = String(decoding: try Data(contentsOf: err), as: UTF8.self)
    for file in [out, err] { try FileManager.default.removeItem(at: file) }
  }

  /// One line that says what is wrong, and status 2.
  func isRefusal(_ parts: String...) -> Bool {
    status == 2 && errors.hasPrefix("numcheck: ") && errors.filter { $0 == "\n" }.count == 1
      && parts.allSatisfy { errors.contains($0) }
  }
}
