import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// Exponentials that are numbers of a short format: what results are of the largest of their row, which is e⁰ = 1 divided by the sum.
struct ExponentialSign: Sign {
  typealias Q = RowQuestion

  private let isAsked: Bool
  private let format: NumberFormat
  private var candidates: [(format: NumberFormat, isOn: Bool, chance: Double)]
  private var seen = 0

  init(_ context: RowContext) {
    isAsked = context.operation == .softmax
    format = context.format
    let promised = context.claims.compute ?? RowPlans.usual(context.format)
    candidates = [NumberFormat.bf16, .f16].filter {
      $0.precision < promised.precision && $0.precision + 4 < context.format.precision
    }.map { ($0, true, 0) }
  }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard isAsked, !candidates.isEmpty, let truth = truths.first?.rounded,
      let top = truth.indices.max(by: { truth[$0] < truth[$1] }), truth[top] > 0, y[top] > 0,
      y[top].isFinite
    else { return }
    let tolerance = 3 * format.unitRoundoff
    for i in y.indices where i != top && y[i] > format.smallestNormal * 0x1p8 && y[i] != y[top] {
      let e = y[i] / y[top]
      guard e < 1, e > 0x1p-12 else { continue }
      seen += 1
      for k in candidates.indices where candidates[k].isOn {
        let a = candidates[k].format
        candidates[k].isOn = (e - a.round(e)).magnitude <= tolerance * e
        candidates[k].chance += Double.log2(Swift.min(1, 2 * tolerance * e / a.ulp(of: e)))
      }
    }
  }

  var findings: [HypothesisFit] {
    guard seen >= 16, let found = candidates.first(where: { $0.isOn && $0.chance < -60 }) else { return [] }
    return [
      HypothesisFit(
        "exponentials in \(found.format.name)",
        evidence: "\(seen) results are numbers of \(found.format.name) times the largest of their row")
    ]
  }
}
