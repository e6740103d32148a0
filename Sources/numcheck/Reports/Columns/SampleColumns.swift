import Reports

/// Columns of what decoders keep.
enum SampleColumns {
  static let otherSets = Column(
    "other sets", "otherSets", .decides, "rows that keep other tokens than exact arithmetic does")
  static let greedyFlips = Column(
    "greedy flips", "greedyFlips", .decides, "rows whose most probable token is another")
  static let flippedGap = Column(
    "gap", "flippedGap", .useful,
    "the largest true difference of probabilities over which the most probable token changed")
  static let added = Column(
    "added", "added", .decides, "tokens that are kept and should not be, over all rows")
  static let lost = Column("lost", "lost", .decides, "tokens that should be kept and are not, over all rows")
  static let mass = Column(
    "mass", "largestMass", .decides,
    "the largest true probability, as a share of a row's kept set, of tokens that are kept or lost wrongly")
  static let worstRow = Column("worst row", "worstRow", .useful, "the row of that mass")

  static let all = [otherSets, greedyFlips, flippedGap, added, lost, mass, worstRow]
}
