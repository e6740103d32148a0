import Foundation
import Testing

/// What the README shows is what the command prints.
@Suite struct ReadmeTests {
  private static let readme = CommandRunner.tests.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("README.md")

  @Test func everyConsoleBlockIsTrue() throws {
    let text = try String(contentsOf: Self.readme, encoding: .utf8)
    let blocks = text.components(separatedBy: "```console\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
    #expect(blocks.count >= 5)
    for block in blocks {
      let lines = block.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
      // No argument has a space; patterns are quoted for the shell.
      let words = lines[0].split(separator: " ").map { $0.trimmingCharacters(in: ["'"]) }
      try #require(words.starts(with: ["$", "numcheck"]), "\(lines[0])")
      let outcome = try CommandRunner.run(
        Array(words.dropFirst(2)), folder: Self.readme.deletingLastPathComponent())
      #expect(outcome.output == String(lines.last ?? ""), "\(lines[0])")
      let fails = outcome.output.contains("FAILED")
      #expect(outcome.status == (fails ? 1 : 0) && outcome.errors.isEmpty, "\(lines[0]): \(outcome.errors)")
    }
  }
}
