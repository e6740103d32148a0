import Foundation
import Gate
import Reports

/// A catalogue, reports and subjects that stand for a program's.
enum GateSamples {
  static let catalogue = Catalogue([
    .init(
      name: "softmax",
      flags: [
        .init(
          name: "dtype", isSwitch: false, isRepeating: false, values: ["f32", "f16"], summary: "the format"),
        .init(name: "algorithm", isSwitch: false, isRepeating: true),
        .init(name: "range", isSwitch: false, isRepeating: false),
        .init(name: "seed", isSwitch: false, isRepeating: false),
        .init(name: "no-nan", isSwitch: true, isRepeating: false),
      ]),
    .init(
      name: "reference attention", flags: [.init(name: "output", isSwitch: false, isRepeating: false)],
      takesArguments: true),
  ])

  static func read(_ text: String) throws -> GateFile {
    try GateReader.read(text, path: "dir/numcheck.yml", catalogue)
  }

  static let algorithm = Column("algorithm", "algorithm", .decides, "who", align: .left, key: true)
  static let verdict = Column("verdict", "verdict", .decides, "what", align: .left)
  static let ulp = Column("max ulp", "ulp.max", .decides, "largest", unit: "ulp", sense: .lowerIsBetter)
  static let sqnr = Column("SQNR", "sqnr", .decides, "quality", unit: "dB", sense: .higherIsBetter)
  static let bound = Column("bound", "bound.ulp", .decides, "allowed", unit: "ulp", sense: .bound)
  static let share = Column("share", "bound.share", .detail, "share")
  static let exceeded = Column("exceeded", "bound.exceeded", .detail, "above")
  static let nanRows = Column("NaN rows", "nanRows", .decides, "NaN")
  static let overflow = Column("overflow", "overflow", .decides, "overflow")
  static let special = Column("special", "specialMismatches", .decides, "special")

  struct Row {
    var name = "shifted"
    var ulp = 0.5
    var sqnr = 30.0
    /// Nil for a vacuous one.
    var bound: Double? = 2
    var verdict = "ok"
  }

  static func report(_ rows: [Row]) -> Report {
    var table = Table(rows: rows.count)
    table.setWitnesses { "row \($0), index 1: computed \(rows[$0].ulp)" }
    table.add(algorithm) { .text(rows[$0].name) }
    table.add(verdict) { .text(rows[$0].verdict) }
    table.add(ulp) { .number(rows[$0].ulp) }
    table.add(sqnr) { .number(rows[$0].sqnr) }
    table.add(bound) { i in
      rows[i].bound.map { .number($0) }
        ?? Cell(text: "vacuous", value: .number(1e9), caveat: "the bound is vacuous")
    }
    table.add(share) { i in
      rows[i].bound.map { .number(rows[i].ulp / $0) } ?? .spoiled("the bound is vacuous")
    }
    table.add(exceeded) { i in .count(rows[i].bound.map { rows[i].ulp > $0 ? 3 : 0 } ?? 0) }
    for column in [nanRows, overflow, special] { table.add(column) { _ in .count(0) } }
    var report = Report(command: "softmax", version: "1")
    report.add(table)
    report.conclusion = "it holds"
    return report
  }

  struct Subject: GateSubject {
    let body: @Sendable (Int) throws -> Report?
    func run(threads: Int) throws -> Report? { try body(threads) }
  }

  static func items(_ file: GateFile, _ body: @escaping @Sendable (GateCheck) throws -> Report?)
    -> [GateRunner.Item]
  {
    file.checks.enumerated().map { index, check in
      .init(
        index: index, check: check, subject: Subject { _ in try body(check) },
        commandLine: "numcheck " + check.arguments.joined(separator: " "))
    }
  }

  static func run(
    _ file: GateFile, threads: Int = 1, _ body: @escaping @Sendable (GateCheck) throws -> Report?
  )
    -> [CheckResult]
  {
    GateRunner(threads: threads).run(items(file, body))
  }

  static func report(_ file: GateFile, _ results: [CheckResult], total: Int? = nil) -> Report {
    GateReport(path: file.path, version: "1", results: results, total: total ?? results.count).report
  }
}
