import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// Sound bounds on the errors of attention's gradients: what a correct backward pass may do to the inputs it got. Derived in
/// `Documentation/Bounds.md`, "Gradients of attention".
///
/// The error runs along the computation: scores and probabilities as in `AttentionErrors`; dP; D = Σ p·dP, or Σ dO·o of the stored output;
/// dS; casts of P and dS; the three sums; the scale. Sums of a kernel of ours are followed with the head's actual partial sums.
final class BackwardErrors {
  /// Sums over queries or keys on the way: exact ones (of magnitudes, where the order is unknown), and what they are off by.
  private struct Sums {
    var exact: [Double] = []
    var error: [Double] = []

    mutating func reset(_ count: Int) {
      exact = Array(repeating: 0, count: count)
      error = exact
    }
  }

  private let gradient: [Double]
  private let isOrdered: Bool
  private var forward: AttentionErrors
  private var prover: AttentionProver
  private var profile = AttentionProfile()
  private var truths: [Truth] = [Truth()]
  private let largestGradient: Double

  // One key head's.
  private(set) var keyHead = -1
  /// What the head's keys and values have; nil where they have no answer.
  private var whole: RowBound? = RowBound.none
  /// The same of each query.
  private var kinds: [RowBound?] = []
  private var queries = Sums()
  private var keys = Sums()
  private var values = Sums()
  private var tile = Sums()

  // One query's, key after key.
  private var p: [Computed] = []
  /// What a probability shares with the others, and what it is off by alone.
  private var shared: [Double] = []
  private var own: [Double] = []
  /// What the divisor errs by alone, relative to it.
  private var alone = 0.0
  private var dP: [Computed] = []
  private var dS: [Computed] = []
  /// Σ |dO·v|, of which a part is lost in Double where terms cancel.
  private var sizes: [Double] = []
  private var output: [Double] = []
  private var outputErrors: [Double] = []

  private var shape: AttentionShape { forward.tensors.shape }
  private var runner: AttentionRunner { forward.runner }
  private var c: Precision { forward.c }
  private var a: Precision { forward.a }
  private var precisions: Precisions { forward.precisions }

  /// A kernel of ours sums in the order that it says (`isOrdered`), another's in any. nil where no bound was derived: what
  /// `AttentionErrors` has none for, and sentinels.
  init?(
    _ runner: BackwardRunner, _ tensors: AttentionInputs, gradient: [Double],
    _ parameters: AttentionParameters,
    isOrdered: Bool
  ) {
    guard runner.forward.sentinel == nil, parameters.isDifferentiable,
      let forward = AttentionErrors(runner.forward, tensors, parameters, isOrdered: isOrdered),
      let prover = try? AttentionProver(tensors, parameters, format: .f32)
    else { return nil }
    self.forward = forward
    self.prover = prover
    self.gradient = gradient
    self.isOrdered = isOrdered
    largestGradient = gradient.reduce(0) { Swift.max($0, $1.magnitude) }
    let way = forward.precisions.widening
    if way.overflows(largestGradient) || way.overflows(tensors.largestValue) { return nil }
  }

  /// Writes the bounds of a row of results, whose exact numbers are `exact`.
  func bound(
    _ row: ResultRow, keyHead: Int, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    if keyHead != self.keyHead { look(keyHead) }
    let s = shape
    let before = forward.parameters.placement == .before
    switch row.part {
    case 0:
      let place = row.row - s.rows(ofKeyHead: keyHead).lowerBound
      guard let kind = kinds[place] else { return nil }
      if kind == .none { return kind }
      return finish(queries, place * s.headSize, exact, terms: s.keys + 1, isScaled: true, into: bounds)
    case 1:
      guard let whole else { return nil }
      if whole == .none { return whole }
      let place = (row.row - keyHead * s.keys) * s.headSize
      return finish(keys, place, exact, terms: kinds.count, isScaled: !before, into: bounds)
    default:
      guard let whole else { return nil }
      if whole == .none { return whole }
      let place = (row.row - keyHead * s.keys) * s.valueSize
      return finish(values, place, exact, terms: kinds.count, isScaled: false, into: bounds)
    }
  }

  /// From sums to results: on the way to C, scaled, stored.
  private func finish(
    _ sums: Sums, _ start: Int, _ exact: UnsafeBufferPointer<Double>, terms: Int, isScaled: Bool,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    let scoring = forward.scoring
    let factor = isScaled ? scoring.scale : 1
    let growth = a.growth(terms)
    var (worst, largest) = (0.0, 0.0)
    for i in exact.indices {
      let size = exact[i].magnitude
      // Probabilities on the way may be 0 in Double.
      if c.format.significandBits == 52, size > 0, size < 0x1p-900 { return .none }
      var e = sums.error[start + i]
      var most = sums.exact[start + i].magnitude + e
      if !isOrdered {
        e = e * (1 + growth) + growth * sums.exact[start + i]
        most = (sums.exact[start + i] + sums.error[start + i]) * (1 + growth)
      }
      if a.overflows(most) || precisions.narrowing.overflows(size / factor + e) { return .none }
      e += precisions.narrowing.error(size / factor + e)
      if isScaled {
        e = e * factor * (1 + scoring.scaleError) + scoring.scaleError * size
        e += scoring.productError > 0 ? c.rounding(size + e) : Swift.min(c.tiny, size + e)
      }
      if c.overflows(size + e) && !precisions.storesAsComputed { return .none }
      e = precisions.stored(size, e) * (1 + 0x1p-20)
      if !(e < .infinity) { return .none }
      bounds[i] = e
      worst = Swift.max(worst, e)
      largest = Swift.max(largest, size)
    }
    return worst >= largest && largest > 0 ? .vacuous : .sound
  }

  // MARK: One key head

  private func look(_ kv: Int) {
    keyHead = kv
    let s = shape
    let rows = s.rows(ofKeyHead: kv)
    whole = .sound
    kinds = []
    queries.reset(rows.count * s.headSize)
    keys.reset(s.keys * s.headSize)
    values.reset(s.keys * s.valueSize)
    for (place, row) in rows.enumerated() {
      let kind = query(row, place)
      kinds.append(kind)
      // Who has no answer makes that of all keys: its probabilities are NaN.
      guard let known = kind else {
        whole = nil
        continue
      }
      if known == .none { whole = whole.map { $0.worse(.none) } }
    }
  }

  /// One query's share in all sums.
  private func query(_ row: Int, _ place: Int) -> RowBound? {
    prover.answer(item(row), into: &truths)
    prover.profile(of: item(row), into: &profile)
    if profile.keys.isEmpty {
      if profile.hasMinusInfinity { return RowBound.none }
      return profile.sink == nil ? blind(row) : .sound
    }
    guard profile.isRegular else { return RowBound.none }
    let (width, first) = (shape.valueSize, keyHead * shape.keys)
    output = Array(repeating: 0, count: width)
    for (i, j) in profile.keys.enumerated() {
      for col in 0..<width {
        output[col] += profile.probabilities[i] * forward.tensors.v[(first + j) * width + col]
      }
    }
    outputErrors = output
    guard
      let kind = forward.bound(profile, row: row, truth: output, into: &outputErrors), kind != .none,
      probabilities(), products(row), differences(row)
    else { return RowBound.none }
    return gather(row, place) ? .sound : RowBound.none
  }

  private func item(_ row: Int) -> AttentionForward.Item {
    var item = AttentionQueries(forward.tensors, block: 1).makeItem()
    item.row = row
    // As many as the truth likes to answer together.
    let first = row / 32 * 32
    item.block = first..<Swift.min(first + 32, shape.heads * shape.queries)
    return item
  }

  /// Of a query that sees nothing: 1/m of dO for every value, where that is asked.
  private func blind(_ row: Int) -> RowBound? {
    switch forward.parameters.specialValues {
    case .ieee: return nil
    case .safe: return .sound
    case .uniform: break
    }
    let exact = 1 / Double(shape.keys)
    let error = 2 * c.rounding(exact) + (c.format.round(Double(shape.keys)) * exact - 1).magnitude * exact
    let weight = Computed(exact: exact, error: error + precisions.widening.error(exact + error))
    for j in 0..<shape.keys { addValue(weight, j, row) }
    return .sound
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
    guard let divisor = forward.weigh(profile)?.divisor else { return false }
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
        let x = gradient[row * width + col] * forward.tensors.v[(keyHead * shape.keys + j) * width + col]
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

  // MARK: Sums

  /// Adds the query's share: dV += P dO, dK += dS q, dQ += dS k, of P and dS as they were cast.
  private func gather(_ row: Int, _ place: Int) -> Bool {
    let size = shape.headSize
    var (q, k) = (forward.scoring.queries[0], forward.scoring.keys[0])
    if !isOrdered && forward.scoring.productError > 0 {
      // Wherever another's scale is multiplied.
      let anywhere = forward.scoring.scaleError + 3 * c.u
      (q.relative, k.relative) = (compounded(q.relative, anywhere), compounded(k.relative, anywhere))
    }
    let factor = forward.parameters.placement == .before ? forward.scoring.scale : 1
    tile.reset(size)
    var last = -1
    func close() {
      if last < 0 { return }
      for col in 0..<size { add(tile.exact[col], tile.error[col], 0, &queries, place * size + col) }
      tile.reset(size)
    }
    for (i, j) in profile.keys.enumerated() {
      guard let weight = cast(p[i]), let slope = cast(dS[i], isProbability: false) else { return false }
      addValue(weight, j, row)
      if runner.algorithm == .flash && j / runner.blockKeys != last {
        close()
        last = j / runner.blockKeys
      }
      last = Swift.max(last, 0)
      for col in 0..<size {
        let x = forward.tensors.q[row * size + col] * factor
        addTerm(slope, x, q, &keys, j * size + col)
        let y = forward.tensors.k[(keyHead * shape.keys + j) * size + col]
        addTerm(slope, y, k, &tile, col)
      }
    }
    close()
    return true
  }

  /// A number of C on its way through P into the accumulator; nil where it may overflow.
  private func cast(_ x: Computed, isProbability: Bool = true) -> Computed? {
    let s = isProbability ? runner.probabilityScale : 1
    var y = x
    if c.overflows(x.upper * s) || forward.casting.overflows(x.upper * s) { return nil }
    // Multiplied by a power of two, which loses digits below the normal range alone.
    if s < 1 { y.error += Swift.min(c.tiny / s, y.upper) }
    y.error += forward.casting.error(y.upper, lift: 1 / s)
    if forward.using.overflows(y.upper * s) { return nil }
    y.error += forward.using.error(y.upper, lift: 1 / s)
    if s > 1 { y.error += Swift.min(a.tiny, y.upper) }
    return y
  }

  private func addValue(_ weight: Computed, _ j: Int, _ row: Int) {
    let width = shape.valueSize
    let way = precisions.widening
    var g = Operand(largest: largestGradient)
    g = g.converted(way)
    for col in 0..<width { addTerm(weight, gradient[row * width + col], g, &values, j * width + col) }
  }

  /// Adds the product of a computed number and an input, which is on its way as `operand` says.
  private func addTerm(_ x: Computed, _ y: Double, _ operand: Operand, _ sums: inout Sums, _ place: Int) {
    let most = y.magnitude * (1 + operand.relative) + operand.absolute
    let error =
      x.error * most + x.exact.magnitude * (operand.relative * y.magnitude + operand.absolute)
    add(x.exact * y, error, a.tiny, &sums, place)
  }

  /// Adds a term of a sum, its error and what its product loses below the normal range.
  private func add(_ term: Double, _ error: Double, _ lost: Double, _ sums: inout Sums, _ place: Int) {
    if isOrdered {
      sums.exact[place] += term
      // Terms that cancel do so in Double.
      let e = sums.error[place] + error + lost + a.u * 0x1p-36 * term.magnitude
      let most = sums.exact[place].magnitude + e
      sums.error[place] = a.overflows(most) ? .infinity : e + a.u * most
    } else {
      sums.exact[place] += term.magnitude + error
      sums.error[place] += error + lost
    }
  }
}

/// What a backward pass may err by: one key head after another.
package struct BackwardErrorModel: ErrorModel {
  package typealias Q = AttentionBackward

  private let errors: BackwardErrors

  /// nil where no bound was derived.
  package init?(
    _ runner: BackwardRunner, _ tensors: AttentionInputs, gradient: [Double],
    _ parameters: AttentionParameters,
    isOrdered: Bool
  ) {
    guard
      let errors = BackwardErrors(
        runner, tensors, gradient: gradient, parameters, isOrdered: isOrdered),
      !BoundBasis(runner.forward, hasSoftcap: parameters.softcap != nil).isHopeless
    else { return nil }
    self.errors = errors
  }

  package mutating func bound(
    _ row: ResultRow, of item: AttentionBackward.Item, _ profile: Void, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    errors.bound(row, keyHead: item.keyHead, exact: exact, into: bounds)
  }
}
