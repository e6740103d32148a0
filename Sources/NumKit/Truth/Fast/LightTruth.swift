import CProof
import NumKitNumbers
import NumKitQuestions

/// Softmax of rows of Float in Double, to within a proven relative error: enough to measure errors in ulps of formats of at most 24
/// bits, and nothing else is computed. One instance serves one thread.
package final class LightTruth {
  private let exponentials = Buffer<Double>()

  /// Nothing yet.
  package init() {}

  /// Answers for a row whose numbers are finite, in `high` of `truth` alone, and rounded to `format` in `rounded` as far as that is
  /// known; false where the row is not of this kind, or has results that no Double shows. `truth` must be one that has seen no other
  /// answers.
  ///
  /// The error is that of tier 0 (section 7 of Documentation/CertifiedReference.md).
  package func answer(_ x: UnsafeBufferPointer<Float>, _ format: NumberFormat, into truth: inout Truth)
    -> Double?
  {
    guard let p = x.baseAddress, x.count > 1, x.count < 1 << 31 else { return nil }
    let n = x.count
    let extent = nc_extent_f32(p, n)
    guard !extent.nan, extent.maximum.isFinite else { return nil }
    exponentials.reserve(n)
    let e = exponentials.base
    let s = nc_light_exponentials(p, extent.maximum, 1, e, n)
    truth.reset(count: n)
    let least = truth.high.withUnsafeMutableBufferPointer { high in
      truth.rounded.withUnsafeMutableBufferPointer { rounded in
        nc_light_answers(e, 1 / s.high, high.baseAddress, rounded.baseAddress, n)
      }
    }
    // 0 where the exponent is below −650; results below 2^−184 have a larger error than is said here.
    guard least > 0x1p-180 else { return nil }
    if format != .f32 {
      truth.high.withUnsafeBufferPointer { high in
        truth.rounded.withUnsafeMutableBufferPointer { rounded in
          for i in 0..<n { rounded[i] = format.round(high[i]) }
        }
      }
    }
    truth.relativeError = FastRow.sumError(count: n, roundings: 1) + 136 * 0x1p-53
    truth.certificate.double = n
    return extent.maximum
  }
}
