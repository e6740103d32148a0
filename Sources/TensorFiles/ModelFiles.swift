import SystemPackage

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The files that an argument stands for: itself, what a pattern matches, or what a folder holds of a model.
package enum ModelFiles {
  /// Those of `path`, in the order of their names. A file of that very name is no pattern. Throws where a folder or a pattern
  /// leads to none.
  package static func of(_ path: FilePath) throws -> [FilePath] {
    if path == "-" { return [path] }
    if let information = status(ofPath: path) {
      return information.st_mode & S_IFMT == S_IFDIR ? try inFolder(path) : [path]
    }
    guard
      path.bytes.contains(where: { [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "[")].contains($0) })
    else { return [path] }
    let found = matches(path).filter { status(ofPath: $0)?.isRegular ?? false }
    if found.isEmpty { throw TensorFileError(path.label, "no file is called like that") }
    return firstParts(found)
  }

  /// Of a folder: an index with its shards, or else the first parts of .gguf models, else .safetensors files, else those of
  /// arrays.
  private static func inFolder(_ folder: FilePath) throws -> [FilePath] {
    let files = entries(of: folder)
    let index = files.filter { $0.bytes.ends(with: ".safetensors.index.json") }
    if !index.isEmpty { return index }
    for kinds in [["gguf"], ["safetensors"], ["npz", "npy"]] {
      let found = files.filter { kinds.contains($0.extension?.lowercased() ?? "") }
      if !found.isEmpty { return firstParts(found) }
    }
    // What is there says best what to do.
    if let pickle = files.first(where: { ["bin", "pt", "pth"].contains($0.extension?.lowercased() ?? "") }) {
      _ = try TensorFile.open(pickle)
    }
    throw TensorFileError(folder.label, "is a folder without .safetensors, .gguf, .npz or .npy files")
  }

  /// Without further parts of what another file stands for.
  private static func firstParts(_ files: [FilePath]) -> [FilePath] {
    var others: Set<[UInt8]> = []
    for file in files where file.extension?.lowercased() == "gguf" {
      for name in file.lastComponent.flatMap({ GGUFParts.otherParts($0.string) }) ?? [] {
        others.insert(file.removingLastComponent().appending(name).bytes)
      }
    }
    return files.filter { !others.contains($0.bytes) }
  }

  /// The files by their numbers, those together that may be shards of one model: .safetensors of one folder, and where names count
  /// them (`x-00001-of-00004`) of one name and count, with no tensor in two of them.
  static func shards(
    _ paths: [FilePath], _ files: [(kind: TensorFile.Kind, tensors: [TensorInfo])]
  ) -> [[Int]] {
    struct Key: Hashable {
      let folder: [UInt8]
      let name: String
    }
    var groups: [Key: [Int]] = [:]
    var found: [[Int]] = []
    for (k, path) in paths.enumerated() {
      guard files[k].kind == .safetensors else {
        found.append([k])
        continue
      }
      let name = path.lastComponent?.string ?? ""
      let match = name.wholeMatch(of: /(.*)-[0-9]+-of-([0-9]+)\.[A-Za-z]+/)
      let key = Key(
        folder: path.removingLastComponent().bytes, name: match.map { "\($0.1)-of-\($0.2)" } ?? "")
      groups[key, default: []].append(k)
    }
    for group in groups.values {
      var seen: Set<Spelling> = []
      let isOne = group.allSatisfy { k in
        files[k].tensors.allSatisfy { seen.insert(Spelling($0.name)).inserted }
      }
      found += isOne ? [group] : group.map { [$0] }
    }
    return found
  }

  private static func entries(of folder: FilePath) -> [FilePath] {
    guard let stream = folder.withPlatformString({ opendir($0) }) else { return [] }
    defer { closedir(stream) }
    var found: [FilePath] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      let path = folder.appending(FilePath(bytes: name).string)
      if let information = status(ofPath: path), information.isRegular { found.append(path) }
    }
    return found.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  private static func matches(_ pattern: FilePath) -> [FilePath] {
    var result = glob_t()
    defer { globfree(&result) }
    guard pattern.withPlatformString({ glob($0, 0, nil, &result) }) == 0 else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { k in
      result.gl_pathv[k].map { FilePath(platformString: UnsafePointer($0)) }
    }.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }
}

extension Array where Element == UInt8 {
  fileprivate func ends(with text: StaticString) -> Bool {
    text.withUTF8Buffer { count >= $0.count && suffix($0.count).elementsEqual($0) }
  }
}
