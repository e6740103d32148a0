import TensorFiles

/// A tensor of a file that a report says nothing of, and why.
struct LeftOut {
  /// `FILE:TENSOR`.
  let tensor: String
  let reason: String

  /// What kept `tensor` out; errors that begin with its name, or its file's, lose it.
  init(_ tensor: String, _ error: any Error) {
    self.tensor = tensor
    let specifier = TensorSpecifier(tensor)
    var text = "\(error)"
    for prefix in [tensor, specifier.path, specifier.tensorName.map { "tensor '\($0)'" } ?? tensor]
    where text.hasPrefix(prefix + ": ") {
      text.removeFirst(prefix.count + 2)
    }
    reason = text
  }
}

extension [LeftOut] {
  private var lines: [String] { map { "left out: \(Figures.line($0.tensor)): \($0.reason)\n" } }

  /// A paragraph, after a report.
  var text: String { isEmpty ? "" : "\n" + lines.joined() }
  var markdown: String { isEmpty ? "" : "\n" + lines.map { "- " + $0 }.joined() }

  var json: JSONValue {
    .array(map { .object([("tensor", .string($0.tensor)), ("reason", .string($0.reason))]) })
  }
}
