import CProof
import NumKitNumbers
import NumKitQuestions
import RealModule

/// The tiers before MPFR: what they can prove of a row's results they write, the rest they leave pending.
final class FastReference {
  let row = FastRow()
  let sigmoidRow = FastSigmoidRow()

  /// Answers for a finite row (−∞ allowed) whose logits are not all equal; `pending` receives what is not proven. Returns false
  /// where nothing was tried.
  func answer(
    _ operation: RowOperation, _ format: NumberFormat, _ x: UnsafeBufferPointer<Double>, _ shape: RowShape,
    _ parameters: OperationParameters, pending: inout [Int], into truth: inout Truth
  ) -> Bool {
    guard shape.minimum.isFinite || operation == .sigmoid else { return false }
    if operation == .sigmoid {
      return sigmoid(format, x, parameters.temperature, &pending, &truth)
    }
    guard row.load(x, shape) else { return false }
    switch operation {
    case .softmax: softmax(format, skipping: nil, &pending, &truth)
    case .crossEntropyGradient:
      softmax(format, skipping: parameters.target, &pending, &truth)
      gradientAtTarget(parameters.target, format, &pending, &truth)
    case .logSumExp: logSumExp(format, &pending, &truth)
    case .logSoftmax:
      logSoftmax(format, &pending, &truth)
    case .crossEntropy:
      crossEntropy(parameters.target, format, &pending, &truth)
    case .sigmoid, .softmaxJacobian, .softmaxVJP: return false
    }
    return true
  }

  /// Answers by tier 2 for the results in `indices` alone, the others being known; `pending` receives what is not proven.
  func answer(
    _ operation: RowOperation, _ format: NumberFormat, _ x: UnsafeBufferPointer<Double>, _ shape: RowShape,
    _ parameters: OperationParameters, only indices: [Int], pending: inout [Int], into truth: inout Truth
  ) {
    let isLoaded =
      operation != .sigmoid && !shape.isLevel && shape.kind == .finite
      && row.load(x, shape)
    switch operation {
    case .softmax where isLoaded:
      for i in indices { inPairs(i, format, &pending, &truth) }
    case .crossEntropyGradient where isLoaded:
      for i in indices where i != parameters.target { inPairs(i, format, &pending, &truth) }
      if indices.contains(parameters.target) { gradientAtTarget(parameters.target, format, &pending, &truth) }
    case .logSoftmax where isLoaded:
      logSoftmax(format, only: indices, &pending, &truth)
    default:
      pending.append(contentsOf: indices)
    }
  }

  // MARK: Softmax

  private func softmax(
    _ format: NumberFormat, skipping skipped: Int?, _ pending: inout [Int], _ truth: inout Truth
  ) {
    if format.significandBits <= 23 && format.hasZero {
      softmaxInDouble(format, skipping: skipped, &pending, &truth)
    } else {
      softmaxInPairs(format, skipping: skipped, &pending, &truth)
    }
  }

  private func softmaxInDouble(
    _ format: NumberFormat, skipping skipped: Int?, _ pending: inout [Int], _ truth: inout Truth
  ) {
    let n = row.x.count
    let all = row.softmaxTier0(format)
    truth.rounded.withUnsafeMutableBufferPointer { $0.baseAddress?.update(from: row.rounded.base, count: n) }
    truth.high.withUnsafeMutableBufferPointer { $0.baseAddress?.update(from: row.quotients.base, count: n) }
    truth.low.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    truth.exponent.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    truth.relativeError = Swift.max(truth.relativeError, row.worstQuotientError)
    truth.certificate.double += n - (skipped == nil ? 0 : 1)
    for i in 0..<n where row.exponentials.base[i] == 0 { vanish(i, &truth) }
    if all { return }
    for i in 0..<n where row.open.base[i / 64] != 0 && i != skipped && row.x[i] > -.infinity {
      let error = row.quotientConstant + row.quotientSlope * (row.x[i] - row.maximum).magnitude
      let p = row.quotients.base[i]
      if row.exponentials.base[i] == 0
        || PairRounding.round(Pair(p), exponent: 0, error: error * p, to: format) != nil
      {
        continue
      }
      truth.certificate.double -= 1
      inPairs(i, format, &pending, &truth)
    }
  }

  /// A quotient below e^−650: 0 in the narrow formats; its exact value with an exponent.
  private func vanish(_ i: Int, _ truth: inout Truth) {
    truth.rounded[i] = 0
    if row.x[i] == -.infinity {
      truth.high[i] = 0
      truth.certificate.double -= 1
      truth.certificate.exact += 1
      return
    }
    let (h, exponent) = row.scaledQuotient(i)
    truth.high[i] = h
    truth.exponent[i] = Int32(exponent)
  }

  private func softmaxInPairs(
    _ format: NumberFormat, skipping skipped: Int?, _ pending: inout [Int], _ truth: inout Truth
  ) {
    let n = row.x.count
    let all = row.softmaxTier2() && format.significandBits == 52
    truth.relativeError = Swift.max(truth.relativeError, row.worstQuotient2Error)
    for block in stride(from: 0, to: n, by: 64) {
      let end = Swift.min(block + 64, n)
      if all || (row.open.base[block / 64] == 0 && format.significandBits == 52) {
        truth.rounded.withUnsafeMutableBufferPointer {
          ($0.baseAddress.map { $0 + block })?.update(from: row.quotients.base + block, count: end - block)
        }
        for i in block..<end {
          truth.high[i] = row.quotients.base[i]
          truth.low[i] = row.rounded.base[i]
          truth.exponent[i] = 0
        }
        truth.certificate.doubleDouble += end - block
        if let skipped, block..<end ~= skipped { truth.certificate.doubleDouble -= 1 }
      } else {
        for i in block..<end where i != skipped { inPairs(i, format, &pending, &truth) }
      }
    }
  }

  /// One quotient by tier 2.
  private func inPairs(_ i: Int, _ format: NumberFormat, _ pending: inout [Int], _ truth: inout Truth) {
    if row.x[i] == -.infinity { return truth.setKnown(0, at: i, format) }
    row.prepareTier2()
    let (q, exponent, error) = row.quotient2(i)
    settle(i, q, exponent: exponent, error: error * q.high.magnitude, format, &pending, &truth)
  }

  /// Writes a result that a pair proves, or leaves it pending.
  func settle(
    _ i: Int, _ x: Pair, exponent: Int, error: Double, _ format: NumberFormat, _ pending: inout [Int],
    _ truth: inout Truth
  ) {
    var (x, exponent, error) = (x, exponent, error)
    let relative = error / x.high.magnitude
    if exponent != 0 && Int(x.high.exponent) + exponent > -900 {
      // Into the Doubles, where nothing is lost.
      x = Pair(
        Double(sign: .plus, exponent: exponent, significand: x.high),
        Double(sign: .plus, exponent: exponent, significand: x.low))
      error = Double(sign: .plus, exponent: exponent, significand: error)
      exponent = 0
    }
    guard let y = PairRounding.round(x, exponent: exponent, error: error, to: format) else {
      pending.append(i)
      return
    }
    truth.set(
      y, ScaledValue(high: x.high, low: x.low, exponent: Int32(exponent), relativeError: relative), at: i)
    truth.certificate.doubleDouble += 1
  }

  /// p − 1 = −Σ_{j ≠ t} eⱼ / Σ eⱼ.
  private func gradientAtTarget(
    _ t: Int, _ format: NumberFormat, _ pending: inout [Int], _ truth: inout Truth
  ) {
    row.prepareTier2()
    let others = row.others2(t)
    // Terms below 2^−900, which the sum leaves out, must not count.
    guard others.high > 0x1p-700 else {
      pending.append(t)
      return
    }
    let q = -(others / row.sum2)
    settle(
      t, q, exponent: 0, error: 2 * row.worstSumRatioError * q.high.magnitude, format, &pending, &truth)
  }
}

extension FastRow {
  /// Relative error of a quotient of two sums by tier 2; a sum of others may weight large exponents more, by at most their
  /// share: |d| ≤ 700 in every term that counts.
  var worstSumRatioError: Double { sum2Error + 700 * quotient2Slope + 0x1p-99 }
}
