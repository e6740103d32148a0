import ArgumentParser
import NumKit
import Reports
import SystemPackage
import TensorFiles

/// How a report is shown, where else it is written, and what it is held to.
struct ReportOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Report as \(ReportFormat.names).", valueName: "format"))
  var format = ReportFormat(TextEmitter.self)

  @Option(
    help: ArgumentHelp(
      "Write the report to a file as well, in any of these formats; repeatable.", valueName: "FORMAT=FILE"))
  var report: [ReportFile] = []

  @Option(
    help: ArgumentHelp(
      "Show these columns of a table, by title or path, or 'all'; tables otherwise show what fits.",
      valueName: "name,..."))
  var columns: String?

  @Flag(help: "Show every column, however wide the table: --columns all.")
  var wide = false

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Check: fail unless a figure of the report keeps a limit, like 'ulp.max<=3' or 'shifted:ulp.max<=bound.ulp'; repeatable.",
      valueName: "FIGURE<=LIMIT"))
  var check: [String] = []

  func validate() throws {
    if wide && columns != nil { throw ValidationError("--wide is --columns all; take one or the other") }
    do {
      for text in check { _ = try Limit(parsing: text) }
    } catch { throw ValidationError("\(error)") }
  }

  /// Whether any report is a page, which can draw.
  var draws: Bool { ([format] + report.map(\.format)).contains { $0.emitter == HTMLEmitter.self } }

  /// The files that are written.
  var files: [String] { report.map(\.path) }

  /// Whether anything is checked with --check.
  var hasChecks: Bool { !check.isEmpty }

  private var choice: ColumnChoice {
    wide ? .all : columns.map { ColumnChoice(parsing: $0) } ?? .fitting
  }

  /// Holds the report to `limits` and to --check, writes it, and throws what its checks come to: `CheckFailed`, or a `UsageError` where
  /// nothing, or not all, could be checked.
  ///
  /// `shows` is false where results went to standard output already.
  func finish(_ report: Report, limits: [Limit] = [], shows: Bool = true) throws {
    try SharedRun.end()
    var report = report
    if let taker = ReportTaker.current {
      return try taker.take(report, limits + check.map { try Limit(parsing: $0) })
    }
    report.commandLine = Invocation.line
    do {
      try report.check(limits + check.map { try Limit(parsing: $0) })
      try choice.check(report)
    } catch { throw UsageError("\(error)") }
    let written = Result {
      let files = try self.report.map { file in
        try RawWriter(file.path, text: file.format.emitter.text(report, Style(columns: choice)))
      }
      try deliver(files) {}
    }
    // A file that cannot be written hides nothing.
    if shows { try emit(format.emitter.text(report, Terminal.style(columns: choice))) }
    if !shows || !format.emitter.hasFindings {
      for finding in report.allFindings where finding.isWarning { printNote(finding.line) }
    }
    try written.get()
    switch report.status {
    case .ok: return
    case .failed:
      let first = report.checks.first { !$0.passed }?.message ?? ""
      throw CheckFailed(message: format.emitter == TextEmitter.self ? "" : first)
    case .unchecked: throw UsageError(report.uncheckedReason ?? "nothing was checked")
    }
  }
}

/// A format of reports, by its name in `EmitterRegistry`.
struct ReportFormat: ExpressibleByArgument {
  let emitter: any Emitter.Type

  init(_ emitter: any Emitter.Type) { self.emitter = emitter }

  init?(argument: String) {
    guard let emitter = EmitterRegistry.named(argument) else { return nil }
    self.emitter = emitter
  }

  static var allValueStrings: [String] { EmitterRegistry.all.map { $0.name } }
  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
  var defaultValueDescription: String { emitter.name }

  /// `text, json or csv`.
  static var names: String {
    allValueStrings.dropLast().joined(separator: ", ") + " or " + (allValueStrings.last ?? "")
  }
}

/// A file and the format of the report in it.
struct ReportFile: ExpressibleByArgument {
  let format: ReportFormat
  let path: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, parts[1] != "-", let format = ReportFormat(argument: parts[0]) else { return nil }
    (self.format, path) = (format, parts[1])
  }
}

extension RawWriter {
  /// Begins a file of text at the path that an argument names.
  convenience init(_ path: String, text: String) throws {
    try self.init(FilePath(argument: path))
    try Array(text.utf8).withUnsafeBytes { try write($0, at: 0) }
  }
}
