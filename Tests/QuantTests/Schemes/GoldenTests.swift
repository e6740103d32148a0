import Foundation
import Quant
import TensorFiles
import Testing

struct GoldenTests {
  @Test func everySchemeWritesTheGoldenBytes() throws {
    let inputs = try Golden.inputs()
    let entries = try Golden.entries()
    #expect(entries.count > 1000)
    var wrong: [String] = []
    for entry in entries {
      let scheme = try SchemeRegistry.scheme(named: entry.scheme)
      let matrix = try #require(inputs[entry.input])
      let bytes = try scheme.encoded(matrix)
      if bytes != entry.bytes {
        let at = zip(bytes, entry.bytes).enumerated().first { $0.element.0 != $0.element.1 }
        wrong.append(
          "\(entry.scheme) \(entry.input): \(bytes.count) bytes of \(entry.bytes.count), first difference \(String(describing: at))"
        )
        continue
      }
      let values = try scheme.decoded(bytes, rows: matrix.rows, columns: matrix.columns)
      if Golden.hash(values) != entry.decoded { wrong.append("\(entry.scheme) \(entry.input): decoded") }
    }
    if !wrong.isEmpty {
      Issue.record("\(wrong.count) differ:\n\(wrong.prefix(20).joined(separator: "\n"))")
    }
  }

  @Test func everySchemeOfTheRegistryHasGoldenBytesForItsRule() throws {
    // Granularities are one mechanism; a base with its dialect must be in the table.
    func rule(_ name: String) throws -> String {
      let name = try #require(SchemeName(name))
      return ([name.base] + name.dialects.filter { !["floor", "dynamic"].contains($0) }).joined(
        separator: ":")
    }
    // Or in that of what the originals' own code computes.
    let originals = try TensorFile.open(
      fixtures.deletingLastPathComponent().appending(path: "originals/decoded.safetensors").path)
    let cures = try TensorFile.open(
      fixtures.deletingLastPathComponent().appending(path: "originals/cures.safetensors").path)
    let theirs =
      originals.tensors.map { String($0.name.split(separator: "|")[0]) }
      + cures.tensors.compactMap { $0.name.split(separator: "|").dropFirst().first.map(String.init) }
    let covered = Set(try (Golden.entries().map(\.scheme) + theirs).map(rule))
    for scheme in OwnSchemes.known {
      #expect(covered.contains(try rule(scheme.name)), "\(scheme.name)")
    }
  }
}
