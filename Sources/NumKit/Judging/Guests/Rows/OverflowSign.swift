import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// NaN, infinities and zeros just where a kernel has them that subtracts no maximum, or something else.
struct OverflowSign: Sign {
  typealias Q = RowQuestion

  /// What is subtracted where the maximum should be.
  private enum Subtrahend: CaseIterable {
    case nothing, first, mean

    func of(_ x: [Double]) -> Double {
      switch self {
      case .nothing: 0
      case .first: x.first ?? 0
      case .mean: x.reduce(0, +) / Double(Swift.max(x.count, 1))
      }
    }

    var name: String {
      switch self {
      case .nothing: "no maximum subtracted"
      case .first: "the first element subtracted for the maximum"
      case .mean: "the mean subtracted for the maximum"
      }
    }

    var power: String {
      switch self {
      case .nothing: "e^x"
      case .first: "e^(x − x₀)"
      case .mean: "e^(x − mean)"
      }
    }
  }

  private var runners: [(subtrahend: Subtrahend, format: NumberFormat, where: String, runner: KernelRunner)] =
    []
  private var agrees: [Bool] = []
  private var spoiled = 0
  private var rows = 0
  private var simulated: [Double] = []

  init(_ context: RowContext) {
    let operation = context.operation
    guard operation == .softmax || operation == .logSumExp,
      let naive = Algorithm.all(for: operation, dtype: .float(context.format)).first(where: {
        $0.kernel == "naive" && $0.variant == nil
      })
    else { return }
    var formats = [RowPlans.usual(context.format)]
    for format in [context.format, .f16] where !formats.contains(format) { formats.append(format) }
    let pairs = formats.map { ($0, $0) } + formats.dropFirst().map { ($0, formats[0]) }
    for (format, sums) in pairs {
      let configuration = KernelConfiguration(
        storage: .float(context.format), compute: format, accumulator: sums)
      guard
        let runner = KernelRunner(
          naive, configuration, parameters: context.parameters.rounded(to: configuration))
      else { continue }
      let place = format == sums ? format.name : "\(format.name), sums in \(sums.name)"
      runners += Subtrahend.allCases.map { ($0, format, place, runner) }
    }
    agrees = runners.map { _ in true }
  }

  /// What stands for a result: special values as such, and zeros that should be none.
  private static func kind(_ y: Double, _ truth: Double) -> Int {
    y.isNaN ? 1 : y == .infinity ? 2 : y == -.infinity ? 3 : y == 0 && truth != 0 ? 4 : 0
  }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard let truth = truths.first?.rounded, !runners.isEmpty, truth.allSatisfy(\.isFinite) else { return }
    rows += 1
    let kinds = y.indices.map { Self.kind(y[$0], truth[$0]) }
    let isSpoiled = kinds.contains { $0 != 0 }
    if isSpoiled { spoiled += 1 }
    simulated = Array(repeating: 0, count: y.count)
    for k in runners.indices where agrees[k] {
      let (subtrahend, format) = (runners[k].subtrahend, runners[k].format)
      // The usual mistake is tried on all rows; others where something went wrong.
      if subtrahend != .nothing && !isSpoiled { continue }
      let less = subtrahend.of(item.values)
      let shifted = subtrahend == .nothing ? item.values : item.values.map { format.round($0 - less) }
      var trace = StageTrace()
      shifted.withUnsafeBufferPointer { x in
        simulated.withUnsafeMutableBufferPointer {
          runners[k].runner.run(x, target: item.parameters.target, into: $0, trace: &trace)
        }
      }
      agrees[k] = simulated.indices.allSatisfy { Self.kind(simulated[$0], truth[$0]) == kinds[$0] }
    }
  }

  var findings: [HypothesisFit] {
    guard spoiled > 0,
      let found = Subtrahend.allCases.lazy.compactMap({ s in
        agrees.indices.first { agrees[$0] && runners[$0].subtrahend == s }
      }).first
    else { return [] }
    let subtrahend = runners[found].subtrahend
    return [
      HypothesisFit(
        subtrahend.name,
        evidence:
          "in \(rows) rows NaN, infinities and zeros stand just where \(subtrahend.power), or their sum, overflows in \(runners[found].where)"
      )
    ]
  }
}
