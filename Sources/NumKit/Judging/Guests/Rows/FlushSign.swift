import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Zeros in place of all subnormal results.
struct FlushSign: Sign {
  typealias Q = RowQuestion

  private let format: NumberFormat
  private var flushed = 0
  private var kept = 0
  private var others = 0

  init(_ context: RowContext) { format = context.format }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard let truth = truths.first?.rounded else { return }
    for i in y.indices where truth[i].isFinite && truth[i] != 0 {
      let isSubnormal = truth[i].magnitude < format.smallestNormal
      if y[i] == 0 {
        if isSubnormal { flushed += 1 } else { others += 1 }
      } else if isSubnormal {
        kept += 1
      }
    }
  }

  var findings: [HypothesisFit] {
    guard flushed > 0, kept == 0, others == 0 else { return [] }
    return [
      HypothesisFit(
        "subnormal results flushed to zero",
        evidence: "all \(flushed) results below the smallest normal \(format.name) are 0, and no others")
    ]
  }
}
