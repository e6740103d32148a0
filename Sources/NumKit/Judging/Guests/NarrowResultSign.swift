import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Results that went through a shorter format than theirs.
struct NarrowResultSign<Q: Question>: Sign {
  private var candidates: [(format: NumberFormat, isOn: Bool)]
  private var seen = 0

  /// Of results in `format`.
  init(_ format: NumberFormat) {
    candidates = [NumberFormat.f8e5m2, .f8e4m3fn, .bf16, .f16, .tf32, .f32].filter {
      $0.precision < format.precision
    }.map { ($0, true) }
  }

  mutating func see(_ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard !candidates.isEmpty, let truth = truths.first?.rounded else { return }
    for i in truth.indices {
      let (y, t) = (results[i], truth[i])
      guard y.isFinite, t.isFinite, y != 0, y.significand != 1 else { continue }
      // A result that is right as it is says nothing.
      if y == t && candidates.contains(where: { $0.format.holds(t) }) { continue }
      seen += 1
      for k in candidates.indices where candidates[k].isOn {
        candidates[k].isOn = candidates[k].format.holds(y)
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
