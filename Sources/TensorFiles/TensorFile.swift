import SystemPackage

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file of tensors: .npy (versions 1 to 3), .npz, .safetensors, the .json index of several of those, .gguf (versions 2
/// and 3).
///
/// The file is mapped, not read: opening costs its header, whatever its size. What kind it is shows in its first
/// bytes, not in its name. Everything the header says is checked when it is opened, and what is malformed is a
/// `TensorFileError`; elements are read through `TensorView`. Of checksums (zip has them) those of deflated entries are
/// checked. What a checkpoint stores in parts (GPTQ's `qweight`, `qzeros`, `scales`) is one tensor here, of the numbers it means.
public final class TensorFile: Sendable {
  /// The kinds of file.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case npy, npz, safetensors, gguf
    /// An index of .safetensors files beside it.
    case index = "safetensors.index.json"

    /// Whether tensors may be stored in parts.
    var hasParts: Bool { self != .npy && self != .gguf }
  }

  /// The file's name in messages: its path, or `standard input`.
  public let path: String
  /// What kind of file it is.
  public let kind: Kind
  /// What is in it: in the file's order for .npz and .gguf, in the order of their bytes for .safetensors.
  public let tensors: [TensorInfo]
  /// What is in it but cannot be read, and why: tensors of types that are not known here, damaged entries, the files of an
  /// index that are missing.
  public let unreadable: [UnreadableTensor]
  /// The texts under `__metadata__` of a .safetensors file, `general.architecture` of a .gguf file; empty for the others.
  public let metadata: [String: String]
  /// Where the bytes of each tensor are; one for all where it is one file.
  private let sources: [ByteSource]
  private let reasons: [Spelling: String]

  /// Opens the file at `path`, or reads standard input where that is `-`.
  public static func open(_ path: FilePath) throws -> TensorFile {
    if path == "-" { return try read(descriptor: 0, path: "standard input", name: "stdin") }
    return try TensorFile(FileBytes.map(path), place: path, name: path.name)
  }

  /// The same for a path as text.
  public static func open(_ path: String) throws -> TensorFile {
    try open(FilePath(checked: path))
  }

  /// Reads `descriptor` to its end, or maps it where it is a file; `name` is what a nameless tensor is called.
  package static func read(descriptor: Int32, path: String, name: String) throws -> TensorFile {
    if FileIdentity(descriptor: descriptor) != nil, lseek(descriptor, 0, SEEK_CUR) == 0 {
      let copy = dup(descriptor)
      guard copy >= 0 else { throw TensorFileError(path, "cannot open: \(systemMessage())") }
      return try TensorFile(FileBytes.map(owned: copy, path), place: nil, name: name)
    }
    return try TensorFile(
      StreamReader(descriptor: descriptor, path: path).read(), place: nil, name: name)
  }

  /// A file whose bytes are in memory; `path` only names it in errors.
  package convenience init(bytes: UnsafeRawBufferPointer, path: String) throws {
    let place = FilePath(bytes: path.utf8)
    try self.init(FileBytes.copy(bytes, path: path), place: place, name: place.name)
  }

  private convenience init(_ file: FileBytes, place: FilePath?, name: String) throws {
    let (kind, content) = try Self.content(of: file, place: place, name: name)
    var contents = [content]
    if kind.hasParts { contents.combineParts { CheckpointConfig(beside: place?.removingLastComponent()) } }
    self.init(file.path, kind, contents[0])
  }

  private init(_ path: String, _ kind: Kind, _ content: FileContent) {
    (self.path, self.kind) = (path, kind)
    tensors = content.tensors
    unreadable = content.unreadable
    metadata = content.metadata
    sources = content.sources
    reasons = content.reasons.merging(
      content.unreadable.map { (Spelling($0.name), $0.reason) }, uniquingKeysWith: { first, _ in first })
  }

  /// Opens files some of which may be shards of one model: a tensor whose parts lie in several of them is one, in the file of the
  /// first part.
  package static func open(_ paths: [FilePath]) throws -> [TensorFile] {
    guard paths.count > 1, !paths.contains("-") else { return try paths.map { try open($0) } }
    return try opened(paths).files.map { TensorFile($0.file.path, $0.kind, $0.content) }
  }

  /// Opens shards of one model without an index as one file, called `path`; nil where they may be files of several.
  package static func open(shards paths: [FilePath], path: String) throws -> TensorFile? {
    let (files, groups) = try opened(paths)
    guard groups.count == 1, files.allSatisfy({ $0.kind == .safetensors }) else { return nil }
    var whole = FileContent()
    for (_, _, content) in files { whole.add(content) }
    return TensorFile(path, .index, whole)
  }

  private typealias Opened = (file: FileBytes, kind: Kind, content: FileContent)

  /// What is in several files, and which of them, by their numbers, may be shards of one model.
  private static func opened(_ paths: [FilePath]) throws -> (files: [Opened], groups: [[Int]]) {
    var files = try paths.map { path -> Opened in
      let file = try FileBytes.map(path)
      let (kind, content) = try content(of: file, place: path, name: path.name)
      return (file, kind, content)
    }
    let groups = ModelFiles.shards(paths, files.map { ($0.kind, $0.content.tensors) })
    for group in groups where files[group[0]].kind.hasParts {
      var contents = group.map { files[$0].content }
      contents.combineParts { CheckpointConfig(beside: paths[group[0]].removingLastComponent()) }
      for (k, content) in zip(group, contents) { files[k].content = content }
    }
    return (files, groups)
  }

  /// What kind of file it is, and what is in it, parts of tensors as they are.
  private static func content(of file: FileBytes, place: FilePath?, name: String) throws -> (
    kind: Kind, content: FileContent
  ) {
    try refusePointer(file)
    try refusePickle(file, extension: place?.extension)
    guard let kind = Self.kind(of: file.bytes, extension: place?.extension) else {
      throw TensorFileError(
        file.path,
        "is no .npy, .npz, .safetensors or .gguf file: its \(file.bytes.count) bytes begin with \(head(file.bytes))"
      )
    }
    let content: FileContent
    switch kind {
    case .npy:
      let info = try npyTensor(file, 0..<file.bytes.count, name: name, path: file.path)
      content = FileContent(tensors: [info], sources: [.file(file)])
    case .npz: content = try npzContent(file)
    case .gguf: content = try GGUFParts.content(of: file, place: place)
    case .safetensors: content = try SafeTensors.content(of: file)
    case .index:
      guard let place else { throw TensorFileError(file.path, "an index of files needs a place beside them") }
      content = try ShardIndex(file).content(beside: place)
    }
    return (kind, content)
  }

  /// A file without a header as one tensor, in row-major order, little-endian, from byte `offset` to the end.
  public static func openRaw(
    _ path: FilePath, type: ElementType, shape: [Int], offset: Int = 0
  ) throws -> TensorFile {
    let file = try FileBytes.map(path)
    let extent = try TensorExtent(shape, type) { TensorFileError(file.path, $0) }
    guard offset >= 0, offset <= file.bytes.count, file.bytes.count - offset == extent.byteCount else {
      throw TensorFileError(
        file.path,
        "has \(file.bytes.count) bytes; shape \(shape) of \(type) takes \(extent.byteCount)"
          + (offset == 0 ? "" : " from byte \(offset) on"))
    }
    let info = TensorInfo(
      name: path.name, elementType: type, shape: shape, extent: extent, byteOffset: offset,
      isByteSwapped: 1.bigEndian == 1)
    return TensorFile(raw: file, info)
  }

  private init(raw file: FileBytes, _ info: TensorInfo) {
    (path, kind, tensors, unreadable) = (file.path, .npy, [info], [])
    (metadata, sources, reasons) = ([:], [.file(file)], [:])
  }

  /// The tensor of that name; throws an error that lists the names where there is none.
  public func tensor(named name: String) throws -> TensorView {
    // Looked for one by one: a file may have a million, and few are asked for by name.
    let spelling = Spelling(name)
    guard let index = tensors.firstIndex(where: { Spelling($0.name) == spelling }) else {
      if let reason = reasons[Spelling(name)] {
        throw TensorFileError(path, "tensor \(name.quoted): \(reason)")
      }
      throw TensorFileError(
        path, "has no tensor \(name.quoted)\(tensors.isEmpty ? "" : "; it has \(nameList)")",
        missing: .init(name: name, known: tensors.map(\.name)))
    }
    return view(index)
  }

  /// The only tensor; throws an error that lists the names where there are more.
  public func onlyTensor() throws -> TensorView {
    guard tensors.count + unreadable.count > 0 else { throw TensorFileError(path, "holds no tensors") }
    guard tensors.count + unreadable.count == 1 else {
      if tensors.isEmpty {
        throw TensorFileError(
          path, "holds no tensor that can be read, of \(unreadable.count); \(unreadable[0])")
      }
      throw TensorFileError(path, "holds \(tensors.count) tensors, name one as FILE:TENSOR: \(nameList)")
    }
    if let first = unreadable.first { throw TensorFileError(path, "\(first)") }
    return view(0)
  }

  /// Whether all that it holds are parts of tensors that lie in other files.
  package var hasPartsAlone: Bool { tensors.isEmpty && unreadable.isEmpty && !reasons.isEmpty }

  /// Every tensor that can be read, in the order of `tensors`.
  public var views: [TensorView] { tensors.indices.map(view) }

  /// The tensor of that number in `tensors`.
  public func view(_ index: Int) -> TensorView {
    TensorView(info: tensors[index], sources.count == 1 ? sources[0] : sources[index])
  }

  private var nameList: String {
    let shown = 10
    let names = tensors.prefix(shown).map(\.name.quoted).joined(separator: ", ")
    return tensors.count > shown ? "\(names), and \(tensors.count - shown) more" : names
  }
}
