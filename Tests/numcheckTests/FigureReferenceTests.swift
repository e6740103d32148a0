import Foundation
import Testing

/// The reference of figures is what the registry says now. `NUMCHECK_RECORD=1` writes it anew.
@Suite struct FigureReferenceTests {
  private static let head = """
    # Figures

    What `--check`, `--columns`, limits of `numcheck.yml`, CSV and JSON call each figure, and what it says. This is what
    `numcheck list figures --wide --format markdown` writes; it is not to be edited.


    """

  @Test func isCurrent() throws {
    let outcome = try CommandRunner.run(["list", "figures", "--wide", "--format", "markdown"])
    let made = Self.head + outcome.output
    let file = CommandRunner.fixtures.deletingLastPathComponent().appendingPathComponent(
      "Documentation/Figures.md")
    if ProcessInfo.processInfo.environment["NUMCHECK_RECORD"] != nil {
      try made.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(outcome.status == 0 && made.contains("| ulp.max |"))
    #expect(try String(contentsOf: file, encoding: .utf8) == made)
  }
}
