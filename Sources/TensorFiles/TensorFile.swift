/// A file of tensors: .npy (versions 1 to 3), .npz (stored), .safetensors, .gguf (versions 2 and 3).
///
/// The file is mapped, not read: opening costs its header, whatever its size. What kind it is shows in its first
/// bytes, not in its name. Everything the header says is checked when it is opened, and what is malformed is a
/// `TensorFileError`; elements are read through `TensorView`. Checksums (zip has them) are not checked.
public final class TensorFile: Sendable {
  /// The kinds of file.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case npy, npz, safetensors, gguf
  }

  /// The file's name in messages: its path, or `standard input`.
  public let path: String
  /// What kind of file it is.
  public let kind: Kind
  /// What is in it: in the file's order for .npz and .gguf, in the order of their bytes for .safetensors.
  public let tensors: [TensorInfo]
  /// The texts under `__metadata__` of a .safetensors file; empty for the others.
  public let metadata: [String: String]
  private let file: FileBytes
  private let indices: [String: Int]

  /// Opens the file at `path`, or reads standard input where that is `-`.
  public static func open(_ path: String) throws -> TensorFile {
    if path == "-" { return try read(descriptor: 0, path: "standard input", name: "stdin") }
    return try TensorFile(FileBytes.map(path), name: stem(path))
  }

  /// Reads `descriptor` to its end; `name` is what a nameless tensor is called.
  package static func read(descriptor: Int32, path: String, name: String) throws -> TensorFile {
    try TensorFile(FileBytes.read(descriptor: descriptor, path: path), name: name)
  }

  /// A file whose bytes are in memory; `path` only names it in errors.
  package convenience init(bytes: UnsafeRawBufferPointer, path: String) throws {
    try self.init(FileBytes.copy(bytes, path: path), name: Self.stem(path))
  }

  private init(_ file: FileBytes, name: String) throws {
    self.file = file
    path = file.path
    let bytes = file.bytes
    if bytes.starts(with: NpyHeader.magic) {
      kind = .npy
      tensors = [try npyTensor(file, 0..<bytes.count, name: name, path: file.path)]
      metadata = [:]
    } else if bytes.starts(with: [0x50, 0x4b, 0x03, 0x04]) || bytes.starts(with: [0x50, 0x4b, 0x05, 0x06]) {
      kind = .npz
      tensors = try npzTensors(file)
      metadata = [:]
    } else if bytes.starts(with: GGUF.magic) {
      kind = .gguf
      tensors = try GGUF.read(file)
      metadata = [:]
    } else if SafeTensors.isLikely(file) || Self.kind(ofPath: file.path) == .safetensors {
      kind = .safetensors
      (tensors, metadata) = try SafeTensors.read(file)
    } else {
      let head = bytes.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      throw TensorFileError(
        file.path, "is no .npy, .npz, .safetensors or .gguf file: its \(bytes.count) bytes begin with \(head)"
      )
    }
    indices = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The tensor of that name; throws an error that lists the names where there is none.
  public func tensor(named name: String) throws -> TensorView {
    guard let index = indices[name] else {
      throw TensorFileError(
        path, "has no tensor \(name.quoted)\(tensors.isEmpty ? "" : "; it has \(nameList)")")
    }
    return TensorView(info: tensors[index], file: file)
  }

  /// The only tensor; throws an error that lists the names where there are more.
  public func onlyTensor() throws -> TensorView {
    guard let first = tensors.first else { throw TensorFileError(path, "holds no tensors") }
    guard tensors.count == 1 else {
      throw TensorFileError(path, "holds \(tensors.count) tensors, name one as FILE:TENSOR: \(nameList)")
    }
    return TensorView(info: first, file: file)
  }

  /// Every tensor, in the order of `tensors`.
  public var views: [TensorView] { tensors.map { TensorView(info: $0, file: file) } }

  private var nameList: String {
    let shown = 10
    let names = tensors.prefix(shown).map(\.name.quoted).joined(separator: ", ")
    return tensors.count > shown ? "\(names), and \(tensors.count - shown) more" : names
  }

  /// The kind that a path's extension names, if any.
  static func kind(ofPath path: String) -> Kind? {
    let base = path.split(separator: "/").last ?? ""
    guard let dot = base.lastIndex(of: ".") else { return nil }
    return Kind(rawValue: base[base.index(after: dot)...].lowercased())
  }

  private static func stem(_ path: String) -> String {
    let base = path.split(separator: "/").last.map(String.init) ?? path
    guard let dot = base.lastIndex(of: "."), dot > base.startIndex else { return base }
    return String(base[..<dot])
  }
}
