import NumKit
import Quant
import Reports

/// What stands out of the tensors of a run.
struct ActivationsReport {
  let settings: ScanSettings
  let showsAll: Bool
  private(set) var entries: [Entry] = []
  var leftOut: [LeftOut] = []
  private(set) var series: [(file: String, series: LayerSeries, entries: [Int])] = []

  struct Entry {
    let file: String
    let tensor: FileTensor
    let profile: TensorProfile
    /// What the massive activations cost the rest; empty where there are none.
    let costs: [OutlierCost]
    /// The name as lists show it: the tensor's where all are of one file.
    var shownName = ""

    /// `token 0, channel 507`; the whole index where there are more than two dimensions.
    func place(_ place: TensorPlace) -> String {
      if tensor.shape.count > 2 { return "\(tensor.index(place))" }
      return tensor.shape.count < 2
        ? "index \(place.index)" : "token \(place.row), channel \(place.column)"
    }
  }

  init(settings: ScanSettings, showsAll: Bool) {
    self.settings = settings
    self.showsAll = showsAll
  }

  mutating func add(_ tensor: FileTensor, _ profile: TensorProfile, costs: [OutlierCost], file: String) {
    entries.append(Entry(file: file, tensor: tensor, profile: profile, costs: costs))
  }

  /// Finds the layers and settles names, after the last tensor.
  mutating func finish() {
    let files = Set(entries.map(\.file))
    for k in entries.indices {
      let e = entries[k]
      entries[k].shownName = files.count == 1 ? e.tensor.tensorName : e.tensor.name
    }
    for (file, members) in LayerHome.groups(of: entries.map(\.file)) {
      let found = LayerSeries.series(of: members.map { (entries[$0].tensor.tensorName, entries[$0].profile) })
      series += found.map { s in (file, s, s.tensors.map { members[$0] }) }
    }
  }

  var massiveEntries: [Entry] { entries.filter { $0.profile.massive.count > 0 } }

  /// The rule, for people.
  private var rule: String {
    let whose = settings.medianScope == .tensor ? "the tensor's" : "its token's"
    return "|a| > \(Figures.number(settings.massiveLimit)) and >= \(Figures.number(settings.massiveRatio)) x "
      + "\(whose) median |a|"
  }

  var report: Report {
    var report = Report("activations", title: "\(headline) (\(rule))")
    report.facts = [
      Fact("settings.massiveAbove", .number(settings.massiveLimit)),
      Fact("settings.massiveRatio", .number(settings.massiveRatio)),
      Fact("settings.medianScope", .text(settings.medianScope.rawValue)),
      Fact("settings.outlierAbove", .number(Double(settings.outlierLimit))),
      Fact("input.origin", .text("file")),
      Fact("input.nan", .integer(entries.reduce(0) { $0 + $1.profile.nanCount })),
      Fact("input.inf", .integer(entries.reduce(0) { $0 + $1.profile.infiniteCount })),
    ]
    report.findings = findings + leftOut.map(\.finding)
    var section = Section()
    section.blocks = [.table(table), .table(seriesTable)]
    section.charts = series.map { .course($0.series) }
    report.sections = [section]
    if showsAll || entries.count == 1 { report.sections += entries.map(details) }
    report.gaps = leftOut.map { "not all was checked: \($0)" }
    return report
  }
}
