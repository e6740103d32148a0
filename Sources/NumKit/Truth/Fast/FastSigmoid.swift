import CProof
import NumKitNumbers

/// What the sigmoids of a row need, kept from row to row.
final class FastSigmoidRow {
  let differenceHigh = Buffer<Double>()
  let differenceLow = Buffer<Double>()
  let mantissaHigh = Buffer<Double>()
  let mantissaLow = Buffer<Double>()
  let exponents = Buffer<Double>()
  let open = Buffer<UInt8>()

  func reserve(_ n: Int) {
    for buffer in [differenceHigh, differenceLow, mantissaHigh, mantissaLow, exponents] { buffer.reserve(n) }
    open.reserve((n + 63) / 64)
  }
}

/// 1/(1 + e^−z) = e^min(z, 0) / (1 + e^−|z|) by tier 2, each element by itself.
extension FastReference {
  /// The bound of section 9: numerator and denominator each within that of the exponential, and a division.
  private static let constant = CertifiedBounds.sigmoid
  private static let slope = CertifiedBounds.sigmoidSlope

  func sigmoid(
    _ format: NumberFormat, _ x: UnsafeBufferPointer<Double>, _ temperature: Double, _ pending: inout [Int],
    _ truth: inout Truth
  ) -> Bool {
    guard temperature > 0x1p-500, temperature < 0x1p500 else { return false }
    guard format.hasZero else {
      for i in x.indices { sigmoid(i, format, x, temperature, &pending, &truth) }
      return true
    }
    let n = x.count
    let row = sigmoidRow
    row.reserve(n)
    nc_sigmoid_arguments2(
      x.baseAddress, temperature, row.differenceHigh.base, row.differenceLow.base, n)
    nc_exponentials2(
      row.differenceHigh.base, row.differenceLow.base, PairFunctions.table.baseAddress, row.mantissaHigh.base,
      row.mantissaLow.base, row.exponents.base, n)
    let kind = nc_format(
      rounding: format.magicRounding, is_f64: format.significandBits == 52, largest: format.largestFinite)
    truth.high.withUnsafeMutableBufferPointer { high in
      truth.low.withUnsafeMutableBufferPointer { low in
        truth.rounded.withUnsafeMutableBufferPointer { rounded in
          _ = nc_sigmoids2(
            x.baseAddress, row.differenceHigh.base, row.mantissaHigh.base, row.mantissaLow.base,
            row.exponents.base, Self.constant, Self.slope, kind, high.baseAddress, low.baseAddress,
            rounded.baseAddress, row.open.base, n)
        }
      }
    }
    truth.exponent.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    // Results without an exponent of their own have |z| ≤ 625, or are 1 to within e^−625.
    truth.relativeError = Swift.max(truth.relativeError, Self.constant + 640 * Self.slope)
    for block in 0..<(n + 63) / 64 {
      let indices = block * 64..<Swift.min(block * 64 + 64, n)
      if row.open.base[block] == 0 {
        truth.certificate.doubleDouble += indices.count
      } else {
        for i in indices { sigmoid(i, format, x, temperature, &pending, &truth) }
      }
    }
    return true
  }

  /// One, with an exponent where it needs it.
  private func sigmoid(
    _ i: Int, _ format: NumberFormat, _ x: UnsafeBufferPointer<Double>, _ temperature: Double,
    _ pending: inout [Int], _ truth: inout Truth
  ) {
    let z = temperature == 1 ? Pair(x[i]) : Pair(x[i]) / Pair(temperature)
    guard x[i] != 0, z.high.magnitude > 0x1p-900, z.high.magnitude < 0x1p28 else {
      pending.append(i)
      return
    }
    let (e, k) = PairFunctions.exp(z.high < 0 ? z : -z)
    // Below 2^−900 the denominator is 1 to within far less than the bound.
    let scale = k >= -900 ? Double.powerOfTwo(k) : 0
    let q = (z.high < 0 ? e : Pair(1)) / (Pair(1) + Pair(e.high * scale, e.low * scale))
    let error = Self.constant + z.high.magnitude * Self.slope
    settle(i, q, exponent: z.high < 0 ? k : 0, error: error * q.high, format, &pending, &truth)
  }
}
