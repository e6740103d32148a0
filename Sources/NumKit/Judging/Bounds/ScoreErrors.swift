import NumKitQuestions
import RealModule

/// The errors of attention's scores: of the inputs on their way into products, of the sum, of scale, cap and bias.
struct ScoreErrors {
  private let precisions: Precisions
  private let parameters: AttentionParameters
  private let size: Int
  /// |scale| where it is applied after the product, else 1.
  private let after: Double
  /// Relative error of the rounded scale, and of the product with it: 0 for a power of two.
  private let scaleError: Double
  private let productError: Double
  /// Relative error of each product of inputs, and absolute errors of a whole sum of them.
  private let inputs: Double
  private let underflow: Double
  /// Relative error of the rounded cap.
  private let capError: Double

  private var c: Precision { precisions.compute }
  private var a: Precision { precisions.accumulator }

  /// nil where an input, the scale or the cap may overflow, or the scale is 0.
  init?(_ precisions: Precisions, _ tensors: AttentionInputs, _ parameters: AttentionParameters) {
    let c = precisions.compute
    let a = precisions.accumulator
    self.precisions = precisions
    self.parameters = parameters
    let d = tensors.shape.headSize
    size = d
    // 1/√d as a kernel computes it in Double errs by two roundings, where it is no power of two.
    let root = Double(d).squareRoot()
    let isExact = parameters.scale != nil || d.nonzeroBitCount == 1 && root.rounded() == root
    let scale = (parameters.scale ?? 1 / root).magnitude
    let computed = c.format.round(scale)
    guard scale > 0, computed.isFinite, !c.overflows(scale) else { return nil }
    scaleError = (computed - scale).magnitude / scale * (1 + 0x1p-50) + (isExact ? 0 : 0x1p-52)
    productError = computed > 0 && computed.significand == 1 ? 0 : c.u
    let before = parameters.placement == .before
    after = before ? 1 : scale
    // Queries (multiplied first, perhaps) and keys on their way into the accumulator.
    // What is not finite is no part of a score that is.
    func largest(_ x: [Double]) -> Double { x.reduce(0) { $1.isFinite ? Swift.max($0, $1.magnitude) : $0 } }
    let widening = precisions.widening
    let k = largest(tensors.k)
    let q = largest(tensors.q) * (before ? scale * (1 + scaleError) * (1 + c.u) : 1)
    guard q.isFinite, k.isFinite, !c.overflows(q), !widening.overflows(Swift.max(q, k)) else { return nil }
    let relative = widening.relative
    let ofQuery = before ? compounded(compounded(scaleError, productError), relative) : relative
    inputs = compounded(ofQuery, relative)
    let lostOfQuery = (before ? c.tiny : 0) + widening.absolute
    let lostOfKey = widening.absolute
    let g = 1 + a.growth(d)
    underflow =
      Double(d) * g
      * (a.tiny + (1 + relative) * (k * lostOfQuery + q * lostOfKey) + lostOfQuery * lostOfKey)
    if let cap = parameters.softcap {
      let rounded = c.format.round(cap)
      guard rounded > 0, rounded.isFinite, !c.overflows(cap) else { return nil }
      capError = (rounded - cap).magnitude / Swift.min(rounded, cap)
    } else {
      capError = 0
    }
  }

  /// The error of the score at `j`; not finite where it may overflow.
  func error(_ profile: AttentionProfile, _ j: Int) -> Double {
    let m = profile.magnitudes[j]
    let score = profile.scores[j]
    let bias = profile.biases[j]
    // What is computed before cap and bias: |s| ≤ m, and where there is neither it is known.
    let plain = bias == 0 ? score.magnitude : (score - bias).magnitude + 0x1p-50 * bias.magnitude
    let s = parameters.softcap == nil ? Swift.min(m * (1 + 0x1p-30), plain) : m
    var e = compounded(inputs, a.growth(size)) * m / after + underflow
    if a.overflows(m / after + e) || precisions.narrowing.overflows(s / after + e) { return .infinity }
    e += precisions.narrowing.error(s / after + e)
    if after != 1 {
      e = e * after * (1 + scaleError) + scaleError * s
      e += Swift.max(productError * (s + e), Swift.min(c.tiny, s + e))
      if c.overflows(s + e) { return .infinity }
    } else if c.overflows(s + e) {
      return .infinity
    }
    if let cap = parameters.softcap { e = capped(s, e, cap) }
    if bias != 0 {
      e += c.rounding(bias.magnitude)
      e += c.u * (score.magnitude + e)
      if c.overflows(bias.magnitude) { return .infinity }
    }
    return c.overflows(score.magnitude + e) ? .infinity : e
  }

  /// c·tanh(s/c): a rounded quotient by a rounded cap, tanh, which spreads no error, and a product.
  private func capped(_ s: Double, _ error: Double, _ cap: Double) -> Double {
    let t = s / cap
    var e = error / cap * (1 + capError) + capError * t
    if c.overflows(t + e) { return .infinity }
    e += c.rounding(t + e)
    let y = Swift.min(1, t)
    e += Swift.max(c.tanh * Swift.min(1, t + e), c.tiny)
    let upper = Swift.min(1 + c.tanh, y + e)
    e = e * cap * (1 + capError) + capError * cap * upper
    let size = cap * (1 + capError) * upper
    return e + c.rounding(size)
  }
}
