import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// What a kernel of attention multiplies values by that does not keep to softmax.
struct SlippedWeights {
  /// The scores whose exponentials they are made of; −∞ where there is none.
  var scores: [Double]
  /// What each value is multiplied by.
  var weights: [Double]
  /// The log-sum-exp that goes with them.
  var logSumExp: Double
}

/// A mistake between scores and outputs: other weights than softmax's of the scores.
struct AttentionSlip: Sendable {
  /// What the kernel got wrong.
  let name: String
  /// What P is rounded to before P·V, where that is the mistake.
  var cast: NumberFormat?
  /// What it makes of a query; nil where it makes nothing.
  let make: @Sendable (QueryInDouble) -> SlippedWeights?
}

/// A family of slips.
protocol AttentionSlips: Sendable {
  /// Those that a kernel may have made which was asked this.
  static func slips(_ context: AttentionContext) -> [AttentionSlip]
}

/// Exponentials of scores, of their largest, and their sum.
struct Exponentials {
  let scores: [Double]
  let maximum: Double
  let terms: [Double]
  /// With the sink's.
  let sum: Double
  let sink: Double

  /// nil where nothing is seen, or something is not finite.
  init?(_ scores: [Double], sink logit: Double?) {
    let m = scores.reduce(logit ?? -.infinity) { Swift.max($0, $1) }
    guard m.isFinite, !scores.contains(where: \.isNaN) else { return nil }
    self.scores = scores
    maximum = m
    terms = scores.map { Double.exp($0 - m) }
    sink = logit.map { Double.exp($0 - m) } ?? 0
    sum = RowSum.sum(terms[...]) + sink
  }

  /// Where each stands for `factor` times as much in sums of P·V, all divided by `divisor` times their sum.
  func weighted(_ factor: (Int) -> Double, divisor: Double) -> SlippedWeights {
    SlippedWeights(
      scores: scores, weights: terms.indices.map { terms[$0] * factor($0) / divisor },
      logSumExp: maximum + Double.log(divisor))
  }
}

/// The answers of a kernel that makes a slip, in Double.
struct SlippedProver: Prover {
  typealias Q = AttentionForward

  private let slip: AttentionSlip
  private let parameters: AttentionParameters
  private let formats: [NumberFormat]
  private var kept = AttentionProfile()

  /// Outputs and log-sum-exps in `formats`.
  init(_ slip: AttentionSlip, _ parameters: AttentionParameters, formats: [NumberFormat]) {
    (self.slip, self.parameters, self.formats) = (slip, parameters, formats)
  }

  mutating func answer(_ item: AttentionForward.Item, into truths: inout [Truth]) {
    let shape = item.tensors.shape
    let width = shape.valueSize
    truths[0].begin(count: width)
    if truths.count > 1 { truths[1].begin(count: 1) }
    let query = QueryInDouble(item.tensors, parameters, row: item.row)
    kept = AttentionProfile()
    guard let made = slip.make(query), made.weights.allSatisfy(\.isFinite) else {
      // What Double cannot say explains nothing: no NaN, above all.
      for c in 0..<width { truths[0].know(0, at: c, in: formats[0]) }
      if truths.count > 1 { truths[1].know(0, at: 0, in: formats[1]) }
      return
    }
    kept.fill(made, query)
    var outputs = [Double](repeating: 0, count: width)
    var sizes = outputs
    let v = item.tensors.v
    let values = shape.keyHead(of: item.head) * shape.keys * width
    for (j, w) in made.weights.enumerated() where w != 0 {
      for c in 0..<width {
        let product = w * v[values + j * width + c]
        outputs[c] += product
        sizes[c] += product.magnitude
      }
    }
    // Scores err by what their products do, exponentials by as much, sums by a rounding a key.
    let score = Double(shape.headSize + 8) * (1 + (query.magnitudes.max() ?? 0))
    let relative = (2 * score + Double(shape.keys + 16)) * 0x1p-53
    for c in 0..<width { enter(outputs[c], sizes[c] * relative, at: c, formats[0], &truths[0]) }
    if truths.count > 1 {
      enter(made.logSumExp, relative + made.logSumExp.magnitude * 0x1p-50, at: 0, formats[1], &truths[1])
    }
  }

  private func enter(
    _ value: Double, _ error: Double, at i: Int, _ format: NumberFormat, _ truth: inout Truth
  ) {
    if !value.isFinite || error == 0 {
      truth.know(value, at: i, in: format)
    } else if !truth.prove(value, error: error, at: i, in: format) {
      truth.leaveOpen(value, at: i, in: format)
    }
  }

  func profile(of item: AttentionForward.Item, into profile: inout AttentionProfile) { profile = kept }

  func makeProfile() -> AttentionProfile { AttentionProfile() }
}

extension AttentionProfile {
  /// What a slip is made of.
  fileprivate mutating func fill(_ made: SlippedWeights, _ query: QueryInDouble) {
    let keys = made.scores.indices.filter { made.scores[$0] > -.infinity }
    let m = made.scores.reduce(query.sink ?? -.infinity) { Swift.max($0, $1) }
    let sum = keys.reduce(query.sink.map { Double.exp($0 - m) } ?? 0) { $0 + Double.exp(made.scores[$1] - m) }
    self.keys = keys
    scores = keys.map { made.scores[$0] }
    biases = keys.map { query.isHidden($0) ? 0 : query.biases[$0] }
    magnitudes = keys.map { query.magnitudes[$0] }
    probabilities = scores.map { Double.exp($0 - m) / sum }
    logSumExp = m + Double.log(sum)
    sink = query.sink
    isRegular = !keys.isEmpty && m.isFinite
  }
}

/// Their bounds: those of a kernel that multiplies by softmax's, as many times as large as weights are.
struct SlippedErrors: ErrorModel {
  typealias Q = AttentionForward

  private var inner: WidestErrors<AttentionForward>
  private let slip: AttentionSlip
  private let parameters: AttentionParameters
  private let format: NumberFormat

  /// nil where `plans` have no bounds.
  init?(
    _ plans: [GuestPlan<AttentionForward>], _ slip: AttentionSlip, _ parameters: AttentionParameters,
    _ format: NumberFormat
  ) {
    guard let inner = WidestErrors(plans) else { return nil }
    (self.inner, self.slip, self.parameters, self.format) = (inner, slip, parameters, format)
  }

  mutating func bound(
    _ row: ResultRow, of item: AttentionForward.Item, _ profile: AttentionProfile,
    exact: UnsafeBufferPointer<Double>, into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    let kind = inner.bound(row, of: item, profile, exact: exact, into: bounds)
    guard row.part == 0 else { return kind }
    let query = QueryInDouble(item.tensors, parameters, row: item.row)
    guard let made = slip.make(query), made.weights.allSatisfy(\.isFinite) else {
      // Of a query that sees nothing there is nothing to say; else what the slip cannot say it does not explain.
      guard query.scores.contains(where: { $0 > -.infinity }) else { return kind }
      bounds.update(repeating: 0)
      return .sound
    }
    var factor = 1.0
    for (j, p) in zip(profile.keys, profile.probabilities) where p > 0 {
      factor = Swift.max(factor, made.weights[j].magnitude / p)
    }
    // And a rounding of what is now of another size.
    for c in exact.indices where exact[c].isFinite {
      bounds[c] = bounds[c] * factor + format.ulp(of: exact[c])
    }
    return kind
  }
}
