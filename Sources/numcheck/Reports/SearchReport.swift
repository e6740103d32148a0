import NumKit
import Reports
import Searching
import StabilityTesting

/// The worst rows that a search found.
struct SearchReport {
  /// What was found of one kernel.
  struct Found {
    let kernel: String
    let outcome: SearchOutcome
  }

  let operation: String
  let configuration: KernelConfiguration
  let inputs: NumberFormat
  let format: NumberFormat
  let settings: SearchSettings
  let isCalled: Bool
  let found: [Found]
  /// The line of the shell, or the library.
  var line: String?
  /// The file that failing rows are kept in, and how many were added.
  var kept: (path: String, added: Int)?

  private typealias C = SearchColumns

  /// Failures with their simplest rows.
  var failing: [(Found, SearchOutcome.Find, ShrunkRow)] {
    found.flatMap { one in one.outcome.finds.compactMap { find in find.shrunk.map { (one, find, $0) } } }
  }

  /// What the command itself asks of a kernel of yours: no row is wrong.
  static var limits: [Limit] {
    var limit = Limit(C.rows.path, .equal, "0")
    limit.isImplied = true
    return [limit]
  }

  /// A line of the table: a failure, or the worst row of a kernel that has none.
  private struct Line {
    let found: Found
    var find: SearchOutcome.Find?
    let worst: Evaluation
    var shrunk: ShrunkRow?
    let foundAt: Int
  }

  private var lines: [Line] {
    found.flatMap { one -> [Line] in
      let outcome = one.outcome
      if outcome.finds.isEmpty {
        return outcome.worst.map {
          [Line(found: one, worst: $0, shrunk: outcome.worstShrunk, foundAt: outcome.worstAt)]
        } ?? []
      }
      return outcome.finds.map {
        Line(found: one, find: $0, worst: $0.evaluation, shrunk: $0.shrunk, foundAt: $0.firstAt)
      }
    }
  }

  /// The first failure, or else the worst row, as a test; nil where nothing was computed. `line` is what makes it again.
  func test(_ line: String) -> EmittedTest? {
    for one in lines {
      guard let shrunk = one.shrunk, shrunk.proven != nil else { continue }
      var comment = ["Written by numcheck \(toolVersion): \(line)"]
      comment.append(
        "\(one.found.kernel): \(one.find?.kind ?? "the worst row found"), "
          + SearchWords.result(shrunk.evaluation, format))
      if configuration.storage.numberFormat != inputs {
        comment.append("rows in \(inputs.name), results in \(format.name)")
      }
      comment += parametersComment
      let clean = comment.map { Escaping.line(ArgumentText.shown($0)) }
      if let test = EmittedTest(
        operation, kind: one.find?.kind ?? "worst", inputs: inputs, format: format, shrunk,
        of: pairs, comment: clean)
      {
        return test
      }
    }
    return nil
  }

  /// The question, where rows are pairs.
  var pairs: (any PairedQuestion)?
  private var width: Int { settings.limits.width }
  private var numbers: String { width == 1 ? "numbers" : "pairs" }

  /// What else the question has, where that is not as usual.
  var parametersComment: [String] = []

  var report: Report {
    var report = Report("search \(operation)", title: title)
    report.facts = facts
    report.notes = notes
    report.findings = findings
    let lines = lines
    var section = Section()
    section.blocks = [.table(table(lines))]
    for line in lines {
      let heading =
        "\(line.found.kernel): \(line.find.map { "\($0.kind), the simplest row" } ?? "the worst row, made simple")"
      if let shrunk = line.shrunk {
        section.blocks.append(.lines([heading] + SearchWords.lines(shrunk, inputs, format, width: width)))
      }
    }
    report.sections = [section]
    report.conclusion = conclusion
    if lines.isEmpty { report.gaps = ["nothing was checked: no row was answered"] }
    return report
  }

  private var tried: Int { found.map(\.outcome.tried).max() ?? 0 }

  private var title: String {
    let kind = settings.isRandom ? "random rows" : "rows"
    let lengths = settings.limits.lengths
    return configuration.described(operation) + ": the worst of \(Figures.count(tried)) \(kind) of "
      + "\(Figures.count(lengths.lowerBound)) to \(Figures.count(lengths.upperBound)) \(numbers)"
      + (found.count == 1 ? "" : " for each of \(found.count) kernels")
      + ", by \(settings.aim.rawValue), seed \(settings.seed)"
  }

  private var facts: [Fact] {
    let limits = settings.limits
    func sum(_ count: (SearchOutcome) -> Int) -> JSONValue {
      .integer(found.reduce(0) { $0 + count($1.outcome) })
    }
    return [
      Fact("dtype", .text(format.name), inRows: true), Fact("input.origin", .text("generated")),
      Fact("input.dtype", .text(inputs.name)),
      Fact("seed", .unsigned(settings.seed)), Fact("search.aim", .text(settings.aim.rawValue)),
      Fact("search.line", line.map { .text(ArgumentText.shown($0)) } ?? .none),
      Fact("search.tries", .integer(tried)), Fact("search.minLength", .integer(limits.lengths.lowerBound)),
      Fact("search.maxLength", .integer(limits.lengths.upperBound)),
      Fact("search.range", .number(limits.range)),
      Fact("search.declined", sum(\.declined)), Fact("search.wrongRows", sum(\.wrongRows)),
      Fact("search.replayed", sum(\.replayed)), Fact("search.replayedWrong", sum(\.replayedWrong)),
    ]
  }

  private var notes: [String] {
    var notes: [String] = []
    for one in found where one.outcome.replayed > 0 {
      notes.append(
        "\(one.kernel): \(Figures.count(one.outcome.replayedWrong)) of \(Figures.count(one.outcome.replayed)) rows kept from before "
          + "are still wrong")
    }
    if let kept {
      notes.append("\(Figures.count(kept.added)) \(kept.added == 1 ? "row" : "rows") added to \(kept.path)")
    }
    return notes
  }

  private var findings: [Finding] {
    var findings: [Finding] = []
    for one in found {
      let o = one.outcome
      if o.declined > 0 {
        findings.append(
          Finding(
            "declined", one.kernel, "\(Figures.count(o.declined)) rows are none for it, by its own account",
            leads: false))
      }
      if o.isHung {
        findings.append(
          Finding("time-out", one.kernel, "a call did not end: the search ended there", warns: true))
      }
      if o.unfitWitnesses > 0 {
        findings.append(
          Finding(
            "unfit-witnesses", one.kernel,
            "\(Figures.count(o.unfitWitnesses)) rows kept from before may not be asked about here",
            leads: false))
      }
      for find in o.finds where find.shrunk?.isReproduced == false {
        findings.append(
          Finding(
            "not-reproduced", one.kernel, "\(find.kind): the row is answered otherwise by itself", warns: true
          ))
      }
    }
    return findings
  }

  private func table(_ lines: [Line]) -> Table {
    var table = Table(rows: lines.count)
    table.add(C.kernel) { .text(lines[$0].found.kernel) }
    table.add(C.fault) { i in
      lines[i].find.map { .text($0.kind, tone: .bad) } ?? .text("none", tone: .good)
    }
    table.add(C.rows) { .count(lines[$0].find?.count ?? 0) }
    table.add(C.foundAt) { .count(lines[$0].foundAt) }
    func figure(_ x: Double, _ i: Int) -> Cell {
      let worst = lines[i].worst
      if worst.fault != nil { return .spoiled("the kernel gave no results") }
      if x == .infinity { return .spoiled("a special value is wrong") }
      return .number(x, unless: "no bound is derived")
    }
    table.add(C.ulp) { figure(lines[$0].worst.judgement.maxUlp, $0) }
    table.add(C.share) { figure(lines[$0].worst.judgement.share, $0) }
    table.add(C.length) { .count(lines[$0].worst.row.count / width) }
    table.add(C.shrunkLength) { i in
      lines[i].shrunk.map { .count($0.evaluation.row.count / width) } ?? .none("it was not shrunk")
    }
    table.add(C.steps) { .count(lines[$0].shrunk?.steps ?? 0) }
    table.add(C.attempts) { .count(lines[$0].shrunk?.attempts ?? 0) }
    table.add(C.isComplete) { .flag(lines[$0].shrunk.map { !$0.isCutShort && $0.isReproduced } ?? false) }
    table.add(C.isReproduced) { .flag(lines[$0].shrunk?.isReproduced ?? false) }
    table.add(C.witness) { i in
      .data(lines[i].shrunk.map { SearchWords.witness($0, inputs, format, width: width) } ?? .none)
    }
    table.setWitnesses { i in
      lines[i].shrunk.map { "\(lines[i].found.kernel): \(SearchWords.row($0.evaluation.row, width: width))" }
    }
    return table
  }

  private var conclusion: String {
    let wrong = found.filter { !$0.outcome.finds.isEmpty }
    if wrong.isEmpty {
      let worst = found.compactMap { one in one.outcome.worst.map { (one.kernel, $0) } }
        .max { $0.1.score < $1.1.score }
      guard let (name, row) = worst else { return "no row was answered" }
      let share =
        row.judgement.share.isNaN
        ? "" : ", \(Figures.short(row.judgement.share)) of what a right kernel may err by"
      return
        "no wrong row found in \(Figures.count(tried)); the worst is \(Figures.short(row.judgement.maxUlp)) ulp (\(name))"
        + share
    }
    return wrong.map { one in
      let first = one.outcome.finds[0]
      let length = first.shrunk.map { $0.evaluation.row.count / width }
      let size =
        length.map { ", shrunk to \(Figures.count($0)) \($0 == 1 ? String(numbers.dropLast()) : numbers)" }
        ?? ""
      let place = first.firstAt == 0 ? "kept from before" : "found at row \(Figures.count(first.firstAt))"
      return "\(one.kernel) is wrong: \(first.kind), \(place)\(size)"
    }.joined(separator: "; ")
  }
}
