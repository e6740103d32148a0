import NumKit
import Quant
import Reports

/// What schemes cost where tensors are used.
struct ThroughReport {
  /// A tensor and what was measured of it.
  struct Tensor {
    let name: String
    let title: String
    var input = InputCount()
    /// For `softmax`.
    var softmax: [(name: String, bits: Double, errors: ThroughSoftmax)] = []
    /// For the others: errors of each factor alone, and of all.
    var parts: [(name: String, bits: Double, errors: [(String, ResultErrors)])] = []
    /// Treatments that do not fit.
    var skipped: [SkippedTreatment] = []
    /// What proved all answers that were compared, those of the tensor as given once a treatment.
    var certificate = Certificate()

    /// What the treatment that does worst makes of it, in dB, or as a negative divergence: smaller is worse.
    fileprivate var worst: Double {
      let all = softmax.map { -$0.errors.maxDivergence } + parts.compactMap { $0.errors.last?.1.sqnr }
      return all.reduce(.infinity) { $1.isNaN ? -.infinity : min($0, $1) }
    }
  }

  let purpose: Purpose
  let facts: [Fact]
  let tensors: [Tensor]
  let leftOut: [LeftOut]

  private var isSingle: Bool { tensors.count == 1 && leftOut.isEmpty }

  var report: Report {
    let way =
      switch purpose {
      case .softmax: "softmax"
      case .matmul: "the product"
      case .attention: "attention"
      }
    let count = "\(Figures.count(tensors.count)) \(tensors.count == 1 ? "tensor" : "tensors")"
    var report = Report(
      "quantize --through \(purpose.rawValue)",
      title: "\(isSingle ? tensors[0].title : count), through \(way)"
        + (tensors.count > 1 ? ", the worst first" : ""))
    var (input, certificate) = (InputCount(), Certificate())
    for tensor in tensors {
      input.merge(tensor.input)
      certificate.merge(tensor.certificate)
    }
    report.facts = facts + input.facts + [Fact("certificate", .certificate(certificate))]
    // Every treatment proves both sides: the tensor as given anew.
    report.notes = [note, certificate.line + "; both sides of every treatment"]
    for tensor in tensors.enumerated().sorted(by: {
      ($0.element.worst, $0.offset) < ($1.element.worst, $1.offset)
    })
    .map(\.element) {
      var section = Section(title: isSingle ? "" : tensor.title)
      let (table, chart) = purpose == .softmax ? softmaxTable(tensor) : partsTable(tensor)
      section.blocks = [.table(table)]
      section.charts = [chart]
      report.findings += tensor.input.findings(isSingle ? "" : tensor.name)
      report.findings += tensor.skipped.map {
        Finding(
          "not-tried", isSingle ? $0.name : "\(tensor.name) \($0.name)", $0.reason, leads: false)
      }
      report.sections.append(section)
    }
    report.findings = LeftOut.lacks(leftOut) + report.findings + LeftOut.findings(leftOut)
    return report
  }

  private var note: String {
    switch purpose {
    case .softmax:
      "each row's exact softmax against that of the decoded logits; KL <= D^2/8 and |dp| <= tanh(D/4) for the "
        + "spread D of a row's errors"
    case .matmul:
      "exact products of what was decoded against exact products of what was given; cosine and what follows: both"
    case .attention:
      "the exact attention of what was decoded against that of what was given, each factor alone and all; cosine and "
        + "what follows: all"
    }
  }

  private func softmaxTable(_ tensor: Tensor) -> (Table, Chart) {
    typealias T = ThroughColumns
    let results = tensor.softmax
    func figure(_ i: Int, _ x: KeyPath<ThroughSoftmax, Double>) -> Cell {
      let e = results[i].errors
      return e.isEmpty
        ? .spoiled("every row has NaN or +inf, before or after")
        : .number(
          e[keyPath: x], unless: "it is not defined here",
          caveat: e.lostRows == 0
            ? nil : "\(Figures.count(e.lostRows)) rows have NaN or +inf, before or after")
    }
    var table = Table(rows: results.count)
    if !isSingle { table.add(SchemeColumns.tensorKey) { _ in .text(tensor.name) } }
    table.add(SchemeColumns.treatment) { .text(results[$0].name) }
    table.add(SchemeColumns.bits) { .number(results[$0].bits) }
    table.add(T.rows) { .count(results[$0].errors.rows) }
    table.add(T.maxDivergence) { figure($0, \.maxDivergence) }
    table.add(T.meanDivergence) { figure($0, \.meanDivergence) }
    table.add(T.divergenceBound) { figure($0, \.divergenceBound) }
    table.add(T.maxChange) { figure($0, \.maxChange) }
    table.add(T.changeBound) { figure($0, \.changeBound) }
    table.add(T.topFlips) { .count(results[$0].errors.topFlips) }
    table.add(T.ties) { .count(results[$0].errors.topTies) }
    table.add(T.lostRows) { .count(results[$0].errors.lostRows) }
    return (
      table, .bars("the largest change of a probability", of: table, [T.maxChange, T.changeBound])
    )
  }

  private func partsTable(_ tensor: Tensor) -> (Table, Chart) {
    let results = tensor.parts
    var table = Table(rows: results.count)
    if !isSingle { table.add(SchemeColumns.tensorKey) { _ in .text(tensor.name) } }
    table.add(SchemeColumns.treatment) { .text(results[$0].name) }
    table.add(SchemeColumns.bits) { .number(results[$0].bits) }
    let names = results.first?.errors.map(\.0) ?? []
    // What each part does in dB, side by side.
    for (k, name) in names.enumerated() {
      let part = ThroughColumns.Part(name: name, isWhole: k == names.count - 1)
      table.add(part.sqnr) { Self.figure(results[$0].errors[k].1) { $0.sqnr } }
    }
    for (k, name) in names.enumerated() {
      let part = ThroughColumns.Part(name: name, isWhole: k == names.count - 1)
      table.add(part.cosine) { i in
        var cell = Self.figure(results[i].errors[k].1) { $0.cosine }
        cell.shortenCosine()
        return cell
      }
      table.add(part.relativeL1) { Self.figure(results[$0].errors[k].1) { $0.relativeL1 } }
      table.add(part.rmse) { Self.figure(results[$0].errors[k].1) { $0.rmse } }
      table.add(part.maxAbsolute) { Self.figure(results[$0].errors[k].1) { $0.maxAbsoluteError } }
      if purpose == .matmul {
        table.add(part.bound) { .number(results[$0].errors[k].1.bound, unless: "no bound was asked for") }
        table.add(part.aboveBound) { .count(results[$0].errors[k].1.aboveBound) }
      }
      table.add(part.results) { .count(results[$0].errors[k].1.count) }
      table.add(part.lost) { .count(results[$0].errors[k].1.lostCount) }
    }
    let sides = names.enumerated().map { k, name in
      ThroughColumns.Part(name: name, isWhole: k + 1 == names.count).sqnr
    }
    return (table, .bars("what is left of the result", of: table, sides))
  }

  private static func figure(_ e: ResultErrors, _ x: (ResultErrors) -> Double) -> Cell {
    e.isAllLost
      ? .spoiled("no result is finite")
      : .number(
        x(e), unless: "the exact results are 0 everywhere",
        caveat: e.lostCount == 0 ? nil : "\(Figures.count(e.lostCount)) results are not finite")
  }
}
