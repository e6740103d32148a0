import Foundation
import Testing

/// What the README shows is what the command prints.
@Suite struct ReadmeTests {
  private static let root = CommandRunner.tests.deletingLastPathComponent().deletingLastPathComponent()

  @Test(arguments: ["README.md", "Documentation/Tour.md"])
  func everyConsoleBlockIsTrue(_ page: String) throws {
    let text = try String(contentsOf: Self.root.appendingPathComponent(page), encoding: .utf8)
    let blocks = text.components(separatedBy: "```console\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
    #expect(!blocks.isEmpty)
    for block in blocks {
      let lines = block.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
      // No argument has a space; patterns are quoted for the shell.
      let words = lines[0].split(separator: " ").map { $0.trimmingCharacters(in: ["'"]) }
      try #require(words.starts(with: ["$", "numcheck"]), "\(lines[0])")
      let outcome = try CommandRunner.run(Array(words.dropFirst(2)), folder: Self.root)
      #expect(outcome.output == String(lines.last ?? ""), "\(lines[0])")
      let fails = outcome.output.contains("FAILED")
      #expect(outcome.status == (fails ? 1 : 0) && outcome.errors.isEmpty, "\(lines[0]): \(outcome.errors)")
    }
  }

  /// What `--help` lists stands on the page of commands.
  @Test func everyCommandIsDescribed() throws {
    let page = try String(
      contentsOf: Self.root.appendingPathComponent("Documentation/Commands.md"), encoding: .utf8)
    let help = try CommandRunner.run(["--help"]).output
    let list = try #require(help.components(separatedBy: "SUBCOMMANDS:\n").dropFirst().first)
    let names = list.matches(of: /(?m)^  ([a-z0-9-]+)/).map { String($0.1) }
    #expect(names.count > 30)
    for name in names { #expect(page.contains("`\(name)`") || page.contains("`\(name) "), "\(name)") }
  }

  /// No page points at one that is not there.
  @Test func everyLinkLeadsSomewhere() throws {
    let pages =
      ["README.md", "CONTRIBUTING.md"]
      + (try FileManager.default.contentsOfDirectory(
        atPath: Self.root.appendingPathComponent("Documentation").path
      )
      .filter { $0.hasSuffix(".md") }.map { "Documentation/" + $0 })
    for page in pages {
      let file = Self.root.appendingPathComponent(page)
      let text = try String(contentsOf: file, encoding: .utf8)
      for link in text.matches(of: /\]\(([^)#:\s]+)\)/) {
        let target = file.deletingLastPathComponent().appendingPathComponent(String(link.1))
        #expect(FileManager.default.fileExists(atPath: target.path), "\(page): \(link.1)")
      }
    }
  }
}
