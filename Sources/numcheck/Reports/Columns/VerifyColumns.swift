import Reports

/// Columns of results that somebody else computed.
enum VerifyColumns {
  static let candidate = Column(
    "results", "candidate", .decides, "where the results come from", align: .left, key: true)
  static let part = Column(
    "of", "part", .decides, "which of the operation's results", align: .left, key: true)
  static let aboveBound = Column(
    "wrong", "aboveBound", .decides,
    "results that no right kernel gives: above the bound and not the truth rounded, or special where no bound explains it"
  )
  static let count = Column("results", "results", .detail, "results that were judged")
  static let median = Column(
    "p50", "ulp.p50", .detail, "half of the errors are below this, to within 0.8 %", unit: "ulp")
  static let p90 = Column(
    "p90", "ulp.p90", .detail, "90 % of the errors are below this, to within 0.8 %", unit: "ulp")
  static let p999 = Column(
    "p99.9", "ulp.p999", .detail, "99.9 % of the errors are below this, to within 0.8 %", unit: "ulp")
  static let pattern = Column(
    "where", "pattern", .machine, "where the wrong results stand", align: .left)
  static let plan = Column(
    "plan", "plan", .machine, "the plans whose widest bound counts", align: .left)
  static let hypotheses = Column(
    "hypotheses", "hypotheses", .machine,
    "what the kernel may have got wrong: the name, how many results are above that question's bound, the largest error in ulps"
  )

  static let row = Column("row", "row", .decides, "the row")
  static let index = Column("index", "index", .decides, "the place in the row")
  static let computed = Column("computed", "computed", .decides, "what was computed", align: .left)
  static let exact = Column("exact", "exact", .useful, "the exact result", align: .left)
  static let error = Column("error", "ulp", .decides, "its error", unit: "ulp")
  static let allowed = Column("bound", "bound", .decides, "what a right kernel may err by", unit: "ulp")

  static let planName = Column("plan", "plan", .decides, "how a kernel may have computed", align: .left)
  static let planWrong = Column(
    "above", "aboveBound", .decides, "results that a kernel of this plan cannot give")
  static let planBound = Column("bound", "bound.ulp", .decides, "the largest bound of this plan", unit: "ulp")
  static let planFits = Column("fits", "fits", .decides, "whether all results are within its bound")

  static let all = [
    candidate, part, aboveBound, count, median, p90, p999, pattern, plan, hypotheses,
  ]
}
