import Reports

/// Columns of what changes no question.
enum CalledColumns {
  static let change = Column(
    "change", "change", .decides, "what was changed that changes no question", align: .left, key: true)
  static let bits = Column(
    "bits", "bits", .decides,
    "the most bits by which a result differs; nothing where one is NaN and the other is not",
    align: .left)
  static let differing = Column(
    "differ", "differing", .useful, "results whose bits are others")
  static let compared = Column("of", "compared", .useful, "results that were compared")
  static let witness = Column(
    "where", "where", .useful, "the result that differs most, with both codes", align: .left, prose: true)

  static let all = [change, bits, differing, compared, witness]
}
