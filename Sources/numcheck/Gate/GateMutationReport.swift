import Reports
import Tolerances

/// Which defects a gate lets through.
struct GateMutationReport {
  let path: String
  /// How many checks the gate has, and how many run kernels in which defects are planted.
  let checks: Int
  let tried: Int
  let outcomes: [GateMutation.Outcome]

  private typealias C = MutationColumns
  private var harmful: [GateMutation.Outcome] { outcomes.filter { !$0.harmful.isEmpty } }
  private var passing: [String] { outcomes.filter(\.passes).map(\.defect.name) }

  var report: Report {
    var report = Report(
      "mutate --gate",
      title:
        "\(path): \(outcomes.count) defects planted one at a time in the kernels of \(tried) of \(checks) checks"
    )
    report.facts = [
      Fact("file", .text(path)), Fact("planted", .integer(outcomes.count)),
      Fact("harmful", .integer(harmful.count)), Fact("caught", .integer(harmful.count - passing.count)),
      Fact("missed", .integer(passing.count)),
    ]
    if tried < checks {
      report.findings.append(
        Finding(
          "untried", "",
          "\(checks - tried) checks run no kernel of \(Figures.list(Defect.operations.map(\.rawValue))): nothing was planted in them",
          leads: false))
    }
    let harmless = outcomes.filter(\.harmful.isEmpty).map(\.defect.name)
    if !harmless.isEmpty {
      report.findings.append(
        Finding(
          "harmless", "",
          "\(harmless.joined(separator: ", ")): a right kernel might have given such results on the rows of every check",
          leads: false))
    }
    report.add(table)
    report.conclusion = conclusion
    return report
  }

  /// A row a defect, those that nobody notices first.
  private var table: Table {
    let sorted =
      outcomes.filter(\.passes) + outcomes.filter { !$0.passes && !$0.harmful.isEmpty }
      + outcomes.filter(\.harmful.isEmpty)
    var table = Table(rows: sorted.count)
    table.add(C.defect) { .text(sorted[$0].defect.name) }
    table.add(C.planted) { .count(sorted[$0].planted) }
    table.add(C.harms) { .count(sorted[$0].harmful.count) }
    table.add(C.caughtBy) { k in
      let names = sorted[k].caught
      let text =
        names.isEmpty
        ? (sorted[k].passes ? "nothing" : "-")
        : names.count < 3 ? names.joined(separator: ", ") : "\(names[0]) and \(names.count - 1) more"
      var cell = Cell(text: text, value: .list(names.map { .text($0) }))
      cell.tone = sorted[k].passes ? .bad : .plain
      return cell
    }
    table.add(C.summary) { .text(sorted[$0].defect.summary) }
    return table
  }

  private var conclusion: String {
    if harmful.isEmpty {
      return "no defect does harm on the rows of these checks: they are no trial of a kernel"
    }
    if passing.isEmpty {
      return
        "the gate catches \(harmful.count == 1 ? "the one defect that does" : "all \(harmful.count) defects that do") harm"
    }
    return
      "the gate catches \(harmful.count - passing.count) of \(harmful.count) defects that do harm; it lets through \(passing.joined(separator: ", "))"
  }
}
