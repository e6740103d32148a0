import NumKit
import RealModule
import Testing

/// Logits so far below a row's largest that e^x has no exponent even in MPFR: only signs and sides of ties are left of them.
@Suite struct FarLogitTests {
  private static let distances = [-1e9, -7.5e8, -3e38, -3.3895313892515355e38, -1.7976931348623157e308]

  /// The sign of gᵢ is that of the first Σ (vᵢ − vⱼ) that is not 0, over the groups of equal logits from the largest down: here in
  /// integers. Where it is not the first group's the result has no size.
  @Test(arguments: [NumberFormat.f64, .f32, .f16, .f8e4m3fn])
  func signsOfVectorJacobianProducts(_ format: NumberFormat) {
    var truth = Truth()
    var (vanishing, zeros) = (0, 0)
    for trial in 0..<400 {
      var random = RandomSource(seed: 31, row: trial)
      func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
      let n = 2 + pick(7)
      let far = Self.distances[pick(5)]
      // Levels apart by far, so that none comes near another: 0 is the largest.
      let levels = (0..<n).map { _ in pick(3) }
      let v = (0..<n).map { _ in Double(pick(3) - 1) }
      let logits = levels.map { [0, far / 2, far][$0] + 0 }
      let parameters = OperationParameters(temperature: [1, 0.75][trial % 2], cotangent: v)
      logits.withUnsafeBufferPointer {
        Reference(.softmaxVJP, format: format).answer($0, parameters: parameters, into: &truth)
      }
      #expect(truth.certificate.undecided == 0)
      let top = levels.min() ?? 0
      for i in 0..<n {
        var lead: (level: Int, difference: Double)?
        for level in 0..<3 where lead == nil {
          let difference = (0..<n).reduce(0) { $0 + (levels[$1] == level ? v[i] - v[$1] : 0) }
          if difference != 0 { lead = (level, difference) }
        }
        let found = truth.rounded[i]
        guard let lead else {
          zeros += 1
          #expect(found == 0 && found.sign == .plus && truth.high[i] == 0, "\(logits) \(v) \(i)")
          continue
        }
        #expect(found.sign == lead.difference.sign, "\(logits) \(v) \(i): \(found)")
        guard lead.level != top || levels[i] != top else { continue }
        vanishing += 1
        #expect(
          found == 0 && abs(truth.high[i]) == 1 && truth.exponent[i] < -(1 << 28), "\(logits) \(v) \(i)")
      }
    }
    #expect(vanishing > 500 && zeros > 100)
  }

  /// What is left where the largest logits' share cancels, −e^x/(3 + e^x)², has its own size, from few bits.
  @Test(arguments: [-400.0, -4e4, -5e4, -1e5, -1e8, -3.7e8])
  func sizesOfVectorJacobianProducts(_ far: Double) {
    var truth = Truth()
    let parameters = OperationParameters(temperature: 1, cotangent: [0, 1, -1, 1])
    [0, far, 0, 0].withUnsafeBufferPointer {
      Reference(.softmaxVJP, format: .f64).answer($0, parameters: parameters, into: &truth)
    }
    #expect(truth.high[0] < 0 && truth.relativeError <= 0x1p-100)
    #expect(truth.certificate.undecided == 0 && truth.certificate.maxPrecision <= 512)
    let bits = Double(truth.exponent[0]) + Double.log2(-truth.high[0])
    let expected = far / Double.log(2) - Double.log2(9)
    #expect(abs(bits - expected) < 1e-14 * abs(far), "\(far): 2^\(bits), not 2^\(expected)")
  }

  /// A far group of values that cancel leaves the next one's side; the near ones' mean is a tie of f16.
  @Test func sidesOfWeightedSums() {
    var truth = Truth()
    func sum(_ x: [Double], _ v: [Double]) -> Double {
      x.withUnsafeBufferPointer { l in
        v.withUnsafeBufferPointer {
          SumReference(format: .f16).weightedSums(l, values: $0, parameters: .init(), into: &truth)
        }
      }
      #expect(truth.certificate.undecided == 0)
      return truth.rounded[0]
    }
    for far in Self.distances {
      #expect(sum([0, 0, far, far, far * 0.5], [2048, 2050, 5000, 1, 2049]) == 2050)
      #expect(sum([0, 0, far, far, far * 0.5], [2048, 2050, 5000, -5000, 2049]) == 2048)
      // The nearer of two far ones decides, and the farther where the nearer are the mean's equal.
      #expect(sum([0, far, far * 0.5], [2049, 9000, -1]) == 2048)
      #expect(sum([0, far, far * 0.5, far * 0.5], [2049, 9000, 2048, 2050]) == 2050)
      #expect(sum([0, far, far * 0.5], [0, 9000, -1]).sign == .minus)
      #expect(sum([0, far * 0.5, far * 0.5, far], [0, 1, -1, 3]).sign == .plus)
    }
  }
}
