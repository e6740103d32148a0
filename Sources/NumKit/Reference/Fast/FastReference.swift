import CVector
import RealModule

/// The tiers before MPFR: what they can prove of a row's results they write, the rest they leave pending.
final class FastReference {
  private let row = FastRow()

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
    guard row.load(x, maximum: shape.maximum, minimum: shape.minimum, temperature: shape.temperature)
    else { return false }
    switch operation {
    case .softmax: softmax(format, skipping: nil, &pending, &truth)
    case .crossEntropyGradient:
      softmax(format, skipping: parameters.target, &pending, &truth)
      gradientAtTarget(parameters.target, format, &pending, &truth)
    case .logSumExp: logSumExp(format, &pending, &truth)
    case .logSoftmax:
      logarithms(format, Array(x.indices), negated: false, &pending, &truth)
    case .crossEntropy:
      logarithms(format, [parameters.target], negated: true, &pending, &truth)
    case .sigmoid, .softmaxJacobian, .softmaxVJP: return false
    }
    return true
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

  /// A quotient below e^−700: 0 in the narrow formats; its exact value with an exponent.
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
  private func settle(
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
    guard others.high > 0x1p-900 else {
      pending.append(t)
      return
    }
    let q = -(others / row.sum2)
    settle(
      t, q, exponent: 0, error: 2 * row.worstSumRatioError * q.high.magnitude, format, &pending, &truth)
  }

  // MARK: Logarithms

  private func logSumExp(_ format: NumberFormat, _ pending: inout [Int], _ truth: inout Truth) {
    let scaled = row.temperature == 1 ? Pair(row.maximum) : Pair(row.maximum) / Pair(row.temperature)
    for tier in format.significandBits <= 23 ? [0, 2] : [2] {
      guard let (log, error) = logOfSum(tier) else { continue }
      let y = scaled + log
      let slack = error + (scaled.high.magnitude + log.high.magnitude) * 0x1p-101
      if accept(0, y, slack, format, tier, &truth) { return }
    }
    pending.append(0)
  }

  /// xᵢ − LSE, or its negative, for each index.
  private func logarithms(
    _ format: NumberFormat, _ indices: [Int], negated: Bool, _ pending: inout [Int], _ truth: inout Truth
  ) {
    row.prepareDifferences()
    let first = format.significandBits <= 23 ? logOfSum(0) : nil
    var second: (Pair, Double)?
    for (place, i) in indices.enumerated() {
      if row.x[i] == -.infinity {
        truth.setKnown(negated ? .infinity : -.infinity, at: place, format)
        continue
      }
      let d = Pair(row.differenceHigh.base[i], row.differenceLow.base[i])
      func result(_ log: Pair, _ error: Double) -> (Pair, Double) {
        let y = d + -log
        return (negated ? -y : y, error + (d.high.magnitude + log.high.magnitude) * 0x1p-101)
      }
      if let (log, error) = first {
        let (y, slack) = result(log, error)
        if accept(place, y, slack, format, 0, &truth) { continue }
      }
      if second == nil { second = logOfSum(2) }
      if let (log, error) = second {
        let (y, slack) = result(log, error)
        if accept(place, y, slack, format, 2, &truth) { continue }
      }
      pending.append(place)
    }
  }

  /// log Σ eⱼ by a tier, and its absolute error.
  private func logOfSum(_ tier: Int) -> (Pair, Double)? {
    if tier == 0 { row.prepareTier0() } else { row.prepareTier2() }
    guard let log = PairFunctions.log(tier == 0 ? row.sum : row.sum2) else { return nil }
    // log(1 + ε) ≤ 1.01 ε for the bounds that occur here.
    let fromSum = (tier == 0 ? row.sumError : row.sum2Error) * 1.01
    return (log, fromSum + 0x1p-96 * (1 + log.high.magnitude))
  }

  private func accept(
    _ place: Int, _ y: Pair, _ error: Double, _ format: NumberFormat, _ tier: Int, _ truth: inout Truth
  ) -> Bool {
    // Errors are measured against this value too: it must have digits of its own.
    let needed = format.significandBits <= 23 ? 0x1p-36 : 0x1p-80
    guard y.high.magnitude > 0x1p-900, error <= needed * y.high.magnitude,
      let rounded = PairRounding.round(y, exponent: 0, error: error, to: format)
    else { return false }
    truth.set(
      rounded,
      ScaledValue(high: y.high, low: y.low, exponent: 0, relativeError: error / y.high.magnitude * 1.01),
      at: place)
    if tier == 0 { truth.certificate.double += 1 } else { truth.certificate.doubleDouble += 1 }
    return true
  }

  // MARK: Sigmoid

  /// 1/(1 + e^−z) = e^min(z,0) / (1 + e^−|z|), element by element, by tier 2.
  private func sigmoid(
    _ format: NumberFormat, _ x: UnsafeBufferPointer<Double>, _ temperature: Double, _ pending: inout [Int],
    _ truth: inout Truth
  ) -> Bool {
    guard temperature > 0x1p-500, temperature < 0x1p500 else { return false }
    for i in x.indices {
      let z = temperature == 1 ? Pair(x[i]) : Pair(x[i]) / Pair(temperature)
      guard x[i] != 0, z.high.magnitude > 0x1p-900, z.high.magnitude < 0x1p29 else {
        pending.append(i)
        continue
      }
      let (e, k) = PairFunctions.exp(z.high < 0 ? z : -z)
      // Below 2^−960 the denominator is 1 to within far less than the bound.
      let scale = k >= -960 ? Double.powerOfTwo(k) : 0
      let denominator = Pair(1) + Pair(e.high * scale, e.low * scale)
      let q = (z.high < 0 ? e : Pair(1)) / denominator
      let error = 2 * PairFunctions.exponentialError(z.high) + 0x1p-99
      settle(i, q, exponent: z.high < 0 ? k : 0, error: error * q.high, format, &pending, &truth)
    }
    return true
  }
}

extension FastRow {
  /// Relative error of a quotient of two sums by tier 2; a sum of others may weight large exponents more, by at most their
  /// share: |d| ≤ 700 in every term that counts.
  var worstSumRatioError: Double { sum2Error + 700 * quotient2Slope + 0x1p-99 }
}
