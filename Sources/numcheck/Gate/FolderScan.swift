import Foundation
import Gate
import SystemPackage

/// Tensors of a folder, for a file to begin with.
enum FolderScan {
  private static let endings: Set<String> = ["npy", "npz", "safetensors", "gguf"]
  private static let skipped: Set<String> = ["node_modules", "build", "venv", "target", "__pycache__"]
  private static let most = 12
  private static let mostEntries = 20_000

  /// The first of them by name, hidden folders and those of builds aside.
  static func tensors(in folder: FilePath) -> [Starter.Tensor] {
    let root = folder.isEmpty ? "." : folder.string
    guard let all = FileManager.default.enumerator(atPath: root) else { return [] }
    var found: [String] = []
    var seen = 0
    while let path = all.nextObject() as? String, seen < mostEntries {
      seen += 1
      let name = FilePath(path).lastComponent?.string ?? ""
      if name.hasPrefix(".") || skipped.contains(name) {
        all.skipDescendants()
      } else if endings.contains(FilePath(path).extension?.lowercased() ?? "") {
        found.append(path)
      }
    }
    return found.sorted().prefix(most).map { Starter.Tensor(path: $0, kind: Starter.kind(of: $0)) }
  }
}
