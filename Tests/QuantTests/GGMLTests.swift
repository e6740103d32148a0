import Foundation
import Quant
import Testing

private let folder = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("fixtures/ggml")

private func bytes(_ file: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: folder.appendingPathComponent(file)))
}

private func floats(_ file: String) throws -> [Float] {
  let bytes = try bytes(file)
  return stride(from: 0, to: bytes.count, by: 4).map { i in
    Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[i + $1]) << UInt32(8 * $1) })
  }
}

private func encoded(_ scheme: any Scheme, _ values: [Float]) throws -> [UInt8] {
  var bytes = [UInt8](repeating: 0xAA, count: try scheme.byteCount(rows: 1, columns: values.count))
  try values.withUnsafeBufferPointer { values in
    try bytes.withUnsafeMutableBytes { try scheme.encode(values, rows: 1, columns: values.count, into: $0) }
  }
  return bytes
}

private func decoded(_ scheme: any Scheme, _ bytes: [UInt8], count: Int) throws -> [Float] {
  var values = [Float](repeating: .nan, count: count)
  try bytes.withUnsafeBytes { bytes in
    try values.withUnsafeMutableBufferPointer { try scheme.decode(bytes, rows: 1, columns: count, into: $0) }
  }
  return values
}

/// The elements and bytes of a block, from the sizes the scheme accepts.
private func block(of scheme: any Scheme) throws -> (length: Int, bytes: Int) {
  let length = try #require(
    [32, 64, 256].first { (try? scheme.byteCount(rows: 1, columns: $0)) != nil })
  return (length, try scheme.byteCount(rows: 1, columns: length))
}

private func scheme(_ name: String) throws -> any Scheme {
  try #require(GGMLSchemes.all.first { $0.name == name })
}

private func same(_ a: Float, _ b: Float) -> Bool { a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN) }

@Suite struct GGMLTests {
  static let names = GGMLSchemes.all.map(\.name)

  @Test func everySchemeHasGoldenVectors() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    let golden = files.filter { $0.hasSuffix(".random") }.map { $0.dropLast(7).description }
    #expect(Self.names.map { $0.replacing(":", with: "-") }.sorted() == golden.sorted())
  }

  @Test(arguments: names) func encodesAsGGML(name: String) throws {
    let scheme = try scheme(name)
    let (length, size) = try block(of: scheme)
    let input = try floats("input.f32")
    let golden = try bytes(name.replacing(":", with: "-") + ".encoded")
    let ours = try encoded(scheme, input)
    try #require(ours.count == golden.count)
    for i in 0..<(input.count / length) {
      let x = input[i * length..<(i + 1) * length]
      #if !arch(x86_64)
        // The sign of a NaN made by arithmetic is the processor's.
        if length == 256 && !x.allSatisfy(\.isFinite) { continue }
      #endif
      let (a, b) = (ours[i * size..<(i + 1) * size], golden[i * size..<(i + 1) * size])
      #expect(a == b, "block \(i), \(x.prefix(32))")
    }
  }

  @Test(arguments: names) func decodesAsGGML(name: String) throws {
    let file = name.replacing(":", with: "-")
    let golden = try floats(file + ".decoded")
    let ours = try decoded(scheme(name), bytes(file + ".random"), count: golden.count)
    for i in golden.indices { #expect(same(ours[i], golden[i]), "element \(i): \(ours[i]), \(golden[i])") }
  }

  /// What a block holds comes back from encoding what it decodes to, whatever the codes, when the block is one that
  /// the encoder can write: its scale's extreme code is in use.
  @Test(arguments: names) func decodeEncodeDecodeIsTheIdentity(name: String) throws {
    let scheme = try scheme(name)
    let (length, size) = try block(of: scheme)
    var random = SystemRandomNumberGenerator.seeded(7)
    let count = 300
    var bytes = [UInt8]()
    for _ in 0..<count {
      var b = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
      makeValid(&b, name, &random)
      bytes += b
    }
    let values = try decoded(scheme, bytes, count: count * length)
    let again = try decoded(scheme, encoded(scheme, values), count: count * length)
    #expect(values.allSatisfy { $0.isFinite })
    #expect(Set(values.prefix(20 * length)).count > 20)
    for i in values.indices where values[i] != again[i] {
      Issue.record("block \(i / length), element \(i % length): \(values[i]) became \(again[i])")
      break
    }
  }

  @Test(arguments: names) func lengthsThatAreNoMultipleOfTheBlockAreRefused(name: String) throws {
    let scheme = try scheme(name)
    let (length, size) = try block(of: scheme)
    for columns in [1, length - 1, length + 1, 3 * length + length / 2, -length] {
      #expect(throws: SchemeError.self) { try scheme.byteCount(rows: 2, columns: columns) }
    }
    #expect(throws: SchemeError.self) { try scheme.byteCount(rows: -1, columns: length) }
    #expect(throws: SchemeError.self) { try scheme.byteCount(rows: Int.max / 2, columns: 1024 * length) }
    #expect(try scheme.byteCount(rows: 3, columns: 2 * length) == 6 * size)
    #expect(try scheme.byteCount(rows: 0, columns: length) == 0)
    do {
      _ = try scheme.byteCount(rows: 1, columns: length + 1)
    } catch let error as SchemeError {
      #expect(error.description.contains("blocks of \(length)"))
    }
    #expect(throws: SchemeError.bytes(expected: size, found: size - 1)) {
      try decoded(scheme, [UInt8](repeating: 0, count: size - 1), count: length)
    }
    #expect(throws: SchemeError.self) { try self.encode(scheme, [1, 2, 3], rows: 1, columns: length) }
  }

  private func encode(_ scheme: any Scheme, _ x: [Float], rows: Int, columns: Int) throws {
    var bytes = [UInt8](repeating: 0, count: try scheme.byteCount(rows: rows, columns: columns))
    try x.withUnsafeBufferPointer { x in
      try bytes.withUnsafeMutableBytes { try scheme.encode(x, rows: rows, columns: columns, into: $0) }
    }
  }

  /// Ties go toward zero, and small negatives to +0: the dialect that round-half-even codecs do not share.
  @Test func fp4TiesGoTowardZero() throws {
    var x = [Float](repeating: 0, count: 32)
    x.replaceSubrange(0..<8, with: [4, 0.75, 3.5, -0.25, 0.25, -1.25, 2.5, 5])
    let scheme = try scheme("mxfp4:ggml")
    let y = try decoded(scheme, encoded(scheme, x), count: 32)
    #expect(Array(y.prefix(8)) == [4, 0.5, 3, 0, 0, -1, 2, 4])
    #expect(y[3].sign == .plus)
  }

  /// The two dialects of q8_0 differ on ties: away from zero, and to even.
  @Test func dialectsOfQ8Differ() throws {
    var x = [Float](repeating: 0, count: 32)
    x.replaceSubrange(0..<3, with: [127, 0.5, 2.5])
    #expect(try encoded(scheme("q8_0"), x)[2..<5] == [127, 1, 3])
    #expect(try encoded(scheme("q8_0:simd"), x)[2..<5] == [127, 0, 2])
  }

  /// Whole groups of eight blocks take a faster way than what is left over; both must agree.
  @Test(arguments: names) func blocksDoNotDependOnTheirPlace(name: String) throws {
    let scheme = try scheme(name)
    let (length, size) = try block(of: scheme)
    let input = try floats("input.f32")
    let all = try encoded(scheme, input)
    for i in 0..<(input.count / length) {
      let one = try encoded(scheme, Array(input[i * length..<(i + 1) * length]))
      #expect(one[...] == all[i * size..<(i + 1) * size], "block \(i)")
    }
  }
}

extension SystemRandomNumberGenerator {
  fileprivate static func seeded(_ seed: UInt64) -> SplitMix { SplitMix(state: seed) }
}

private struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Turns random bytes into a block the encoder can write: moderate Float16 scales, the extreme code of every group
/// and the extreme scale in use.
private func makeValid(_ b: inout [UInt8], _ name: String, _ random: inout SplitMix) {
  func scale(at offset: Int, exponents: ClosedRange<UInt16> = 8...20, negative: Bool = false) {
    let bits =
      UInt16.random(in: exponents, using: &random) << 10 | UInt16.random(in: 0...1023, using: &random)
      | (negative ? 0x8000 : 0)
    (b[offset], b[offset + 1]) = (UInt8(bits & 255), UInt8(bits >> 8))
  }
  func set(_ offsets: [Int], _ value: UInt8) { for o in offsets { b[o] = value } }
  switch name {
  case "q4_0":
    scale(at: 0, negative: Bool.random(using: &random))
    b[2] = 0x70
  case "q5_0":
    scale(at: 0, negative: Bool.random(using: &random))
    (b[6], b[2]) = (0x70, b[2] & 0xFE)
  case "q4_1":
    scale(at: 0, exponents: 12...14)
    scale(at: 2, exponents: 12...17, negative: Bool.random(using: &random))
    b[4] = 0xF0
  case "q5_1":
    scale(at: 0, exponents: 12...14)
    scale(at: 2, exponents: 12...17, negative: Bool.random(using: &random))
    (b[8], b[4], b[6]) = (0xF0, b[4] & 0xFE, b[6] | 1)
  case "q8_0", "q8_0:simd", "q8_1":
    scale(at: 0)
    let codes = name == "q8_1" ? 4 : 2
    for i in codes..<b.count where b[i] == 0x80 { b[i] = 0x81 }
    b[codes + 5] = Bool.random(using: &random) ? 127 : 129
  case "tq1_0":
    // A byte is ⌈256·v/243⌉ of some v below 243; the last four hold four digits, so v is a multiple of 3.
    for i in 0..<48 { b[i] = UInt8((Int(b[i]) % 243 * 256 + 242) / 243) }
    for i in 48..<52 { b[i] = UInt8((Int(b[i]) % 81 * 3 * 256 + 242) / 243) }
    b[0] = 0
    scale(at: 52)
  case "tq2_0":
    for i in 0..<64 { b[i] &= ~(b[i] & (b[i] << 1) & 0xAA) }  // no code 3
    b[0] = 0
    scale(at: 64)
  case "mxfp4:ggml":
    b[0] = UInt8.random(in: 6...250, using: &random)
    b[1] = (b[1] & 0xF8) | UInt8.random(in: 6...7, using: &random)
  case "nvfp4:ggml":
    for s in 0..<4 {
      b[s] = UInt8.random(in: 1...0x78, using: &random)
      if b[s] == 0x78 { b[s] = 0x7E }
      b[4 + 8 * s] |= 7
    }
  case "q2_k":
    set([16, 32, 48, 64], 0)
    set([17, 33, 49, 65], 255)
    b[0] = 255
    scale(at: 80, exponents: 12...13)
    scale(at: 82, exponents: 12...13)
  case "q3_k":
    set([0, 16, 32, 48, 64, 80], 0)
    (b[96], b[104]) = (b[96] & 0xF0, b[104] & 0xFC)
    scale(at: 108)
  case "q4_k":
    set([16, 48, 80, 112], 0)
    set([17, 49, 81, 113], 255)
    (b[4], b[8]) = (b[4] | 63, b[8] | 63)
    scale(at: 0, exponents: 12...13)
    scale(at: 2, exponents: 12...13)
  case "q5_k":
    set([16, 48, 80, 112, 144], 0)
    set([17, 49, 81, 113, 145], 255)
    (b[4], b[8]) = (b[4] | 63, b[8] | 63)
    scale(at: 0, exponents: 12...13)
    scale(at: 2, exponents: 12...13)
  case "q6_k":
    set([0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176], 0)
    b[192] = 0x80
    scale(at: 208)
  case "iq4_nl", "iq4_nl:ref":
    scale(at: 0)
    b[2] &= 0xF0
  case "iq4_xs":
    for g in 0..<8 { b[8 + 16 * g] &= 0xF0 }
    (b[2], b[4]) = (b[2] & 0xFC, b[4] & 0xF0)
    scale(at: 0)
  default: Issue.record("no valid blocks known for \(name)")
  }
}
