import ArgumentParser
import Decoding
import NumKit
import Reports

extension RoutingRule.Scoring: ExpressibleByArgument {}

/// Which experts a gate sends tokens to, and which it would by exact arithmetic.
struct RoutingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routing",
    abstract:
      "Expert routing in a format: which experts a gate keeps, beside those it should, and how much weight moves.",
    discussion: """
      Each row holds a token's logits, one an expert. Scores are sigmoids or a softmax, stored in --dtype; a bias is added for \
      the choice alone; the largest --top-k are kept, of equal ones the smaller index; weights are their scores' shares of \
      their sum. The truth is that of the logits as given. No row whose gap between the last kept and the first left out is \
      beyond its margin can flip: twice what a score may be off by, the format's rounding of logits included.
      """)

  @Option(help: "What scores are: sigmoid or softmax (default: both).")
  var scoring: RoutingRule.Scoring?

  @Option(help: ArgumentHelp("Keep the K largest.", valueName: "K"), transform: Whole.number)
  var topK: Int = 8

  @Option(help: ArgumentHelp("A bias for each expert.", valueName: "FILE[:TENSOR]"), completion: .file())
  var bias: String?

  @Option(
    help: ArgumentHelp("Draw biases from [-X, X], from the seed (default: none).", valueName: "X"))
  var biasRange: NumberArgument?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Kernel of the scores, repeatable (default: those that do not overflow).", valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Input") var input: RowOptions<ExpertLogits>
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  enum ExpertLogits: InputUse {
    static let noun = "logits"
    static let length = "256"
  }

  /// Rows as asked for; tokens of 256 experts where nothing was said.
  private struct Choice: InputChoice {
    let options: RowOptions<ExpertLogits>
    var input: String? { options.input }
    var axis: Int { options.axis }
    var distribution: Distribution { options.givenDistribution ?? .normal }
    var range: Double { options.givenRange?.value ?? 1.5 }
    var rows: Int? { options.rows }
    var length: Int? { options.length ?? 256 }
    var seed: UInt64 { options.seed }
  }

  func validate() throws {
    if topK < 1 { throw ValidationError("--top-k must be 1 or more") }
    if bias != nil && biasRange != nil { throw ValidationError("--bias and --bias-range: take one") }
    if let biasRange, !(biasRange.value >= 0 && biasRange.value.isFinite) {
      throw ValidationError("--bias-range must be finite and 0 or more")
    }
  }

  func run() throws {
    let configuration = try precision.configuration()
    guard configuration.storage.numberFormat != nil else {
      throw UsageError("routing needs a floating-point --dtype")
    }
    try keepApart(outputs: report.files, inputs: [input.input, bias])
    let source = try RowInput(Choice(options: input), dtype: configuration.storage)
    let workers = try MemoryNeeds.threads(threads, "routing", length: source.rows.length)
    let biases = try biases(source.rows.length)
    let scorings = scoring.map { [$0] } ?? RoutingRule.Scoring.allCases
    var gates: [RoutingReport.Gate] = []
    for scoring in scorings {
      let rule = RoutingRule(scoring, topK: topK, bias: biases)
      do { try rule.check(experts: source.rows.length) } catch { throw UsageError("\(error)") }
      let all = Algorithm.all(for: scoring.operation, dtype: configuration.storage)
      let algorithms =
        try algorithm.isEmpty
        ? all.filter { $0.description != "naive" && $0.variant == nil }
        : AlgorithmNames.chosen(algorithm, from: all, for: scoring.operation.rawValue)
      let study = RoutingStudy(rule, algorithms, configuration, threads: workers)
      func run(_ rows: some RowSource) throws -> RoutingStudy.Result { try study.run(on: rows) }
      gates.append(RoutingReport.Gate(study: study, result: try run(source.rows)))
    }
    try report.finish(
      RoutingReport(
        gates: gates, configuration: configuration, source: source, topK: topK,
        bias: bias != nil ? "file" : biasRange == nil ? "none" : "generated"
      ).report)
  }

  private func biases(_ count: Int) throws -> [Double] {
    if let bias { return try WholeTensor(bias).values }
    guard let range = biasRange?.value else { return [] }
    var random = RandomSource(seed: input.seed, row: -5)
    return (0..<count).map { _ in range * (2 * random.uniform() - 1) }
  }
}
