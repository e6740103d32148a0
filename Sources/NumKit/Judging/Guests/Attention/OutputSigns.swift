import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// NaN and infinity in just those queries whose exponentials, of scores as they are, are too large or too small for a format.
struct UnshiftedSign: Sign {
  typealias Q = AttentionForward

  private let parameters: AttentionParameters
  /// Formats and whether the queries so far go with them.
  private var formats: [(format: NumberFormat, agrees: Bool)]
  private var spoiled = 0
  private var queries = 0
  /// The log-sum-exp's nearest to the edge that went wrong.
  private var least = Double.infinity

  init(_ parameters: AttentionParameters, _ format: NumberFormat) {
    self.parameters = parameters
    let usual = RowPlans.usual(format)
    formats = (usual == .f32 ? [.f32, .f16] : [usual]).map { ($0, true) }
  }

  mutating func see(
    _ item: AttentionForward.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]
  ) {
    guard let truth = truths.first?.rounded, truth.allSatisfy(\.isFinite) else { return }
    let query = QueryInDouble(item.tensors, parameters, row: item.row)
    guard let e = Exponentials(query.scores, sink: query.sink) else { return }
    let level = e.maximum + Double.log(e.sum)
    let isSpoiled = y.prefix(truth.count).contains { !$0.isFinite }
    queries += 1
    if isSpoiled {
      spoiled += 1
      least = Swift.min(least, level.magnitude)
    }
    for k in formats.indices {
      let format = formats[k].format
      let high = Double.log(format.largestFinite)
      let low = Double.log(format.smallestPositive)
      // Beside the edge either may be: a sum overflows before the output does, or after.
      let isBeyond = level > high + 1 || e.maximum < low - 1
      let isWithin = level < high - 4 && e.maximum > low + 4
      if isSpoiled && isWithin || !isSpoiled && isBeyond { formats[k].agrees = false }
    }
  }

  var findings: [HypothesisFit] {
    guard spoiled > 0, let found = formats.first(where: \.agrees) else { return [] }
    let edge = (Double.log(found.format.largestFinite) * 100).rounded() / 100
    return [
      HypothesisFit(
        "no maximum subtracted: e^x overflows in \(found.format.name)",
        evidence: "of \(queries) queries the \(spoiled) that are no numbers have a log-sum-exp of "
          + "\((least * 10).rounded() / 10) or more, where \(found.format.name) ends at \(edge)")
    ]
  }
}

/// Outputs cut off instead of rounded: errors of less than two ulps, half an ulp too small in the mean.
struct CutOutputSign: Sign {
  typealias Q = AttentionForward

  private let format: NumberFormat
  private var errors: [Double] = []
  private var others = 0

  init(_ format: NumberFormat) { self.format = format }

  mutating func see(
    _ item: AttentionForward.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]
  ) {
    guard let truth = truths.first else { return }
    let flat = FlatTruth(truth)
    for i in flat.value.indices {
      let t = flat.value[i]
      guard y[i].isFinite, t.isFinite, t.magnitude >= 2 * format.smallestNormal else { continue }
      let error = ((y[i] - t) - flat.remainder[i]) / format.ulp(of: t) * (t < 0 ? -1 : 1)
      if error.magnitude < 2 { errors.append(error) } else { others += 1 }
    }
  }

  var findings: [HypothesisFit] {
    let n = Double(errors.count)
    guard n >= 64, Double(others) < 0.1 * n else { return [] }
    let mean = errors.reduce(0, +) / n
    let variance = errors.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
    // Numbers that are all alike err alike, however they are rounded.
    guard mean > -0.65, mean < -0.35, variance > 0.02, (variance / n).squareRoot() < 0.04 else { return [] }
    return [
      HypothesisFit(
        "results truncated instead of rounded",
        evidence: "\(errors.count) results are off by \((mean * 100).rounded() / 100) ulp in the mean")
    ]
  }
}
