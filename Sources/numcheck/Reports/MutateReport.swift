import NumKit
import Reports
import Tolerances

/// Which defects which rules catch.
struct MutateReport {
  private let operation: String
  private let title: String
  private let facts: [Fact]
  private let rules: [ToleranceRule]
  /// The right kernel's first.
  private let outcomes: [MutationOutcome]

  /// What a study found of `rules`, of kernels and rows that title and facts tell of.
  init(
    _ operation: String, title: String, facts: [Fact], rules: [ToleranceRule], outcomes: [MutationOutcome]
  ) {
    (self.operation, self.title, self.facts) = (operation, title, facts)
    (self.rules, self.outcomes) = (rules, outcomes)
  }

  /// How many rows there are, and how long.
  static func size(_ rows: Int, _ length: Int) -> [Fact] {
    [Fact("rows", .integer(rows), inRows: true), Fact("length", .integer(length), inRows: true)]
  }

  private typealias C = MutationColumns
  private var right: MutationOutcome { outcomes[0] }
  private var planted: [MutationOutcome] { Array(outcomes.dropFirst()) }
  private var harmful: [MutationOutcome] { planted.filter { !$0.isHarmless } }

  var report: Report {
    var report = Report("mutate", title: "\(title), \(planted.count) defects planted one at a time")
    report.facts =
      [Fact("operation", .text(operation))] + facts + [Fact("harmful", .integer(harmful.count))]
    report.findings = findings
    var section = Section()
    section.blocks = [.table(summary), .table(matrix), .table(pairs)]
    report.sections = [section]
    report.conclusion = conclusion
    return report
  }

  private var findings: [Finding] {
    let harmless = planted.filter(\.isHarmless).compactMap(\.defect)
    return harmless.isEmpty
      ? []
      : [
        Finding(
          "harmless", "",
          "\(harmless.joined(separator: ", ")): a right kernel might have given these results on these rows, "
            + "so accepting them is no fault of a rule", leads: false)
      ]
  }

  private func passing(_ rule: Int) -> [String] { outcomes.passing(rules.count)[rule] }

  /// A row a rule.
  private var summary: Table {
    var table = Table("rules", rows: rules.count)
    table.add(C.rule) { .text(rules[$0].name) }
    table.add(C.score) { .count(harmful.count - passing($0).count) }
    table.add(C.harmful) { _ in .count(harmful.count) }
    table.add(C.rightRows) { k in
      let v = right.judgement.verdicts[k]
      var cell = Cell.number(v.excess)
      cell.tone = v.accepts ? .plain : .bad
      return cell
    }
    table.add(C.passes) { k in
      let names = passing(k)
      return Cell(
        text: names.isEmpty ? "none" : names.joined(separator: ", "), value: .list(names.map { .text($0) }))
    }
    table.add(C.source) { .text(rules[$0].source) }
    return table
  }

  /// A row a defect, a column a rule: how many times too large its errors are for the rule, or that it passes.
  private var matrix: Table {
    var table = Table("defects", rows: planted.count, for: .people)
    table.add(C.defect) { .text(planted[$0].defect ?? "") }
    table.add(C.maxUlp) { .number(planted[$0].judgement.maxUlp) }
    for (k, rule) in rules.enumerated() {
      table.add(
        Column(
          rule.name, rule.name, k < 6 ? .decides : .useful,
          "how many times larger than \(rule.name) allows; 'passes' where it is not", align: .right)
      ) { i in
        let v = planted[i].judgement.verdicts[k]
        if v.accepts {
          return .text(
            planted[i].isHarmless ? "(passes)" : "passes", tone: planted[i].isHarmless ? .plain : .bad)
        }
        return .text(v.excess == .infinity ? "inf" : "x\(Figures.short(v.excess))", tone: .good)
      }
    }
    return table
  }

  /// A row a defect and rule, for machines.
  private var pairs: Table {
    let count = rules.count
    var table = Table(rows: outcomes.count * count, for: .machines)
    func outcome(_ i: Int) -> MutationOutcome { outcomes[i / count] }
    func verdict(_ i: Int) -> Judgement.Verdict { outcome(i).judgement.verdicts[i % count] }
    table.add(C.defect) { .text(outcome($0).defect ?? "none") }
    table.add(C.rule) { .text(rules[$0 % count].name) }
    table.add(C.accepted) { .flag(verdict($0).accepts) }
    table.add(C.excess) { .number(verdict($0).excess) }
    table.add(C.harmless) { .flag(outcome($0).defect == nil || outcome($0).isHarmless) }
    table.add(C.maxUlp) { .number(outcome($0).judgement.maxUlp) }
    table.add(C.witness) { i in
      guard let worst = verdict(i).worst, verdict(i).excess > 0 else { return .data(.none) }
      return .data(.object(["row": .integer(worst.row), "index": .integer(worst.index)]))
    }
    return table
  }

  private var conclusion: String {
    let refusing = rules.indices.filter { !right.judgement.verdicts[$0].accepts }.map {
      rules[$0].name
    }
    var parts = rules.indices.filter { !refusing.contains(rules[$0].name) }.map { k in
      let missed = passing(k).count
      return "\(rules[k].name) catches "
        + (missed == 0 ? "all \(harmful.count)" : "\(harmful.count - missed) of \(harmful.count)")
    }
    if !refusing.isEmpty {
      parts.append("\(Figures.list(refusing)) \(refusing.count == 1 ? "refuses" : "refuse") the right kernel")
    }
    return parts.joined(separator: "; ")
  }

  /// Defects, and what each is.
  static func list(_ all: [(name: String, summary: String)]) -> Report {
    var report = Report("mutate --list", title: "defects that can be planted")
    var table = Table(rows: all.count)
    table.add(C.defect) { .text(all[$0].name) }
    table.add(C.summary) { .text(all[$0].summary) }
    report.add(table)
    return report
  }
}
