import Foundation
import TensorFiles

/// Throws where an output is a file that is also read, or written twice: what was in it would be gone.
func keepApart(outputs: [String?], inputs: [String?]) throws {
  func place(_ path: String) -> String {
    let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    // A file that is not there yet is where its folder is.
    return url.deletingLastPathComponent().resolvingSymlinksInPath()
      .appendingPathComponent(url.lastPathComponent).path
  }
  var taken = Set(inputs.compactMap { $0 }.filter { $0 != "-" }.map { place(TensorSpecifier($0).path) })
  let read = taken
  for output in outputs.compactMap({ $0 }) {
    let name = place(output)
    if read.contains(name) { throw UsageError("\(output) is an input, it would be lost") }
    guard taken.insert(name).inserted else { throw UsageError("\(output) would be written twice") }
  }
}
