import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Results that went through a shorter format than theirs.
struct NarrowResultSign: Sign {
  typealias Q = RowQuestion

  private var candidates: [(format: NumberFormat, isOn: Bool)]
  private var seen = 0

  init(_ context: RowContext) {
    candidates = [NumberFormat.f8e5m2, .f8e4m3fn, .bf16, .f16, .tf32, .f32].filter {
      $0.precision < context.format.precision
    }.map { ($0, true) }
  }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard !candidates.isEmpty, let truth = truths.first?.rounded else { return }
    for i in y.indices where y[i].isFinite && truth[i].isFinite && y[i] != 0 && y[i].significand != 1 {
      // A result that is right as it is says nothing.
      if y[i] == truth[i] && candidates.contains(where: { $0.format.round(truth[i]) == truth[i] }) {
        continue
      }
      seen += 1
      for k in candidates.indices where candidates[k].isOn {
        candidates[k].isOn = candidates[k].format.round(y[i]) == y[i]
      }
    }
  }

  var findings: [HypothesisFit] {
    guard seen >= 16, let found = candidates.first(where: \.isOn) else { return [] }
    let name = found.format.name
    return [
      HypothesisFit("results rounded to \(name)", evidence: "\(seen) results are all numbers of \(name)")
    ]
  }
}
