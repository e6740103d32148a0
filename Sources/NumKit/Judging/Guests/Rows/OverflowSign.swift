import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// NaN, infinities and zeros just where a kernel has them that subtracts no maximum.
struct OverflowSign: Sign {
  typealias Q = RowQuestion

  private var runners: [(where: String, runner: KernelRunner)] = []
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
      runners.append((format == sums ? format.name : "\(format.name), sums in \(sums.name)", runner))
      agrees.append(true)
    }
  }

  /// What stands for a result: special values as such, and zeros that should be none.
  private static func kind(_ y: Double, _ truth: Double) -> Int {
    y.isNaN ? 1 : y == .infinity ? 2 : y == -.infinity ? 3 : y == 0 && truth != 0 ? 4 : 0
  }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard let truth = truths.first?.rounded, !runners.isEmpty, truth.allSatisfy(\.isFinite) else { return }
    rows += 1
    let kinds = y.indices.map { Self.kind(y[$0], truth[$0]) }
    if kinds.contains(where: { $0 != 0 }) { spoiled += 1 }
    simulated = Array(repeating: 0, count: y.count)
    for k in runners.indices where agrees[k] {
      var trace = StageTrace()
      item.values.withUnsafeBufferPointer { x in
        simulated.withUnsafeMutableBufferPointer {
          runners[k].runner.run(x, target: item.parameters.target, into: $0, trace: &trace)
        }
      }
      agrees[k] = simulated.indices.allSatisfy { Self.kind(simulated[$0], truth[$0]) == kinds[$0] }
    }
  }

  var findings: [HypothesisFit] {
    guard spoiled > 0, let k = agrees.firstIndex(of: true) else { return [] }
    return [
      HypothesisFit(
        "no maximum subtracted",
        evidence:
          "in \(rows) rows NaN, infinities and zeros stand just where e^x, or their sum, overflows in \(runners[k].where)"
      )
    ]
  }
}
