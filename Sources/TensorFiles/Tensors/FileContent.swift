/// What a reader found in a file.
struct FileContent {
  var tensors: [TensorInfo] = []
  var sources: [ByteSource] = []
  var unreadable: [UnreadableTensor] = []
  var metadata: [String: String] = [:]
  /// Why a tensor of that name is not there.
  var reasons: [Spelling: String] = [:]

  mutating func lost(_ names: [String], _ reason: String) {
    for name in names { reasons[Spelling(name)] = reason }
  }
}

/// Something in a file that cannot be read as a tensor.
public struct UnreadableTensor: Sendable, Hashable, CustomStringConvertible {
  /// The tensor's name; of an index, that of one of its files.
  public let name: String
  /// Why it cannot be read.
  public internal(set) var reason: String

  init(_ name: String, _ reason: String) {
    self.name = name
    self.reason = reason
  }

  /// Both, on one line.
  public var description: String { "\(name.quoted.printable): \(reason.printable)" }
}
