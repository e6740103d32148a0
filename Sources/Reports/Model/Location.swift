/// A place in a file that people can open: where a check was written down.
package struct Location: Sendable, Equatable {
  /// The file's path as it was given, relative to where the program ran where it was.
  package let file: String
  /// From 1.
  package let line: Int
  /// From 1.
  package let column: Int

  package init(file: String, line: Int, column: Int = 1) {
    self.file = file
    self.line = line
    self.column = column
  }

  /// `numcheck.yml:12:5`.
  package var text: String { "\(file):\(line):\(column)" }
}
