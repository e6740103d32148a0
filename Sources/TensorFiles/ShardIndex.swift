import SystemPackage

/// The index of tensors that lie in several .safetensors files beside it: `model.safetensors.index.json`, whose `weight_map`
/// says in which file each is.
struct ShardIndex {
  /// The files and the tensors in each, both in the order of their bytes in the names.
  let shards: [(file: String, tensors: [String])]
  /// How many bytes all tensors have, where the index says.
  let totalSize: Int?

  /// Whether `bytes` may be an index: an object of JSON.
  static func isLikely(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } == UInt8(ascii: "{")
  }

  init(_ file: FileBytes) throws {
    var map: [Spelling: [String]] = [:]
    var total: Int?
    var hasMap = false
    var reader = JSONReader(file.bytes, path: file.path)
    try reader.object { reader, key in
      switch key {
      case "weight_map":
        hasMap = true
        try reader.object { reader, tensor in
          map[Spelling(try reader.string()), default: []].append(tensor)
        }
      case "metadata":
        try reader.object { reader, key in
          if key == "total_size", let size = try? reader.peeking({ try $0.integer("total_size") }) {
            total = size
          }
          try reader.skipValue()
        }
      default: try reader.skipValue()
      }
    }
    try reader.end()
    guard hasMap else {
      throw TensorFileError(file.path, "is JSON without a 'weight_map': no index of .safetensors files")
    }
    for name in map.keys {
      let parts = name.text.split(separator: "/", omittingEmptySubsequences: false)
      guard !name.text.isEmpty, !parts.contains(where: { $0.isEmpty || $0 == ".." }) else {
        throw TensorFileError(file.path, "names the file \(name.text.quoted), which does not lie beside it")
      }
    }
    shards = map.keys.sorted().map { ($0.text, map[$0, default: []].sorted { Spelling($0) < Spelling($1) }) }
    totalSize = total
  }

  /// Opens all files beside `path`. Tensors of files that are missing, short or of another kind are unreadable.
  func content(beside path: FilePath) throws -> FileContent {
    var content = FileContent()
    var found = 0
    for shard in shards {
      let place = path.removingLastComponent().appending(shard.file)
      do {
        guard let lack = try add(shard, at: place, to: &content, found: &found) else { continue }
        content.unreadable.append(
          UnreadableTensor(shard.file, lack.reason, lack: PartLack(isMissing: false, tensors: lack.tensors)))
      } catch let error as TensorFileError {
        content.lost(shard.tensors, "its file \(shard.file.quoted) \(error.reason)")
        content.unreadable.append(
          UnreadableTensor(
            shard.file, "\(error.reason); it has \(shard.tensors.listed("tensor"))",
            lack: PartLack(isMissing: true, tensors: shard.tensors.count)))
      }
    }
    content.countParts(shards.count)
    if let totalSize, found < totalSize, let last = content.unreadable.indices.last {
      // Said once.
      content.unreadable[last].reason += "; \(totalSize - found) of \(totalSize) bytes lack in all"
    }
    return content
  }

  /// Adds the tensors of one file; returns what it lacks, and how many tensors are lost so.
  private func add(
    _ shard: (file: String, tensors: [String]), at place: FilePath, to content: inout FileContent,
    found: inout Int
  ) throws -> (reason: String, tensors: Int)? {
    let file = try FileBytes.map(place)
    try TensorFile.refusePointer(file)
    let size = file.bytes.count
    let header = try SafeTensors.read(file.bytes, size: size, path: file.path)
    let listed = Set(shard.tensors.map(Spelling.init))
    var seen: Set<Spelling> = []
    for tensor in header.tensors where listed.contains(Spelling(tensor.name)) {
      seen.insert(Spelling(tensor.name))
      content.tensors.append(tensor)
      content.sources.append(.file(file))
      found += tensor.byteCount
    }
    for tensor in header.unreadable where listed.contains(Spelling(tensor.name)) {
      seen.insert(Spelling(tensor.name))
      content.unreadable.append(tensor)
    }
    let gone = shard.tensors.filter { !seen.contains(Spelling($0)) }
    if gone.isEmpty { return nil }
    if let lack = header.lack(size) {
      content.lost(gone, "its file \(shard.file.quoted) is truncated")
      return (lack, gone.count)
    }
    content.lost(gone, "its file \(shard.file.quoted) does not have it, though the index says so")
    return ("does not have \(gone.listed("tensor")), though the index says so", gone.count)
  }
}
