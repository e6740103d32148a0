import CJudging
import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// Sound a-priori bounds on the error of attention's outputs: what a correct kernel of an algorithm may do to the inputs it got.
///
/// The error runs along the computation: products and sums of a score, its scale, cap and bias; the exponential; the sum; the cast of
/// P; the weighted sum; the division or the merging. As in `RowErrors` all is held against e^(s − m̂) with the maximum m̂ that the kernel
/// did subtract, whose own error cancels. Numbers stand in units of the exact maximum, in which 1 is worth `lift` at most.
///
/// What an exponential is off by stands above and below the line of a quotient, and moves an output by its value's distance from the
/// output; sums are followed with the row's actual partial sums.
package struct AttentionErrors: Sendable {
  let runner: AttentionRunner
  let parameters: AttentionParameters
  let tensors: AttentionInputs
  private(set) var precisions: Precisions
  /// The format of P, and the ways to it and from it.
  let p: Precision
  let casting: Conversion
  let using: Conversion
  let keyCount: Int
  /// Values on their way into sums.
  let values: Conversion
  /// Bounds |v| as it is computed with.
  let largestValue: Double
  /// Whether some value is not finite.
  private let hasWildValues: Bool
  let scoring: ScoreErrors

  /// Whether sums are known to be made in our kernels' order; else the bound holds in every order, fused or not.
  let isOrdered: Bool

  /// λ of a bound that may fail, as in `SumErrors`: then roundings of weights and of weighted sums are random, too.
  private(set) var confidence: Double?
  /// Whether what a weight does not share with the sum of all is made of roundings alone.
  var ownsRoundings = true

  /// What a test leaves out.
  private let omitted: AttentionTerm?

  /// The finite score in place of hidden ones, as computed with.
  private let sentinel: Double?

  // One row's.
  /// The keys that have a weight, ascending: with a sentinel all.
  var keys: [Int] = []
  /// Their scores, those of hidden ones the sentinel, and which are hidden.
  var scores: [Double] = []
  private var isHidden: [Bool] = []
  /// Whose exponential is 1 when it is made.
  private(set) var isOne: [Bool] = []
  /// e^(s − max), of the keys and then of the sink, and a bound on the error of the computed one. What is hidden is all error.
  var terms: [Computed] = []
  /// The keys' weights.
  var weights: [nc_weight] = []
  /// Where a weighted sum begins.
  var starts: [UInt8] = []
  /// How much the roundings of a weighted sum grow after they were made.
  var growth = 0.0
  /// An error of every output, beside those of the weights.
  var constant = 0.0
  /// What the row's weighted sums are divided by, where they are not merged.
  private(set) var division: Division?
  /// Sums over the magnitudes of partial sums of products, and over those of products.
  private(set) var partials: [Double] = []
  private(set) var wholes: [Double] = []
  private var products = PartialSums()
  var scoreErrors: [Double] = []
  var top = 0.0
  /// How far the computed maximum may be from the exact one.
  var topError = 0.0
  /// The largest error of any score.
  var worstError = 0.0

  var c: Precision { precisions.compute }
  var a: Precision { precisions.accumulator }

  /// nil where no bound was derived: a compute format that does not hold the outputs or the sentinel. `inputs` is what the tensors are numbers
  /// of, where that is not the storage's format. Without a `term` it is no bound.
  package init?(
    _ runner: AttentionRunner, _ tensors: AttentionInputs, _ parameters: AttentionParameters,
    isOrdered: Bool = true, inputs: NumberFormat? = nil, without term: AttentionTerm? = nil
  ) {
    self.isOrdered = isOrdered
    omitted = term
    precisions = Precisions(storage: runner.outputFormat, runner.configuration, inputs: inputs)
    guard precisions.compute.holds(precisions.storage), precisions.storage.format.hasZero else { return nil }
    p = Precision(runner.probabilities ?? runner.configuration.compute)
    casting = Conversion(to: p, from: precisions.compute)
    using = Conversion(to: precisions.accumulator, from: p)
    // The scale of P and what undoes it must be numbers of their formats.
    let (s, t) = (runner.probabilityScale, 1 / runner.probabilityScale)
    let formats = (precisions.compute.format, precisions.accumulator.format)
    guard formats.0.holds(s), formats.1.holds(t),
      let scoring = ScoreErrors(precisions, tensors, parameters, without: term)
    else { return nil }
    self.scoring = scoring
    let format = precisions.compute.format
    // As an infinity, a NaN or the largest number it is another.
    if let score = runner.sentinel, !score.isFinite || precisions.compute.overflows(score.magnitude) {
      return nil
    }
    sentinel = runner.sentinel.map { format.round($0) }
    if term == .underflow { precisions.leaveOutUnderflow() }
    self.tensors = tensors
    self.runner = runner
    self.parameters = parameters
    keyCount = tensors.shape.keys
    let loading = term == .loading ? .exact : precisions.loading
    var widening = term == .values ? Conversion.exact : precisions.widening
    let smallest = Int(precisions.accumulator.format.smallestPositive.exponent)
    if loading.isExact && ScoreErrors.unit(tensors.numbers.v) >= smallest {
      widening = widening.withoutUnderflow
    }
    values = loading.followed(by: widening)
    largestValue = tensors.largestValue * (1 + loading.relative) + loading.absolute
    hasWildValues = !tensors.isFinite.v
  }

  /// The same for random roundings of weights and of sums, exceeded in a row with `probability` at most; itself where sums are not known to be
  /// made in our kernels' order.
  func exceeded(withProbability probability: Double) -> AttentionErrors {
    guard isOrdered else { return self }
    var other = self
    // Each column may fail, and the sum that they share.
    other.confidence = (2 * Double.log(2 * Double(tensors.shape.valueSize + 1) / probability)).squareRoot()
    return other
  }

  /// An error, but for a term that is left out.
  func unless(_ term: AttentionTerm, _ error: Double) -> Double { omitted == term ? 0 : error }

  /// Writes a bound on the absolute error of each output of `row`, head·queries + query, into `bounds`; `truth` are the exact outputs in
  /// Double. nil where a value that is seen is not finite.
  package mutating func bound(
    _ profile: AttentionProfile, row: Int, truth: [Double], into bounds: inout [Double]
  ) -> RowBound? {
    let shape = tensors.shape
    let keyHead = shape.keyHead(of: row / shape.queries)
    // A score of −∞ becomes NaN where the kernel cannot say it, where its scale rounds to 0, where a tile holds nothing else.
    guard profile.isRegular, !profile.hasMinusInfinity, !values.overflows(largestValue),
      prepare(profile, row, keyHead)
    else { return RowBound.none }
    let width = truth.count
    let values = keyHead * shape.keys * width
    if hasWildValues {
      if runner.multipliesHidden || sentinel != nil { return RowBound.none }
      for j in keys {
        for c in 0..<width where !tensors.numbers.v[values + j * width + c].isFinite { return nil }
      }
    }
    let isMerged = runner.algorithm == .splitKV && isOrdered
    guard
      let (divisor, relative) = isMerged
        ? mergeShares(profile, values, truth, into: &bounds) : weighed(profile)
    else { return RowBound.none }
    // Where errors have no end, an output beside the largest number may overflow.
    let mayOverflow =
      precisions.narrowing.overflows(2 * largestValue) || precisions.storage.overflows(2 * largestValue)
    if !(relative < .infinity) {
      for col in 0..<width { bounds[col] = .infinity }
      return relative.isNaN || mayOverflow ? RowBound.none : .vacuous
    }
    if !isMerged { sum(values, truth, into: &bounds) }
    var worst = 0.0
    var largest = 0.0
    for col in 0..<width {
      let size = truth[col].magnitude
      var e = bounds[col] / divisor + relative * size + constant / divisor
      if runner.algorithm == .flash { e += unless(.quotient, a.rounding(size + e)) }
      if e < .infinity && precisions.narrowing.overflows(size + e) && !precisions.storesAsComputed {
        return RowBound.none
      }
      e += unless(.outputs, precisions.narrowing.error(size + e))
      if omitted != .storing { e = precisions.stored(truth[col], e) }
      if e.isNaN || e == .infinity && mayOverflow { return RowBound.none }
      bounds[col] = e * (1 + 0x1p-20)
      worst = Swift.max(worst, bounds[col])
      largest = Swift.max(largest, size)
    }
    return worst >= largest && largest > 0 ? RowBound.vacuous : .sound
  }

  private mutating func weighed(_ profile: AttentionProfile) -> Division? {
    division = weigh(profile)
    return division
  }

  /// The error of each weighted sum of the values that begin at `values`, before it is divided.
  private func sum(_ values: Int, _ truth: [Double], into bounds: inout [Double]) {
    errors(values, truth, nc_all, into: &bounds)
    guard let confidence, ownsRoundings else { return }
    var (shared, squares) = (bounds, bounds)
    errors(values, truth, nc_shared, into: &shared)
    errors(values, truth, nc_squares, into: &squares)
    for c in truth.indices {
      bounds[c] = Swift.min(bounds[c], shared[c] + confidence * squares[c].squareRoot())
    }
  }

  /// A part of it.
  private func errors(_ values: Int, _ truth: [Double], _ part: nc_part, into bounds: inout [Double]) {
    // Without an order a weight's own error has it all.
    let u = isOrdered ? unless(.weighing, a.u * (1 + growth)) : 0
    bounds.withUnsafeMutableBufferPointer { bounds in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * truth.count) { scratch in
        scratch.initialize(repeating: 0)
        tensors.numbers.v.withValues(from: values) {
          nc_output_errors(
            weights, starts, keys, keys.count, $0, truth, truth.count, u, part, bounds.baseAddress,
            scratch.baseAddress)
        }
      }
    }
  }

  // MARK: Scores and exponentials

  /// Errors of scores and exponentials; false where one may overflow.
  mutating func prepare(_ profile: AttentionProfile, _ row: Int, _ keyHead: Int) -> Bool {
    multiply(profile, row)
    take(profile)
    guard let errors = errorsOfScores(profile, row, keyHead) else { return false }
    scoreErrors = errors
    top = profile.scores.reduce(profile.sink ?? -.infinity, Swift.max)
    if let sink = profile.sink {
      if c.overflows(sink.magnitude) { return false }
      scoreErrors.append(c.rounding(sink.magnitude))
    }
    // m̂ is at least the computed score of the exact maximum, and at most the largest that any score may have become.
    var below = Double.infinity
    var above = top
    for i in scoreErrors.indices {
      let s = score(i, profile)
      above = Swift.max(above, s + scoreErrors[i])
      if s == top && !isHidden(i) { below = Swift.min(below, scoreErrors[i]) }
      worstError = i == 0 ? scoreErrors[i] : Swift.max(worstError, scoreErrors[i])
    }
    topError = Swift.max(below, above - top)
    // A difference that overflows to −∞ is as good as one that doesn't.
    let lowest = scores.reduce(profile.sink ?? .infinity, Swift.min)
    if isShifted, !precisions.computeIsUnbounded,
      c.overflows(Swift.max(top, above) - lowest + 2 * worstError)
    {
      return false
    }
    // On the way from its own maximum to the last one a term's differences add up to no more than the whole; lazily it starts up to
    // `laziness` above its maximum, and the way back counts too.
    findOnes(profile)
    terms = exponentials(profile)
    return terms.allSatisfy { !$0.error.isNaN }
  }

  /// The errors of the keys' scores; nil where one may overflow.
  private func errorsOfScores(_ profile: AttentionProfile, _ row: Int, _ keyHead: Int) -> [Double]? {
    var errors: [Double] = []
    errors.reserveCapacity(keys.count + 1)
    var place = 0
    for i in keys.indices {
      if isHidden[i] {
        errors.append(0)
        continue
      }
      let e = scoring.error(
        profile, place, partial: partials[place], whole: isOrdered ? wholes[place] : 0, query: row,
        key: keyHead * keyCount + keys[i])
      if !(e < .infinity) { return nil }
      errors.append(e)
      place += 1
    }
    return errors
  }

  /// The exponentials of all scores.
  private func exponentials(_ profile: AttentionProfile) -> [Computed] {
    let errors = Swift.max(worstError, topError)
    let (top, lift) = (top, lift)
    return scoreErrors.indices.map { i in
      exponential(
        score(i, profile), scoreErrors[i], isHidden: isHidden(i), beside: top,
        maximum: 2 * (scoreErrors[i] + errors), lift: lift, isOne: isOne[i])
    }
  }

  /// What the row's products came to, of the keys that it sees.
  private mutating func multiply(_ profile: AttentionProfile, _ row: Int) {
    let n = profile.keys.count
    if partials.count < n {
      partials = Array(repeating: 0, count: n)
      wholes = partials
    }
    products.write(
      row, profile.keys, tensors, parameters.mask, skips: scoring.hasExactProducts, into: &partials, &wholes)
  }

  /// The keys that have a weight.
  private mutating func take(_ profile: AttentionProfile) {
    guard let sentinel else {
      keys = profile.keys
      scores = profile.scores
      isHidden = Array(repeating: false, count: keys.count)
      return
    }
    keys = Array(0..<keyCount)
    scores = Array(repeating: sentinel, count: keyCount)
    isHidden = Array(repeating: true, count: keyCount)
    for (place, j) in profile.keys.enumerated() { (scores[j], isHidden[j]) = (profile.scores[place], false) }
  }

  func isHidden(_ i: Int) -> Bool { i < keys.count && isHidden[i] }

  /// Finds the keys and sinks whose exponential is e^0, which is 1 exactly, whatever scores are off by: the largest of all, or of all so far
  /// where maxima are running ones. Of others' kernels nobody knows what they subtract.
  private mutating func findOnes(_ profile: AttentionProfile) {
    isOne = Array(repeating: false, count: scoreErrors.count)
    guard isOrdered, isShifted, laziness == 0, runner.algorithm != .splitKV else { return }
    func above(_ i: Int) -> Double { score(i, profile) + scoreErrors[i] }
    func below(_ i: Int) -> Double { score(i, profile) - scoreErrors[i] }
    let n = keys.count
    // A sink comes first, as a tile of its own; all is one tile but for flash.
    let isFlash = runner.algorithm == .flash
    var (most, second, leader) = (-Double.infinity, -Double.infinity, -1)
    func close(_ places: Range<Int>) {
      for i in places where !isHidden(i) { isOne[i] = below(i) >= (i == leader ? second : most) }
    }
    func add(_ i: Int) {
      (second, most, leader) =
        above(i) > most ? (most, above(i), i) : (Swift.max(second, above(i)), most, leader)
    }
    if isOne.count > n {
      add(n)
      if isFlash { close(n..<n + 1) }
    }
    var start = 0
    for i in 0..<n {
      add(i)
      if i + 1 == n || isFlash && keys[i] / runner.blockKeys != keys[i + 1] / runner.blockKeys {
        close(start..<i + 1)
        start = i + 1
      }
    }
    if !isFlash { close(n..<isOne.count) }
  }

  /// The score at a place; a sink's stands behind the keys'.
  func score(_ i: Int, _ profile: AttentionProfile) -> Double {
    i < scores.count ? scores[i] : profile.sink ?? 0
  }

  var isShifted: Bool { runner.algorithm != .naive }

  /// The most by which a computed score may lie above the maximum in use, lazily.
  var laziness: Double {
    guard runner.algorithm == .flash, runner.laziness > 0 else { return 0 }
    // Rounded itself, and compared with a rounded difference.
    return (runner.laziness + c.rounding(runner.laziness)) * (1 + 2 * c.u)
  }

  /// What 1 in the kernel's units is worth, in units of e^max: the maximum in use is nowhere above the largest computed score.
  var lift: Double {
    isShifted ? Double.exp(runner.algorithm == .splitKV ? worstError : topError) : Double.exp(-top)
  }

  /// e^(score − top), and a bound on the error of the computed one, where 1 in the kernel's units is worth `lift` at most. `maximum` bounds
  /// how far the difference that was rounded may be from the exact one.
  func exponential(
    _ score: Double, _ error: Double, isHidden: Bool, beside top: Double, maximum: Double, lift: Double,
    isOne: Bool = false
  ) -> Computed {
    let d = top - score
    let shift =
      isShifted
      ? c.u
        * (unless(.shift, d.magnitude) + unless(.maximum, maximum) + unless(.laziness, 2 * laziness)) : 0
    let x = error + shift
    let function = unless(.exponential, c.exp)
    if isHidden {
      return Computed(exact: 0, error: Double.exp(x - d) * (1 + function) + c.tiny * lift)
    }
    let exact = Double.exp(-d)
    if isOne {
      // On the way to a later maximum alone is a difference rounded.
      return Computed(
        exact: exact, error: exact * Double.expMinusOne(runner.algorithm == .flash ? x : error))
    }
    let relative = Double.expMinusOne(x) * (1 + function) + function
    let e = Swift.min(exact * relative, Double.exp(x - d) * (1 + function))
    return Computed(exact: exact, error: e + c.tiny * lift)
  }
}

extension HeldNumbers {
  /// From a number on, as the loops take them.
  func withValues(from start: Int, _ body: (nc_values) -> Void) {
    wide.withUnsafeBufferPointer { wide in
      narrow.withUnsafeBufferPointer { narrow in
        body(
          narrow.isEmpty
            ? nc_values(wide: wide.baseAddress.map { $0 + start }, narrow: nil)
            : nc_values(wide: nil, narrow: narrow.baseAddress.map { $0 + start }))
      }
    }
  }
}
