import ArgumentParser
import Guests
import NumKit
import Reports
import TensorFiles

/// Judges gradients of attention.
struct VerifyBackward: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention-backward",
    abstract: "Judge gradients of attention: dQ, dK and dV.",
    discussion: """
      Queries, keys, values and dO are taken exactly as the files have them; --dq is shaped as the queries are, --dk and --dv \
      as keys and values. A kernel that is called gets the array 'do' besides, and gives 'dq', 'dk' and 'dv', heads first.
      """)

  @Option(
    help: ArgumentHelp("The queries' gradient that the kernel computed.", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var dq: String?

  @Option(
    help: ArgumentHelp(
      "The keys' gradient, summed over the heads that use them.", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var dk: String?

  @Option(
    help: ArgumentHelp("The values' gradient, likewise.", valueName: "FILE[:TENSOR]"), completion: .file())
  var dv: String?

  @OptionGroup(title: "Results") var guest: GuestOptions
  @OptionGroup(title: "Question") var question: AttentionQuestionOptions
  @OptionGroup(title: "Input") var input: AttentionInputOptions

  @Option(
    name: .customLong("do"),
    help: ArgumentHelp(
      "The outputs' gradient, shaped like o (default: normal, from the seed).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var outputGradient: String?

  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  private var given: [(gradient: AttentionGradient, file: String?)] {
    [(.dq, dq), (.dk, dk), (.dv, dv)]
  }

  func validate() throws {
    if guest.called.isCalled, let (gradient, _) = given.first(where: { $0.file != nil }) {
      throw ValidationError("--\(gradient) is a file that there is: --exec and --plugin make their own")
    }
    if guest.results != nil && given.contains(where: { $0.file != nil }) {
      throw ValidationError("--results is one file of dq, dk and dv: not beside --dq, --dk or --dv")
    }
  }

  func run() throws {
    try keepApart(
      outputs: report.files,
      inputs: input.inputs + [question.mask, outputGradient] + given.map(\.file) + guest.files)
    let source = try AttentionInput(input)
    let parameters = try question.parameters(source)
    let drawn = try OutputGradient.read(outputGradient, source, seed: input.seed)
    func rounding(_ format: NumberFormat) -> NumberFormat? {
      guest.rounding(isGenerated: input.q == nil, format)
    }
    func rounded(_ format: NumberFormat) -> (tensors: AttentionInputs, gradient: [Double]) {
      let own = guest.rounding(isGenerated: outputGradient == nil, format)
      return (
        rounding(format).map { source.tensors.rounded(to: $0, overflow: guest.overflow) } ?? source.tensors,
        own.map { format in drawn.values.map { format.round($0, overflow: guest.overflow) } } ?? drawn.values
      )
    }
    let asked = rounded(guest.calledFormat)
    do {
      // What has no gradient is said before a kernel is called.
      _ = try BackwardProver(
        asked.tensors, gradient: asked.gradient, parameters, format: guest.calledFormat)
    } catch { throw UsageError("\(error)") }
    let called = try guest.call(
      asked.tensors, gradient: asked.gradient, parameters, guest.inputFormat ?? guest.calledFormat,
      seed: input.seed)
    let files = try files(source, called)
    let format = files[0].format
    for (file, part) in zip(files, given) where file.format != format {
      throw UsageError(
        "\(part.gradient) is in \(file.format.name), but dq in \(format.name): name one --dtype")
    }
    let (tensors, gradient) = rounded(format)
    var verification = BackwardVerification(tensors, gradient: gradient, parameters, format: format)
    verification.overflow = guest.overflow
    verification.claims = try guest.claimed
    verification.threads = threads.count
    let shapes = [source.outputShape, source.keyShape, source.valueShape]
    // A kernel that is called gives heads first, whatever the layout of files.
    let isCalled = called != nil
    let results = PlacedFiles(AttentionBackward(parameters), files) {
      isCalled ? $0.row : source.place($0.row, shapes[$0.part])
    }
    let progress = Progress(total: tensors.shape.keyHeads)
    let name = called?.name ?? files.map(\.name).joined(separator: ", ")
    let found: JudgedGuest<AttentionBackward>
    do { found = try verification.run(name, results, progress: progress.callback) } catch let error
      as BackwardError
    { throw UsageError("\(error)") }
    progress.finish()
    try report.finish(
      made(found, verification, source, name, gradient: drawn.name).adding(called),
      limits: Report.limits(of: called) + thresholds.limits)
  }

  private func made(
    _ found: JudgedGuest<AttentionBackward>, _ verification: BackwardVerification, _ source: AttentionInput,
    _ name: String, gradient: String
  ) -> Report {
    let (shape, format) = (verification.tensors.shape, verification.format)
    let parts = AttentionGradient.allCases.map(\.rawValue)
    var made = VerifyReport(
      command: "verify attention-backward", candidate: name,
      formats: Array(repeating: format, count: parts.count), policy: question.policy, parts: parts,
      found.findings, promised: found.promised, claims: verification.claims)
    made.boundedParts = parts.count
    made.itemNoun = "key head"
    let words = AttentionWords.question(verification.parameters, shape)
    made.title =
      "gradients of attention in \(format.name): \(AttentionWords.size(shape)), \(words), \(gradient)"
    made.facts =
      [
        Fact("dtype", .text(format.name), inRows: true),
        Fact("overflowMode", .text(guest.overflow.rawValue)), Fact("gradient", .text(gradient)),
      ] + source.origin.facts + shape.facts + [
        Fact("rows", .integer(shape.heads * shape.queries)), Fact("length", .integer(shape.keys)),
        Fact("question", .text(words)), Fact("policy", .text(question.policy.rawValue)),
        Fact("certificate", .certificate(found.findings.measurement.certificate)),
      ]
    made.places = AttentionGradient.allCases.map { part in
      let heads = part == .dq ? shape.heads : shape.keyHeads
      let tokens = part == .dq ? shape.queries : shape.keys
      var places = WrongPlaces(
        rows: heads * tokens, rowShape: [heads, tokens],
        length: part == .dv ? shape.valueSize : shape.headSize)
      places.noun = part == .dq ? "query" : "key"
      places.axes = [part == .dq ? "head" : "key head", places.noun]
      return places
    }
    return made.report
  }

  /// The three files, or what a kernel gave.
  private func files(_ source: AttentionInput, _ called: CalledResults?) throws -> [GuestFile] {
    let shape = source.tensors.shape
    return try given.map { gradient, file in
      if let called { return try called.file(gradient.rawValue) }
      let width = gradient == .dv ? shape.valueSize : shape.headSize
      let axes =
        switch gradient {
        case .dq: source.outputShape
        case .dk: source.keyShape
        case .dv: source.valueShape
        }
      guard let path = file ?? guest.results.map({ "\($0):\(gradient)" }) else {
        throw UsageError(
          "--\(gradient) is missing: --dq, --dk and --dv, --results FILE that has all three, or a kernel to call by --exec or "
            + "--plugin")
      }
      return try GuestFile(
        TensorSpecifier(argument: path).open(), name: ArgumentText.shown(path), shapes: [axes + [width]],
        format: guest.dtype?.numberFormat)
    }
  }
}
