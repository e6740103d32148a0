/// Tensors left out, as reports name them.
extension [LeftOut] {
  /// A paragraph, after a report.
  var text: String { isEmpty ? "" : "\n" + map { "left out: \($0)\n" }.joined() }
  var markdown: String { isEmpty ? "" : "\n" + map { "- left out: \($0)\n" }.joined() }

  var json: JSONValue {
    .array(map { .object([("tensor", .string($0.tensor)), ("reason", .string($0.reason))]) })
  }

  /// Says it beside a table that has no place for it.
  func warn() { for one in self { note("left out: \(one)") } }
}
