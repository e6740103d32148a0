import SystemPackage

/// A model that was cut into several .gguf files, `model-00001-of-00003.gguf`: the first stands for all, as for llama.cpp. Each has
/// a header of its own and whole tensors.
enum GGUFParts {
  /// The tensors of `file`, and, where `place` is the first part of several, those of the others beside it. Parts that are missing
  /// or unreadable are named so.
  static func content(of file: FileBytes, place: FilePath?) throws -> FileContent {
    var content = try GGUF.content(of: file)
    guard let place, let name = place.lastComponent?.string, let others = otherParts(name) else {
      return content
    }
    content.sources = content.tensors.map { _ in .file(file) }
    var seen = Set(content.tensors.map { Spelling($0.name) })
    for other in others {
      var isFound = false
      do {
        let part = try FileBytes.map(place.removingLastComponent().appending(other))
        try TensorFile.refusePointer(part)
        isFound = true
        let more = try GGUF.content(of: part)
        for tensor in more.tensors {
          guard seen.insert(Spelling(tensor.name)).inserted else {
            throw TensorFileError(
              part.path, "has the tensor \(tensor.name.quoted), which another part has too")
          }
          content.tensors.append(tensor)
          content.sources.append(.file(part))
        }
        content.unreadable += more.unreadable
      } catch let error as TensorFileError {
        content.unreadable.append(
          UnreadableTensor(other, error.reason, lack: PartLack(isMissing: !isFound, tensors: nil)))
      }
    }
    content.countParts(others.count + 1)
    return content
  }

  /// The names of parts 2 to N, where `name` is that of part 1 of N.
  static func otherParts(_ name: String) -> [String]? {
    guard let match = name.wholeMatch(of: /(.*)-00001-of-([0-9]{5})(\.[A-Za-z]+)/), let count = Int(match.2),
      count > 1
    else { return nil }
    return (2...count).map { k in
      let digits = String(k)
      return "\(match.1)-\(String(repeating: "0", count: 5 - digits.count))\(digits)-of-\(match.2)\(match.3)"
    }
  }
}
