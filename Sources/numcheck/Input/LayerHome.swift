import SystemPackage
import TensorFiles

/// Where the layers of one series lie: in a file, in the files that one was cut into, or in files of one tensor each beside each
/// other in a folder.
enum LayerHome {
  /// Groups tensors, of which `files` says where each is, in the order of the first of each group.
  static func groups(of files: [String]) -> [(home: String, members: [Int])] {
    var counts: [Spelling: Int] = [:]
    for file in files { counts[Spelling(file), default: 0] += 1 }
    var order: [Spelling] = []
    var members: [Spelling: [Int]] = [:]
    for (k, file) in files.enumerated() {
      let home = Spelling(home(of: file, isOnly: counts[Spelling(file)] == 1))
      if members[home] == nil { order.append(home) }
      members[home, default: []].append(k)
    }
    return order.map { ($0.text, members[$0, default: []]) }
  }

  /// `model.safetensors` for `model-00001-of-00002.safetensors`; the folder of a file with one tensor; else the file.
  static func home(of file: String, isOnly: Bool) -> String {
    if let cut = file.firstMatch(of: /-[0-9]{5}-of-[0-9]{5}(?=\.[A-Za-z]+$)/) {
      return String(file[..<cut.range.lowerBound] + file[cut.range.upperBound...])
    }
    guard isOnly else { return file }
    return FilePath(file).removingLastComponent().string
  }
}
