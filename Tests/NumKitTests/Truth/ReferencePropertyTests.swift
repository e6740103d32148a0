import NumKit
import Testing

/// A small generator of its own (SplitMix64), so that failures repeat.
struct Splitmix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  /// Roughly normal: twelve uniforms.
  mutating func normal() -> Double {
    (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &self) }
  }
}

private func truth(
  _ operation: RowOperation, _ row: [Double], _ format: NumberFormat = .f64,
  _ parameters: OperationParameters = OperationParameters()
) -> Truth {
  var truth = Truth()
  row.withUnsafeBufferPointer {
    Reference(operation, format: format).answer($0, parameters: parameters, into: &truth)
  }
  return truth
}

@Suite struct ReferencePropertyTests {
  @Test func permutationMovesResults() {
    var random = Splitmix(state: 1)
    for _ in 0..<50 {
      let row = (0..<9).map { _ in 20 * random.normal() }
      let order = (0..<9).shuffled(using: &random)
      for operation in [RowOperation.softmax, .logSoftmax] {
        let a = truth(operation, row).rounded
        let b = truth(operation, order.map { row[$0] }).rounded
        #expect(order.map { a[$0] } == b)
      }
    }
  }

  /// Integers shift exactly; so do the answers.
  @Test func shiftsByExactAmounts() {
    var random = Splitmix(state: 2)
    for _ in 0..<50 {
      let row = (0..<7).map { _ in (4096 * random.normal()).rounded() / 1024 }
      let shifted = row.map { $0 + 524288 }
      for operation in [
        RowOperation.softmax, .logSoftmax, .crossEntropy, .crossEntropyGradient, .softmaxJacobian,
      ] {
        #expect(truth(operation, row).rounded == truth(operation, shifted).rounded)
      }
      let a = truth(.logSumExp, row)
      let b = truth(.logSumExp, shifted)
      #expect(abs((b.high[0] - 524288 - a.high[0]) + (b.low[0] - a.low[0])) < 1e-26)
    }
  }

  @Test func logSumExpIsAboveTheMaximum() {
    var random = Splitmix(state: 3)
    for _ in 0..<200 {
      let row = (0..<5).map { _ in 300 * random.normal() }
      let t = truth(.logSumExp, row)
      let largest = row.max()!
      #expect(t.rounded[0] >= largest)
      // Exactly above, which only the low word shows where the others are far below.
      #expect((t.high[0] - largest) + t.low[0] >= 0)
      #expect(t.rounded[0] <= (largest + 1.6094379124341003).nextUp)
    }
  }

  /// Rows of the Jacobian sum to 0, and J·v is the vector–Jacobian product.
  @Test func jacobianRowsSumToZero() {
    var random = Splitmix(state: 4)
    for _ in 0..<40 {
      let n = 6
      let row = (0..<n).map { _ in 5 * random.normal() }
      let v = (0..<n).map { _ in random.normal() }
      let jacobian = truth(.softmaxJacobian, row)
      let product = truth(.softmaxVJP, row, .f64, OperationParameters(cotangent: v))
      for i in 0..<n {
        var sum = 0.0
        var low = 0.0
        var dot = 0.0
        var scale = 0.0
        for j in 0..<n {
          let k = i * n + j
          #expect(jacobian.exponent[k] == 0)
          // Two-sum: the high words cancel, the errors go to the low word.
          let s = sum + jacobian.high[k]
          let b = s - sum
          low += (sum - (s - b)) + (jacobian.high[k] - b) + jacobian.low[k]
          sum = s
          dot += jacobian.rounded[k] * v[j]
          scale += abs(jacobian.rounded[k] * v[j])
        }
        #expect(abs(sum + low) <= 1e-30 * abs(jacobian.high[i * n + i]) + 1e-300)
        #expect(abs(dot - product.rounded[i]) <= 1e-14 * scale)
      }
    }
  }

  /// Exactly zero products are found, whatever the grouping of logits; near misses are not taken for zero.
  @Test func zeroProductsAreExact() {
    // v is constant within groups on average: C_g = 0 for v_i = 1 in both groups.
    let row = [0.25, 0.25, 0.25, 2, 2]
    var parameters = OperationParameters(cotangent: [1, 0.5, 1.5, 0, 2])
    let a = truth(.softmaxVJP, row, .f64, parameters)
    #expect(a.rounded[0] == 0 && a.certificate.exact == 1)
    parameters.cotangent[4] = (2.0).nextUp
    let b = truth(.softmaxVJP, row, .f64, parameters)
    #expect(b.rounded[0] != 0 && b.certificate.exact == 0)
    parameters.cotangent = [3, 3, 3, 3, 3]
    let c = truth(.softmaxVJP, row, .f64, parameters)
    #expect(c.rounded == [0, 0, 0, 0, 0] && c.certificate.exact == 5)
    // Equal groups' sums cancel only together with equal weights, which distinct logits never have.
    parameters.cotangent = [1, 0, 2, 0x1p-1074, 2]
    let d = truth(.softmaxVJP, row, .f64, parameters)
    #expect(d.rounded[0].sign == .minus && d.high[0] < 0 && d.exponent[0] < -1074)
    parameters.cotangent[3] = -0x1p-1074
    let e = truth(.softmaxVJP, row, .f64, parameters)
    #expect(e.rounded[0].sign == .plus && e.high[0] > 0 && e.exponent[0] < -1074)
  }

  @Test func sigmoidIsTheSoftmaxOfTwo() {
    var random = Splitmix(state: 5)
    for _ in 0..<200 {
      let x = 200 * random.normal()
      let s = truth(.sigmoid, [x])
      #expect(s.rounded[0] == truth(.softmax, [0, x]).rounded[1])
      #expect(s.certificate.undecided == 0)
    }
  }
}
