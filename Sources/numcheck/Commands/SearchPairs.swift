import ArgumentParser
import NumKit
import Searching

/// Searches logits and cotangents.
struct SearchVJP: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "softmax-vjp",
    abstract: "Search the worst pairs for softmax-vjp. \(SoftmaxVJPQuestion.abstract)",
    discussion: "A row has pairs of a logit and its cotangent.")

  @OptionGroup(title: "Search") var search: SearchOptions
  @OptionGroup(title: "Your kernel") var guest: SearchedKernelOptions

  @Option(
    help: ArgumentHelp("Kernel of ours to search, repeatable (default: all).", valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let name = RowOperation.softmaxVJP.rawValue
    let run = try SearchRun(
      name, search, guest, precision, algorithm, threads, report, longest: 4097, hasMasks: false, width: 2)
    let question = PairedVJP(
      inputs: run.inputs, format: run.format, parameters: OperationParameters(), claims: try guest.claimed)
    if guest.isCalled { return try run.searchCalled(question) }
    let all = Algorithm.all(for: .softmaxVJP, dtype: run.configuration.storage)
    let chosen = try AlgorithmNames.chosen(algorithm.isEmpty ? ["all"] : algorithm, from: all, for: name)
    try run.searchOwn(
      chosen.map { SearchSubject(vjp: $0, run.configuration, question, format: run.format) },
      of: question)
  }
}

/// Searches dot products.
struct SearchMatmul: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "matmul",
    abstract: "Search the worst dot product of a row of A and a column of B.",
    discussion: """
      A row has pairs of a number of A and one of B. A kernel of yours is called with up to 16 rows of A and as many columns \
      of B, of which the diagonal is looked at.
      """)

  @OptionGroup(title: "Search") var search: SearchOptions
  @OptionGroup(title: "Your kernel") var guest: SearchedKernelOptions

  @Option(
    help: ArgumentHelp(
      "Order of ours to search: sequential, pairwise, blocked:N, split-k:N; repeatable (default: one of each).",
      valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    if precision.compute != nil { throw UsageError("--compute: products are summed in --accumulate") }
    let run = try SearchRun(
      "matmul", search, guest, precision, algorithm, threads, report, longest: 16_385, hasMasks: false,
      width: 2)
    let question = PairedProduct(inputs: run.inputs, format: run.format, claims: try guest.claimed)
    if guest.isCalled { return try run.searchCalled(question) }
    let configuration: MatmulConfiguration
    do {
      configuration = try MatmulConfiguration(
        storage: precision.dtype, accumulator: .float(run.configuration.accumulator), result: run.format)
    } catch { throw UsageError("\(error)") }
    let orders = try MatmulOrder.chosen(algorithm)
    try run.searchOwn(
      orders.map { SearchSubject($0, configuration, format: run.format) }, of: question)
  }
}

/// What one query's keys are like, for searches of attention.
struct SearchedHeadOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Head size of a called attention, a power of 4.", valueName: "D"),
    transform: Whole.number)
  var headSize: Int = 16

  @Flag(help: "Keys may be hidden, by a mask of 0 and -inf that kernels get as well: a score of -inf.")
  var masks = false

  func validate() throws {
    guard [1, 4, 16, 64, 256].contains(headSize) else {
      throw ValidationError("--head-size must be 1, 4, 16, 64 or 256")
    }
  }

  func check(_ search: SearchOptions, _ guest: SearchedKernelOptions) throws {
    if masks && search.finite { throw UsageError("--masks and --finite: one or the other") }
    if guest.roundInputs != nil { throw UsageError("--round-inputs: attention's inputs are of the dtype") }
  }

  func check(_ format: NumberFormat) throws {
    if masks && !format.hasInfinity { throw UsageError("--masks: \(format.name) has no -inf") }
  }
}

/// Searches scores and values.
struct SearchAttention: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention",
    abstract: "Search the worst scores and values for attention.",
    discussion: """
      A row has pairs of a key's score and its value, for one query: (sqrt(d), 0, ...), so that at the usual scale the first \
      number of a key is its score; all others are 0. What errs in dot products is found by 'search matmul'.
      """)

  @OptionGroup(title: "Search") var search: SearchOptions
  @OptionGroup(title: "Your kernel") var guest: SearchedKernelOptions

  @Option(
    help: ArgumentHelp(
      "Attention of ours to search: standard, flash, naive, split-kv; repeatable (default: all but naive).",
      valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup var head: SearchedHeadOptions
  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    try head.check(search, guest)
    let run = try SearchRun(
      "attention", search, guest, precision, algorithm, threads, report, longest: 4097, hasMasks: head.masks,
      width: 2)
    try head.check(run.format)
    let claims = try guest.claimed
    if guest.isCalled {
      return try run.searchCalled(
        PairedAttention(format: run.format, headSize: head.headSize, hasMask: head.masks, claims: claims))
    }
    let chosen = try AttentionAlgorithm.chosen(
      algorithm.isEmpty ? ["standard", "flash", "split-kv"] : algorithm, all: AttentionAlgorithm.allCases)
    let question = PairedAttention(format: run.format, headSize: 1, hasMask: head.masks, claims: claims)
    try run.searchOwn(
      chosen.map {
        SearchSubject(
          attention: AttentionRunner($0, run.configuration, splits: $0 == .splitKV ? 4 : nil), question)
      }, of: question)
  }
}

/// Searches scores and values for gradients.
struct SearchBackward: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention-backward",
    abstract: "Search the worst scores and values for attention's gradients.",
    discussion: """
      A row has pairs of a key's score and its value, for one query, as in 'search attention'; dO is (1, 0, ...). A kernel of \
      yours gives dq, dk and dv.
      """)

  @OptionGroup(title: "Search") var search: SearchOptions
  @OptionGroup(title: "Your kernel") var guest: SearchedKernelOptions

  @Option(
    help: ArgumentHelp(
      "Backward pass of ours to search: standard, flash; repeatable (default: both).", valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup var head: SearchedHeadOptions
  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    try head.check(search, guest)
    let run = try SearchRun(
      "attention-backward", search, guest, precision, algorithm, threads, report, longest: 1025,
      hasMasks: head.masks, width: 2)
    try head.check(run.format)
    let size = guest.isCalled ? head.headSize : 1
    let question = PairedBackward(
      format: run.format, headSize: size, hasMask: head.masks, claims: try guest.claimed)
    if guest.isCalled { return try run.searchCalled(question) }
    let chosen = try AttentionAlgorithm.chosen(
      algorithm.isEmpty ? ["standard", "flash"] : algorithm, all: [.standard, .flash])
    try run.searchOwn(
      chosen.map { name in
        guard let runner = BackwardRunner(AttentionRunner(name, run.configuration)) else {
          throw UsageError("\(BackwardError.noBackward(name.rawValue))")
        }
        return question.subject(runner)
      }, of: question)
  }
}
