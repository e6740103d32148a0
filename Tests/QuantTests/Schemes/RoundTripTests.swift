import Quant
import Testing

struct RoundTripTests {
  /// A largest magnitude for which the block's scale comes out as a power of two.
  private func anchor(_ name: SchemeName) -> Float {
    let wide: [String: Float] = [
      "f8e4m3fn": 448, "f8e5m2": 57344, "f8e4m3fnuz": 240, "f8e5m2fnuz": 57344, "f6e3m2": 28, "f6e2m3": 7.5,
      "f4e2m1": 6, "mxfp8e4m3": 448, "mxfp8e5m2": 57344, "mxfp6e3m2": 28, "mxfp6e2m3": 7.5, "mxfp4": 6,
      "mxint8": 1.984375, "nvfp4": 2688, "nvint4": 7, "nf4": 1, "fp4": 1, "llmint8": 127.0 / 32, "f16": 65504,
      "bf16": 1e30,
    ]
    if let found = wide[name.base] { return found * 0.25 }
    let bits = Int(name.base.drop { !$0.isNumber }) ?? 8
    let top = Float((1 << (bits - 1)) - 1)
    if name.dialects.contains("noclip") { return top * 0.25 }
    return name.base.hasPrefix("u") || name.dialects.contains { $0.hasSuffix(".5") }
      ? (top + 0.5) * 0.25 : top * 0.25
  }

  @Test func decodingAndEncodingAgainChangesNoCode() throws {
    for scheme in OwnSchemes.known where !["f16", "bf16"].contains(scheme.name) {
      // A rotation leaves nothing where it was, of two scales another may be chosen, and bitsandbytes' table has fewer places near 0 than
      // its map has numbers.
      if scheme.name.hasPrefix("higgs") || scheme.name.contains("4over6") { continue }
      // Levels and scales that all of a row decides.
      if ["turboquant", "any4", "e8p"].contains(where: scheme.name.hasPrefix) { continue }
      if scheme.name.hasPrefix("dynamic8"), scheme.name.hasSuffix("cpu") { continue }
      let name = try #require(SchemeName(scheme.name))
      let anchor = anchor(name)
      let boundaries = try DecisionBoundaries(of: scheme, anchor: anchor).all
      let levels = (boundaries.map(\.below) + boundaries.suffix(1).map(\.above)).filter { abs($0) <= anchor }
      #expect(levels.count >= expectedLevels(name), "\(scheme.name): \(levels.count)")
      #expect(zip(levels, levels.dropFirst()).allSatisfy { $0 <= $1 }, "\(scheme.name)")
      for level in levels {
        let row = [anchor, -anchor, level] + [Float](repeating: 0, count: 509)
        let matrix = Matrix(
          rows: name.granularity == .channel ? 512 : 1, columns: name.granularity == .channel ? 1 : 512,
          values: row)
        let again = try scheme.roundTrip(matrix)[2]
        // FP4 has a code for −0, but none is chosen for it.
        let same = name.base == "fp4" ? again == level : again.bitPattern == level.bitPattern
        #expect(same, "\(scheme.name) \(level)")
      }
    }
  }

  /// Distinct values of the codes, both zeros counted, within ±anchor.
  private func expectedLevels(_ name: SchemeName) -> Int {
    // ceil leaves the upper part of the largest binade empty, and so does a largest magnitude that is rounded up.
    let half = [
      "mxfp8e4m3": 238, "mxfp8e5m2": 240, "mxfp6e3m2": 56, "mxfp6e2m3": 48, "mxfp4": 12, "mxint8": 127,
    ]
    if name.dialects == ["ceil"] || name.dialects.first == "ct", let count = half[name.base] { return count }
    switch name.base {
    case "f8e4m3fn", "mxfp8e4m3": return name.granularity == nil && name.base == "f8e4m3fn" ? 200 : 254
    case "f8e5m2", "mxfp8e5m2": return name.granularity == nil && name.base == "f8e5m2" ? 200 : 248
    case "f8e3m4": return name.granularity == nil ? 200 : 223
    case "f8e4m3fnuz", "f8e5m2fnuz": return name.granularity == nil ? 200 : 255
    case "f6e3m2", "f6e2m3", "mxfp6e3m2", "mxfp6e2m3":
      return name.granularity == nil && name.base.hasPrefix("f") ? 32 : 64
    case "f4e2m1", "mxfp4", "nvfp4": return name.granularity == nil && name.base.hasPrefix("f") ? 8 : 16
    case "mxint8", "llmint8": return 255
    case "nf4": return 16
    case "fp4": return 15
    default:
      let bits = Int(name.base.drop { !$0.isNumber }) ?? 8
      // Symmetric: without the lowest; asymmetric: without the end that the zero point pushes out.
      return (1 << bits) - 1
    }
  }

  @Test func everyCodeOfAPlainCastComesBack() throws {
    for name in ["f8e4m3fn", "f8e5m2", "f8e4m3fnuz", "f8e5m2fnuz", "f8e4m3fn:saturate"] {
      let scheme = try SchemeRegistry.scheme(named: name)
      let codes = (0..<256).map { UInt8($0) }
      let values = try scheme.decoded(codes, rows: 1, columns: 256)
      let again = try scheme.encoded(Matrix(rows: 1, columns: 256, values: values))
      for code in 0..<256 where values[code].isFinite {
        #expect(again[code] == codes[code], "\(name) \(code)")
      }
      #expect(values.filter(\.isFinite).count >= 248)
    }
    for (name, bits) in [("f16", 16), ("bf16", 16)] {
      let scheme = try SchemeRegistry.scheme(named: name)
      let codes = (0..<1 << bits).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
      let values = try scheme.decoded(codes, rows: 256, columns: 256)
      let again = try scheme.encoded(Matrix(rows: 256, columns: 256, values: values))
      for code in values.indices where !values[code].isNaN {
        #expect(again[2 * code] == codes[2 * code] && again[2 * code + 1] == codes[2 * code + 1])
      }
    }
  }

  @Test func longRowsAndBandsAgreeWithShortOnes() throws {
    // Longer than any tile of the loops, with ragged ends: row by row the same as on its own.
    var random = Seeded(11)
    let matrix = random.normals(rows: 3, columns: 5003)
    for scheme in OwnSchemes.known where scheme.independentRows == 1 {
      let whole = try scheme.encoded(matrix)
      var parts: [UInt8] = []
      for row in 0..<3 {
        let values = Array(matrix.values[row * 5003..<(row + 1) * 5003])
        parts += try scheme.encoded(Matrix(rows: 1, columns: 5003, values: values))
      }
      #expect(whole == parts, "\(scheme.name)")
    }
    for name in ["int4@g24", "f6e2m3@g100", "uint3@g3000", "int8@channel", "mxfp4"] {
      let scheme = try SchemeRegistry.scheme(named: name)
      // The values do not depend on what stands in other blocks.
      let length = 600
      let short = Matrix(rows: 1, columns: length, values: Array(matrix.values[0..<length]))
      let decoded = try scheme.roundTrip(
        Matrix(rows: 1, columns: 5003, values: Array(matrix.values[0..<5003])))
      let alone = try scheme.roundTrip(short)
      let whole = name.hasSuffix("g3000") ? 0 : name == "mxfp4" ? 576 : 600
      #expect(decoded[0..<whole].elementsEqual(alone[0..<whole]), "\(name)")
    }
  }

  @Test func shapesThatDoNotFitAreErrors() throws {
    for scheme in OwnSchemes.known {
      #expect(throws: SchemeError.self) { try scheme.byteCount(rows: -1, columns: 32) }
      #expect(throws: SchemeError.self) { try scheme.byteCount(rows: Int.max, columns: Int.max) }
      #expect(throws: SchemeError.self) { try scheme.byteCount(rows: 1 << 62, columns: 1) }
      #expect(try scheme.byteCount(rows: 0, columns: 32) == 0)
      #expect(try scheme.roundTrip(Matrix(rows: 0, columns: 0, values: [])) == [])
      let good = try scheme.encoded(Matrix(rows: 2, columns: 33, values: [Float](repeating: 1, count: 66)))
      #expect(throws: SchemeError.bytes(expected: good.count, found: good.count - 1)) {
        try scheme.decoded(Array(good.dropLast()), rows: 2, columns: 33)
      }
      #expect(throws: SchemeError.self) {
        try [Float](repeating: 0, count: 65).withUnsafeBufferPointer { values in
          var bytes = good
          try bytes.withUnsafeMutableBytes { try scheme.encode(values, rows: 2, columns: 33, into: $0) }
        }
      }
    }
  }

  @Test func anyBytesDecodeWithoutATrap() throws {
    var random = Seeded(5)
    for scheme in OwnSchemes.known {
      let count = try scheme.byteCount(rows: 3, columns: 70)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(try scheme.decoded(bytes, rows: 3, columns: 70).count == 210)
      _ = try bytes.withUnsafeBytes { try scheme.storedByteCount($0, rows: 3, columns: 70) }
    }
  }
}
