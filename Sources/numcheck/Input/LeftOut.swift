import TensorFiles

/// A tensor of a file that a report says nothing of, and why.
struct LeftOut: CustomStringConvertible {
  /// `FILE:TENSOR`.
  let tensor: String
  let reason: String

  /// What kept `tensor` out.
  init(_ tensor: String, _ error: any Error) {
    self.tensor = tensor
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
    reason = text
  }

  /// What `reason` keeps out.
  init(_ tensor: String, _ reason: String) {
    self.tensor = tensor
    self.reason = reason
  }

  var description: String { "\(tensor): \(reason)" }
}
