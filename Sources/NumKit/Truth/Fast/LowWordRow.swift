import CProof
import NumKitNumbers
import NumKitQuestions
import RealModule

/// Tier 1: Double with a low word, on rows of Double, for binary64's roundings alone, and which of them it could not prove.
final class LowWordRow {
  private let differenceHigh = Buffer<Double>()
  private let differenceLow = Buffer<Double>()
  private let mantissaHigh = Buffer<Double>()
  private let mantissaLow = Buffer<Double>()
  private let exponents = Buffer<Double>()
  private let low = Buffer<Double>()
  private let high = Buffer<Double>()
  private let open = Buffer<UInt8>()
  /// The results left open, for the tiers that follow.
  private(set) var unproven: [Int] = []

  /// Section 7: relative error of an exponential.
  static let exponentialError = CertifiedBounds.exponential1
  /// What a temperature adds to it for each |d|.
  private static let slope = 0x1p-101

  /// Bound on the relative error of the sum of `count` exponentials.
  static func sumError(count: Int) -> Double {
    let depth = Double(count) / 8 + 8
    return exponentialError + depth * depth * 0x1p-105 + (Double.log(Double(count) + 1) + 16) * 0x1p-101
  }

  /// Rounds what can be proven of a row of finite logits, not all equal, into `results`; false where nothing was tried.
  func answer(
    _ operation: RowOperation, _ x: UnsafeBufferPointer<Double>, _ shape: RowShape,
    _ parameters: OperationParameters, into results: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let n = x.count
    let tau = shape.temperature
    guard shape.kind == .finite, !shape.isLevel, shape.finiteCount == n, n <= 1 << 17,
      tau > 0x1p-500, tau < 0x1p500, (shape.maximum - shape.minimum) / tau < 2800,
      shape.maximum - shape.minimum > 0x1p-900, let y = results.baseAddress
    else { return false }
    unproven.removeAll(keepingCapacity: true)
    for buffer in [differenceHigh, differenceLow, mantissaHigh, mantissaLow, exponents, low, high] {
      buffer.reserve(n)
    }
    open.reserve((n + 63) / 64)
    let s = nc_row1(
      x.baseAddress, shape.maximum, tau, PairFunctions.table.baseAddress, differenceHigh.base,
      differenceLow.base, mantissaHigh.base, mantissaLow.base, exponents.base, n)
    let sum = Pair(s.high, s.low)
    let sumError = Self.sumError(count: n)
    switch operation {
    case .softmax, .crossEntropyGradient:
      let r = Pair(1) / sum
      let all = nc_quotients2(
        mantissaHigh.base, mantissaLow.base, exponents.base, differenceHigh.base, r.high, r.low,
        sumError + Self.exponentialError + 0x1p-98, Self.slope, y, low.base, open.base, n)
      if !all { find(n, error: sumError + Self.exponentialError + 0x1p-98, r, y) }
      if operation == .crossEntropyGradient {
        unproven.removeAll { $0 == parameters.target }
        unproven.append(parameters.target)
      }
    case .logSoftmax:
      guard let log = PairFunctions.log(sum) else { return false }
      let all = nc_logarithms2(
        differenceHigh.base, differenceLow.base, log.high, log.low, Self.logError(log, sumError), .infinity,
        nc_format(
          rounding: NumberFormat.f64.magicRounding, is_f64: true, largest: .greatestFiniteMagnitude),
        high.base, low.base, y, open.base, n
      ).all
      if !all {
        for block in 0..<(n + 63) / 64 where open.base[block] != 0 {
          for i in block * 64..<Swift.min(block * 64 + 64, n) {
            settle(
              Pair(differenceHigh.base[i], differenceLow.base[i]) + -log, Self.logError(log, sumError), i, y)
          }
        }
      }
    case .logSumExp, .crossEntropy:
      guard let log = PairFunctions.log(sum) else { return false }
      let shift =
        operation == .crossEntropy
        ? -Pair(differenceHigh.base[parameters.target], differenceLow.base[parameters.target])
        : tau == 1 ? Pair(shape.maximum) : Pair(shape.maximum) / Pair(tau)
      settle(shift + log, Self.logError(log, sumError) + shift.high.magnitude * 0x1p-101, 0, y)
    case .sigmoid, .softmaxJacobian, .softmaxVJP: return false
    }
    return true
  }

  /// log(1 + ε) ≤ 1.01 ε for the relative error ε of the sum, and the logarithm's own.
  private static func logError(_ log: Pair, _ sumError: Double) -> Double {
    1.01 * sumError + CertifiedBounds.logarithm(log.high)
  }

  /// Writes the rounding of one value known to within `error`, or leaves it open.
  private func settle(_ value: Pair, _ error: Double, _ i: Int, _ y: UnsafeMutablePointer<Double>) {
    let slack = error + value.high.magnitude * 0x1p-100
    if value.high.magnitude > 0x1p-900, slack < value.high.magnitude,
      let rounded = PairRounding.round(value, exponent: 0, error: slack, to: .f64)
    {
      y[i] = rounded
    } else {
      unproven.append(i)
    }
  }

  /// Asks again, one by one, in the blocks that hold an open result.
  private func find(_ n: Int, error: Double, _ r: Pair, _ y: UnsafeMutablePointer<Double>) {
    var flag: UInt8 = 0
    for block in 0..<(n + 63) / 64 where open.base[block] != 0 {
      for i in block * 64..<Swift.min(block * 64 + 64, n) {
        let isProven = nc_quotients2(
          mantissaHigh.base + i, mantissaLow.base + i, exponents.base + i, differenceHigh.base + i, r.high,
          r.low,
          error, Self.slope, y + i, low.base + i, &flag, 1)
        if !isProven { unproven.append(i) }
      }
    }
  }
}

/// Tier 1's exponential of dh + dl, for tests to attack.
package func lowWordExponential(_ dh: Double, _ dl: Double) -> (
  value: (high: Double, low: Double), exponent: Int
) {
  var (dh, dl, h, l, k) = (dh, dl, 0.0, 0.0, 0.0)
  nc_exponentials1(&dh, &dl, PairFunctions.table.baseAddress, &h, &l, &k, 1)
  return ((h, l), Int(k))
}
