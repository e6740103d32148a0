/// A report in every format, without checks.
protocol WrittenReport {
  var text: String { get }
  /// For a page.
  var markdown: String { get }
  var csv: String { get }
  var json: JSONValue { get }
  /// Tensors that it says nothing of; a table has no place for them.
  var leftOut: [LeftOut] { get }
}

extension WrittenReport {
  var leftOut: [LeftOut] { [] }

  /// Writes it; with a table, what is left out goes to standard error.
  func write(as format: OutputFormat) throws {
    switch format {
    case .text: try emit(text)
    case .markdown: try emit(markdown)
    case .json: try emit(json.text)
    case .csv:
      try emit(csv)
      leftOut.warn()
    }
  }
}
