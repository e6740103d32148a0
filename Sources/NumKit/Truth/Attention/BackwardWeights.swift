import CProof

/// One query's probabilities and dS = ∂(dO·o)/∂(q·k) as pairs with proven bounds: section 13 of
/// Documentation/CertifiedReference.md.
final class BackwardWeights {
  /// What is known of a query.
  enum Kind {
    /// It sees nothing and has no gradient.
    case none
    /// It answers the mean of all values.
    case uniform
    /// It answers NaN.
    case nan
    /// dS is 0 exactly, whatever the probabilities.
    case level
    case regular
  }

  let scores: AttentionScores
  private let sums = AttentionSums()
  /// Of each visible key.
  let p = Buffer<Pair>()
  let pError = Buffer<Double>()
  let ds = Buffer<Pair>()
  let dsError = Buffer<Double>()
  /// Bits before the point of the largest score that any query had.
  private(set) var wholeBits = 0
  private let product = Buffer<Pair>()
  private let productError = Buffer<Double>()

  init(_ scores: AttentionScores) { self.scores = scores }

  /// Finds what the query sees, and what that means.
  func look(
    head: Int, query: Int, _ v: UnsafePointer<Double>, _ gradient: UnsafePointer<Double>
  ) -> Kind {
    scores.look(head: head, query: query)
    let keys = scores.profile.keys
    guard let first = keys.first else {
      if scores.profile.sink != nil { return .none }
      switch scores.parameters.specialValues {
      case .ieee: return .nan
      case .safe: return .none
      case .uniform: return .uniform
      }
    }
    let width = scores.tensors.shape.valueSize
    if scores.parameters.scale == 0 || (0..<width).allSatisfy({ gradient[$0] == 0 }) { return .level }
    guard scores.profile.sink == nil else { return .regular }
    let isLevel = keys.allSatisfy { j in
      (0..<width).allSatisfy { gradient[$0] == 0 || v[j * width + $0] == v[first * width + $0] }
    }
    return isLevel ? .level : .regular
  }

  /// Computes p, and dS where it is not level; bounds are infinite where nothing is known.
  func compute(
    _ kind: Kind, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ v: UnsafePointer<Double>,
    _ gradient: UnsafePointer<Double>
  ) {
    let n = scores.profile.keys.count
    for buffer in [p, ds, product] { buffer.reserve(n) }
    for buffer in [pError, dsError, productError] { buffer.reserve(n) }
    let (p, pError) = (self.p.base, self.pError.base)
    p.update(repeating: Pair(0), count: n)
    pError.update(repeating: .infinity, count: n)
    ds.base.update(repeating: Pair(0), count: n)
    dsError.base.update(repeating: .infinity, count: n)
    if n == 1 && scores.profile.sink == nil {
      (p[0], pError[0]) = (Pair(1), 0)
      return
    }
    scores.compute(q, k)
    wholeBits = Swift.max(wholeBits, scores.wholeBits)
    guard sums.weigh(scores) else { return }
    let relative = 1.01 * (sums.weightError + sums.totalError) + 0x1p-99
    let (high, low) = (sums.weightHigh.base, sums.weightLow.base)
    let inverse = Pair(1) / sums.total
    var anchor = 0
    for i in 0..<n {
      p[i] = Pair(high[i], low[i]) * inverse
      // A weight that was left out is below 2⁻⁹⁰⁰.
      pError[i] = high[i] == 0 ? 0x1p-898 : p[i].high * relative
      if high[i] > high[anchor] { anchor = i }
    }
    if case .regular = kind { differentiate(anchor, v, gradient) }
  }

  /// dSⱼ = pⱼ(Eⱼ − D)·scale·cap′ with Eⱼ = dO·(vⱼ − vₐ), D = Σ pⱼEⱼ, a the key with the largest weight: nothing cancels where it
  /// has nearly all.
  private func differentiate(_ anchor: Int, _ v: UnsafePointer<Double>, _ gradient: UnsafePointer<Double>) {
    let keys = scores.profile.keys
    let width = scores.tensors.shape.valueSize
    let (product, productError) = (self.product.base, self.productError.base)
    let (p, pError, ds, dsError) = (self.p.base, self.pError.base, self.ds.base, self.dsError.base)
    for (i, j) in keys.enumerated() {
      let s = nc_dot2(gradient, v + j * width, width)
      product[i] = Pair(s.high, s.low)
      productError[i] = SumReference.dotError(s, width)
    }
    let (top, topError) = (product[anchor], productError[anchor])
    var d = Pair(0)
    var dError = 0.0
    var magnitude = 0.0
    func add(_ weight: Pair, _ weightError: Double, _ e: Pair, _ eError: Double) {
      d = d + weight * e
      dError +=
        weight.high * (eError + 0x1p-99 * e.high.magnitude) + weightError * (e.high.magnitude + eError)
      magnitude += weight.high * e.high.magnitude
    }
    for i in 0..<keys.count {
      let size = product[i].high.magnitude + top.high.magnitude
      productError[i] = i == anchor ? 0 : productError[i] + topError + 0x1p-103 * size
      product[i] = i == anchor ? Pair(0) : product[i] + -top
      if i != anchor { add(p[i], pError[i], product[i], productError[i]) }
    }
    if scores.profile.sink != nil {
      // The sink's value is 0. Its weight stands behind the keys'.
      let w = Pair(sums.weightHigh.base[keys.count], sums.weightLow.base[keys.count]) / sums.total
      let relative = 1.01 * (sums.weightError + sums.totalError) + 0x1p-99
      add(w, w.high == 0 ? 0x1p-898 : w.high * relative, -top, topError)
    }
    dError = 1.02 * (dError + Double(keys.count + 1) * 0x1p-103 * magnitude) + 0x1p-1060
    let (factor, factorError) = scores.factor
    let isCapped = scores.parameters.softcap != nil
    for i in 0..<keys.count {
      let e = product[i] + -d
      let eError = productError[i] + dError + 0x1p-103 * (product[i].high.magnitude + d.high.magnitude)
      let (cap, capError) = isCapped ? capDerivative(i) : (Pair(1), 0)
      let raw = p[i] * e * factor
      ds[i] = isCapped ? raw * cap : raw
      let size = factor.high.magnitude * (cap.high + capError)
      dsError[i] =
        1.02
        * (size * (p[i].high * eError + pError[i] * (e.high.magnitude + eError))
          + ds[i].high.magnitude * (factorError + 0x1p-99) + raw.high.magnitude * capError) + 0x1p-1050
        * (1 + size)
    }
  }

  /// 1 − (y/c)² for the capped score y, and a bound on its absolute error.
  private func capDerivative(_ i: Int) -> (Pair, Double) {
    guard let c = scores.parameters.softcap else { return (Pair(1), 0) }
    let s = Pair(scores.high.base[i], scores.low.base[i])
    let bias = scores.profile.biases[i]
    let y = s + Pair(-bias)
    let error = scores.error.base[i] + 0x1p-103 * (s.high.magnitude + bias.magnitude)
    let r = y / Pair(c)
    let f = (Pair(1) + -r) * (Pair(1) + r)
    return (f.high > 0 ? f : Pair(0), 2.05 * (error / c + 0x1p-102) + 0x1p-99)
  }
}
