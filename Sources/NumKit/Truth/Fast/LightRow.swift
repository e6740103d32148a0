import CProof
import NumKitNumbers
import NumKitQuestions
import RealModule

/// Tier 0 by itself on rows of Float: only roundings, and which of them it could not prove.
final class LightRow {
  private let exponentials = Buffer<Double>()
  private let open = Buffer<UInt8>()
  private var flag: UInt8 = 0
  /// The results left open, for the tiers that follow.
  private(set) var unproven: [Int] = []

  private static let unit = 0x1p-53

  /// Rounds what can be proven, into `results`; false where nothing was tried.
  func answer(
    _ operation: RowOperation, _ format: NumberFormat, _ x: UnsafeBufferPointer<Float>,
    _ parameters: OperationParameters, into results: UnsafeMutableBufferPointer<Float>
  ) -> Bool {
    guard let p = x.baseAddress, let y = results.baseAddress, format.hasZero, x.count < 1 << 31 else {
      return false
    }
    let n = x.count
    let tau = parameters.temperature
    guard tau > 0x1p-500, tau < 0x1p500 else { return false }
    let target = nc_target(
      rounding: format.magicRounding, is_f32: format == .f32, largest: format.largestFinite)
    unproven.removeAll(keepingCapacity: true)
    open.reserve((n + 63) / 64)
    // (x − m)/τ is rounded once, or twice.
    let roundings = tau == 1 ? 1.0 : 2.0
    if operation == .sigmoid {
      let all = nc_light_sigmoids(
        p, tau, Self.sigmoidError, roundings * Self.unit, target, y, open.base, n)
      if !all {
        find(n) {
          nc_light_sigmoids(
            p + $0, tau, Self.sigmoidError, roundings * Self.unit, target, y + $0, &flag, 1)
        }
      }
      return true
    }
    let extent = nc_extent_f32(p, n)
    guard !extent.nan, extent.maximum.isFinite else { return false }
    let m = extent.maximum
    exponentials.reserve(n)
    let s = nc_light_exponentials(p, m, tau, exponentials.base, n)
    let sumError = FastRow.sumError(count: n, roundings: roundings)
    switch operation {
    case .softmax, .crossEntropyGradient:
      // Beyond |d| = 128 results are below 2^−184, and 0 in every format that comes here, whatever their error.
      let c = sumError + (7 + 129 * roundings) * Self.unit
      let e = exponentials.base
      let all = nc_light_quotients(e, 1 / s.high, c, target, y, open.base, n)
      if !all { find(n) { nc_light_quotients(e + $0, 1 / s.high, c, target, y + $0, &flag, 1) } }
      if operation == .crossEntropyGradient {
        unproven.removeAll { $0 == parameters.target }
        unproven.append(parameters.target)
      }
      return true
    case .logSoftmax:
      guard let log = PairFunctions.log(Pair(s.high, s.low)) else { return false }
      let a = sumError * 1.01 + log.high.magnitude * Self.unit + 0x1p-90
      let b = (roundings + 3) * Self.unit
      let masked = Float(format.round(-.infinity))
      let all = nc_light_logarithms(
        p, m, tau, log.high, a, b, Double(masked), target, y, open.base, n)
      if !all {
        find(n) {
          nc_light_logarithms(
            p + $0, m, tau, log.high, a, b, Double(masked), target, y + $0, &flag, 1)
        }
      }
      return true
    case .logSumExp, .crossEntropy:
      return single(operation, format, x, parameters, m, Pair(s.high, s.low), sumError, roundings, into: y)
    case .sigmoid, .softmaxJacobian, .softmaxVJP: return false
    }
  }

  /// The operations of one result: max/τ + log Σ and log Σ − (x_t − max)/τ.
  private func single(
    _ operation: RowOperation, _ format: NumberFormat, _ x: UnsafeBufferPointer<Float>,
    _ parameters: OperationParameters, _ m: Double, _ sum: Pair, _ sumError: Double, _ roundings: Double,
    into y: UnsafeMutablePointer<Float>
  ) -> Bool {
    let tau = parameters.temperature
    // Minus this is added to the logarithm.
    let shift = operation == .logSumExp ? -m : Double(x[parameters.target]) - m
    guard shift.isFinite, let log = PairFunctions.log(sum) else { return false }
    let d = shift / tau
    let value = log + Pair(-d)
    let error = sumError * 1.01 + 0x1p-90 * (1 + log.high.magnitude) + roundings * d.magnitude * Self.unit
    if let rounded = PairRounding.round(
      value, exponent: 0, error: error + value.high.magnitude * 0x1p-100, to: format),
      value.high.magnitude > 0x1p-900
    {
      y[0] = Float(rounded)
    } else {
      unproven.append(0)
    }
    return true
  }

  /// Bound on the relative error of 1/(1 + e) and e/(1 + e) but for the exponent's: see section 7.
  private static let sigmoidError = 8 * unit

  /// Asks again, one by one, in the blocks that hold an open result.
  private func find(_ n: Int, _ isProven: (Int) -> Bool) {
    for block in 0..<(n + 63) / 64 where open.base[block] != 0 {
      for i in block * 64..<Swift.min(block * 64 + 64, n) where !isProven(i) { unproven.append(i) }
    }
  }
}
