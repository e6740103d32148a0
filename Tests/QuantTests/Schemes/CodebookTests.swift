import Foundation
import NumKit
import Quant
import Testing

/// any4, TurboQuant and QuIP#'s codebook, beside what `CureOriginalsTests` holds them to.
@Suite struct CodebookTests {
  private func scheme(_ name: String) throws -> any Scheme { try SchemeRegistry.scheme(named: name) }

  private func error(_ name: String, _ matrix: Matrix) throws -> Double {
    let decoded = try scheme(name).roundTrip(matrix)
    return zip(decoded, matrix.values).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
      / Double(decoded.count)
  }

  @Test(arguments: [
    ("any4", 4.75), ("any4@g64", 5.0), ("turboquant4", 4.25), ("turboquant1", 1.25),
    ("turboquant3:prod", 3.5),
    ("turboquant2@g64", 2.5), ("e8p", 2.0625),
  ]) func bitsAreCounted(name: String, bits: Double) throws {
    #expect(try Double(8 * scheme(name).byteCount(rows: 3, columns: 512)) == bits * 1536)
  }

  /// The distortions of the paper's §3.1: 0.36, 0.117, 0.03 and 0.009 of the energy, with more digits for 128 coordinates.
  @Test func turboQuantErrsAsThePaperHasIt() throws {
    var random = Seeded(3)
    let matrix = random.normals(rows: 2048, columns: 256)
    let energy = matrix.values.reduce(0) { $0 + Double($1) * Double($1) } / Double(matrix.values.count)
    for (bits, expected) in [(1, 0.3609), (2, 0.1160), (3, 0.03397), (4, 0.009315)] {
      let found = try error("turboquant\(bits)", matrix) / energy
      #expect((found / expected - 1).magnitude < 0.03, "\(bits): \(found)")
    }
  }

  /// Inner products of `prod` are right in the mean; those of the other are too small by what the levels leave.
  @Test func turboQuantsProductsHaveNoBias() throws {
    var random = Seeded(8)
    let matrix = random.normals(rows: 600, columns: 128)
    func slope(_ name: String) throws -> Double {
      let decoded = try scheme(name).roundTrip(matrix)
      var (sum, energy) = (0.0, 0.0)
      for i in decoded.indices {
        sum += Double(decoded[i]) * Double(matrix.values[i])
        energy += Double(matrix.values[i]) * Double(matrix.values[i])
      }
      return sum / energy
    }
    #expect(try (slope("turboquant2:prod") - 1).magnitude < 0.01)
    #expect(try slope("turboquant1") < 0.7)
  }

  @Test func any4IsBetterThanEqualSteps() throws {
    var random = Seeded(5)
    var matrix = random.normals(rows: 8, columns: 512)
    for i in matrix.values.indices { matrix.values[i] = matrix.values[i] * abs(matrix.values[i]) }
    let (own, equal) = (try error("any4", matrix), try error("uint4@g128", matrix))
    #expect(own < 0.9 * equal, "\(own), \(equal)")
    // Sixteen numbers a row are kept, to the bits of Float16.
    for i in matrix.values.indices { matrix.values[i] = Float((i * 7) % 16) - 6 }
    #expect(try error("any4", matrix) < 1e-6)
  }

  /// A code is nearest: no other of the 2¹⁶ points is nearer to eight numbers.
  @Test func e8pTakesTheNearestPoint() throws {
    let e8p = try scheme("e8p")
    var random = Seeded(6)
    let matrix = random.normals(rows: 4, columns: 8)
    let bytes = try e8p.encoded(matrix)
    let decoded = try e8p.decoded(bytes, rows: 4, columns: 8)
    // All points under the first row's scale.
    var all: [UInt8] = []
    for code in 0..<65536 { all += [UInt8(code & 255), UInt8(code >> 8)] }
    for row in 0..<4 {
      let points = try e8p.decoded(
        Array(bytes[row * 6..<row * 6 + 4]) + all, rows: 1, columns: 8 * 65536)
      func distance(_ a: ArraySlice<Float>) -> Float {
        zip(a, matrix.values[row * 8..<row * 8 + 8]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      }
      let least = (0..<65536).map { distance(points[8 * $0..<8 * $0 + 8]) }.min() ?? 0
      #expect(distance(decoded[row * 8..<row * 8 + 8]) <= least * 1.0001)
    }
  }

  @Test(arguments: ["any4", "turboquant4", "turboquant3:prod", "e8p"])
  func zerosStayZerosAndBadNumbersAreContained(name: String) throws {
    let scheme = try scheme(name)
    let zeros = try scheme.roundTrip(Matrix(rows: 2, columns: 130, values: [Float](repeating: 0, count: 260)))
    #expect(zeros.allSatisfy { $0.magnitude < 1e-6 })
    var random = Seeded(2)
    var matrix = random.normals(rows: 2, columns: 256)
    let clean = try scheme.roundTrip(matrix)
    matrix.values[20] = .nan
    matrix.values[40] = .infinity
    let found = try scheme.roundTrip(matrix)
    #expect(found[256...] == clean[256...])
  }
}
