import Reports

/// Columns of what rules make of planted defects.
enum MutationColumns {
  static let rule = Column("rule", "rule", .decides, "the rule", align: .left, key: true)
  static let score = Column(
    "caught", "caught", .decides, "defects that do harm on these rows and that the rule refuses")
  static let harmful = Column("of", "harmful", .decides, "defects that do harm on these rows")
  static let passes = Column(
    "lets through", "passes", .decides, "the defects that the rule accepts", align: .left, prose: true)
  static let rightRows = Column(
    "right kernel", "rightKernel.excess", .decides,
    "the right kernel's largest error as a multiple of what the rule allows: above 1 the rule refuses a right kernel"
  )
  static let source = Column("source", "source", .detail, "where the rule comes from", align: .left)
  static let defect = Column("defect", "defect", .decides, "what was planted", align: .left, key: true)
  static let excess = Column(
    "excess", "excess", .decides, "the largest error as a multiple of what the rule allows: caught above 1")
  static let accepted = Column("passes", "accepted", .decides, "whether the rule accepts the results")
  static let harmless = Column(
    "harmless", "harmless", .useful, "whether a right kernel might have given these results on these rows")
  static let maxUlp = Column(
    "max ulp", "ulp.max", .decides, "the largest error beside the exact results", unit: "ulp")
  static let witness = Column(
    "witness", "witness", .machine,
    "where the largest error stands: row and index; none for rules on whole tensors")
  static let summary = Column("what is wrong", "summary", .decides, "what is wrong", align: .left)

  static let caughtBy = Column(
    "caught by", "caughtBy", .decides, "the checks that fail with it", align: .left, prose: true)
  static let harms = Column("does harm in", "harmfulIn", .decides, "checks whose kernels it makes wrong")
  static let planted = Column("planted in", "plantedIn", .useful, "checks whose kernels it was planted in")

  static let all = [
    rule, score, harmful, passes, rightRows, source, defect, excess, accepted, harmless, maxUlp, witness,
    summary, caughtBy, harms, planted,
  ]
}
