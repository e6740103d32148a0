import Reports

/// Columns of what gates send tokens to.
enum RoutingColumns {
  static let scoring = Column(
    "scores", "scoring", .decides, "what scores are: sigmoid or softmax", align: .left, key: true)
  static let flippedRows = Column(
    "flipped rows", "flippedRows", .decides, "rows that keep other experts than exact arithmetic does",
    sense: .lowerIsBetter)
  static let flippedExperts = Column(
    "flipped", "flippedExperts", .decides, "experts that are kept and should not be, over all rows")
  static let movedWithin = Column(
    "moved within", "moved.within", .useful,
    "the largest share of a row's weight that moves between the right experts, half the sum of |computed - exact|"
  )
  static let moved = Column(
    "moved", "moved.max", .decides, "the same over all rows: a flipped expert takes its weight along",
    sense: .lowerIsBetter)
  static let worstRow = Column("worst row", "moved.row", .detail, "the row of that share")
  static let flippedGap = Column(
    "over a gap of", "flippedGap", .useful,
    "the largest gap between the last expert kept and the first left out, in biased scores, over which one flipped"
  )
  static let margin = Column(
    "margin", "margin", .decides,
    "the largest over rows of what their gap must exceed for no expert to flip, whatever is rounded on the way: twice the bound "
      + "on a biased score's error")
  static let safe = Column("safe rows", "safeRows", .decides, "rows whose gap exceeds their margin")

  static let all = [
    scoring, flippedRows, flippedExperts, movedWithin, moved, worstRow, flippedGap, margin, safe,
  ]
}
