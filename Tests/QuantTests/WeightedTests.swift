import Foundation
import Quant
import Testing

private let folder = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("fixtures/ggml/weighted")

private func bytes(_ file: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: folder.appendingPathComponent(file)))
}

private func floats(_ file: String) throws -> [Float] {
  let bytes = try bytes(file)
  return stride(from: 0, to: bytes.count, by: 4).map { i in
    Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[i + $1]) << UInt32(8 * $1) })
  }
}

private let columns = 512

/// ggml's encodings with an importance matrix (`fixtures/ggml/make_weighted.py`), byte for byte.
@Suite struct WeightedTests {
  private func encoded(_ scheme: any Scheme, _ row: [Float], _ importance: [Float]?) throws -> [UInt8] {
    let rows = row.count / columns
    var bytes = [UInt8](repeating: 0xAA, count: try scheme.byteCount(rows: rows, columns: columns))
    try row.withUnsafeBufferPointer { x in
      try bytes.withUnsafeMutableBytes { y in
        if let importance {
          try GGMLSchemes.encode(x, rows: rows, columns: columns, importance: importance, as: scheme, into: y)
        } else {
          try scheme.encode(x, rows: rows, columns: columns, into: y)
        }
      }
    }
    return bytes
  }

  @Test func everyTypeHasGoldenVectors() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    let golden = files.filter { $0.hasSuffix(".encoded") }.map { $0.dropLast(8).description }
    #expect(golden.sorted() == GGMLSchemes.weightedNames.sorted())
    #expect(golden.count == 18)
  }

  @Test(arguments: GGMLSchemes.weightedNames) func encodesAsGGML(name: String) throws {
    let scheme = try SchemeRegistry.scheme(named: name)
    let (x, importances, golden) = try (
      floats("input.f32"), floats("importances.f32"), bytes("\(name).encoded")
    )
    let size = try scheme.byteCount(rows: 1, columns: columns)
    for row in 0..<x.count / columns {
      let kind = row % 3
      let ours = try encoded(
        scheme, Array(x[row * columns..<(row + 1) * columns]),
        Array(importances[kind * columns..<(kind + 1) * columns]))
      #expect(ours[...] == golden[row * size..<(row + 1) * size], "row \(row)")
    }
    guard FileManager.default.fileExists(atPath: folder.appendingPathComponent("\(name).free").path) else {
      return
    }
    #expect(try encoded(scheme, x, nil) == bytes("\(name).free"))
  }

  /// What needs importances is encoded as if all were 1.
  @Test(arguments: ["iq1_s", "iq2_xxs", "iq2_xs"]) func plainIsEven(name: String) throws {
    let scheme = try SchemeRegistry.scheme(named: name)
    let x = try floats("input.f32")
    let ones = [Float](repeating: 1, count: columns)
    #expect(try encoded(scheme, x, nil) == encoded(scheme, x, ones))
  }

  /// ggml's slip: behind 32 zeros the numbers of a block of IQ3_S come back in other places.
  @Test func zerosLoseWhatFollowsInIQ3S() throws {
    let scheme = try SchemeRegistry.scheme(named: "iq3_s")
    var x = [Float](repeating: 0, count: columns)
    for i in 64..<256 { x[i] = i % 2 == 0 ? 1 : -1 }
    let bytes = try encoded(scheme, x, nil)
    var back = x
    try bytes.withUnsafeBytes { bytes in
      try back.withUnsafeMutableBufferPointer {
        try scheme.decode(bytes, rows: 1, columns: columns, into: $0)
      }
    }
    #expect(back[224..<256].contains { abs($0) < 0.5 })
    x[0] = 1
    x[32] = 1
    let whole = try encoded(scheme, x, nil)
    try whole.withUnsafeBytes { bytes in
      try back.withUnsafeMutableBufferPointer {
        try scheme.decode(bytes, rows: 1, columns: columns, into: $0)
      }
    }
    let worst = (64..<256).reduce(Float(0)) { max($0, abs(x[$1] - back[$1])) }
    #expect(worst < 0.5, "\(worst)")
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let x = [Float](repeating: 1, count: columns)
    let ones = [Float](repeating: 1, count: columns)
    for name in ["q8_0", "tq1_0", "mxfp4:ggml", "iq4_nl:ref", "int4@g32"] {
      #expect(throws: SchemeError.self) { try encoded(SchemeRegistry.scheme(named: name), x, ones) }
    }
    #expect(throws: SchemeError.self) {
      try encoded(SchemeRegistry.scheme(named: "q4_k"), x, Array(ones.dropLast()))
    }
  }

  /// The calibration's importances are means of squares, and it is better in the product than none where inputs differ.
  @Test(arguments: ["q4_0", "q2_k", "q4_k", "q6_k", "iq4_xs", "iq2_xs", "iq1_m"])
  func calibrationServesTheProduct(name: String) throws {
    let scheme = try SchemeRegistry.scheme(named: name)
    let (w, x) = (Subject.normal(12, columns, seed: 4), Subject.uneven(24, columns, seed: 9))
    let context = CureContext(activations: x)
    let calibration = try CalibrationRegistry.calibration(named: "imatrix")
    let found = try Treatment(scheme, calibration: calibration).apply(w, context: context)
    let plain = try Treatment(scheme).apply(w, context: context)
    #expect(found.bits == plain.bits)
    let exact = Subject.product(w, x)
    #expect(
      Subject.distance(exact, Subject.product(found.decoded, x))
        < Subject.distance(exact, Subject.product(plain.decoded, x)))
    let importance = (0..<columns).map { j in
      (0..<x.rows).reduce(Float(0)) { $0 + x.values[$1 * columns + j] * x.values[$1 * columns + j] } / 24
    }
    let bytes = try encoded(scheme, w.values, importance)
    var values = [Float](repeating: 0, count: w.values.count)
    try bytes.withUnsafeBytes { bytes in
      try values.withUnsafeMutableBufferPointer {
        try scheme.decode(bytes, rows: 12, columns: columns, into: $0)
      }
    }
    #expect(values == found.decoded.values)
  }
}
