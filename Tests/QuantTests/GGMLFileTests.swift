import Foundation
import Quant
import TensorFiles
import Testing

private let folder = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("fixtures/smollm2")

private struct Expectation: Decodable {
  var type: String
  var f32_sha256: String
}

@Suite struct GGMLFileTests {
  /// The real file's Q4_1 and Q8_0 tensors decode to the floats whose hashes were taken of two other decoders' results.
  @Test func realWeightsDecodeAsExpected() throws {
    let expected = try JSONDecoder().decode(
      [String: Expectation].self,
      from: Data(contentsOf: folder.appendingPathComponent("smollm2-weights-expect.json")))
    let file = try TensorFile.open(folder.appendingPathComponent("smollm2-weights.gguf").path)
    var decoded = Set<String>()
    for tensor in file.views {
      guard case .block(let type) = tensor.elementType else { continue }
      let scheme = try #require(GGMLSchemes.scheme(ofBlockType: type.name))
      let columns = try #require(tensor.shape.last)
      let rows = tensor.count / columns
      var values = [Float](repeating: 0, count: tensor.count)
      try tensor.withRawBytes { bytes in
        try values.withUnsafeMutableBufferPointer {
          try scheme.decode(bytes, rows: rows, columns: columns, into: $0)
        }
      }
      let bytes = values.flatMap { value in
        withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
      }
      #expect(sha256(bytes) == expected[tensor.name]?.f32_sha256, "\(tensor.name)")
      decoded.insert(type.name)
    }
    #expect(decoded == ["q4_1", "q8_0"])
  }

  /// Two parts of the package know the blocks' sizes; they agree.
  @Test func blockTypesOfFilesHaveTheSchemesSizes() throws {
    var count = 0
    for type in BlockType.allCases {
      guard let scheme = GGMLSchemes.scheme(ofBlockType: type.name) else { continue }
      #expect(try scheme.byteCount(rows: 1, columns: type.elementCount) == type.byteCount, "\(type)")
      count += 1
    }
    #expect(count == 24)
  }

  @Test func theHashIsSHA256() {
    #expect(sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(sha256([97, 98, 99]) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }
}

/// FIPS 180-4. The constants are the first fraction bits of the square and cube roots of primes.
private func sha256(_ message: [UInt8]) -> String {
  let primes = (2...311).filter { n in !(2..<n).contains { $0 * $0 <= n && n % $0 == 0 } }
  func fraction(_ x: Double) -> UInt32 { UInt32((x - x.rounded(.down)) * 0x1p32) }
  let k = primes.prefix(64).map { fraction(cbrt(Double($0))) }
  var h = primes.prefix(8).map { fraction(Double($0).squareRoot()) }
  var padded = message + [0x80]
  padded += [UInt8](repeating: 0, count: (120 - padded.count % 64) % 64)
  padded += (0..<8).map { UInt8(truncatingIfNeeded: UInt64(8 * message.count) >> UInt64(56 - 8 * $0)) }
  func rotated(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
  var w = [UInt32](repeating: 0, count: 64)
  for block in stride(from: 0, to: padded.count, by: 64) {
    for t in 0..<16 {
      w[t] = (0..<4).reduce(0) { $0 << 8 | UInt32(padded[block + 4 * t + $1]) }
    }
    for t in 16..<64 {
      let a = rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3
      let b = rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10
      w[t] = w[t - 16] &+ a &+ w[t - 7] &+ b
    }
    var v = h
    for t in 0..<64 {
      let s1 = rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25)
      let choice = v[4] & v[5] ^ ~v[4] & v[6]
      let t1 = v[7] &+ s1 &+ choice &+ k[t] &+ w[t]
      let s0 = rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22)
      let majority = v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2]
      v = [t1 &+ s0 &+ majority, v[0], v[1], v[2], v[3] &+ t1, v[4], v[5], v[6]]
    }
    h = zip(h, v).map { $0 &+ $1 }
  }
  return h.map { String(format: "%08x", $0) }.joined()
}
