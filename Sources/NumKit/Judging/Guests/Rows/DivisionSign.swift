import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// Probabilities that were divided by no sum, or by that of a column.
struct DivisionSign: Sign {
  typealias Q = RowQuestion

  private let context: RowContext
  private var rows = 0
  private var isPlain = true
  private var isShifted = true
  /// Whether the truth is something else, and rows do not add up to 1.
  private var truthDiffers = false
  private var isOff = false
  /// Columns are looked at where there are so many results at most.
  private static let limit = 1 << 22

  init(_ context: RowContext) { self.context = context }

  private var isSoftmax: Bool { context.operation == .softmax && context.parameters.temperature > 0 }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard isSoftmax, let truth = truths.first?.rounded, truth.allSatisfy(\.isFinite) else { return }
    rows += 1
    let z = item.values.map { $0 / context.parameters.temperature }
    let largest = z.max() ?? 0
    isPlain = isPlain && holds(y) { Double.exp(z[$0]) }
    isShifted = isShifted && holds(y) { Double.exp(z[$0] - largest) }
    truthDiffers = truthDiffers || !holds(y) { truth[$0] }
    let sum = y.reduce(0, +)
    if !((sum - 1).magnitude <= 0.01) { isOff = true }
  }

  /// Whether each result is `exact` but for some roundings.
  private func holds(_ y: UnsafeBufferPointer<Double>, _ exact: (Int) -> Double) -> Bool {
    y.indices.allSatisfy { i in
      let x = exact(i)
      if y[i] == .infinity { return x >= context.format.largestFinite }
      return (y[i] - x).magnitude <= 16 * context.format.unitRoundoff * x + 16
        * context.format.smallestPositive
    }
  }

  var findings: [HypothesisFit] {
    guard rows > 0, truthDiffers, isOff else { return [] }
    if isPlain || isShifted {
      let what = isPlain ? "e^x" : "e^(x - max)"
      return [
        HypothesisFit("not divided by the sum", evidence: "all results of \(rows) rows are \(what)")
      ]
    }
    guard context.rows > 1, context.rows * context.length <= Self.limit, let sums = columnSums else {
      return []
    }
    let allowed = 4 * Double(context.rows + 8) * context.format.unitRoundoff + 1e-3
    guard sums.allSatisfy({ ($0 - 1).magnitude <= allowed }) else { return [] }
    return [
      HypothesisFit(
        "softmax along the other axis",
        evidence: "each of \(context.length) columns of results adds up to 1, and rows do not")
    ]
  }

  /// nil where a row cannot be read.
  private var columnSums: [Double]? {
    var sums = [Double](repeating: 0, count: context.length)
    var y = sums
    for row in 0..<context.rows {
      guard let item = try? context.read(row),
        (try? y.withUnsafeMutableBufferPointer({ try context.results.results(of: item, into: $0) })) != nil
      else { return nil }
      for i in y.indices { sums[i] += y[i] }
    }
    return sums
  }
}
