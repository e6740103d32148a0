import NumKitKernels
import RealModule

/// A running bound on the error of a computed sum of positive terms, with the terms' own errors.
///
/// An addition â + b̂ rounded to nearest errs by at most u·(â + b̂), and by at most min(â, b̂), because â and b̂ are
/// themselves candidates (Jeannerod, Rump, "Improved error bounds for inner products in floating-point arithmetic", SIAM
/// J. Matrix Anal. Appl. 34(2), 2013, use the same fact). The second keeps a bound small where a few terms carry the sum,
/// however long the row.
struct SumErrors {
  let u: Double

  /// â + b̂, rounded.
  func adding(_ a: Computed, _ b: Computed) -> Computed {
    let exact = a.exact + b.exact
    let error = a.error + b.error
    return Computed(exact: exact, error: error + Swift.min(u * (exact + error), Swift.min(a.upper, b.upper)))
  }

  /// Σ of `count` terms in the order of `summation`.
  func sum(_ order: Summation, count: Int, _ term: (Int) -> Computed) -> Computed {
    guard count > 0 else { return Computed(exact: 0, error: 0) }
    switch order {
    case .sequential: return sequential(0, count, term)
    case .pairwise: return pairwise(0, count, term)
    }
  }

  private func sequential(_ start: Int, _ end: Int, _ term: (Int) -> Computed) -> Computed {
    var s = term(start)
    for i in start + 1..<Swift.max(end, start + 1) { s = adding(s, term(i)) }
    return s
  }

  private func pairwise(_ start: Int, _ end: Int, _ term: (Int) -> Computed) -> Computed {
    if end - start <= 8 { return sequential(start, end, term) }
    let middle = start + (end - start) / 2
    return adding(pairwise(start, middle, term), pairwise(middle, end, term))
  }
}
