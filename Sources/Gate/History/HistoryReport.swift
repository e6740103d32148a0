import Reports

/// Figures over runs: a row a figure, and where it jumped.
package struct HistoryReport {
  package let file: String
  package let version: String
  package let series: [History.Series]
  package let runs: [History.Run]
  /// Whether each run of each figure is to be shown.
  package let showsRuns: Bool

  package init(
    file: String, version: String, series: [History.Series], runs: [History.Run], showsRuns: Bool
  ) {
    self.file = file
    self.version = version
    self.series = series
    self.runs = runs
    self.showsRuns = showsRuns
  }

  private static let mostCharts = 24

  private func jump(_ s: History.Series) -> Jump? { Jump(s.points.map(\.value)) }

  package var report: Report {
    var report = Report(
      command: "history", version: version,
      title: "\(file): \(quantity(runs.count, "run")), \(quantity(series.count, "figure"))")
    report.facts = [
      Fact("input.origin", .text("file")), Fact("input.name", .text(file)),
      Fact("history.runs", .integer(runs.count)),
    ]
    var section = Section()
    section.blocks = [.table(table)]
    if showsRuns { section.blocks.append(.table(runTable)) }
    // Those that jumped first.
    let order = series.filter { jump($0) != nil } + series.filter { jump($0) == nil }
    section.charts = order.filter { $0.points.count > 1 }.prefix(Self.mostCharts).map(chart)
    report.sections = [section]
    let jumped = series.compactMap { s in jump(s).map { (s, $0) } }
    report.findings = jumped.map { s, jump in
      Finding(
        "jumped", Self.name(s),
        "\(s.figure) from \(Figures.short(s.points[jump.index - 1].value)) to "
          + "\(Figures.short(s.points[jump.index].value)) at commit \(Self.commit(s.points[jump.index].run)), run "
          + "\(s.points[jump.index].run.id)", leads: false)
    }
    let spikes = series.compactMap { s in
      jump(s) == nil ? Spike(s.points.map(\.value)).map { (s, $0) } : nil
    }
    report.findings += spikes.map { s, spike in
      Finding(
        "spike", Self.name(s),
        "\(s.figure) was \(Figures.short(s.points[spike.index].value)) in run \(s.points[spike.index].run.id) alone, commit "
          + "\(Self.commit(s.points[spike.index].run)), and \(Figures.short(spike.level)) before and after",
        leads: false)
    }
    let largest = jumped.max { size($0.0, $0.1) < size($1.0, $1.1) }
    report.conclusion =
      largest.map { s, jump in
        "\(Self.name(s)) \(s.figure) jumped most, at commit \(Self.commit(s.points[jump.index].run))"
      }
      ?? (series.isEmpty
        ? "no figure of that name"
        : spikes.first.map { s, spike in
          "no figure jumped for good; \(Self.name(s)) \(s.figure) did in run \(s.points[spike.index].run.id) alone"
        } ?? "no figure jumped")
    return report
  }

  /// How far a jump went, in either direction.
  private func size(_ s: History.Series, _ jump: Jump) -> Double {
    let (a, b) = (s.points[jump.index - 1].value, s.points[jump.index].value)
    if a > 0 && b > 0 { return max(a / b, b / a) }
    return a == b ? 1 : .infinity
  }

  private static func name(_ s: History.Series) -> String {
    s.result.isEmpty ? s.check : "\(s.check), \(s.result)"
  }

  private static func commit(_ run: History.Run) -> String { run.commit.isEmpty ? "unknown" : run.commit }

  private var table: Table {
    typealias C = GateColumns
    let jumps = series.map(jump)
    var table = Table(rows: series.count)
    table.add(C.check) { .text(series[$0].check) }
    table.add(C.result) { .text(series[$0].result) }
    table.add(C.figure) { .text(series[$0].figure) }
    table.add(C.runs) { .count(series[$0].points.count) }
    table.add(C.first) { .number(series[$0].points.first?.value ?? .nan, unless: "there is no run") }
    table.add(C.last) { .number(series[$0].points.last?.value ?? .nan, unless: "there is no run") }
    let nothing = "it did not jump"
    table.add(C.jump) { i in jumps[i].map { .number($0.factor) } ?? .none(nothing) }
    table.add(C.jumpBefore) { i in
      jumps[i].map { .text(Self.commit(series[i].points[$0.index - 1].run)) } ?? .none(nothing)
    }
    table.add(C.jumpCommit) { i in
      jumps[i].map { .text(Self.commit(series[i].points[$0.index].run)) } ?? .none(nothing)
    }
    table.add(C.jumpRun) { i in
      jumps[i].map { .count(Int(series[i].points[$0.index].run.id)) } ?? .none(nothing)
    }
    return table
  }

  /// Each figure of each run.
  private var runTable: Table {
    typealias C = GateColumns
    let list = series.flatMap { s in s.points.map { (s, $0) } }
    var table = Table("runs", rows: list.count)
    table.title = "run by run"
    table.add(C.jumpRunKey) { .count(Int(list[$0].1.run.id)) }
    table.add(C.commit) { .text(Self.commit(list[$0].1.run)) }
    table.add(C.check) { .text(list[$0].0.check) }
    table.add(C.result) { .text(list[$0].0.result) }
    table.add(C.figure) { .text(list[$0].0.figure) }
    table.add(C.value) { .number(list[$0].1.value) }
    table.add(C.status) { .text(list[$0].1.run.status) }
    return table
  }

  private func chart(_ s: History.Series) -> Chart {
    let points = s.points.filter { $0.value.isFinite }.map {
      Chart.Point(x: Double($0.run.id), y: $0.value, label: "run \($0.run.id), \(Self.commit($0.run))")
    }
    return Chart(
      .lines, "\(Self.name(s)): \(s.figure)", x: .init("run"), y: .init(s.figure, unit: s.unit),
      [.init("", points)])
  }
}

extension GateColumns {
  static let jumpRunKey = Column("run", "run", .decides, "the number of the run")
  static let commit = Column("commit", "commit", .decides, "what was checked out", align: .left)
  static let status = Column("status", "status", .useful, "how the run ended", align: .left)
}
