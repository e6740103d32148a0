/// The header of a file to be written, and where each tensor goes after it.
struct FileLayout {
  let header: [UInt8]
  /// Where each tensor's bytes begin, from the end of the header.
  let offsets: [Int]

  /// Version 1.0, padded so that the data begins at a multiple of 64 (NumPy, "numpy.lib.format").
  static func npy(_ tensors: [TensorWriter.Declaration], path: String) throws -> FileLayout {
    guard tensors.count == 1 else {
      throw TensorFileError(path, "an .npy file holds 1 tensor, not \(tensors.count)")
    }
    let tensor = tensors[0]
    guard let descr = NpyHeader.descr(tensor.elementType) else {
      throw TensorFileError(
        path, ".npy cannot hold \(tensor.elementType); .safetensors can hold every float type")
    }
    let dimensions =
      tensor.shape.map(String.init).joined(separator: ", ") + (tensor.shape.count == 1 ? "," : "")
    var text = "{'descr': '\(descr)', 'fortran_order': False, 'shape': (\(dimensions)), }"
    let prefix = NpyHeader.magic.count + 4
    let padding = (64 - (prefix + text.utf8.count + 1) % 64) % 64
    text += String(repeating: " ", count: padding) + "\n"
    let length = text.utf8.count
    let header = NpyHeader.magic + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)] + Array(text.utf8)
    return FileLayout(header: header, offsets: [0])
  }

  /// Larger elements first, so that with the header padded to 8 bytes each tensor is aligned, as the format's own
  /// writer does.
  static func safetensors(
    _ tensors: [TensorWriter.Declaration], _ extents: [TensorExtent], metadata: [String: String], path: String
  ) throws -> FileLayout {
    func size(_ i: Int) -> Int {
      let unit = tensors[i].elementType.unit
      return unit.bytes / unit.elements
    }
    let order = tensors.indices.sorted { (size($1), $0) < (size($0), $1) }
    var names: Set<Spelling> = [Spelling(SafeTensors.metadataKey)]
    var offsets = [Int](repeating: 0, count: tensors.count)
    var members: [String] = []
    if !metadata.isEmpty {
      for (key, text) in metadata { try check(key + text, path) }
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(json($0.key)):\(json($0.value))" }
      members.append("\"\(SafeTensors.metadataKey)\":{\(pairs.joined(separator: ","))}")
    }
    var position = 0
    for i in order {
      let tensor = tensors[i]
      try check(tensor.name, path)
      guard names.insert(Spelling(tensor.name)).inserted else {
        throw TensorFileError(path, "the name \(tensor.name.quoted) is taken, it cannot name a tensor")
      }
      guard let type = SafeTensors.typeName(tensor.elementType) else {
        throw TensorFileError(path, ".safetensors cannot hold \(tensor.elementType)")
      }
      let (end, overflow) = position.addingReportingOverflow(extents[i].byteCount)
      guard !overflow else { throw TensorFileError(path, "the tensors have more bytes than fit 64 bits") }
      members.append(
        "\(json(tensor.name)):{\"dtype\":\"\(type)\",\"shape\":[\(tensor.shape.map(String.init).joined(separator: ","))],\"data_offsets\":[\(position),\(end)]}"
      )
      offsets[i] = position
      position = end
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    guard text.count <= SafeTensors.maximumHeaderLength else {
      throw TensorFileError(
        path, "header of \(text.count) bytes is above the format's \(SafeTensors.maximumHeaderLength)")
    }
    let length = UInt64(text.count)
    return FileLayout(
      header: (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + text, offsets: offsets)
  }

  private static func check(_ text: String, _ path: String) throws {
    guard !text.utf8.contains(0) else { throw TensorFileError(path, "a name or text cannot contain NUL") }
  }

  private static func json(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
