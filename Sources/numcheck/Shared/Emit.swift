import Foundation

/// Writes a report to standard output; throws where it cannot be written whole, so that no status 0 covers a lost report.
func emit(_ text: String) throws {
  do {
    try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  } catch {
    throw UsageError("cannot write to standard output")
  }
}
