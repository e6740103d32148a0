import Foundation
import TensorFiles

/// Throws where an output is a file that is also read: what was in it would be gone.
func keepApart(outputs: [String?], inputs: [String?]) throws {
  func place(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
  let read = Set(inputs.compactMap { $0 }.filter { $0 != "-" }.map { place(TensorSpecifier($0).path) })
  for output in outputs.compactMap({ $0 }) where read.contains(place(output)) {
    throw UsageError("\(output) is an input, it would be lost")
  }
}
