import NumKit
import NumKitTruth
import Testing

/// Products of matrices by their first tier against sums as pairs and exact ones.
@Suite struct ProductFirstTierTests {
  private static let kinds = ["normal", "cancelling", "ties", "whole numbers", "f64", "wide"]

  private func matrix(_ count: Int, _ kind: String, _ random: inout RandomSource) -> [Double] {
    (0..<count).map { _ in
      let x = random.normal()
      switch kind {
      case "whole numbers": return (3 * x).rounded()
      case "f64": return x
      case "wide": return Double(Float(x * .powerOfTwo(Int(random.next() % 60) - 30)))
      case "ties": return 1 + 0x1p-12 * (8 * x).rounded()
      default: return Double(Float(x))
      }
    }
  }

  @Test(arguments: [NumberFormat.f32, .f16, .bf16, .f8e4m3fn, .f8e4m3fnuz, .f64])
  func everyResultIsThatOfPairs(_ format: NumberFormat) throws {
    var certificate = Certificate()
    for (index, kind) in Self.kinds.enumerated() {
      var random = RandomSource(seed: 12, row: index)
      for inner in [1, 7, 16, 33, 200] {
        let (rows, columns) = (19, 23)
        var a = matrix(rows * inner, kind, &random)
        var b = matrix(columns * inner, kind, &random)
        if kind == "cancelling", inner > 1 {
          // The second half is the first with the sign of one side changed, but for a little.
          let half = inner / 2
          for r in 0..<rows { for i in 0..<half { a[r * inner + half + i] = -a[r * inner + i] } }
          for c in 0..<columns { for i in 0..<half { b[c * inner + half + i] = b[c * inner + i] } }
          for c in stride(from: 0, to: columns, by: 2) { b[c * inner] *= 1 + 0x1p-20 }
        }
        let inputs = try #require(MatmulInputs(rows: a, columns: b, inner: inner))
        var prover = MatmulProver(inputs, format: format, block: [8, 16, 64][index % 3], usesFirstTier: true)
        let reference = SumReference(format: format)
        var truths = [Truth()]
        var exact = Truth()
        for row in 0..<rows {
          let item = MatmulQuestion.Item(inputs: inputs, row: row)
          prover.answer(item, into: &truths)
          a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
              reference.dots(
                UnsafeBufferPointer(rebasing: a[row * inner..<(row + 1) * inner]), b, into: &exact)
            }
          }
          certificate.merge(truths[0].certificate)
          #expect(truths[0].certificate.total == columns)
          let areAlike = zip(truths[0].rounded, exact.rounded).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
          #expect(areAlike, "\(kind), \(format.name), inner \(inner), row \(row)")
          for j in 0..<columns {
            let off = ((truths[0].high[j] - exact.high[j]) + (truths[0].low[j] - exact.low[j])).magnitude
            let bound = (truths[0].relativeError + exact.relativeError) * 1.01 + 0x1p-60
            #expect(off <= bound * exact.high[j].magnitude)
          }
          var profile = prover.makeProfile()
          prover.profile(of: item, into: &profile)
          for j in 0..<columns {
            let sum = (0..<inner).reduce(0.0) { $0 + (a[row * inner + $1] * b[j * inner + $1]).magnitude }
            #expect((profile.magnitudes[j] - sum).magnitude <= 0x1p-40 * sum)
          }
        }
      }
    }
    let isUsed = format != .f64 && format != .f8e4m3fnuz
    #expect(isUsed ? certificate.double > 1000 : certificate.double == 0)
    #expect(certificate.undecided == 0)
  }

  /// Of numbers of f32 almost nothing is left to pairs, of short formats nothing, for their sums are exact.
  @Test func littleIsLeftOpen() throws {
    var random = RandomSource(seed: 13, row: 0)
    let inner = 128
    let a = matrix(64 * inner, "normal", &random)
    let b = matrix(64 * inner, "normal", &random)
    func certificate(_ narrow: NumberFormat) throws -> Certificate {
      let inputs = try #require(
        MatmulInputs(
          rows: a.map { narrow.round($0) }, columns: b.map { narrow.round($0) }, inner: inner))
      var prover = MatmulProver(inputs, format: narrow, usesFirstTier: true)
      var all = Certificate()
      var truths = [Truth()]
      for row in 0..<64 {
        prover.answer(MatmulQuestion.Item(inputs: inputs, row: row), into: &truths)
        all.merge(truths[0].certificate)
      }
      return all
    }
    let wide = try certificate(.f32)
    #expect(wide.double > 4000 && wide.doubleDouble < 60)
    let narrow = try certificate(.bf16)
    #expect(narrow.exact + narrow.double == 4096)
  }
}
