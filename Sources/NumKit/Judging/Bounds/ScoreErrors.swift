import NumKitQuestions
import RealModule

/// The errors of attention's scores: of the inputs on their way into products, of the sum, of scale, cap and bias.
struct ScoreErrors {
  private let precisions: Precisions
  private let parameters: AttentionParameters
  private let size: Int
  /// What a product's roundings come to in any order.
  private let growth: Double
  /// |scale|, and the same where it is applied after the product, else 1.
  let scale: Double
  private let after: Double
  /// Relative error of the rounded scale, and of the product with it: 0 for a power of two.
  let scaleError: Double
  let productError: Double
  /// Queries and keys as they meet in products: all alike without a norm, else each its own.
  let queries: [Operand]
  let keys: [Operand]
  /// Relative error of the rounded cap, and whether that is a power of two: then neither quotient nor product rounds.
  private let capError: Double
  private let hasExactCap: Bool
  /// Whether each product of inputs is a number of the accumulator, but for underflow.
  let hasExactProducts: Bool
  /// What a product loses below the normal numbers: nothing where all are multiples of the accumulator's smallest.
  private let productLoss: Double
  /// Whether a score, a single product, is a number of compute.
  private let hasExactScores: Bool
  /// What a test leaves out.
  private let omitted: AttentionTerm?

  private var c: Precision { precisions.compute }
  private var a: Precision { precisions.accumulator }

  /// nil where an input, the scale or the cap may overflow, or the scale is 0.
  init?(
    _ precisions: Precisions, _ tensors: AttentionInputs, _ parameters: AttentionParameters,
    without term: AttentionTerm? = nil
  ) {
    let c = precisions.compute
    omitted = term
    self.precisions = precisions
    self.parameters = parameters
    let d = tensors.shape.headSize
    size = d
    growth = term == .products ? 0 : precisions.accumulator.growth(d)
    // 1/√d as a kernel computes it in Double errs by two roundings, where it is no power of two.
    let root = Double(d).squareRoot()
    let isExact = parameters.scale != nil || d.nonzeroBitCount == 1 && root.rounded() == root
    let scale = (parameters.scale ?? 1 / root).magnitude
    let computed = c.format.round(scale)
    guard scale > 0, computed.isFinite, !c.overflows(scale) else { return nil }
    self.scale = scale
    scaleError =
      term == .scale ? 0 : (computed - scale).magnitude / scale * (1 + 0x1p-50) + (isExact ? 0 : 0x1p-52)
    productError = computed > 0 && computed.significand == 1 || term == .scaling ? 0 : c.u
    let before = parameters.placement == .before
    after = before ? 1 : scale
    // What is not finite is no part of a score that is.
    func largest(_ x: HeldNumbers) -> Double {
      x.reduce(0) { $1.isFinite ? Swift.max($0, $1.magnitude) : $0 }
    }
    let loading = term == .loading ? .exact : precisions.loading
    var q = [Operand(largest: largest(tensors.numbers.q)).converted(loading)]
    var k = [Operand(largest: largest(tensors.numbers.k)).converted(loading)]
    if let norm = parameters.norm {
      // Of what is rounded before its norm is taken none was derived.
      guard loading.isExact else { return nil }
      q = Operand.normed(tensors.q, d, norm, precisions)
      k = Operand.normed(tensors.k, d, norm, precisions)
      if term == .norm { (q, k) = (q.map(\.exact), k.map(\.exact)) }
    }
    // Queries (multiplied first, perhaps) and keys on their way into the accumulator.
    if before {
      let rounding = compounded(scaleError, productError)
      q = q.map { $0.multiplied(by: scale, rounding, c) }
    }
    let widening = term == .operands ? .exact : precisions.widening
    // Multiples of the accumulator's smallest number lose digits alone on their way there.
    let isPlain = !before && parameters.norm == nil && loading.isExact
    let (unitOfQ, unitOfK) = (Self.unit(tensors.numbers.q), Self.unit(tensors.numbers.k))
    let smallest = Int(precisions.accumulator.format.smallestPositive.exponent)
    func way(_ unit: Int) -> Conversion { isPlain && unit >= smallest ? widening.withoutUnderflow : widening }
    (queries, keys) = (q.map { $0.converted(way(unitOfQ)) }, k.map { $0.converted(way(unitOfK)) })
    // Without a norm what overflows takes the bound from all rows, with one from those that see it.
    guard parameters.norm != nil || queries[0].isKnown && keys[0].isKnown else { return nil }
    // Powers of two multiply without a digit more.
    let (digitsOfQ, digitsOfK) = (Self.digits(tensors.numbers.q), Self.digits(tensors.numbers.k))
    let digits = digitsOfQ == 1 ? digitsOfK : digitsOfK == 1 ? digitsOfQ : digitsOfQ + digitsOfK
    hasExactProducts =
      !before && parameters.norm == nil && digits <= precisions.accumulator.format.precision
    let isWhole =
      isPlain && queries[0].absolute == 0 && keys[0].absolute == 0 && unitOfQ + unitOfK >= smallest
    productLoss = isWhole ? 0 : precisions.accumulator.tiny
    hasExactScores =
      isWhole && d == 1 && digits <= Swift.min(precisions.accumulator.format.precision, c.format.precision)
      && unitOfQ + unitOfK >= Int(c.format.smallestPositive.exponent)
    if let cap = parameters.softcap {
      let rounded = c.format.round(cap)
      guard rounded > 0, rounded.isFinite, !c.overflows(cap) else { return nil }
      capError = (rounded - cap).magnitude / Swift.min(rounded, cap)
      hasExactCap = rounded.significand == 1
    } else {
      capError = 0
      hasExactCap = false
    }
  }

  /// The significand's bits that the numbers of `x` have at most: those of their format, or fewer.
  private static func digits(_ x: HeldNumbers) -> Int {
    x.reduce(0) { $1.isFinite ? Swift.max($0, $1.significandWidth + 1) : $0 }
  }

  /// A query and a key of all, as they meet in products.
  func query(_ row: Int) -> Operand { queries[queries.count == 1 ? 0 : row] }
  func key(_ place: Int) -> Operand { keys[keys.count == 1 ? 0 : place] }

  private func unless(_ term: AttentionTerm, _ error: Double) -> Double { omitted == term ? 0 : error }

  /// The exponent of a power of two that all numbers of `x` are multiples of.
  static func unit(_ x: HeldNumbers) -> Int {
    x.reduce(1024) {
      $1.isFinite && $1 != 0 ? Swift.min($0, Int($1.exponent) - $1.significandWidth) : $0
    }
  }

  /// The error of Σ q·k, of which Σ |q·k| is `m`: what products are off by, and a rounding of every partial sum, over whose magnitudes the sum
  /// is `partials` of `wholes` (the same for products); in any order where `wholes` is 0.
  private func productsError(_ m: Double, _ partials: Double, _ wholes: Double, _ q: Operand, _ k: Operand)
    -> Double
  {
    let inputs = compounded(q.relative, k.relative)
    let (g, u) = (growth, unless(.products, a.u))
    let underflow =
      Double(size) * (1 + g)
      * (productLoss + (1 + k.relative) * k.largest * q.absolute + (1 + q.relative) * q.largest * k.absolute
        + q.absolute * k.absolute)
    let usual = compounded(inputs, g) * m
    guard wholes > 0, wholes < .infinity else { return usual + underflow }
    return Swift.min(usual, (1 + g) * (inputs * m + u * m * (partials / wholes))) + underflow
  }

  /// The error of the score at `j` of `profile`, of that query and key (head after head) of all; not finite where it may overflow. `partial`
  /// and `whole` are what `nc_partial_sums` says of it.
  func error(
    _ profile: AttentionProfile, _ j: Int, partial: Double, whole: Double, query: Int, key: Int
  ) -> Double {
    let score = profile.scores[j]
    let bias = profile.biases[j]
    let plain = multiplied(profile, j, partial: partial, whole: whole, query: query, key: key)
    let s = plain.size
    var e = plain.error
    if !(e < .infinity) { return .infinity }
    if let cap = parameters.softcap {
      let least = Swift.max(0, (score - bias).magnitude - 0x1p-40 * (score.magnitude + bias.magnitude))
      e = capped(s, atLeast: least / cap, e, cap)
    }
    if bias != 0 {
      e += unless(.bias, (c.format.round(bias) - bias).magnitude)
      e += unless(.bias, c.u * (score.magnitude + e).powerBelow)
      if c.overflows(bias.magnitude) { return .infinity }
    }
    return c.overflows(score.magnitude + e) ? .infinity : e
  }

  /// What stands before cap and bias: no less than its magnitude, and its error, which is not finite where it may overflow.
  func multiplied(
    _ profile: AttentionProfile, _ j: Int, partial: Double, whole: Double, query: Int, key: Int
  ) -> (size: Double, error: Double) {
    let m = profile.magnitudes[j]
    let (score, bias) = (profile.scores[j], profile.biases[j])
    // |s| ≤ m, and where there is neither cap nor bias it is known.
    let plain = bias == 0 ? score.magnitude : (score - bias).magnitude + 0x1p-50 * bias.magnitude
    let s = parameters.softcap == nil ? Swift.min(m * (1 + 0x1p-30), plain) : m
    let (q, k) = (self.query(query), self.key(key))
    var e = productsError(m / after, partial, whole, q, k)
    if a.overflows(m / after + e) || precisions.narrowing.overflows(s / after + e) { return (s, .infinity) }
    if !hasExactScores { e += unless(.scores, precisions.narrowing.ownError(s / after + e)) }
    if after != 1 {
      e = e * after * (1 + scaleError) + scaleError * s
      e += productError > 0 ? c.ownRounding(s + e) : unless(.scaling, Swift.min(c.tiny, s + e))
    }
    return (s, c.overflows(s + e) ? .infinity : e)
  }

  /// tanh(s/c): a rounded quotient by a rounded cap, and tanh, which is nowhere steeper than where its argument is smallest. |s| bounds the
  /// score, the exact tanh is `atLeast` that; `most` is what the computed one is at most but for tanh's own error.
  func tangent(_ s: Double, atLeast y: Double, _ error: Double, _ cap: Double) -> (
    error: Double, most: Double
  ) {
    let t = s / cap
    let constant = unless(.cap, capError)
    var e = error / cap * (1 + constant) + constant * t
    if c.overflows(t + e) { return (.infinity, 1) }
    e += unless(.cap, capRounding(t + e))
    let inner = y < 1 ? Swift.min(t, Double.atanh(y)) : t
    let (least, most) = (Double.tanh(Swift.max(0, inner - e)), Double.tanh(t + e))
    e *= 1 - least * least + 0x1p-40
    // As many ulps of the result.
    return (e + unless(.hyperbolicTangent, Swift.max(c.tanh * most.powerBelow, c.tiny)), most)
  }

  private func capRounding(_ size: Double) -> Double {
    hasExactCap ? Swift.min(c.tiny, size) : c.ownRounding(size)
  }

  /// c·tanh(s/c): that and a product.
  private func capped(_ s: Double, atLeast y: Double, _ error: Double, _ cap: Double) -> Double {
    let tangent = tangent(s, atLeast: y, error, cap)
    if !(tangent.error < .infinity) { return .infinity }
    let constant = unless(.cap, capError)
    let upper = Swift.min(1 + c.tanh, tangent.most + c.tanh)
    let e = tangent.error * cap * (1 + constant) + constant * cap * upper
    let size = cap * (1 + capError) * upper
    return e + unless(.cap, capRounding(size))
  }
}
