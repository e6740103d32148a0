import Foundation
import Quant

/// A matrix of f32.
struct Matrix {
  var rows: Int
  var columns: Int
  var values: [Float]
}

extension Scheme {
  func encoded(_ matrix: Matrix) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xa5, count: try byteCount(rows: matrix.rows, columns: matrix.columns))
    try matrix.values.withUnsafeBufferPointer { values in
      try bytes.withUnsafeMutableBytes {
        try encode(values, rows: matrix.rows, columns: matrix.columns, into: $0)
      }
    }
    return bytes
  }

  func decoded(_ bytes: [UInt8], rows: Int, columns: Int) throws -> [Float] {
    var values = [Float](repeating: 0.123, count: rows * columns)
    try bytes.withUnsafeBytes { bytes in
      try values.withUnsafeMutableBufferPointer {
        try decode(bytes, rows: rows, columns: columns, into: $0)
      }
    }
    return values
  }

  func roundTrip(_ matrix: Matrix) throws -> [Float] {
    try decoded(try encoded(matrix), rows: matrix.rows, columns: matrix.columns)
  }
}

/// The folder of golden tables.
let fixtures = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().appendingPathComponent("fixtures/schemes")

enum Golden {
  struct Entry {
    var scheme: String
    var input: String
    var bytes: [UInt8]
    var decoded: UInt64
  }

  static func inputs() throws -> [String: Matrix] {
    var found: [String: Matrix] = [:]
    for fields in try table("inputs.txt") {
      guard fields.count == 4, let rows = Int(fields[1]), let columns = Int(fields[2]) else {
        throw CocoaError(.fileReadCorruptFile)
      }
      let bytes = unhex(fields[3])
      let values = stride(from: 0, to: bytes.count, by: 4).map { at in
        Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) })
      }
      found[String(fields[0])] = Matrix(rows: rows, columns: columns, values: values)
    }
    return found
  }

  static func entries() throws -> [Entry] {
    try table("golden.txt").map { fields in
      guard fields.count == 4, let decoded = UInt64(fields[3], radix: 16) else {
        throw CocoaError(.fileReadCorruptFile)
      }
      return Entry(
        scheme: String(fields[0]), input: String(fields[1]), bytes: unhex(fields[2]), decoded: decoded)
    }
  }

  private static func table(_ name: String) throws -> [[Substring]] {
    let text = try String(contentsOf: fixtures.appendingPathComponent(name), encoding: .utf8)
    return text.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
  }

  private static func unhex(_ text: Substring) -> [UInt8] {
    func digit(_ c: UInt8) -> UInt8 { c < 58 ? c - 48 : c - 87 }
    let digits = Array(text.utf8)
    return stride(from: 0, to: digits.count - 1, by: 2).map { digit(digits[$0]) << 4 | digit(digits[$0 + 1]) }
  }

  /// FNV-1a over the bytes, each NaN as 0x7fc00000.
  static func hash(_ values: [Float]) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for value in values {
      let bits: UInt32 = value.isNaN ? 0x7fc0_0000 : value.bitPattern
      for shift in stride(from: UInt32(0), to: 32, by: 8) {
        hash = (hash ^ UInt64(bits >> shift & 0xff)) &* 0x100_0000_01b3
      }
    }
    return hash
  }
}

/// A small seeded generator (SplitMix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }

  /// N(0, 1), by Box and Muller.
  mutating func normal() -> Float {
    let u = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &self)
    let v = Double.random(in: 0..<1, using: &self)
    return Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v))
  }

  mutating func normals(rows: Int, columns: Int) -> Matrix {
    Matrix(rows: rows, columns: columns, values: (0..<rows * columns).map { _ in normal() })
  }
}
