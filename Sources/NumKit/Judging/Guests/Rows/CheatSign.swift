import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Results that were never computed: zeros, one number, the inputs, the same for every row.
struct CheatSign: Sign {
  typealias Q = RowQuestion

  private var items = 0
  private var results = 0
  private var first: [Double] = []
  private var isConstant = true
  private var isInput = true
  private var isRepeated = true
  /// Whether the truth is none of that.
  private var truthVaries = false
  private var truthDiffers = false
  private var firstTruth: [Double] = []
  private let hasPlaces: Bool

  init(_ context: RowContext) {
    hasPlaces = context.operation.resultCount(length: context.length) == context.length
  }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard let value = y.first, let truth = truths.first?.rounded, truth.allSatisfy({ !$0.isNaN }) else {
      return
    }
    if items == 0 {
      first = Array(y)
      firstTruth = truth
    }
    items += 1
    results += y.count
    func same(_ a: Double, _ b: Double) -> Bool { a == b || a.isNaN && b.isNaN }
    isConstant = isConstant && y.allSatisfy { same($0, first[0]) } && same(value, first[0])
    truthVaries = truthVaries || truth.contains { $0 != firstTruth[0] }
    isInput = isInput && hasPlaces && zip(y, item.values).allSatisfy { same($0, $1) }
    isRepeated = isRepeated && zip(y, first).allSatisfy { same($0, $1) }
    truthDiffers = truthDiffers || truth != firstTruth
  }

  var findings: [HypothesisFit] {
    guard items > 0, results > 1 else { return [] }
    let all = items == 1 ? "all results of the row" : "all results of \(items) rows"
    if isConstant && truthVaries {
      let name = first[0] == 0 ? "zeros" : first[0].isNaN ? "NaN everywhere" : "a constant"
      return [HypothesisFit(name, evidence: "\(all) are \(first[0])")]
    }
    if isInput && truthVaries {
      return [HypothesisFit("the inputs copied", evidence: "\(all) are the inputs")]
    }
    if isRepeated && truthDiffers && items > 1 {
      return [HypothesisFit("the same results for every row", evidence: "those of \(items) rows are equal")]
    }
    return []
  }
}
