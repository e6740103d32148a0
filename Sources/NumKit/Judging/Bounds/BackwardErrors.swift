import CJudging
import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// Sound bounds on the gradients that a backward pass of ours gives for one key head (Documentation/Bounds.md, "Attention's backward pass").
///
/// What the forward pass errs by is `AttentionErrors`'; from there the error runs along with the row's own numbers: dP and D with their
/// partial sums, dS, the casts of P and dS, the sums over keys and over queries.
package struct BackwardErrors {
  /// The errors of one head's gradients before they are stored, rows of dQ, dK and dV.
  private struct Head {
    var q: [Double] = []
    var k: [Double] = []
    var v: [Double] = []
  }

  private let isFlash: Bool
  private let tensors: AttentionInputs
  private let gradient: [Double]
  private let parameters: AttentionParameters
  private let scale: Double
  /// The forward pass on the row that is under way.
  private var forward: AttentionErrors
  /// The same for flash's outputs.
  private var outputs: AttentionErrors
  /// dS on its way to what P is cast to.
  private let casting: Conversion
  /// Outputs on their way into sums.
  private let reading: Conversion
  private var profile = AttentionProfile()
  /// The head that was bounded last; nil for one without a bound.
  private var known = -1
  private var head: Head?

  private var c: Precision { forward.precisions.compute }
  private var a: Precision { forward.precisions.accumulator }

  /// nil where no bound was derived: caps, sentinels, a compute format of more than 32 digits, and where the forward pass has none.
  package init?(
    _ runner: BackwardRunner, _ tensors: AttentionInputs, gradient: [Double],
    _ parameters: AttentionParameters
  ) {
    let forward = runner.forward
    guard parameters.isDifferentiable, parameters.softcap == nil, forward.sentinel == nil,
      forward.configuration.compute.precision <= 32,
      gradient.count == tensors.shape.heads * tensors.shape.queries * tensors.shape.valueSize,
      [tensors.q, tensors.k, tensors.v, gradient].allSatisfy({ $0.allSatisfy(\.isFinite) }),
      let errors = AttentionErrors(forward, tensors, parameters)
    else { return nil }
    isFlash = forward.algorithm == .flash
    self.tensors = tensors
    self.gradient = gradient
    self.parameters = parameters
    self.forward = errors
    outputs = errors
    scale = parameters.scale ?? 1 / Double(tensors.shape.headSize).squareRoot()
    casting = Conversion(to: errors.p, from: errors.precisions.compute)
    reading = Conversion(to: errors.precisions.accumulator, from: errors.precisions.storage)
  }

  /// Writes bounds on the absolute errors of a row of results, whose exact ones are `exact`, into `bounds`.
  package mutating func bound(
    _ row: ResultRow, keyHead: Int, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    if keyHead != known {
      known = keyHead
      head = gather(keyHead)
    }
    guard let head else { return .none }
    let shape = tensors.shape
    let (errors, place) =
      switch row.part {
      case 0: (head.q, row.row - shape.rows(ofKeyHead: keyHead).lowerBound)
      case 1: (head.k, row.row - keyHead * shape.keys)
      default: (head.v, row.row - keyHead * shape.keys)
      }
    let p = forward.precisions
    var (worst, largest) = (0.0, 0.0)
    for i in exact.indices {
      let e = errors[place * row.count + i]
      // Where the bound is on what overflowing results would be, it must be known that they overflow in storing alone.
      guard e < .infinity, p.storesAsComputed || !c.overflows(exact[i].magnitude + e) else {
        return .none
      }
      bounds[i] = p.stored(exact[i], e) * (1 + 0x1p-20)
      worst = Swift.max(worst, bounds[i])
      largest = Swift.max(largest, exact[i].magnitude)
    }
    return worst >= largest && largest > 0 ? .vacuous : .sound
  }

  // MARK: A head

  /// Sums that run over the queries of a head: exactly, and what the computed ones are off by.
  private struct Sums {
    var exact: [Double]
    var errors: [Double]

    init(_ count: Int) {
      exact = Array(repeating: 0, count: count)
      errors = exact
    }
  }

  private mutating func gather(_ keyHead: Int) -> Head? {
    let shape = tensors.shape
    let (d, width) = (shape.headSize, shape.valueSize)
    var keys = Sums(shape.keys * d)
    var values = Sums(shape.keys * width)
    var head = Head()
    for row in shape.rows(ofKeyHead: keyHead) {
      see(row, keyHead)
      if profile.keys.isEmpty {
        // Without a key there is nothing to derive, but where policy makes a number of it.
        guard profile.sink != nil || parameters.specialValues == .safe else { return nil }
        head.q += [Double](repeating: 0, count: d)
        continue
      }
      guard forward.prepare(profile, row, keyHead),
        let p = isFlash ? recomputed(row) : normalised(),
        let ds = differentiated(p.weights, p.excess, row, keyHead),
        add(p.weights, ds, row, keyHead, &keys, &values), let q = query(ds, row, keyHead)
      else { return nil }
      head.q += q
    }
    let isBefore = parameters.placement == .before
    for i in keys.exact.indices {
      guard let e = finished(keys.exact[i], keys.errors[i], isScaled: !isBefore) else { return nil }
      head.k.append(e)
    }
    for i in values.exact.indices {
      guard let e = finished(values.exact[i], values.errors[i], isScaled: false) else { return nil }
      head.v.append(e)
    }
    return head
  }

  /// A sum on its way to compute, and the product with the scale.
  private func finished(_ exact: Double, _ error: Double, isScaled: Bool) -> Double? {
    let narrowing = forward.precisions.narrowing
    if a.overflows(exact.magnitude + error) || narrowing.overflows(exact.magnitude + error) {
      return nil
    }
    var e = error + narrowing.error(exact.magnitude + error)
    if isScaled {
      let (s, own) = (scale.magnitude, forward.scoring.scaleError)
      e = e * s * (1 + own) + own * exact.magnitude * s
      let size = exact.magnitude * s + e
      if c.overflows(size) { return nil }
      e += forward.scoring.productError > 0 ? c.rounding(size) : Swift.min(c.tiny, size)
    }
    return e < .infinity ? e : nil
  }

  /// The scores of a row, in Double.
  private mutating func see(_ row: Int, _ keyHead: Int) {
    let shape = tensors.shape
    let (d, m) = (shape.headSize, shape.keys)
    let (h, i) = (row / shape.queries, row % shape.queries)
    profile = AttentionProfile()
    profile.sink = parameters.softmax.sink(head: h)
    for j in 0..<m {
      let bias = parameters.mask.bias(head: h, query: i, key: j, queries: shape.queries, keys: m)
      if bias == -.infinity { continue }
      var (s, size) = (0.0, 0.0)
      for c in 0..<d {
        let product = tensors.q[row * d + c] * tensors.k[(keyHead * m + j) * d + c]
        s += product
        size += product.magnitude
      }
      profile.keys.append(j)
      profile.biases.append(bias)
      profile.scores.append(s * scale + bias)
      profile.magnitudes.append(size * scale.magnitude)
    }
    profile.isRegular = !profile.keys.isEmpty
    let top = profile.scores.reduce(profile.sink ?? -.infinity, Swift.max)
    let sum = profile.scores.reduce(profile.sink.map { Double.exp($0 - top) } ?? 0) {
      $0 + Double.exp($1 - top)
    }
    profile.logSumExp = top + Double.log(sum)
    profile.probabilities = profile.scores.map { Double.exp($0 - top) / sum }
  }

  /// How far a probability of the row may be off as a Double, relative to it.
  private var blur: Double {
    let size = profile.magnitudes.reduce(0, Swift.max) + profile.logSumExp.magnitude
    return (size * Double(tensors.shape.headSize + 4) + Double(profile.keys.count) + 16) * 0x1p-50
  }

  // MARK: A row

  /// Probabilities as they are computed from the row's exponentials; `excess` bounds what their sum is off by.
  private typealias Weights = (weights: [Computed], excess: Double)

  private func normalised() -> Weights? {
    guard let total = forward.total(), total.least > 0 else { return nil }
    var excess = total.alone / total.least
    var whole = 0.0
    let blur = blur
    let weights = profile.keys.indices.map { i in
      var (q, own) = forward.probability(forward.terms[i], total)
      q = Computed(exact: profile.probabilities[i], error: q.error + blur * q.upper)
      excess += own + blur * q.upper
      whole += q.error
      return q
    }
    return (weights, profile.sink == nil ? Swift.min(excess, whole) : whole)
  }

  /// e^(s − lse) from the forward pass's log-sum-exp.
  private mutating func recomputed(_ row: Int) -> Weights? {
    let (alone, _, _) = forward.rescaled(profile)
    let (sum, error) = forward.terms.reduce((0, alone)) { ($0.0 + $1.exact, $0.1 + $1.error) }
    guard error < sum else { return nil }
    let p = forward.precisions
    let lse = profile.logSumExp
    // The sum's error, its logarithm, the maximum.
    var e = -Double.log(onePlus: -error / sum)
    let log = Double.log(Double(forward.terms.count) + 1) + forward.laziness + e
    e += Swift.max(a.log * log, a.tiny)
    if p.isWide {
      e += p.widening.error(forward.top.magnitude + forward.topError + forward.laziness)
      e += a.rounding(lse.magnitude + e)
    } else {
      e += p.narrowing.error(log + e)
      e += c.rounding(lse.magnitude + e)
    }
    if a.overflows(lse.magnitude + e) || c.overflows(lse.magnitude + e) { return nil }
    var excess = 0.0
    let blur = blur
    var weights: [Computed] = []
    for i in profile.keys.indices {
      let s = profile.scores[i]
      var x = forward.scoreErrors[i] + e
      let size = (lse - s).magnitude + x
      if p.isWide {
        x += p.widening.error(s.magnitude + forward.scoreErrors[i])
        x += a.u * (size + x)
        x += p.narrowing.error(size + x)
      } else {
        x += c.u * size
      }
      if c.overflows(size + x) || a.overflows(size + x) { return nil }
      let relative = Double.expMinusOne(x) * (1 + c.exp) + c.exp + blur
      let q = Computed(
        exact: profile.probabilities[i], error: profile.probabilities[i] * relative + c.tiny)
      excess += q.error
      weights.append(q)
    }
    return (weights, excess)
  }

  /// dS before the scale; nil where something may overflow.
  private mutating func differentiated(
    _ p: [Computed], _ excess: Double, _ row: Int, _ keyHead: Int
  )
    -> [Computed]?
  {
    let shape = tensors.shape
    let (m, width) = (shape.keys, shape.valueSize)
    let way = forward.precisions.widening
    let narrowing = forward.precisions.narrowing
    let largest = forward.largestValue
    let growth = a.growth(width)
    let g = gradient[row * width..<(row + 1) * width]
    let peak = g.reduce(0) { Swift.max($0, $1.magnitude) }
    if way.overflows(peak) || way.overflows(largest) { return nil }
    let lost =
      Double(width)
      * ((1 + way.relative) * way.absolute * (peak + largest) + way.absolute * way.absolute + a.tiny)
    let inputs = compounded(way.relative, way.relative)
    var derivatives: [Computed] = []
    for j in profile.keys {
      var (s, partial, whole) = (0.0, 0.0, 0.0)
      for (c, x) in g.enumerated() {
        let product = x * tensors.v[(keyHead * m + j) * width + c]
        s += product
        partial += s.magnitude
        whole += product.magnitude
      }
      var e = Swift.min(
        compounded(inputs, growth) * whole, (1 + growth) * (inputs * whole + a.u * partial))
      e += lost * (1 + growth) + whole * Double(width) * 0x1p-52
      if a.overflows(whole + e) || narrowing.overflows(s.magnitude + e) { return nil }
      e += narrowing.error(s.magnitude + e)
      derivatives.append(Computed(exact: s, error: e))
    }
    let exact = zip(p, derivatives).reduce(0) { $0 + $1.0.exact * $1.1.exact }
    guard
      var level = isFlash
        ? outputLevel(row, keyHead, g, exact) : rowLevel(p, excess, derivatives, exact)
    else { return nil }
    if a.overflows(exact.magnitude + level) || narrowing.overflows(exact.magnitude + level) {
      return nil
    }
    level += narrowing.error(exact.magnitude + level)
    // What the exact one is off by as a Double.
    let blur = blur
    for (p, dp) in zip(p, derivatives) { level += blur * p.exact * dp.exact.magnitude }
    var ds: [Computed] = []
    for (p, dp) in zip(p, derivatives) {
      let x = (dp.exact - exact).magnitude
      var e = dp.error + level
      if c.overflows(x + e) { return nil }
      e += Swift.min(c.u * (x + e), Swift.min(dp.upper, exact.magnitude + level))
      let size = p.exact * x
      var error = p.exact * e + p.error * (x + e)
      if c.overflows(size + error) { return nil }
      error += c.rounding(size + error)
      ds.append(Computed(exact: p.exact * (dp.exact - exact), error: error))
    }
    return ds
  }

  /// The error of Σ p dP, which what all p have too much moves by D alone.
  private func rowLevel(_ p: [Computed], _ excess: Double, _ derivatives: [Computed], _ d: Double)
    -> Double?
  {
    let way = forward.precisions.widening
    var e = excess * d.magnitude
    var (sum, whole) = (0.0, 0.0)
    for (p, dp) in zip(p, derivatives) {
      let (wide, narrow) = (way.error(p.upper), way.error(dp.upper))
      let own = p.upper * (dp.error + narrow) + wide * (dp.upper + narrow)
      e += p.error * (dp.exact - d).magnitude + own
      whole += p.error * dp.exact.magnitude + own
      sum += p.exact * dp.exact
      let term = (p.upper + wide) * (dp.upper + narrow)
      if a.overflows(sum.magnitude + whole + term) || way.overflows(dp.upper) { return nil }
      let rounding = Swift.min(a.u * (sum.magnitude + whole), term) + a.tiny
      e += rounding
      whole += rounding + term * Double(profile.keys.count) * 0x1p-52
      e += term * Double(profile.keys.count) * 0x1p-52
    }
    return e
  }

  /// The error of Σ dO∘o with the stored o.
  private mutating func outputLevel(
    _ row: Int, _ keyHead: Int, _ g: ArraySlice<Double>, _ d: Double
  )
    -> Double?
  {
    let shape = tensors.shape
    let width = shape.valueSize
    var o = [Double](repeating: 0, count: width)
    for (i, j) in profile.keys.enumerated() {
      for c in 0..<width {
        o[c] += profile.probabilities[i] * tensors.v[(keyHead * shape.keys + j) * width + c]
      }
    }
    var bounds = o
    let kind = outputs.bound(profile, row: row, truth: o, into: &bounds)
    guard kind == .sound || kind == .vacuous else { return nil }
    let way = forward.precisions.widening
    var (e, sum) = (0.0, 0.0)
    for (c, x) in g.enumerated() {
      let off = bounds[c] + forward.largestValue * Double(profile.keys.count) * 0x1p-52
      let upper = o[c].magnitude + off
      if forward.precisions.storage.overflows(upper) || reading.overflows(upper) { return nil }
      let (read, wide) = (reading.error(upper), way.error(x.magnitude))
      let term = (x.magnitude + wide) * (upper + read)
      e += x.magnitude * (off + read) + wide * (upper + read)
      sum += x * o[c]
      if a.overflows(sum.magnitude + e + term) { return nil }
      e += Swift.min(a.u * (sum.magnitude + e), term) + a.tiny + term * Double(width) * 0x1p-52
    }
    return e
  }

  /// Adds a row's share of dK and dV; false where something may overflow.
  private func add(
    _ p: [Computed], _ ds: [Computed], _ row: Int, _ keyHead: Int, _ keys: inout Sums,
    _ values: inout Sums
  ) -> Bool {
    let shape = tensors.shape
    let (d, width) = (shape.headSize, shape.valueSize)
    let isBefore = parameters.placement == .before
    let q = tensors.q[row * d..<(row + 1) * d].map { isBefore ? $0 * scale : $0 }
    let g = Array(gradient[row * width..<(row + 1) * width])
    let operand = forward.scoring.query(row)
    let way = forward.precisions.widening
    for (i, j) in profile.keys.enumerated() {
      guard let weight = cast(p[i]), let derivative = castDerivative(ds[i]) else { return false }
      guard run(weight, g, (way.relative, way.absolute), &values, at: j * width),
        run(derivative, q, (operand.relative, operand.absolute), &keys, at: j * d)
      else { return false }
    }
    return true
  }

  /// dQ of a row, tile after tile.
  private func query(_ ds: [Computed], _ row: Int, _ keyHead: Int) -> [Double]? {
    let shape = tensors.shape
    let d = shape.headSize
    let block = isFlash ? forward.runner.blockKeys : shape.keys
    let operand = forward.scoring.key(keyHead * shape.keys)
    var sums = Sums(d)
    var tile = Sums(d)
    func close() {
      for c in 0..<d {
        let (s, e) = (sums.exact[c] + tile.exact[c], sums.errors[c] + tile.errors[c])
        let rounding = Swift.min(
          a.u * (s.magnitude + e),
          Swift.min(
            sums.exact[c].magnitude + sums.errors[c], tile.exact[c].magnitude + tile.errors[c]))
        (sums.exact[c], sums.errors[c]) = (s, e + rounding)
      }
      tile = Sums(d)
    }
    for (i, j) in profile.keys.enumerated() {
      if i > 0, j / block != profile.keys[i - 1] / block { close() }
      guard let derivative = castDerivative(ds[i]) else { return nil }
      let key = keyHead * shape.keys + j
      let row = Array(tensors.k[key * d..<(key + 1) * d])
      guard run(derivative, row, (operand.relative, operand.absolute), &tile, at: 0) else {
        return nil
      }
    }
    close()
    var errors: [Double] = []
    for c in 0..<d {
      guard let e = finished(sums.exact[c], sums.errors[c], isScaled: true) else { return nil }
      errors.append(e)
    }
    return errors
  }

  /// A probability on its way through P; nil where it may overflow.
  private func cast(_ p: Computed) -> Computed? {
    let size = p.upper * forward.runner.probabilityScale * (1 + forward.p.u)
    if c.overflows(size) || forward.casting.overflows(size) || forward.using.overflows(size) {
      return nil
    }
    return forward.cast(p, lift: 1).0
  }

  private func castDerivative(_ x: Computed) -> Computed? {
    if casting.overflows(x.upper) { return nil }
    let cast = x.erring(by: casting.error(x.upper))
    if forward.using.overflows(cast.upper) { return nil }
    return cast.erring(by: forward.using.error(cast.upper))
  }

  /// sums += w·x in fused multiply-adds, x as it stands in the accumulator; false where they may overflow.
  private func run(
    _ w: Computed, _ x: [Double], _ loss: (relative: Double, absolute: Double), _ sums: inout Sums,
    at place: Int
  ) -> Bool {
    var most = 0.0
    sums.exact.withUnsafeMutableBufferPointer { exact in
      sums.errors.withUnsafeMutableBufferPointer { errors in
        guard let exact = exact.baseAddress, let errors = errors.baseAddress else { return }
        most = nc_product_errors(
          w.exact, w.error, x, x.count, loss.relative, loss.absolute, a.u, a.tiny, exact + place,
          errors + place)
      }
    }
    return !a.overflows(most)
  }
}

/// The bounds of a backward pass of ours.
struct BackwardErrorModel: ErrorModel {
  typealias Q = AttentionBackward

  private let runner: BackwardRunner
  private let parameters: AttentionParameters
  /// Of the tensors that were seen first.
  private var errors: BackwardErrors?
  private var isPrepared = false

  init?(_ runner: BackwardRunner, _ parameters: AttentionParameters) {
    if BoundBasis(runner.forward, hasSoftcap: parameters.softcap != nil).isHopeless { return nil }
    self.runner = runner
    self.parameters = parameters
  }

  mutating func bound(
    _ row: ResultRow, of item: AttentionBackward.Item, _: Void, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    if !isPrepared {
      errors = BackwardErrors(runner, item.tensors, gradient: item.gradient, parameters)
      isPrepared = true
    }
    return errors?.bound(row, keyHead: item.keyHead, exact: exact, into: bounds) ?? RowBound.none
  }
}
