import NumKit

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
