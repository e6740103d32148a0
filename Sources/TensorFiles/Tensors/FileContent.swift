/// What a reader found in a file.
struct FileContent {
  var tensors: [TensorInfo] = []
  var sources: [ByteSource] = []
  var unreadable: [UnreadableTensor] = []
  var metadata: [String: String] = [:]
  /// Why a tensor of that name is not there.
  var reasons: [Spelling: String] = [:]

  /// Adds what is in another file.
  mutating func add(_ other: FileContent) {
    tensors += other.tensors
    sources +=
      other.sources.count == 1 ? other.tensors.map { _ in other.sources[0] } : other.sources
    unreadable += other.unreadable
    metadata.merge(other.metadata) { first, _ in first }
    reasons.merge(other.reasons) { first, _ in first }
  }

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
  /// Where it is a file of a model that lies in several: what lacks with it.
  public internal(set) var lack: PartLack?

  init(_ name: String, _ reason: String, lack: PartLack? = nil) {
    self.name = name
    self.reason = reason
    self.lack = lack
  }

  /// Both, on one line.
  public var description: String { "\(name.quoted.printable): \(reason.printable)" }
}

/// What lacks of a model in several files where one is missing or not whole.
public struct PartLack: Sendable, Hashable {
  /// Whether the file cannot be read at all.
  public let isMissing: Bool
  /// How many tensors are lost with it; nil where nothing says.
  public let tensors: Int?
  /// How many files the model has, and how many of them are whole.
  public internal(set) var files = 0
  public internal(set) var whole = 0
}

extension FileContent {
  /// Counts the files of a model of so many, after the last of them.
  mutating func countParts(_ files: Int) {
    let whole = files - unreadable.count { $0.lack != nil }
    for k in unreadable.indices {
      unreadable[k].lack?.files = files
      unreadable[k].lack?.whole = whole
    }
  }
}
