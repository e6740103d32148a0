import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Zeros in place of all results below a threshold, or below a share of their row's largest.
struct ThresholdSign: Sign {
  typealias Q = RowQuestion

  /// The largest that became 0 and the smallest that did not.
  private struct Gap {
    var zeroed = 0.0
    var kept = Double.infinity
  }

  private let format: NumberFormat
  private var count = 0
  private var absolute = Gap()
  private var relative = Gap()

  init(_ context: RowContext) { format = context.format }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard let truth = truths.first?.rounded, truth.count == y.count, let top = truth.max(), top > 0,
      top.isFinite
    else { return }
    for i in y.indices where truth[i] >= format.smallestNormal {
      if y[i] == 0 {
        count += 1
        absolute.zeroed = Swift.max(absolute.zeroed, truth[i])
        relative.zeroed = Swift.max(relative.zeroed, truth[i] / top)
      } else {
        absolute.kept = Swift.min(absolute.kept, truth[i])
        relative.kept = Swift.min(relative.kept, truth[i] / top)
      }
    }
  }

  var findings: [HypothesisFit] {
    guard count > 7 else { return [] }
    func found(_ gap: Gap, _ name: String, of what: String) -> HypothesisFit? {
      guard gap.zeroed < gap.kept, gap.kept.isFinite else { return nil }
      return HypothesisFit(
        name,
        evidence:
          "all \(count) results of \(Float(gap.zeroed)) \(what)or less are 0, and none of \(Float(gap.kept)) \(what)or more"
      )
    }
    return [
      found(absolute, "small results set to zero", of: "")
        ?? found(relative, "results far below the largest set to zero", of: "times the row's largest ")
    ].compactMap { $0 }
  }
}
