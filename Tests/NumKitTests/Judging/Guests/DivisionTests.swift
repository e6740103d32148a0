import NumKit
import RealModule
import Testing

/// Softmax kernels that divide by the wrong sum, or by none; whose exponential is another function, or of something else than x − max.
@Suite struct DivisionTests {
  private let rows = GeneratedRows(.normal, range: 1, rows: 24, length: 32, seed: 3)

  private func logits() -> [[Double]] {
    (0..<rows.rowCount).map { row in
      var x = [Double](repeating: 0, count: rows.length)
      x.withUnsafeMutableBufferPointer { rows.read(row, into: $0) }
      return x.map { NumberFormat.f32.round($0) }
    }
  }

  private func named(_ results: [[Double]], of logits: [[Double]]? = nil) throws -> [String] {
    let verification = RowVerification(.softmax, format: .f32, inputs: .f32)
    let rounded = results.map { $0.map { NumberFormat.f32.round($0) } }
    let stored = HeldLogits(logits: logits ?? self.logits())
    return try verification.run("y", HeldResults(results: rounded), on: stored).findings.hypotheses.map(
      \.name)
  }

  @Test func otherSumsAreNamed() throws {
    let x = logits()
    let e = x.map { $0.map { Double.exp($0) } }
    #expect(try named(e).first == "not divided by the sum")
    #expect(
      try named(x.map { row in row.map { Double.exp($0 - row.max()!) } }).first == "not divided by the sum")
    let columns = (0..<32).map { j in e.reduce(0) { $0 + $1[j] } }
    #expect(
      try named(e.map { row in row.indices.map { row[$0] / columns[$0] } }).first
        == "softmax along the other axis")
    let sums = e.map { $0.reduce(0, +) }
    #expect(try named(e.indices.map { r in e[r].map { $0 / sums[r] } }).isEmpty)
  }

  /// With an exponential that errs by more than half an ulp in the mean, as those of libraries do.
  @Test func truncatedQuotientsAreNamed() throws {
    func softmax(_ divide: (Float, Float) -> Float) -> [[Double]] {
      logits().map { row in
        let x = row.map { Float($0) }
        let e = x.map { z -> Float in
          let e = Float.exp(z - x.max()!)
          return z == x.max()! ? 1 : e * (1 + .ulpOfOne * e.significand / 2)
        }
        let sum = e.reduce(0, +)
        return e.map { Double(divide($0, sum)) }
      }
    }
    func truncated(_ x: Double) -> Float {
      Double(Float(x)) > x ? Float(x).nextDown : Float(x)
    }
    #expect(
      try named(softmax { truncated(Double($0) / Double($1)) }) == ["results truncated instead of rounded"])
    #expect(
      try named(softmax { truncated(Double($0) * Double(1 / $1)) }) == [
        "results truncated instead of rounded"
      ])
    #expect(try named(softmax { $0 / $1 }).isEmpty)
    #expect(try named(softmax { $0 * (1 / $1) }).isEmpty)
  }

  @Test func anotherExponentialIsNamed() throws {
    func softmax(_ exponential: (Double) -> Double) -> [[Double]] {
      logits().map { row in
        let e = row.map { exponential($0 - row.max()!) }
        return e.map { $0 / e.reduce(0, +) }
      }
    }
    #expect(try named(softmax { Double.pow(1 + $0 / 256, 256) }) == ["(1 + x/256)^256 for e^x"])
    #expect(try named(softmax { Double.exp(1.001 * $0) }) == ["exponents multiplied by 1.001"])
    // 2^z by a parabola between whole numbers.
    let parabola = softmax {
      let y = $0 * Double.log2(.exp(1))
      let (whole, f) = (y.rounded(.down), y - y.rounded(.down))
      return Double.exp2(whole) * (1 + f * (0.6565 + 0.3435 * f))
    }
    #expect(try named(parabola) == ["a poor exponential"])
    // One result for a row is e to 0 times x; one that hardly falls, of nearly 0.
    let level = logits().enumerated().map { row, x in x.map { _ in 0.01 * Double(row + 1) } }
    #expect(try named(level) == ["exponents multiplied by 0.0"])
    let far = logits().map { row in row.map { NumberFormat.f32.round(900 * $0) } }
    let flat = far.map { row in row.map { 0.1 / (1 + 1e-3 * (row.max()! - $0).squareRoot()) } }
    #expect(try named(flat, of: far).first?.hasPrefix("exponents multiplied by") == true)
    // Errors that have nothing to do with x are no curve.
    var random = RandomSource(seed: 5, row: 0)
    #expect(try named(softmax { Double.exp($0) * (1 + 1e-3 * random.normal()) }).isEmpty)
  }

  @Test func anotherSubtrahendIsNamed() throws {
    let x = logits().map { $0.map { NumberFormat.f32.round(40 * $0) } }
    func softmax(_ subtrahend: ([Double]) -> Double) -> [[Double]] {
      x.map { row in
        let e = row.map { Double(Float.exp(Float($0 - subtrahend(row)))) }
        let sum = Double(Float(e.reduce(0, +)))
        return e.map { $0 / sum }
      }
    }
    #expect(try named(softmax { $0[0] }, of: x).first == "the first element subtracted for the maximum")
    #expect(
      try named(softmax { $0.reduce(0, +) / 32 }, of: x).first == "the mean subtracted for the maximum")
    #expect(try named(softmax { _ in 0 }, of: x).first == "no maximum subtracted")
    #expect(try named(softmax { $0.max()! }, of: x).isEmpty)
  }
}
