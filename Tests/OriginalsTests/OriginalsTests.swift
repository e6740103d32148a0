import Foundation
import Quant
import TensorFiles
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// One place where a scheme and the library that it is named after part, as `fixtures/originals/differences.txt` has it.
struct Difference: Hashable {
  let scheme: String
  let input: String
  /// Elements that differ.
  let count: Int
}

/// What the originals' own code makes of the same numbers, held against ours.
enum Originals {
  /// Scheme and input by name, and the library's dequantized numbers.
  static func forEach(_ body: (String, String, TensorView, TensorView) throws -> Void) throws {
    let inputs = try TensorFile.open(root.appending(path: "fixtures/originals/inputs.safetensors").path)
    let decoded = try TensorFile.open(root.appending(path: "fixtures/originals/decoded.safetensors").path)
    for view in decoded.views.sorted(by: { $0.name < $1.name }) {
      let parts = view.name.split(separator: "|").map(String.init)
      try body(parts[0], parts[1], inputs.tensor(named: parts[1]), view)
    }
  }

  /// Our numbers of it.
  static func ours(_ scheme: any Scheme, _ input: TensorView) throws -> [Float] {
    let (rows, columns) = (input.shape[0], input.shape[1])
    var bytes = [UInt8](repeating: 0, count: try scheme.byteCount(rows: rows, columns: columns))
    var values = [Float](repeating: 0, count: rows * columns)
    try input.withFloats { x in
      try bytes.withUnsafeMutableBytes { try scheme.encode(x, rows: rows, columns: columns, into: $0) }
    }
    try bytes.withUnsafeBytes { bytes in
      try values.withUnsafeMutableBufferPointer {
        try scheme.decode(bytes, rows: rows, columns: columns, into: $0)
      }
    }
    return values
  }

  /// Whether both are the same number, or neither is one. Zeros have no sign here: integers store none, and libraries keep it
  /// only until they do.
  static func agree(_ a: Float, _ b: Float) -> Bool { a == b || a.isNaN && b.isNaN }
}

@Suite("The originals") struct OriginalsTests {
  /// Every scheme gives the numbers of the release it is named after, but where differences.txt says that it does not, and by how many.
  @Test func schemesAreTheReleasesTheyAreNamedAfter() throws {
    let text = try String(
      contentsOf: root.appending(path: "fixtures/originals/differences.txt"), encoding: .utf8)
    let known = Set(
      text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
        let fields = line.split(separator: "\t").map(String.init)
        return Difference(scheme: fields[0], input: fields[1], count: Int(fields[2]) ?? -1)
      })
    var found: [Difference: String] = [:]
    var count = 0
    try Originals.forEach { name, place, input, decoded in
      let scheme = try SchemeRegistry.scheme(named: name)
      let ours = try Originals.ours(scheme, input)
      let theirs = try decoded.withFloats { Array($0) }
      let x = try input.withFloats { Array($0) }
      let wrong = ours.indices.filter { !Originals.agree(ours[$0], theirs[$0]) }
      count += 1
      guard let first = wrong.first else { return }
      found[Difference(scheme: name, input: place, count: wrong.count)] =
        "\(x[first]) at \(first): \(ours[first]), the original \(theirs[first])"
    }
    #expect(count > 450)
    for (difference, witness) in found.sorted(by: {
      ($0.key.scheme, $0.key.input) < ($1.key.scheme, $1.key.input)
    })
    where !known.contains(difference) {
      Issue.record("\(difference.scheme)\t\(difference.input)\t\(difference.count)\t\(witness)")
    }
    for difference in known where found[difference] == nil {
      Issue.record("\(difference) is no difference any more")
    }
  }

  /// Each is in the table of Documentation/Schemes.md.
  @Test func theTableNamesEveryScheme() throws {
    let page = try String(contentsOf: root.appending(path: "Documentation/Schemes.md"), encoding: .utf8)
    var names: Set<String> = []
    try Originals.forEach { name, _, _, _ in names.insert(name) }
    for name in names { #expect(page.contains("`\(name)`"), "\(name)") }
  }
}
