import Foundation
import Testing

/// The examples that share a run among machines do what they say.
@Suite struct ExampleTests {
  private static let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Examples")

  private static let python = ProcessInfo.processInfo.environment["NUMCHECK_PYTHON"] ?? "python3"

  private static func run(_ arguments: [String], environment: [String: String] = [:]) -> (Int32, String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    guard (try? process.run()) != nil else { return (-1, "") }
    let said = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: said, as: UTF8.self))
  }

  private static func has(_ module: String) -> Bool { run([python, "-c", "import \(module)"]).0 == 0 }

  @Test(
    .enabled(if: has("distributed"), "needs dask.distributed; NUMCHECK_PYTHON names a Python that has it"))
  func daskLosesAWorker() {
    let (status, said) = Self.run([
      Self.python, Self.examples.path + "/dask/test_numcheck_dask.py", Command.binary.path,
    ])
    #expect(status == 0 && said.contains("bytes the same"), "\(said)")
  }

  @Test(.enabled(if: has("ray"), "needs ray; NUMCHECK_PYTHON names a Python that has it"))
  func rayLosesAWorker() {
    let (status, said) = Self.run([
      Self.python, Self.examples.path + "/ray/test_numcheck_ray.py", Command.binary.path,
    ])
    #expect(status == 0 && said.contains("bytes the same"), "\(said)")
  }

  /// Tasks of an array as Slurm starts them, one of which fails and is queued again.
  @Test func slurmsTasksReportOnce() throws {
    let run = try Command()
    let line = ["rmsnorm", "--rows", "20", "--length", "16"]
    let binaries = run.folder.appendingPathComponent("bin")
    try FileManager.default.createDirectory(at: binaries, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      at: binaries.appendingPathComponent("numcheck"), withDestinationURL: Command.binary)
    let path = "\(binaries.path):\(ProcessInfo.processInfo.environment["PATH"] ?? "")"
    func task(_ index: Int, _ line: [String]) -> (Int32, String) {
      let script = Self.examples.path + "/slurm/numcheck.sbatch"
      return Self.run(
        ["sh", "-c", "cd \"$0\" && exec sh \"$@\"", run.folder.path, script] + line,
        environment: [
          "PATH": path, "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_COUNT": "3",
          "SLURM_ARRAY_TASK_ID": "\(index)", "SLURM_CPUS_PER_TASK": "1",
        ])
    }
    #expect(task(2, line + ["--no-such-flag"]).0 == 2)
    #expect(task(3, line) == (0, ""))
    #expect(task(1, line) == (0, ""))
    let (status, said) = task(2, line)
    #expect(try (status, said) == (0, run(line).output))
  }
}
