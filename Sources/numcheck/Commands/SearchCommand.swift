import ArgumentParser
import Guests
import NumKit
import Reports
import Searching
import StabilityTesting
import TensorFiles

/// Searches for the worst row: one command an operation.
struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "The worst row for a kernel, and the smallest that shows it.",
    discussion: """
      Begins with rows that kernels go wrong on, then climbs: bits of the worst rows, and their structure. What fails is made \
      shorter and simpler as long as it fails in the same way. Same seed, same answer, whatever the threads. Exit status 1 \
      where a kernel of yours is wrong.
      """,
    subcommands: [
      SearchRows<SoftmaxQuestion>.self, SearchRows<LogSoftmaxQuestion>.self,
      SearchRows<LogSumExpQuestion>.self,
      SearchRows<SigmoidQuestion>.self, SearchRows<CrossEntropyQuestion>.self,
      SearchRows<CrossEntropyGradientQuestion>.self, SearchRows<SoftmaxJacobianQuestion>.self,
      SearchNorm<RMSNormQuestion>.self, SearchNorm<LayerNormQuestion>.self,
      SearchVJP.self, SearchMatmul.self, SearchAttention.self, SearchBackward.self,
    ])

  func run() throws {
    let names = Self.configuration.subcommands.compactMap { $0.configuration.commandName }
    throw UsageError("an operation comes after 'search': \(names.joined(separator: ", "))")
  }
}

/// Searches rows of an operation.
struct SearchRows<Q: NamedOperation<RowOperation>>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: Q.operation.rawValue,
      abstract: "Search the worst row for \(Q.operation.rawValue). \(Q.abstract)",
      aliases: Q.operation == .logSoftmax ? ["log-softmax"] : [])
  }

  @OptionGroup(title: "Search") var search: SearchOptions
  @OptionGroup(title: "Your kernel") var guest: SearchedKernelOptions

  @Option(
    name: .long,
    help: ArgumentHelp("Kernel of ours to search, repeatable (default: all).", valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Question") var parameters: ParametersFor<ParametersOf<Q>>
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    var asked = OperationParameters(
      temperature: parameters.temperature.value, specialValues: parameters.policy)
    var target: Int?
    if ParametersOf<Q>.takesTarget {
      guard let index = Int(parameters.target), index >= 0, index < search.minLength else {
        throw UsageError(
          "--target must be an index of the shortest row: 0 to \(search.minLength - 1), or raise --min-length"
        )
      }
      (asked.target, target) = (index, index)
    } else if parameters.target != "0" {
      throw UsageError("--target is for the cross-entropy")
    }
    if parameters.cotangent != nil { throw UsageError("--cotangent is for softmax-vjp") }
    let longest = Q.operation == .softmaxJacobian ? 24 : 65_537
    if Q.operation == .softmaxJacobian, let length = search.maxLength, length > 512 {
      throw UsageError(
        "--max-length \(length): a Jacobian has as many entries squared; the limit is 512 here")
    }
    var run = try SearchRun(
      Q.operation.rawValue, search, guest, precision, algorithm, threads, report, longest: longest)
    if asked.temperature != 1 { run.question.append("temperature \(Figures.number(asked.temperature))") }
    if let target { run.question.append("target \(target)") }
    let operation = Q.operation
    if guest.isCalled {
      let claims = try guest.claimed
      let kernel = CalledRowKernel(
        operation.rawValue, inputs: try GuestOptions.element(run.inputs),
        results: try GuestOptions.element(run.format),
        target: target, parameters: [GuestParameter("temperature", asked.temperature)]
      ) { rows, length in RowFile.results(operation, [rows, length], 1) }
      let (inputs, format) = (run.inputs, run.format)
      let compute = claims.compute ?? RowPlans.usual(format)
      let stored = asked.rounded(
        to: KernelConfiguration(
          storage: .float(format), compute: compute, accumulator: claims.accumulate ?? compute))
      return try run.searchCalled(kernel) {
        try Judge(operation, format: format, inputs: inputs, parameters: stored, claims: claims)
      } item: {
        RowQuestion.Item(values: $0, parameters: stored)
      }
    }
    let configuration = run.configuration
    let all = Algorithm.all(for: operation, dtype: configuration.storage)
    let stored = asked.rounded(to: configuration)
    let format = run.format
    try run.searchOwn(
      try AlgorithmNames.chosen(algorithm.isEmpty ? ["all"] : algorithm, from: all, for: operation.rawValue)
        .map {
          SearchSubject(
            try KernelCandidate($0, configuration, parameters: stored), inputs: format, format: format,
            prover: { RowProver(operation, format: format) }, question: RowQuestion(operation)
          ) { RowQuestion.Item(values: $0, parameters: stored) }
        })
  }
}

/// Searches rows of a normalisation.
struct SearchNorm<N: NamedOperation<Normalization>>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: N.operation.rawValue,
      abstract: "Search the worst row for \(N.operation.rawValue). \(N.abstract)",
      discussion: "Rows are normalised without weight and bias.")
  }

  @OptionGroup(title: "Search") var search: SearchOptions
  @OptionGroup(title: "Your kernel") var guest: SearchedKernelOptions

  @Option(
    name: .long,
    help: ArgumentHelp("Kernel of ours to search, repeatable (default: all).", valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Formats") var precision: PrecisionOptions

  @Option(
    help: ArgumentHelp(
      "Added to the variance or mean square (default: 1e-6 for rmsnorm, 1e-5 for layernorm).", valueName: "X")
  )
  var epsilon: NumberArgument?

  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let asked = NormParameters(epsilon: epsilon?.value ?? N.operation.defaultEpsilon)
    do { try asked.check(N.operation, length: 1) } catch { throw UsageError("\(error)") }
    var run = try SearchRun(
      N.operation.rawValue, search, guest, precision, algorithm, threads, report, longest: 65_537,
      hasMasks: false)
    run.question = ["epsilon \(Figures.number(asked.epsilon))"]
    let (operation, format) = (N.operation, run.format)
    if guest.isCalled {
      let claims = try guest.claimed
      let kernel = CalledRowKernel(
        operation.rawValue, inputs: try GuestOptions.element(run.inputs),
        results: try GuestOptions.element(format),
        parameters: [GuestParameter("epsilon", asked.epsilon)]
      ) { [$0, $1] }
      let compute = claims.compute ?? RowPlans.usual(format)
      let stored = asked.rounded(
        to: KernelConfiguration(
          storage: .float(.f64), compute: compute, accumulator: claims.accumulate ?? compute))
      return try run.searchCalled(kernel) {
        try Judge(operation, format: format, parameters: stored, claims: claims)
      } item: {
        NormQuestion.Item(values: $0, parameters: stored)
      }
    }
    let configuration = run.configuration
    let stored = asked.rounded(to: configuration)
    try run.searchOwn(
      try AlgorithmNames.chosen(
        algorithm.isEmpty ? ["all"] : algorithm, from: NormAlgorithm.all(for: operation),
        for: operation.rawValue
      ).map {
        SearchSubject(
          try NormCandidate($0, configuration, parameters: stored), inputs: format, format: format,
          prover: { NormProver(operation, format: format) }, question: NormQuestion(operation)
        ) { NormQuestion.Item(values: $0, parameters: stored) }
      })
  }
}
