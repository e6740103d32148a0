import NumKit
import Reports
import Searching
import StabilityTesting
import TensorFiles

/// What all searches of rows share: from flags to files and a report.
struct SearchRun {
  let operation: String
  let search: SearchOptions
  let guest: SearchedKernelOptions
  let report: ReportOptions
  /// The formats of a kernel of ours.
  let configuration: KernelConfiguration
  /// What rows are numbers of, and results.
  let inputs: NumberFormat
  let format: NumberFormat
  private let settings: SearchSettings
  private let kept: (text: String, entries: [RegressionFile.Entry])
  /// What else the question has, where that is not as usual: for tests that are written.
  var question: [String] = []

  init(
    _ operation: String, _ search: SearchOptions, _ guest: SearchedKernelOptions,
    _ precision: PrecisionOptions,
    _ algorithm: [String], _ threads: ThreadOptions, _ report: ReportOptions, longest: Int,
    hasMasks: Bool = true, width: Int = 1
  ) throws {
    self.operation = operation
    self.search = search
    self.guest = guest
    self.report = report
    configuration = try precision.configuration()
    guard let format = configuration.storage.numberFormat, configuration.overflow == .special else {
      throw UsageError("search needs a floating-point --dtype, and no --overflow saturate")
    }
    self.format = format
    inputs = guest.roundInputs?.numberFormat ?? format
    if guest.isCalled {
      if !algorithm.isEmpty {
        throw UsageError("--algorithm is for kernels of ours; of yours --claims algorithm=NAME says it")
      }
      if precision.compute != nil || precision.accumulate != nil {
        throw UsageError("--compute and --accumulate are for kernels of ours; of yours --claims says them")
      }
    }
    try keepApart(outputs: search.outputs + report.files, inputs: [])
    var limits = try search.limits(inputs, longest: longest)
    if !hasMasks && !search.specialValues { limits.allowsMasks = false }
    limits.width = width
    if width > 1 && search.range == nil && inputs.maxExponent > 100 {
      // A right kernel's sums may overflow on the way to a result that does not: not by default.
      let most = inputs.largestFinite / Double(4 * limits.lengths.upperBound)
      limits.range = inputs.largest(
        upTo: ["matmul", "attention-backward"].contains(operation) ? most.squareRoot() : most)
    }
    let workers = try MemoryNeeds.threads(
      threads, operation, length: limits.lengths.upperBound * width, algorithms: 4)
    settings = try search.settings(limits, isCalled: guest.isCalled, threads: workers)
    kept = try search.kept()
  }

  /// What failing rows are kept under: the question, whoever answers it.
  private var key: String { "search \(operation) \(inputs.name) \(format.name)" }

  /// Searches a kernel of yours.
  func searchCalled<Q: NumKit.Question>(
    _ kernel: CalledRowKernel, judge: @escaping @Sendable () throws -> Judge<Q>,
    item: @escaping @Sendable ([Double]) -> Q.Item
  ) throws {
    // What is wrong with flags shows before anything is started, and what is wrong with the kernel before it is searched.
    do { _ = try judge() } catch { throw UsageError("--claims: \(error)") }
    let name = try startedName(kernel)
    let guest = guest
    try finish([
      SearchSubject(
        name: name, kernel, inputs: inputs, format: format, start: { try guest.start(kernel) },
        makeJudge: judge,
        item: item)
    ])
  }

  /// Searches a kernel of yours whose rows are pairs.
  func searchCalled(_ question: some PairedQuestion) throws {
    // Claims that fit no kernel show with any row.
    let count = question.resultShapes(rows: 1, length: 1).reduce(0) { $0 + $1.reduce(1, *) }
    do { _ = try question.judge([1, 1], [Double](repeating: 1, count: count)) } catch let error as ClaimError
    {
      throw UsageError("--claims: \(error)")
    }
    if settings.aim == .batch && question.mostRows == 1 {
      throw UsageError("--maximise batch: a call of \(question.operation) is about one row")
    }
    let kernel = CalledPairs(
      question, inputs: try GuestOptions.element(inputs), results: try GuestOptions.element(format))
    let name = try startedName(kernel)
    let guest = guest
    try finish(
      [
        SearchSubject(
          name: name, kernel, inputs: inputs, format: format, start: { try guest.start(kernel) },
          judging: { try question.judge($0, $1) })
      ], of: question)
  }

  /// The kernel's name, which was started once.
  private func startedName(_ kernel: some CalledKernel) throws -> String {
    let first = try guest.start(kernel)
    defer { first.close() }
    return guest.callee.exec == nil ? first.name : "program"
  }

  /// Searches kernels of ours; where rows are pairs, of that question.
  func searchOwn(_ subjects: [SearchSubject], of pairs: (any PairedQuestion)? = nil) throws {
    try finish(subjects, of: pairs)
  }

  private func finish(
    _ subjects: [SearchSubject], of pairs: (any PairedQuestion)? = nil
  ) throws {
    let width = settings.limits.width
    let witnesses = kept.entries.filter { $0.name == key }.compactMap { Search.row($0.choices, width: width) }
    // How far it is in time nobody asks a count of rows.
    let isCounted = search.tries != nil || search.seconds == nil
    let progress = Progress(
      total: isCounted ? settings.tries * subjects.count : 0, seconds: isCounted ? nil : settings.seconds)
    defer { progress.finish() }
    var found: [SearchReport.Found] = []
    // Of the time there is each kernel gets as much.
    var shared = settings
    shared.seconds = settings.seconds.map { $0 / Double(subjects.count) }
    for (k, subject) in subjects.enumerated() {
      let before = isCounted ? k * settings.tries : found.reduce(0) { $0 + $1.outcome.tried }
      let outcome = try Search(subject, shared).run(
        witnesses: witnesses, progress: progress.callback.map { show in { @Sendable in show(before + $0) } })
      found.append(SearchReport.Found(kernel: subject.name, outcome: outcome))
    }
    progress.finish()
    var made = SearchReport(
      operation: operation, configuration: configuration, inputs: inputs, format: format, settings: settings,
      isCalled: guest.isCalled, found: found)
    made.line = guest.callee.exec ?? guest.callee.plugin
    made.parametersComment = question
    made.pairs = pairs
    var files: [any UnfinishedFile] = []
    let failing = made.failing
    if let path = search.witnesses {
      var added: [RegressionFile.Entry] = []
      for (_, find, shrunk) in failing where shrunk.isReproduced {
        let entry = RegressionFile.Entry(
          name: key, kind: find.kind, choices: Search.choices(shrunk.evaluation.row, width: width))
        if !(kept.entries + added).contains(where: { $0.name == entry.name && $0.choices == entry.choices }) {
          added.append(entry)
        }
      }
      made.kept = (path: ArgumentText.shown(path), added: added.count)
      if !added.isEmpty {
        files.append(try RawWriter(path, text: RegressionFile.adding(added, to: kept.text)))
      }
    }
    for file in search.emit {
      guard let test = made.test(Invocation.line) else {
        throw UsageError("--emit: no row with results was found to write a test of")
      }
      files.append(try RawWriter(file.path, text: file.emitter.text(test)))
    }
    let limits = guest.isCalled ? SearchReport.limits : []
    let finished = made.report
    try deliver(files) { try report.finish(finished, limits: limits) }
  }
}
