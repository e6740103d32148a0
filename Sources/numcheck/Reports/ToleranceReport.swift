import Foundation
import NumKit
import Reports
import Tolerances

/// What tolerance kernels deserve, ready to paste, and what is to be said of rules.
struct ToleranceReport {
  let operation: String
  let title: String
  let format: NumberFormat
  let kernels: [String]
  let tolerances: [KernelTolerance]
  let rounded: KernelTolerance
  let rules: [ToleranceRule]
  /// The defects that each rule accepts; nil for a rule that could not be asked.
  var passing: [[String]?]
  private let facts: [Fact]
  private let note: String

  /// What a study found of kernels that `precision` and rows that `input` tells of.
  init<Q: Question>(
    _ operation: String, title: String, format: NumberFormat, _ found: ToleranceStudy<Q>.Result,
    rules: [ToleranceRule], precision: [Fact], input: [Fact]
  ) {
    (self.operation, self.title, self.format, self.rules) = (operation, title, format, rules)
    kernels = found.kernels
    tolerances = found.tolerances
    rounded = found.rounded
    passing = found.passing
    facts = precision + input + [Fact("certificate", .certificate(found.certificate))]
    note = found.certificate.line
  }

  /// The formats of kernels over rows.
  static func precision(_ c: KernelConfiguration) -> [Fact] {
    [
      Fact("dtype", .text(c.storage.name)), Fact("compute", .text(c.compute.name)),
      Fact("accumulate", .text(c.accumulator.name)),
    ]
  }

  /// How many rows there are, and how long.
  static func size(_ rows: Int, _ length: Int) -> [Fact] {
    [Fact("rows", .integer(rows)), Fact("length", .integer(length))]
  }

  private typealias C = ToleranceColumns
  private typealias Figure = KernelTolerance.Figure

  private var rows: Int { tolerances.map(\.rows).max() ?? 0 }

  var report: Report {
    var report = Report("tolerance", title: title)
    report.facts = [Fact("operation", .text(operation))] + facts
    report.notes = [note, "plan: \(kernels.joined(separator: ", "))"]
    report.findings = findings
    var section = Section()
    section.blocks = [.table(figures)]
    if !rules.isEmpty { section.blocks.append(.table(judged)) }
    section.blocks.append(.verbatim(pasted))
    report.sections = [section]
    report.conclusion = conclusion
    if rows == 0 { report.gaps = ["nothing was measured: no row has a finite truth"] }
    return report
  }

  private func most(_ figure: (KernelTolerance) -> Double?) -> Double? {
    var most: Double?
    for t in tolerances {
      guard let x = figure(t) else { return nil }
      most = max(most ?? x, x)
    }
    return most
  }

  private var findings: [Finding] {
    var list: [Finding] = []
    let unbounded = zip(kernels, tolerances).filter { $0.1.unbounded > 0 }
    if let first = unbounded.first {
      list.append(
        Finding(
          "no-bound", Figures.list(unbounded.map(\.0)),
          "\(Figures.count(first.1.unbounded)) of \(Figures.count(first.1.rows)) rows have no sound bound, so nothing is proven of the plan"
        ))
    }
    let stalled = zip(kernels, tolerances).filter { t in
      t.1.random(.ulp).map { t.1.measured(.ulp) > $0 } ?? false
    }
    if !stalled.isEmpty {
      list.append(
        Finding(
          "not-random", Figures.list(stalled.map(\.0)),
          "errs by more than random roundings would: a sum stalls, every term below half an ulp of it, or equal numbers are rounded alike; "
            + "believe the sound bound alone"
        ))
    }
    return list
  }

  private var cancels: Bool { tolerances.contains(where: \.cancels) }
  /// What storing a result costs at most, relative to it.
  private var rounding: Double { format.unitRoundoff }

  private var figures: Table {
    let list: [(String, Figure)] = [
      ("ulp", .ulp), ("atol", .absolute), ("rtol", .relative),
      cancels ? ("atol beside rtol=\(Figures.short(rounding))", .beside) : ("atol below normals", .floor),
    ]
    var table = Table(rows: list.count + 1)
    func cell(_ i: Int, _ figure: (KernelTolerance, Figure) -> Double?, _ why: String) -> Cell {
      guard i < list.count else { return .none("not of rows") }
      guard let x = most({ figure($0, list[i].1) }) else { return .none(why) }
      return .number(x)
    }
    func squares(_ x: (KernelTolerance) -> Double?) -> Cell {
      guard let x = most(x) else { return .none("a row has no sound bound") }
      return .number(x)
    }
    table.add(C.figure) { .text($0 < list.count ? list[$0].0 : "NMSE of a row") }
    table.add(C.sound) {
      $0 == list.count
        ? squares { $0.unbounded > 0 ? nil : $0.squares.sound }
        : cell($0, { $0.sound($1) }, "a row has no sound bound")
    }
    table.add(C.random) { cell($0, { $0.random($1) }, "no such bound is derived for this question") }
    table.add(C.rare) { i in
      i == list.count
        ? .none("not extrapolated")
        : cell(
          i, { $0.rare($1, probability: KernelTolerance.rarity) },
          cancels && (list[i].1 == .ulp || list[i].1 == .relative)
            ? "results may be as near to 0 as they like"
            : "needs 100 rows at least" + (list[i].1 == .beside ? ", 10 of which show it" : ""))
    }
    table.add(C.seen) {
      $0 == list.count ? squares { $0.squares.measured } : cell($0, { $0.measured($1) }, "")
    }
    return table
  }

  /// How often a rule refuses what is right.
  private func refusals(_ k: Int) -> Rate {
    Rate(tolerances.reduce(0) { $0 + $1.refused[k] }, of: tolerances.reduce(0) { $0 + $1.rows })
  }

  private func verdict(_ k: Int) -> String {
    if passing[k]?.contains("zeros") == true { return "vacuous" }
    var parts: [String] = []
    if rounded.refused[k] > 0 || refusals(k).hits > 0 { parts.append("too tight") }
    if passing[k]?.isEmpty == false { parts.append("too loose") }
    if passing[k] == nil && parts.isEmpty { return "not judged" }
    return parts.isEmpty ? "fits" : parts.joined(separator: ", ")
  }

  private var judged: Table {
    var table = Table("rules", rows: rules.count)
    table.add(C.rule) { .text(rules[$0].name) }
    table.add(C.verdict) { k in
      let v = verdict(k)
      return .text(v, tone: v == "fits" ? .good : v == "not judged" ? .plain : .bad)
    }
    table.add(C.right) { k in
      .share(refusals(k).hits, of: refusals(k).trials, unless: "no row has an answer")
    }
    table.add(C.low) { .number(refusals($0).interval.low) }
    table.add(C.high) { .percent(refusals($0).interval.high, unless: "no row has an answer") }
    table.add(C.rounded) { .share(rounded.refused[$0], of: rounded.rows, unless: "no row has an answer") }
    table.add(C.passes) { k in
      guard let passing = passing[k] else { return .none("no plain kernel to compare with") }
      return Cell(
        text: passing.isEmpty ? "none" : passing.joined(separator: ", "),
        value: .list(passing.map { .text($0) }))
    }
    return table
  }

  /// `rtol` and `atol` against expected results that are rounded correctly; nil where there is no such figure.
  private func pair(_ value: (KernelTolerance, Figure) -> Double?) -> (rtol: String, atol: String)? {
    func most(_ f: Figure) -> Double? { self.most { value($0, f) } }
    func text(_ x: Double) -> String { String(format: "%g", Self.up(x)) }
    if cancels {
      // The expected results are themselves off by half an ulp.
      return most(.beside).map { (text(2 * rounding), text($0 + format.smallestPositive)) }
    }
    guard let relative = most(.relative), let floor = most(.floor), let absolute = most(.absolute) else {
      return nil
    }
    let largest = tolerances.map(\.largestResult).max() ?? 0
    if relative < 0.5 {
      return (text(relative + format.unitRoundoff), text(floor + format.smallestPositive))
    }
    return ("0", text(absolute + largest * format.unitRoundoff))
  }

  /// Whether what is proven is no tolerance: as large as the largest result.
  private var acceptsZeros: Bool {
    guard let relative = most({ $0.sound(.relative) }), let absolute = most({ $0.sound(.absolute) }) else {
      return false
    }
    return relative >= 1 && absolute >= tolerances.map(\.largestResult).max() ?? 0
  }

  /// Two digits, upwards.
  private static func up(_ x: Double) -> Double {
    guard x > 0, x.isFinite else { return x }
    let unit = pow(10, floor(log10(x)) - 1)
    return Double(String(format: "%.1e", (x / unit).rounded(.up) * unit)) ?? x
  }

  private var pasted: [String] {
    let proven = pair { $0.sound($1) }
    let rare = pair { $0.rare($1, probability: 1e-6) }
    guard let (r, a) = rare ?? proven else { return [] }
    if rare == nil && acceptsZeros {
      return [
        "nothing to paste: the proven limit is so wide here that it accepts zeros; 100 rows or more give one that is exceeded once in 10^6"
      ]
    }
    let other = proven.map { "; proven: rtol=\($0.rtol), atol=\($0.atol)" } ?? "; nothing is proven"
    return [
      rare == nil
        ? "to paste, proven for this plan on such rows:"
        : "to paste, for 1 red row in 10^6 of a right kernel\(other):",
      "  numpy  numpy.testing.assert_allclose(results, expected, rtol=\(r), atol=\(a))",
      "  torch  torch.testing.assert_close(results, expected, rtol=\(r), atol=\(a))",
      "  jax    numpy.testing.assert_allclose(numpy.asarray(results), expected, rtol=\(r), atol=\(a))",
      "  gtest  EXPECT_NEAR(results[i], expected[i], \(a) + \(r) * std::abs(expected[i]));",
    ]
  }

  private var conclusion: String {
    if rows == 0 { return "no row has a finite truth: nothing to say" }
    var parts: [String] = []
    if let ulp = most({ $0.sound(.ulp) }), let atol = most({ $0.sound(.absolute) }) {
      parts.append(
        "a right kernel of this plan errs by \(Figures.short(ulp)) ulp or \(Figures.short(atol)) at most on such rows"
      )
    } else if let atol = most({ $0.rare(.absolute, probability: 1e-6) }) {
      parts.append(
        "a right kernel rarely errs by more than \(Figures.short(atol)) (1 row in 10^6), and nothing is proven"
      )
    }
    for k in rules.indices {
      let seen = most { $0.measured(.absolute) } ?? 0
      let verdict = verdict(k)
      var s = "\(rules[k].name) \(verdict == "fits" ? "fits" : "is " + verdict)"
      if case .close(let atol, _) = rules[k].limit(format), seen > 0, atol > 2 * seen {
        s += " (its atol is \(Figures.short(atol / seen)) times the largest error seen)"
      }
      parts.append(s)
    }
    return parts.joined(separator: "; ")
  }
}
