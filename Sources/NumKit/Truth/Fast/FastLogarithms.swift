import CProof
import NumKitNumbers

/// Log-sum-exp, log-softmax and cross-entropy by tiers 0 and 2: a logarithm of the row's sum, and a difference.
extension FastReference {
  /// The logarithm of a row's Σ e^(xⱼ − max), and a bound on its absolute error.
  struct LogOfSum {
    var value: Pair
    var error: Double
  }

  func logOfSum(tier: Int) -> LogOfSum? {
    if tier == 0 {
      row.prepareTier0()
      return PairFunctions.log(row.sum).map { LogOfSum(value: $0, error: error($0, row.sumError)) }
    }
    row.prepareTier2()
    if row.sum2.high >= 1 + 0x1p-20 {
      return PairFunctions.log(row.sum2).map { LogOfSum(value: $0, error: error($0, row.sum2Error)) }
    }
    // The largest towers above all others: log(1 + R) from R itself, or its digits would be lost in 1 + R.
    let others = row.others2(row.argmax)
    // Terms below 2^−900 are not in the sum: they weigh less than 2^−100 only if it is far larger.
    guard others.high > 0x1p-700 else { return LogOfSum(value: Pair(0), error: 0x1p-690) }
    let value = PairFunctions.logOnePlus(small: others)
    return LogOfSum(value: value, error: (row.worstSumRatioError + 0x1p-99) * value.high)
  }

  /// log(1 + ε) ≤ 1.01 ε for the relative errors ε of sums that occur here.
  private func error(_ log: Pair, _ sumError: Double) -> Double {
    1.01 * sumError + CertifiedBounds.logarithm(log.high)
  }

  func logSumExp(_ format: NumberFormat, _ pending: inout [Int], _ truth: inout Truth) {
    let scaled = row.temperature == 1 ? Pair(row.maximum) : Pair(row.maximum) / Pair(row.temperature)
    for tier in format.significandBits <= 23 ? [0, 2] : [2] {
      guard let log = logOfSum(tier: tier) else { continue }
      let slack = log.error + (scaled.high.magnitude + log.value.high.magnitude) * 0x1p-101
      if accept(0, scaled + log.value, slack, format, tier, &truth) { return }
    }
    pending.append(0)
  }

  func crossEntropy(_ target: Int, _ format: NumberFormat, _ pending: inout [Int], _ truth: inout Truth) {
    row.prepareDifferences()
    if row.x[target] == -.infinity { return truth.setKnown(.infinity, at: 0, format) }
    for tier in format.significandBits <= 23 ? [0, 2] : [2] {
      guard let log = logOfSum(tier: tier) else { continue }
      if logarithm(target, at: 0, log, negated: true, format, tier, &truth) { return }
    }
    pending.append(0)
  }

  func logSoftmax(_ format: NumberFormat, _ pending: inout [Int], _ truth: inout Truth) {
    row.prepareDifferences()
    let n = row.x.count
    let tier = format.significandBits <= 23 ? 0 : 2
    guard format.hasZero, let log = logOfSum(tier: tier) else {
      return logSoftmax(format, only: 0..<n, &pending, &truth)
    }
    row.open.reserve((n + 63) / 64)
    let kind = nc_format(
      rounding: format.magicRounding, is_f64: format.significandBits == 52, largest: format.largestFinite)
    var settled = nc_settled()
    truth.high.withUnsafeMutableBufferPointer { high in
      truth.low.withUnsafeMutableBufferPointer { low in
        truth.rounded.withUnsafeMutableBufferPointer { rounded in
          settled = nc_logarithms2(
            row.differenceHigh.base, row.differenceLow.base, log.value.high, log.value.low, log.error,
            Self.needed(format), kind, high.baseAddress, low.baseAddress, rounded.baseAddress, row.open.base,
            n)
        }
      }
    }
    truth.exponent.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    if settled.smallest.isFinite {
      truth.relativeError = Swift.max(truth.relativeError, 1.01 * log.error / settled.smallest + 0x1p-100)
    }
    var proven = n
    for block in 0..<(n + 63) / 64 where row.open.base[block] != 0 {
      let indices = block * 64..<Swift.min(block * 64 + 64, n)
      proven -= indices.count
      // Most of an open block's own results stand; asking again one by one sorts them.
      var rest: [Int] = []
      for i in indices where row.x[i] > -.infinity {
        if !logarithm(i, at: i, log, negated: false, format, tier, &truth) { rest.append(i) }
      }
      for i in indices where row.x[i] == -.infinity { truth.setKnown(-.infinity, at: i, format) }
      logSoftmax(format, only: rest, &pending, &truth)
    }
    if tier == 0 { truth.certificate.double += proven } else { truth.certificate.doubleDouble += proven }
  }

  /// By tier 2, one by one.
  func logSoftmax(
    _ format: NumberFormat, only indices: some Sequence<Int>, _ pending: inout [Int], _ truth: inout Truth
  ) {
    var log: LogOfSum?
    var isAsked = false
    for i in indices {
      if row.x[i] == -.infinity {
        truth.setKnown(-.infinity, at: i, format)
        continue
      }
      if !isAsked {
        log = logOfSum(tier: 2)
        row.prepareDifferences()
        isAsked = true
      }
      if let log, logarithm(i, at: i, log, negated: false, format, 2, &truth) { continue }
      pending.append(i)
    }
  }

  /// dᵢ − log Σ, or its negative, if it can be proven.
  private func logarithm(
    _ i: Int, at place: Int, _ log: LogOfSum, negated: Bool, _ format: NumberFormat, _ tier: Int,
    _ truth: inout Truth
  ) -> Bool {
    let d = Pair(row.differenceHigh.base[i], row.differenceLow.base[i])
    let y = d + -log.value
    let slack = log.error + (d.high.magnitude + log.value.high.magnitude) * 0x1p-101
    return accept(place, negated ? -y : y, slack, format, tier, &truth)
  }

  /// Errors are measured against these values too, in ulps of the format: they must have digits to spare.
  private static func needed(_ format: NumberFormat) -> Double {
    format.significandBits <= 23 ? 0x1p-36 : 0x1p-74
  }

  private func accept(
    _ place: Int, _ y: Pair, _ error: Double, _ format: NumberFormat, _ tier: Int, _ truth: inout Truth
  ) -> Bool {
    guard y.high.magnitude > 0x1p-900, error <= Self.needed(format) * y.high.magnitude,
      let rounded = PairRounding.round(y, exponent: 0, error: error, to: format)
    else { return false }
    truth.set(
      rounded,
      ScaledValue(high: y.high, low: y.low, exponent: 0, relativeError: error / y.high.magnitude * 1.01),
      at: place)
    if tier == 0 { truth.certificate.double += 1 } else { truth.certificate.doubleDouble += 1 }
    return true
  }
}
