import Foundation
import Testing

/// How far the work is: on a terminal, for what takes its time, and nowhere else.
@Suite struct ProgressTests {
  /// Runs that take a minute and more, of every command that had no bar once.
  static let long: [[String]] = [
    ["reference", "softmax", "--rows", "100000", "--length", "4096", "--output", "o.npy"],
    ["reference", "rmsnorm", "--rows", "100000", "--length", "4096", "--output", "o.npy"],
    ["reference", "exp", "--rows", "100000", "--length", "4096", "--output", "o.npy"],
    [
      "reference", "matmul", "--rows", "4096", "--inner", "4096", "--b-columns", "4096", "--output", "o.npy",
    ],
    ["reference", "attention", "--tokens", "8192", "--heads", "8", "--output", "o.npy"],
    ["search", "softmax", "--dtype", "f16", "--seconds", "90"],
    ["kvcache", "--measure", "--tokens", "4096", "--cache", "int8@token"],
    ["dialect", "mxfp4:ggml", "mxfp4:floor", "--rows", "100000", "--length", "4096"],
    [
      "quantize", "--rows", "100000", "--length", "4096", "--scheme", "int8@token", "--transform",
      "hadamard", "--output", "o.npy",
    ],
    ["quantize", "--rows", "100000", "--length", "4096", "--scheme", "iq4_xs", "--output", "o.npy"],
  ]

  @Test(arguments: long) func showsOnATerminal(_ arguments: [String]) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let shown = try CommandRunner.errorsOnTerminal(arguments, folder: folder, until: " left\u{1b}[K")
    #expect(
      shown.contains(/\[#*\.+\] [0-9,]+( of [0-9,]+)? [a-z ]+, [0-9.e]+\/s, [0-9]+:[0-9]{2} left/), "\(shown)"
    )
  }

  /// Without a terminal not a byte, for as long as it takes to show on one.
  @Test(arguments: long) func isNowhereElse(_ arguments: [String]) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let words = arguments.map { "'\($0)'" }.joined(separator: " ")
    let run = try Shell("timeout 3 \"$N\" \(words) >/dev/null", in: folder)
    #expect(run.status == 124 && run.errors.isEmpty, "\(arguments): \(run)")
  }
}
