/// What kind of file it is, by its first bytes.
extension TensorFile {
  /// nil for none of those that are read. Without an end only the first bytes of a stream are there.
  static func kind(of bytes: UnsafeRawBufferPointer, extension suffix: String? = nil) -> Kind? {
    if bytes.starts(with: NpyHeader.magic) { return .npy }
    if bytes.starts(with: [0x50, 0x4b, 0x03, 0x04]) || bytes.starts(with: [0x50, 0x4b, 0x05, 0x06]) {
      return .npz
    }
    if bytes.starts(with: GGUF.magic) { return .gguf }
    let isText = bytes.prefix(8).allSatisfy { $0 != 0 }
    if isText && ShardIndex.isLikely(bytes) { return .index }
    if SafeTensors.isLikely(bytes) || suffix?.lowercased() == Kind.safetensors.rawValue {
      return .safetensors
    }
    return nil
  }

  /// The kind that a path's extension names, if any.
  static func kind(ofExtension suffix: String?) -> Kind? {
    suffix.flatMap { Kind(rawValue: $0.lowercased()) }
  }

  /// The first bytes, for a message.
  static func head(_ bytes: UnsafeRawBufferPointer) -> String {
    bytes.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  }

  /// Throws where `file` stands for another: what git leaves in place of large files that were not fetched.
  static func refusePointer(_ file: FileBytes) throws {
    let start = "version https://git-lfs.github.com/spec/"
    guard file.bytes.starts(with: start.utf8), file.bytes.count < 4096 else { return }
    let text = String(decoding: file.bytes, as: UTF8.self)
    let size = text.firstMatch(of: /\nsize ([0-9]+)/).map { ", of \($0.1) bytes" } ?? ""
    throw TensorFileError(
      file.path, "is a pointer of Git LFS to the file\(size), which was not fetched: git lfs pull does that")
  }

  /// Throws where `file` is a checkpoint of PyTorch: a pickle, alone or in a zip archive.
  static func refusePickle(_ file: FileBytes, extension suffix: String?) throws {
    let bytes = file.bytes
    var isPickle = false
    if bytes.starts(with: [0x50, 0x4b, 0x03, 0x04]), bytes.count > 30 {
      // The name of the archive's first entry.
      let length = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 26, as: UInt16.self)))
      let name = String(decoding: bytes[30..<min(bytes.count, 30 + length)], as: UTF8.self)
      isPickle = ["/data.pkl", "/.format_version", "/byteorder"].contains { name.hasSuffix($0) }
    } else if let suffix, ["pt", "pth", "bin", "ckpt", "pkl"].contains(suffix.lowercased()) {
      isPickle = bytes.count > 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1])
    }
    guard isPickle else { return }
    throw TensorFileError(
      file.path,
      "is a checkpoint of PyTorch, a pickle, which runs code where it is read; make it a .safetensors file: "
        + "python3 -c 'import sys, torch, safetensors.torch as s; s.save_file({k: v.contiguous().clone() for k, v in "
        + "torch.load(sys.argv[1], map_location=\"cpu\", weights_only=True).items()}, sys.argv[2])' IN.pt OUT.safetensors"
    )
  }

  /// How many bytes a stream that begins with `bytes` has by its own header; throws where it is no tensor file.
  static func expectedSize(of bytes: UnsafeRawBufferPointer, path: String) throws -> StreamReader.Expected {
    guard bytes.count >= 16 else { return .unknown }
    switch kind(of: bytes) {
    case .npy:
      guard let end = NpyHeader.byteCount(bytes), end <= NpyHeader.maximumByteCount else { return .open }
      guard bytes.count >= end else { return .unknown }
      let header = try NpyHeader(UnsafeRawBufferPointer(rebasing: bytes[..<end]), path: path)
      let extent = try TensorExtent(header.shape, header.elementType) { TensorFileError(path, $0) }
      let (size, overflow) = end.addingReportingOverflow(extent.byteCount)
      return overflow ? .open : .bytes(size)
    case .safetensors:
      guard let end = SafeTensors.headerEnd(bytes) else { return .open }
      guard bytes.count >= end else { return .unknown }
      return .bytes(try SafeTensors.read(bytes, size: end, path: path).fileSize)
    case .npz, .gguf: return .open
    case .index: throw TensorFileError(path, "an index of files needs a place beside them")
    case nil:
      // A pointer of Git LFS is small: it is known at its end.
      if bytes.starts(with: "version https://".utf8), bytes.count < 4096 { return .unknown }
      throw TensorFileError(
        path, "is no .npy, .npz, .safetensors or .gguf file: it begins with \(head(bytes))")
    }
  }
}
