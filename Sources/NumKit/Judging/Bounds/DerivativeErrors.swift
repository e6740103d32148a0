import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// What one query's probabilities and dS = p(dP − D)·cap′ are off by in a backward pass, before they are cast: the first half of
/// `Documentation/Bounds.md`, "Gradients of attention".
final class DerivativeErrors {
  /// What a query sees.
  enum Sight {
    /// Keys, of which `p` and `dS` speak.
    case regular
    /// No key, but a sink.
    case nothing
    /// Nothing at all.
    case blind
    /// No bound was derived.
    case unknown
  }

  let gradient: [Double]
  /// No number of dO is larger.
  let largestGradient: Double
  let isOrdered: Bool
  private(set) var forward: AttentionErrors
  private var prover: AttentionProver
  private var truths: [Truth] = [Truth()]
  private var keyHead = 0

  // One query's, key after key.
  private(set) var profile = AttentionProfile()
  private(set) var p: [Computed] = []
  private(set) var dS: [Computed] = []
  /// What a probability shares with the others, and what it is off by alone.
  private var shared: [Double] = []
  private var own: [Double] = []
  /// What the divisor errs by alone, relative to it.
  private var alone = 0.0
  private var dP: [Computed] = []
  /// Σ |dO·v|, of which a part is lost in Double where terms cancel.
  private var sizes: [Double] = []
  private var output: [Double] = []
  private var outputErrors: [Double] = []

  private let tensors: AttentionInputs
  private let shape: AttentionShape
  private let runner: AttentionRunner
  private let precisions: Precisions
  private let c: Precision
  private let a: Precision

  /// nil where no bound was derived: what `AttentionErrors` has none for, and sentinels.
  init?(
    _ runner: BackwardRunner, _ tensors: AttentionInputs, gradient: [Double],
    _ parameters: AttentionParameters, isOrdered: Bool
  ) {
    guard runner.forward.sentinel == nil, parameters.isDifferentiable,
      let forward = AttentionErrors(runner.forward, tensors, parameters, isOrdered: isOrdered),
      let prover = try? AttentionProver(tensors, parameters, format: .f32)
    else { return nil }
    self.forward = forward
    self.tensors = tensors
    shape = tensors.shape
    self.runner = runner.forward
    precisions = forward.precisions
    (c, a) = (forward.c, forward.a)
    self.prover = prover
    self.gradient = gradient
    self.isOrdered = isOrdered
    largestGradient = gradient.reduce(0) { Swift.max($0, $1.magnitude) }
    let way = forward.precisions.widening
    if way.overflows(largestGradient) || way.overflows(tensors.largestValue) { return nil }
  }

  /// Finds what a query of a key head sees, and what its derivatives are off by.
  func look(_ row: Int, keyHead: Int) -> Sight {
    self.keyHead = keyHead
    prover.answer(item(row), into: &truths)
    prover.profile(of: item(row), into: &profile)
    if profile.keys.isEmpty {
      return profile.hasMinusInfinity ? .unknown : profile.sink == nil ? .blind : .nothing
    }
    guard profile.isRegular else { return .unknown }
    let (width, first) = (shape.valueSize, keyHead * shape.keys)
    output = Array(repeating: 0, count: width)
    for (i, j) in profile.keys.enumerated() {
      for col in 0..<width {
        output[col] += profile.probabilities[i] * tensors.numbers.v[(first + j) * width + col]
      }
    }
    outputErrors = output
    guard
      let kind = forward.bound(profile, row: row, truth: output, into: &outputErrors), kind != .none,
      probabilities(), products(row), differences(row)
    else { return .unknown }
    return .regular
  }

  private func item(_ row: Int) -> AttentionForward.Item {
    var item = AttentionQueries(tensors, block: 1).makeItem()
    item.row = row
    // As many as the truth likes to answer together.
    let first = row / 32 * 32
    item.block = first..<Swift.min(first + 32, shape.heads * shape.queries)
    return item
  }

  // MARK: Probabilities

  private func probabilities() -> Bool {
    p.removeAll(keepingCapacity: true)
    shared.removeAll(keepingCapacity: true)
    own.removeAll(keepingCapacity: true)
    return runner.algorithm == .flash ? recomputed() : normalised()
  }

  /// Each exponential divided by their sum.
  private func normalised() -> Bool {
    let (terms, n) = (forward.terms, profile.keys.count)
    var sum = RunningSum(u: isOrdered ? a.u : 0)
    for i in (terms.count > n ? [n] : []) + Array(0..<n) { sum.add(forward.widened(terms[i])) }
    if !isOrdered { sum.round(by: a.growth(terms.count)) }
    var divisor = sum.computed
    alone = sum.additions + (terms.count > n ? forward.widened(terms[n]).error : 0)
    if !precisions.isWide {
      let narrowing = precisions.narrowing.error(divisor.upper, lift: forward.lift)
      divisor = divisor.erring(by: narrowing)
      alone += narrowing
      for x in terms { alone += precisions.widening.error(x.upper, lift: forward.lift) }
    }
    let least = divisor.exact - divisor.error
    guard least > 0 else { return false }
    alone /= least
    for i in 0..<n {
      let x = precisions.isWide ? forward.widened(terms[i]) : terms[i]
      var q = x.quotient(by: divisor)
      var rounding = precisions.isWide ? a.rounding(q.upper) : c.rounding(q.upper)
      if precisions.isWide { rounding += precisions.narrowing.error(q.upper + rounding) }
      q.error += rounding
      p.append(q)
      shared.append(x.error / least)
      own.append(rounding)
    }
    return true
  }

  /// e^(s − lse), of a log-sum-exp that was computed.
  private func recomputed() -> Bool {
    guard let divisor = forward.division?.divisor else { return false }
    let sum = forward.terms.reduce(0) { $0 + $1.exact }
    let sigma = (sum - divisor) / sum
    guard sigma < 1 else { return false }
    // Its sum's error, its logarithm, the maximum on its way into the accumulator, the addition.
    let log = Double.log(Double(forward.terms.count) + 1)
    var lse = -Double.log(onePlus: -sigma)
    lse += Swift.max(a.log * (log + lse), a.tiny)
    let (way, wide) = (precisions.widening, precisions.isWide)
    let size = profile.logSumExp.magnitude
    let top = forward.top.magnitude + forward.topError
    if way.overflows(top) || a.overflows(size + top + log + 1) { return false }
    lse += way.error(top)
    // Rounded, and on its way into what it is subtracted in.
    let target = wide ? a : c
    if !wide { lse += precisions.narrowing.error(log + lse) }
    lse += 2 * target.u * (size + lse)
    if target.overflows(size + lse) { return false }
    for i in profile.keys.indices {
      let d = (profile.scores[i] - profile.logSumExp).magnitude
      var e = forward.scoreErrors[i] + lse
      if wide { e += way.error(profile.scores[i].magnitude + e) }
      e += target.u * (d + e)
      if wide { e += c.u * (d + e) }
      // Whoever has log₂e in the scale rounds that and the products.
      if !isOrdered { e += 3 * c.u * (profile.scores[i].magnitude + size + e) }
      let exact = profile.probabilities[i]
      let error = exact * (Double.expMinusOne(e) * (1 + c.exp) + c.exp) + c.tiny
      p.append(Computed(exact: exact, error: error))
    }
    return p.allSatisfy { $0.error < .infinity }
  }

  // MARK: Derivatives

  /// dP: products of dO and values.
  private func products(_ row: Int) -> Bool {
    dP.removeAll(keepingCapacity: true)
    sizes.removeAll(keepingCapacity: true)
    let (width, way) = (shape.valueSize, precisions.widening)
    let relative = way.relative * (2 + way.relative)
    let growth = a.growth(width)
    let lost =
      (a.tiny + (largestGradient + forward.largestValue) * (1 + way.relative) * way.absolute
        + way.absolute * way.absolute)
    for j in profile.keys {
      var (sum, magnitude, error) = (0.0, 0.0, 0.0)
      for col in 0..<width {
        let x = gradient[row * width + col] * tensors.numbers.v[(keyHead * shape.keys + j) * width + col]
        sum += x
        magnitude += x.magnitude
        error = (error + relative * x.magnitude + lost) * (1 + a.u) + a.u * sum.magnitude
      }
      let usual = compounded(relative, growth) * magnitude + Double(width) * lost * (1 + growth)
      var e = isOrdered ? Swift.min(error, usual) : usual
      if a.overflows(magnitude + e) || precisions.narrowing.overflows(sum.magnitude + e) { return false }
      e += precisions.narrowing.error(sum.magnitude + e)
      dP.append(Computed(exact: sum, error: e))
      sizes.append(magnitude)
    }
    return true
  }

  /// dS = p(dP − D)·cap′.
  private func differences(_ row: Int) -> Bool {
    let exact = zip(p, dP).reduce(0) { $0 + $1.0.exact * $1.1.exact }
    let magnitude = zip(p, sizes).reduce(0) { $0 + $1.0.exact * $1.1 }
    // What D and differences from it may be off by here, where they are computed from a profile.
    let blur = 0x1p-38 * magnitude
    var d = Computed(
      exact: exact,
      error: runner.algorithm == .flash ? levelOfOutput(row) : levelOfProbabilities(exact, blur))
    if !(d.error < .infinity) || a.overflows(magnitude + d.error) || precisions.narrowing.overflows(d.upper) {
      return false
    }
    d.error += precisions.narrowing.error(d.upper)
    dS.removeAll(keepingCapacity: true)
    for i in profile.keys.indices {
      let x = dP[i]
      let difference = x.exact - d.exact
      let size = difference.magnitude + blur + 0x1p-45 * sizes[i]
      var t = Computed(exact: difference < 0 ? -size : size, error: x.error + d.error)
      t.error += c.u * t.upper
      if c.overflows(x.upper + d.upper + blur) { return false }
      var s = p[i].product(t)
      // Or p·dP − p·D, each rounded.
      s.error += isOrdered ? c.rounding(s.upper) : 2 * c.rounding(p[i].upper * (x.upper + d.upper))
      if let cap = forward.parameters.softcap {
        guard let slope = slope(i, row, cap) else { return false }
        s = s.product(slope)
        s.error += c.rounding(s.upper)
      }
      if !(s.error < .infinity) || c.overflows(s.upper) { return false }
      dS.append(s)
    }
    return true
  }

  /// The error of D from probabilities: what they share moves it by their dP's distance from it alone.
  private func levelOfProbabilities(_ level: Double, _ blur: Double) -> Double {
    let way = precisions.widening
    var (sum, full, rounding, moved) = (0.0, 0.0, 0.0, 0.0)
    var magnitude = 0.0
    for i in p.indices {
      let (p, x) = (p[i], dP[i])
      let most = p.upper * x.upper
      let each =
        p.upper * x.error + compounded(way.relative, way.relative) * most
        + way.absolute * (p.upper + x.upper) + way.absolute * way.absolute + a.tiny
      moved += shared[i] * ((x.exact - level).magnitude + 2 * blur) + own[i] * x.exact.magnitude + each
      full += p.error * x.exact.magnitude + each
      sum += p.exact * x.exact
      magnitude += most
      rounding = rounding * (1 + a.u) + a.u * (sum.magnitude + full)
    }
    let growth = a.growth(p.count)
    return moved * (1 + growth) + alone * (level.magnitude + blur)
      + (isOrdered ? rounding : growth * magnitude)
  }

  /// The error of D from the output as it was stored.
  private func levelOfOutput(_ row: Int) -> Double {
    let (width, way) = (shape.valueSize, precisions.widening)
    // Both come as inputs do.
    let relative = way.relative * (2 + way.relative)
    var (sum, magnitude, error, usual) = (0.0, 0.0, 0.0, 0.0)
    for col in 0..<width {
      let (g, o) = (gradient[row * width + col], output[col])
      let most = g.magnitude * (o.magnitude + outputErrors[col])
      let each =
        g.magnitude * outputErrors[col] + relative * most
        + way.absolute * (g.magnitude + o.magnitude + outputErrors[col] + way.absolute) + a.tiny
      sum += g * o
      magnitude += most
      usual += each
      error = (error + each) * (1 + a.u) + a.u * sum.magnitude
    }
    let growth = a.growth(width)
    return isOrdered ? error : usual * (1 + growth) + growth * magnitude
  }

  /// 1 − tanh².
  private func slope(_ i: Int, _ row: Int, _ cap: Double) -> Computed? {
    let (score, bias) = (profile.scores[i], profile.biases[i])
    let s = forward.scoring.multiplied(
      profile, i, partial: forward.partials[i], whole: isOrdered ? forward.wholes[i] : 0, query: row,
      key: keyHead * shape.keys + profile.keys[i])
    let tangent = (score - bias) / cap
    let least = Swift.max(0, tangent.magnitude - 0x1p-38 * (1 + bias.magnitude / cap))
    let e = forward.scoring.tangent(s.size, atLeast: least, s.error, cap).error
    guard e < .infinity else { return nil }
    let t = Computed(exact: tangent.magnitude + 0x1p-38 * (1 + bias.magnitude / cap), error: e)
    var square = t.product(t)
    square.error += c.rounding(square.upper)
    // Of a number near 0 no more than what was subtracted is known.
    let size = (1 - tangent * tangent).magnitude + 0x1p-36 * (1 + bias.magnitude / cap)
    var slope = Computed(exact: size, error: square.error)
    slope.error += c.u * slope.upper
    return slope
  }
}
