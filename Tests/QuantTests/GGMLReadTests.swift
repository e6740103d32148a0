import Foundation
import Quant
import TensorFiles
import Testing

private let folder = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("fixtures/ggml/read")

/// Block types that are read and not written, and those on grids of points, decode as ggml's own code does.
@Suite struct GGMLReadTests {
  @Test func everyBlockTypeIsDecoded() throws {
    for type in BlockType.allCases { #expect(GGMLSchemes.decoder(ofBlockType: type.name) != nil, "\(type)") }
    #expect(GGMLSchemes.decoder(ofBlockType: "q9_k") == nil)
    for (name, reader) in GGMLSchemes.readTypes {
      let type = try #require(BlockType.allCases.first { $0.name == name })
      #expect(type.elementCount == reader.blockLength && type.byteCount == reader.blockBytes, "\(name)")
    }
  }

  @Test(arguments: GGMLSchemes.readTypes.map(\.key) + GGMLSchemes.lattices.map(\.name)) func decodesAsGGML(
    name: String
  ) throws {
    let bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent("\(name).random")))
    let golden = try Data(contentsOf: folder.appendingPathComponent("\(name).decoded"))
    var values = [Float](repeating: 7, count: golden.count / 4)
    let decode = try #require(GGMLSchemes.decoder(ofBlockType: name))
    try bytes.withUnsafeBytes { bytes in
      try values.withUnsafeMutableBufferPointer { try decode(bytes, $0) }
    }
    for i in values.indices {
      let bits = golden.withUnsafeBytes {
        UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self))
      }
      let expected = Float(bitPattern: bits)
      #expect(
        values[i].bitPattern == bits || values[i].isNaN && expected.isNaN,
        "element \(i): \(values[i]), \(expected)")
    }
    #expect(throws: SchemeError.self) {
      try bytes.withUnsafeBytes { bytes in
        try values.withUnsafeMutableBufferPointer {
          try decode(UnsafeRawBufferPointer(rebasing: bytes.dropLast()), $0)
        }
      }
    }
  }
}
