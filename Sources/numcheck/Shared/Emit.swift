import Foundation

/// Writes a report to standard output; throws where it cannot be written whole, so that no status 0 covers a lost report.
func emit(_ text: String) throws {
  do {
    try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  } catch {
    throw UsageError("cannot write to standard output")
  }
}

/// A line on standard error, beside a report that has no place for it.
func note(_ text: String) {
  try? FileHandle.standardError.write(contentsOf: Data("numcheck: \(text)\n".utf8))
}
