import NumKitKernels
import NumKitNumbers
import NumKitQuestions

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

    /// Adds x·factor times each of the inputs from `y` on to the sums from `place` on; returns the most that a sum may be.
    mutating func add(
      _ x: Computed, times y: UnsafeBufferPointer<Double>, _ input: Operand, factor: Double = 1,
      at place: Int,
      _ adding: Addition
    ) -> Double {
      let size = x.exact.magnitude
      let weight = x.exact * factor
      // By which each of |y|·factor is multiplied, and what is added whatever it is.
      let relative = (x.error * (1 + input.relative) + size * input.relative) * factor
      let absolute = (x.error + size) * input.absolute + adding.lost
      var most = 0.0
      exact.withUnsafeMutableBufferPointer { exact in
        error.withUnsafeMutableBufferPointer { error in
          guard let u = adding.u else {
            for c in y.indices {
              let e = relative * y[c].magnitude + absolute
              exact[place + c] += (weight * y[c]).magnitude + e
              error[place + c] += e
            }
            return
          }
          for c in y.indices {
            let term = weight * y[c]
            let sum = exact[place + c] + term
            // Terms that cancel do so in Double.
            let e =
              error[place + c] + relative * y[c].magnitude + absolute + u * 0x1p-36 * term.magnitude
            let upper = sum.magnitude + e
            exact[place + c] = sum
            error[place + c] = e + u * upper
            most = Swift.max(most, upper)
          }
        }
      }
      return most
    }

    /// Adds sums that were gathered apart.
    mutating func add(_ other: Sums, at place: Int, _ adding: Addition) -> Double {
      var most = 0.0
      for c in other.exact.indices {
        exact[place + c] += other.exact[c]
        let e = error[place + c] + other.error[c]
        let upper = exact[place + c].magnitude + e
        error[place + c] = e + (adding.u ?? 0) * upper
        most = Swift.max(most, upper)
      }
      return most
    }
  }

  /// What an addition rounds by, nil where the order is unknown, and what a product loses below the normal range.
  private struct Addition {
    let u: Double?
    let lost: Double
  }

  private let derivatives: DerivativeErrors

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

  private let isOrdered: Bool
  private let adding: Addition
  private let tensors: AttentionInputs
  private let shape: AttentionShape
  private let runner: AttentionRunner
  private let parameters: AttentionParameters
  private let scoring: ScoreErrors
  private let precisions: Precisions
  private let c: Precision
  private let a: Precision
  /// To P and from there.
  private let casting: Conversion
  private let using: Conversion

  /// A kernel of ours sums in the order that it says (`isOrdered`), another's in any. nil where `DerivativeErrors` has none.
  init?(
    _ runner: BackwardRunner, _ tensors: AttentionInputs, gradient: [Double],
    _ parameters: AttentionParameters, isOrdered: Bool
  ) {
    guard
      let derivatives = DerivativeErrors(
        runner, tensors, gradient: gradient, parameters, isOrdered: isOrdered)
    else { return nil }
    let forward = derivatives.forward
    self.derivatives = derivatives
    self.isOrdered = isOrdered
    adding = Addition(u: isOrdered ? forward.a.u : nil, lost: forward.a.tiny)
    self.tensors = tensors
    self.parameters = parameters
    self.runner = runner.forward
    shape = tensors.shape
    scoring = forward.scoring
    precisions = forward.precisions
    (c, a) = (forward.c, forward.a)
    (casting, using) = (forward.casting, forward.using)
  }

  /// Writes the bounds of a row of results, whose exact numbers are `exact`.
  func bound(
    _ row: ResultRow, keyHead: Int, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    if keyHead != self.keyHead { look(keyHead) }
    let s = shape
    let before = parameters.placement == .before
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
    switch derivatives.look(row, keyHead: keyHead) {
    case .regular: gather(row, place) ? .sound : RowBound.none
    case .nothing: .sound
    case .blind: blind(row)
    case .unknown: RowBound.none
    }
  }

  /// Of a query that sees nothing: 1/m of dO for every value, where that is asked.
  private func blind(_ row: Int) -> RowBound? {
    switch parameters.specialValues {
    case .ieee: return nil
    case .safe: return .sound
    case .uniform: break
    }
    let exact = 1 / Double(shape.keys)
    let error = 2 * c.rounding(exact) + (c.format.round(Double(shape.keys)) * exact - 1).magnitude * exact
    let weight = Computed(exact: exact, error: error + precisions.widening.error(exact + error))
    for j in 0..<shape.keys where a.overflows(addValue(weight, j, row)) { return RowBound.none }
    return .sound
  }

  // MARK: Sums

  /// Adds the query's share: dV += P dO, dK += dS q, dQ += dS k, of P and dS as they were cast.
  private func gather(_ row: Int, _ place: Int) -> Bool {
    let size = shape.headSize
    var (q, k) = (scoring.queries[0], scoring.keys[0])
    if !isOrdered && scoring.productError > 0 {
      // Wherever another's scale is multiplied.
      let anywhere = scoring.scaleError + 3 * c.u
      (q.relative, k.relative) = (compounded(q.relative, anywhere), compounded(k.relative, anywhere))
    }
    let factor = parameters.placement == .before ? scoring.scale : 1
    tile.reset(size)
    var last = -1
    var most = 0.0
    func close() {
      if last < 0 { return }
      most = Swift.max(most, queries.add(tile, at: place * size, adding))
      tile.reset(size)
    }
    for (i, j) in derivatives.profile.keys.enumerated() {
      guard let weight = cast(derivatives.p[i]), let slope = cast(derivatives.dS[i], isProbability: false)
      else { return false }
      if runner.algorithm == .flash && j / runner.blockKeys != last {
        close()
        last = j / runner.blockKeys
      }
      last = Swift.max(last, 0)
      most = Swift.max(
        most, addValue(weight, j, row),
        numbers(of: tensors.q, row, size) {
          keys.add(slope, times: $0, q, factor: factor, at: j * size, adding)
        },
        numbers(of: tensors.k, keyHead * shape.keys + j, size) {
          tile.add(slope, times: $0, k, at: 0, adding)
        })
    }
    close()
    return !a.overflows(most)
  }

  private func numbers(
    of x: [Double], _ row: Int, _ width: Int, _ body: (UnsafeBufferPointer<Double>) -> Double
  ) -> Double {
    x.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[row * width..<(row + 1) * width])) }
  }

  /// A number of C on its way through P into the accumulator; nil where it may overflow.
  private func cast(_ x: Computed, isProbability: Bool = true) -> Computed? {
    let s = isProbability ? runner.probabilityScale : 1
    var y = x
    if c.overflows(x.upper * s) || casting.overflows(x.upper * s) { return nil }
    // Multiplied by a power of two, which loses digits below the normal range alone.
    if s < 1 { y.error += Swift.min(c.tiny / s, y.upper) }
    y.error += casting.error(y.upper, lift: 1 / s)
    if using.overflows(y.upper * s) { return nil }
    y.error += using.error(y.upper, lift: 1 / s)
    if s > 1 { y.error += Swift.min(a.tiny, y.upper) }
    return y
  }

  private func addValue(_ weight: Computed, _ j: Int, _ row: Int) -> Double {
    let width = shape.valueSize
    let g = Operand(largest: derivatives.largestGradient).converted(precisions.widening)
    return numbers(of: derivatives.gradient, row, width) {
      values.add(weight, times: $0, g, at: j * width, adding)
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
    _ parameters: AttentionParameters, isOrdered: Bool
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
