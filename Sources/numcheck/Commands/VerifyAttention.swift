import ArgumentParser
import Guests
import NumKit
import Reports
import TensorFiles

/// Judges outputs of attention.
struct VerifyAttention: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention",
    abstract: "Judge outputs of attention, and its log-sum-exps.",
    discussion: """
      Queries, keys and values are taken exactly as the files have them; --results is o, shaped as the queries are but for \
      the size of a value.
      """)

  @OptionGroup(title: "Results") var guest: GuestOptions

  @Option(
    help: ArgumentHelp(
      "The log-sum-exp of each query that the kernel computed, shaped [... heads, queries].",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var lseResults: String?

  @OptionGroup(title: "Question") var question: AttentionQuestionOptions
  @OptionGroup(title: "Input") var input: AttentionInputOptions
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    try keepApart(
      outputs: report.files, inputs: input.inputs + [question.mask, lseResults] + guest.files)
    let source = try AttentionInput(input)
    let parameters = try question.parameters(source)
    let shape = source.tensors.shape
    func rounded(_ format: NumberFormat) -> AttentionInputs {
      guest.rounding(isGenerated: input.q == nil, format)
        .map { source.tensors.rounded(to: $0, overflow: guest.overflow) } ?? source.tensors
    }
    let called = try guest.call(
      rounded(guest.calledFormat), parameters, guest.inputFormat ?? guest.calledFormat, seed: input.seed)
    let file = try guest.file(shapes: [source.outputShape + [shape.valueSize]], called: called)
    let tensors = rounded(file.format)
    var files = [file]
    if let called, called.given.contains("lse") { files.append(try called.file("lse")) }
    var isHeadsFirst = source.layout == .hnd || source.outputShape.count < 2
    if let lseResults {
      // Of tokens before heads too, log-sum-exps mostly stand heads first.
      var shapes = [source.outputShape]
      if !isHeadsFirst {
        var other = source.outputShape
        other.swapAt(other.count - 2, other.count - 1)
        if other != source.outputShape { shapes.insert(other, at: 0) }
      }
      let lse = try TensorSpecifier(argument: lseResults).open()
      isHeadsFirst = isHeadsFirst || lse.shape == shapes[0] && shapes.count > 1
      files.append(try GuestFile(lse, name: ArgumentText.shown(lseResults), shapes: shapes))
    }
    let lseHeadsFirst = isHeadsFirst
    // A kernel that is called gives heads first, whatever the layout of files.
    let isCalled = called != nil
    let results = SerialFile<AttentionForward>(
      files, counts: [shape.valueSize, 1],
      number: { item, part in
        isCalled || part == 1 && lseHeadsFirst ? item.row : source.place(item.row, source.outputShape)
      })
    var verification = AttentionVerification(
      tensors, parameters, format: file.format, lseFormat: files.count > 1 ? files[1].format : nil)
    verification.overflow = guest.overflow
    verification.claims = try guest.claimed
    verification.threads = threads.count
    let progress = Progress(total: shape.heads * shape.queries)
    let found = try verification.run(file.name, results, progress: progress.callback)
    progress.finish()
    var made = VerifyReport(
      command: "verify attention", candidate: file.name, formats: files.map(\.format),
      policy: question.policy, parts: files.count > 1 ? ["o", "lse"] : [""], found.findings,
      promised: found.promised, claims: verification.claims)
    made.title =
      "attention in \(file.format.name): \(AttentionWords.size(shape)), "
      + AttentionWords.question(parameters, shape)
    made.facts =
      [
        Fact("dtype", .text(file.format.name), inRows: true),
        Fact("overflowMode", .text(guest.overflow.rawValue)),
      ] + source.origin.facts + shape.facts + [
        Fact("rows", .integer(shape.heads * shape.queries)), Fact("length", .integer(shape.keys)),
        Fact("question", .text(AttentionWords.question(parameters, shape))),
        Fact("policy", .text(question.policy.rawValue)),
        Fact("certificate", .certificate(found.findings.measurement.certificate)),
      ]
    let rows = shape.heads * shape.queries
    var places = WrongPlaces(
      rows: rows, rowShape: source.headShape + [shape.queries], length: shape.valueSize)
    places.noun = "query"
    places.axes = Self.axes(source.headShape.count, "query")
    var logs = WrongPlaces(rows: rows, rowShape: places.rowShape, length: 1)
    logs.noun = "query"
    logs.axes = places.axes
    made.places = [places, logs]
    try report.finish(
      made.report.adding(called), limits: Report.limits(of: called) + thresholds.limits)
  }

  /// What tensors' axes count but for the last: the last of `heads` are heads, those before batches.
  static func axes(_ heads: Int, _ token: String) -> [String] {
    Array(repeating: "batch", count: max(0, heads - 1)) + (heads > 0 ? ["head"] : []) + [token]
  }
}
