import ArgumentParser
import Gate
import Reports

/// Figures over the runs of a gate.
struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Show how figures moved over the runs of a gate, and where they jumped.",
    discussion: """
      'numcheck gate --history FILE.db' adds a run to the file. A figure jumped where its runs before and after differ by more than \
      three times what they scatter; the commit is that of the first run after.
      """)

  @Argument(help: ArgumentHelp("The SQLite file.", valueName: "FILE.db"), completion: .file())
  var file: String

  @Option(name: .customLong("of"), help: ArgumentHelp("Checks; '*' and '?' match.", valueName: "check"))
  var checks: String?

  @Option(help: ArgumentHelp("Results: algorithms, schemes; '*' and '?' match.", valueName: "name"))
  var result: String?

  @Option(help: ArgumentHelp("Figures, like ulp.max; '*' and '?' match.", valueName: "figure"))
  var figure: String?

  @Flag(help: "Show every run.") var runs = false

  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    try keepApart(outputs: report.files, inputs: [file])
    let history = try History(ArgumentText.shown(file), creating: false)
    let series = try history.series(check: checks, result: result, figure: figure)
    if series.isEmpty {
      throw UsageError("\(ArgumentText.shown(file)): no run has such a figure")
    }
    let made = HistoryReport(
      file: ArgumentText.shown(file), version: toolVersion, series: series, runs: try history.runs(),
      showsRuns: runs)
    try report.finish(made.report)
  }
}
