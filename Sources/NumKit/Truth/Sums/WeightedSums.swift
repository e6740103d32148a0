import CProof
import NumKitQuestions

extension SumReference {
  /// oₖ = Σⱼ pⱼ vⱼₖ with p = softmax(x/τ) of the logits x, for each column k of the row-major matrix `values`, which has a row for
  /// each logit: one query's attention.
  ///
  /// A result is rational if and only if the mean of v over every group of equal finite logits is one number, which it then is:
  /// oₖ = r means Σ_g e^g Σ_{j ∈ g} (vⱼ − r) = 0, and the e^g are linearly independent (Lindemann–Weierstrass). Special rows as for the
  /// softmax; a logit of −∞ takes no part, whatever its value.
  ///
  /// - Precondition: the logits are as many as the rows; the temperature is not NaN and not negative. Values that are not finite make
  ///   NaN of their column.
  public func weightedSums(
    _ logits: UnsafeBufferPointer<Double>, values: UnsafeBufferPointer<Double>,
    parameters: OperationParameters,
    into truth: inout Truth
  ) {
    precondition(parameters.temperature >= 0, "a temperature is at least 0")
    guard let v = values.baseAddress, !logits.isEmpty else { return truth.reset(count: 0) }
    precondition(values.count % logits.count == 0, "a row for each logit")
    let width = values.count / logits.count
    truth.reset(count: width)
    let shape = RowShape(
      logits, temperature: parameters.temperature, specialValues: parameters.specialValues,
      replacement: &replacement)
    if shape.hasNaN || shape.kind != .finite {
      for k in 0..<width { truth.setKnown(shape.kind == .masked && !shape.hasNaN ? 0 : .nan, at: k, format) }
      return
    }
    if shape.usesReplacement {
      replacement.withUnsafeBufferPointer { answer($0, shape, v, width, parameters, &truth) }
    } else {
      answer(logits, shape, v, width, parameters, &truth)
    }
  }

  // MARK: Tier 2

  /// The weights e^d, their sum, and the weighted sums, not yet divided.
  private func sums(_ v: UnsafePointer<Double>, _ width: Int, _ n: Int) {
    row.prepareTier2()
    for buffer in [high, low, magnitude] { buffer.reserve(width) }
    row.scaleMantissas()
    nc_weighted2(
      row.mantissaHigh.base, row.mantissaLow.base, v, n, width, width, high.base, low.base, magnitude.base)
    largestValue = 0
    if row.spread > 600 {
      for i in 0..<n * width { largestValue = Swift.max(largestValue, v[i].magnitude) }
    }
  }

  /// Result k and its absolute error: that of the weights, of the summation, of what is left out, and of the division.
  private func quotient(_ k: Int, _ n: Int) -> (Pair, error: Double) {
    let numerator = Pair(high.base[k], low.base[k])
    let value = numerator / row.sum2
    let flushes = Double(n / 64 + 1)
    let summation = 1.02 * (68 * 68 + flushes * (68 + flushes)) * 0x1p-106
    // Weights below 2^−900 are left out; those that count have |d| ≤ 640.
    let weights =
      2 * CertifiedBounds.exponential2 + Swift.min(row.spread, 640) * 4 * CertifiedBounds.exponential2Slope
    let error =
      1.01 * (summation + weights) * magnitude.base[k] + Double(n) * 0x1p-899 * largestValue
      + Double(n) * 0x1p-1073
    let relative = row.sum2Error + 0x1p-101
    return (value, error / row.sum2.high * 1.01 + value.high.magnitude * relative)
  }

  // MARK: MPFR

  private func answer(
    _ logits: UnsafeBufferPointer<Double>, _ shape: RowShape, _ v: UnsafePointer<Double>, _ width: Int,
    _ parameters: OperationParameters, _ truth: inout Truth
  ) {
    var pending = Array(0..<width)
    if usesFastTiers && !shape.isLevel && row.load(logits, shape) {
      sums(v, width, logits.count)
      pending.removeAll { k in
        let (value, error) = quotient(k, logits.count)
        return accept(value, error, at: k, into: &truth)
      }
    }
    if pending.isEmpty { return }
    let order = logits.indices.filter { logits[$0] > -.infinity }.sorted { logits[$0] < logits[$1] }
    pending.removeAll { k in
      guard order.allSatisfy({ v[$0 * width + k].isFinite }) else {
        truth.setKnown(.nan, at: k, format)
        return true
      }
      enclosure.reserve(2, precision: 192)
      guard exact.commonMean(order, logits, v + k, stride: width, into: enclosure[0]) else { return false }
      // Where 192 bits do not decide, refinement will: the mean is then no tie, which they would hold exactly.
      if enclosure[0].isExact, enclosure[0].containsZero {
        truth.setKnown(0, at: k, format)
        return true
      }
      guard let y = enclosure[0].rounded(to: format),
        let value = enclosure[0].scaled(scratch: enclosure[1])
      else { return false }
      truth.set(y, value, at: k)
      truth.certificate.exact += 1
      return true
    }
    refine(logits, shape, v, width, parameters, order, &pending, &truth)
  }

  private func refine(
    _ logits: UnsafeBufferPointer<Double>, _ shape: RowShape, _ v: UnsafePointer<Double>, _ width: Int,
    _ parameters: OperationParameters, _ order: [Int], _ pending: inout [Int], _ truth: inout Truth
  ) {
    enclosedRow.load(logits, shape: shape, parameters: parameters)
    grouped.load(logits, order: order)
    var precision = 192
    while !pending.isEmpty {
      let isLast = precision >= Refinement.precisionLimit
      enclosedRow.prepare(precision: precision, exponentials: true)
      enclosure.reserve(2, precision: precision)
      pending.removeAll { k in
        let result = enclosure[0]
        grouped.enclose(v + k, stride: width, enclosedRow, precision: precision, into: result)
        return truth.settle(
          result, at: k, format, precision: precision, isLast: isLast, scratch: enclosure[1])
      }
      precision *= 2
    }
  }
}
