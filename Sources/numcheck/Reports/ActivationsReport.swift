import NumKit
import Quant
import Reports

/// What stands out of the tensors of a run.
struct ActivationsReport {
  let settings: ScanSettings
  let showsAll: Bool
  let view: ViewOptions
  private(set) var entries: [Entry] = []
  var leftOut: [LeftOut] = []
  private(set) var series: [(file: String, series: LayerSeries, entries: [Int])] = []

  /// From this ratio of the largest to the median magnitude on a weight's range is worth a word.
  static let wideRange = 50.0
  /// The scales that a weight of a wide range is tried with.
  static let scaleSchemes = ["int8@tensor", "int8@token", "int4@token", "int4@g32"]
  /// What figures of single channels and rows may take of memory, of all tensors together: those of later ones are left out.
  static let maximaLimit = 16 << 20
  private var maximaBytes = 0

  struct Entry {
    let file: String
    let tensor: FileTensor
    var profile: TensorProfile
    /// Whether it is a weight: its rows are outputs, its columns inputs.
    let isWeight: Bool
    /// What schemes cost a weight whose range is wide; empty for others.
    let scales: [SampledCost]
    /// What the massive activations cost the rest; empty where there are none.
    let costs: [OutlierCost]
    /// The name as lists show it: the tensor's where all are of one file.
    var shownName = ""

    /// `token 0, channel 507`; the whole index where there are more than two dimensions.
    func place(_ place: TensorPlace) -> String {
      if tensor.shape.count > 2 { return "\(tensor.index(place))" }
      if tensor.shape.count < 2 { return "index \(place.index)" }
      return isWeight
        ? "row \(place.row), column \(place.column)" : "token \(place.row), channel \(place.column)"
    }
  }

  init(settings: ScanSettings, showsAll: Bool, view: ViewOptions) {
    self.settings = settings
    self.showsAll = showsAll
    self.view = view
  }

  mutating func add(_ tensor: FileTensor, _ found: ProfiledTensor, file: String, isWeight: Bool) {
    var profile = found.profile
    maximaBytes += profile.maximaBytes
    if maximaBytes > Self.maximaLimit && !entries.isEmpty {
      maximaBytes -= profile.maximaBytes
      profile.forgetMaxima()
    }
    entries.append(
      Entry(
        file: file, tensor: tensor, profile: profile, isWeight: isWeight, scales: found.scales,
        costs: found.costs, shownName: tensor.name))
  }

  /// The row of the last tensor alone.
  var lastTable: Table {
    var copy = self
    copy.entries = Array(entries.suffix(1))
    return copy.table
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

  /// So many tensors are drawn where they are not all shown.
  private static let mostDrawn = 6

  /// Of many tensors those to draw: where the range is widest.
  private var widest: [Int] {
    func range(_ k: Int) -> Double {
      let ratio = entries[k].profile.peakToMedian
      return ratio.isNaN ? -1 : ratio
    }
    let first = entries.indices.sorted { (range($1), $0) < (range($0), $1) }.prefix(Self.mostDrawn)
    return first.sorted()
  }

  private static func pictures(_ entries: [Entry]) -> [Chart] {
    entries.map { .magnitudes($0.profile, of: $0.shownName) }
      + entries.map { .channels($0.profile, isWeight: $0.isWeight, of: $0.shownName) }
  }

  /// Throws `UsageError` for a figure to sort by that there is none of.
  func report() throws -> Report {
    let isOfWeights = entries.allSatisfy(\.isWeight) && massiveEntries.isEmpty
    var report = Report("activations", title: isOfWeights ? headline : "\(headline) (\(rule))")
    report.facts = [
      Fact("settings.massiveAbove", .number(settings.massiveLimit)),
      Fact("settings.massiveRatio", .number(settings.massiveRatio)),
      Fact("settings.medianScope", .text(settings.medianScope.rawValue)),
      Fact("settings.outlierAbove", .number(Double(settings.outlierLimit))),
      Fact("input.origin", .text("file")),
      Fact("input.nan", .integer(entries.reduce(0) { $0 + $1.profile.nanCount })),
      Fact("input.inf", .integer(entries.reduce(0) { $0 + $1.profile.infiniteCount })),
    ]
    report.findings = LeftOut.lacks(leftOut) + findings + LeftOut.findings(leftOut)
    var section = Section()
    var table = table
    let arrangement = TableView(
      sort: view.sort, top: view.top, usual: isModel ? ActivationColumns.peakToMedian : nil,
      usualCount: isModel ? 24 : nil)
    try arrangement.arrange(&table)
    if isModel { section.blocks = kindTables.map { .table($0) } }
    section.blocks += [.table(table), .table(seriesTable)]
    if let hidden = arrangement.hiddenNote(table) { section.blocks.append(.lines([hidden])) }
    section.charts = series.map { .course($0.series) } + modelCharts
    if !showsAll && entries.count > 1 { section.charts += Self.pictures(widest.map { entries[$0] }) }
    report.sections = [section]
    if showsAll || entries.count == 1 { report.sections += entries.map(details) }
    report.gaps = leftOut.filter { !$0.isExpected }.map { "not all was checked: \($0)" }
    return report
  }
}
