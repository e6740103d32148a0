import NumKit

/// What right results are made into, of whatever operation: for questions whose kernels no defect is planted in.
public enum ResultDefect: String, Sendable, CaseIterable {
  case zeros
  case negated
  case doubled
  case onePercent = "one-percent-too-large"
  case rotated = "one-place-too-far"
  case lastLost = "last-result-0"
  case mean = "row-mean-everywhere"

  /// What is wrong, in a few words.
  public var summary: String {
    switch self {
    case .zeros: "all results 0"
    case .negated: "results with the other sign"
    case .doubled: "results twice as large"
    case .onePercent: "results 1 % too large"
    case .rotated: "each result one place further in its row"
    case .lastLost: "the last result of a row 0"
    case .mean: "the mean of a row's results in all of its places"
    }
  }

  /// The row's results, as a kernel with the defect gives them.
  func apply(_ y: [Double], _ format: NumberFormat) -> [Double] {
    switch self {
    case .zeros: return y.map { _ in 0 }
    case .negated: return y.map { -$0 }
    case .doubled: return y.map { format.round(2 * $0) }
    case .onePercent: return y.map { format.round(1.01 * $0) }
    case .rotated: return y.isEmpty ? y : [y[y.count - 1]] + y.dropLast()
    case .lastLost: return y.isEmpty ? y : y.dropLast() + [0]
    case .mean:
      let mean = format.round(y.reduce(0, +) / Double(max(y.count, 1)))
      return y.map { _ in mean }
    }
  }
}

/// What rules make of results with a defect: one judgement each.
struct DefectiveResults: Sendable {
  private let format: NumberFormat
  private(set) var judgements: [Judgement]

  /// The last limit is the sound bound: it says what does no harm.
  init(_ limits: [ToleranceRule.Limit], _ format: NumberFormat) {
    self.format = format
    judgements = ResultDefect.allCases.map { _ in Judgement(limits + [.bound], format) }
  }

  /// A row, as `RowTruth` has it. Which one it is nobody asks here.
  mutating func add(_ truth: RowTruth) {
    guard truth.rounded.allSatisfy(\.isFinite) else { return }
    for (k, defect) in ResultDefect.allCases.enumerated() {
      let y = defect.apply(truth.rounded, format)
      judgements[k].add(row: 0, y, truth)
      if y != truth.rounded { judgements[k].noteDifference() }
    }
  }

  mutating func merge(_ other: DefectiveResults) {
    for k in judgements.indices { judgements[k].merge(other.judgements[k]) }
  }

  /// The defects that do harm and that each rule accepts; nil for a rule that needs a plain kernel's results beside.
  func passing(_ rules: [ToleranceRule]) -> [[String]?] {
    let finished = judgements.map { judgement in
      var finished = judgement
      finished.finish()
      return finished
    }
    return rules.indices.map { k in
      if case .baseline = rules[k].limit(format) { return nil }
      return zip(ResultDefect.allCases, finished).filter { _, judgement in
        judgement.differs && !judgement.isWithinBound && judgement.verdicts[k].accepts
      }.map(\.0.rawValue)
    }
  }
}
