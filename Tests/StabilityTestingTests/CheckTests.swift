import Foundation
import StabilityTesting
import Testing

/// Checks as a test writes them: what holds, what does not, and what is said of it.
@Suite struct CheckTests {
  private static func folder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "stability-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  private static let rows: Generator<[Float]> = .logits(1...64)
  private static var small: Property<[Float]> {
    Property("small") { row in
      .unless(!row.contains { $0 > 100 }, "large", "\(row.count) numbers, one above 100")
    }
  }

  @Test func aPropertyThatHolds() throws {
    let summary = try checkProperty(Self.rows, runs: 50) { $0.count >= 1 }
    #expect(summary.runs == 50 && summary.replayed == 0 && summary.stale == 0)
  }

  @Test func aFailureSaysAllThereIs() throws {
    let failure = try #require(throws: PropertyFailure.self) {
      try checkProperty(Self.rows, Self.small, name: "test()")
    }
    #expect(failure.choices == [.open, .float(101), .close])
    let text = "\(failure)"
    for part in [
      "test(): small: 1 numbers, one above 100", "value   [101]", "hex     [0x1.94p+6]",
      "bits    [0x42ca0000] (f32)",
      "STABILITY_REPLAY='[ 0x1.94p+6 ]' swift test --filter test", "STABILITY_SEED=1",
    ] { #expect(text.contains(part), "\(text)") }
    // The line that replays it does.
    let again = try #require(throws: PropertyFailure.self) {
      try checkProperty(Self.rows, Self.small, replay: "[ 0x1.94p+6 ]")
    }
    #expect(again.choices == failure.choices && again.run == nil)
    #expect(throws: CheckError.self) { try checkProperty(Self.rows, Self.small, replay: "[ nan ]") }
    #expect(throws: ChoiceTextError.self) { try checkProperty(Self.rows, Self.small, replay: "[ 1.5 ]") }
  }

  @Test func failuresAreKeptAndComeFirst() throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = RegressionFile(folder.appendingPathComponent("kept.txt").path)
    var failure = try #require(throws: PropertyFailure.self) {
      try checkProperty(Self.rows, Self.small, regressions: file, name: "a")
    }
    #expect(failure.savedIn == file.path && failure.run != nil)
    failure = try #require(throws: PropertyFailure.self) {
      try checkProperty(Self.rows, Self.small, regressions: file, name: "a")
    }
    #expect(failure.run == nil && "\(failure)".contains("a failure of before"))
    #expect(try file.entries().count == 1)
    // Another test's are not tried; a mended kernel passes with them; a generator that cannot make them says so.
    #expect(try checkProperty(Self.rows, runs: 5, regressions: file, name: "b") { _ in true }.replayed == 0)
    let mended = Property<[Float]>("small") { _ in nil }
    #expect(try checkProperty(Self.rows, mended, runs: 5, regressions: file, name: "a").replayed == 1)
    #expect(try checkProperty(.logits(4...5), mended, runs: 5, regressions: file, name: "a").stale == 1)
    #expect(
      try String(contentsOfFile: file.path, encoding: .utf8)
        == "# stability-testing 1\na small\tlarge\t[ 0x1.94p+6 ]\n")
  }

  @Test func whereNothingCanBeKept() throws {
    let failure = try #require(throws: PropertyFailure.self) {
      try checkProperty(Self.rows, Self.small, regressions: RegressionFile("/no/such/folder/kept.txt"))
    }
    #expect(failure.savedIn == nil && failure.notSaved?.contains("No such file") == true)
  }

  @Test(arguments: [
    "", "nonsense", "# stability-testing 2\n", "# stability-testing 1\nname\tkind\n",
    "# stability-testing 1\n\tkind\t[ ]\n",
    "# stability-testing 1\na\tb\t[ 0x1p+0\n", "# stability-testing 1\na\tb\t] [\n",
    "# stability-testing 1\na\tb\t[ 1.5 ]\n",
    "# stability-testing 1\na\tb\t[ 0x1p+9999 ]\n", "# stability-testing 1\na\tb\t[ 0x1p-9999 ]\n",
    "# stability-testing 1\na\tb\t[ 0x0p+0*99999999999 ]\n", "# stability-testing 1\na\tb\t[ 0x0p+0*0 ]\n",
    "# stability-testing 1\na\tb\t[*3 ]\n", "# stability-testing 1\na\tb\t[ --0x1p+0 ]\n",
    "# stability-testing 1\na\tb\t[ 0x0p+0*9999999 ]\n",
    "# stability-testing 1\na\tb\t[ 99999999999999999999 ]\n", "\u{feff}# stability-testing 1\n",
  ]) func rubbishIsRefused(_ text: String) {
    #expect(throws: RegressionFileError.self) { try RegressionFile.entries(in: text) }
  }

  @Test func rubbishFilesAreRefused() throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(throws: RegressionFileError.self) { try RegressionFile(folder.path).entries() }
    let bytes = folder.appendingPathComponent("bytes")
    try Data([0xff, 0xfe, 0x00]).write(to: bytes)
    #expect(throws: RegressionFileError.self) { try RegressionFile(bytes.path).entries() }
    #expect(throws: RegressionFileError.self) {
      try checkProperty(Self.rows, Self.small, regressions: RegressionFile(bytes.path))
    }
    let windows = "# stability-testing 1\r\n# words\r\n\r\nname\tkind\t[ -0x1.8p-3 -inf nan 0x0p+0*3 ] 7\r\n"
    let entries = try RegressionFile.entries(in: windows)
    #expect(entries.count == 1 && entries[0].choices.count == 9 && entries[0].kind == "kind")
    #expect(try RegressionFile.entries(in: RegressionFile.text(entries)) == entries)
  }

  @Test func generatorsThatMakeNothing() {
    #expect(throws: CheckError.self) {
      try checkProperty(Generator<Double>.floats { $0.infinite }.filter { _ in false }) { _ in true }
    }
    #expect(throws: CheckError.self) { try checkProperty(Self.rows, runs: 0) { _ in true } }
  }

  @Test func whatATestThrowsIsAFailure() throws {
    struct Broken: Error {}
    let failure = try #require(throws: PropertyFailure.self) {
      try checkProperty(Self.rows) { row in
        if row.count > 3 { throw Broken() }
        return true
      }
    }
    #expect(failure.violation.kind == "throws Broken" && failure.choices.count == 6)
  }
}
