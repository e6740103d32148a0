import TensorFiles

/// A tensor of a file that a report says nothing of, and why; on one line.
struct LeftOut: CustomStringConvertible {
  /// `FILE:TENSOR`.
  let tensor: String
  let reason: String

  /// What kept `tensor` out.
  init(_ tensor: String, _ error: any Error) {
    self.tensor = Figures.line(tensor)
    var text: String
    switch error {
    case let error as BeyondSingle: text = error.reason
    case let error as TensorFileError: text = error.reason
    default: text = "\(error)"
    }
    // Those begin with the tensor's name.
    for prefix in ["\(tensor): ", TensorSpecifier(tensor).tensorName.map { "tensor '\($0)': " } ?? ""]
    where !prefix.isEmpty && text.hasPrefix(prefix) {
      text.removeFirst(prefix.count)
    }
    reason = Figures.line(text)
  }

  var description: String { "\(tensor): \(reason)" }
}

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
