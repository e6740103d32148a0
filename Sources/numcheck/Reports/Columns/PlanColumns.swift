import Reports

/// Columns of reports on plans of whole models.
enum PlanColumns {
  static let tensor = Column("tensor", "tensor", .decides, "the matrix", align: .left, key: true)
  static let kind = Column(
    "kind", "kind", .machine, "what matrices of different layers have in common", align: .left)
  static let layer = Column("layer", "layer", .machine, "the layer")
  static let type = Column("now", "type", .useful, "the type in the file", align: .left)
  static let count = Column("elements", "count", .useful, "elements")
  static let scheme = Column("scheme", "scheme", .decides, "the scheme to take", align: .left)
  static let bytes = Column("bytes", "bytes", .detail, "bytes, scales and all", sense: .lowerIsBetter)
  static let uncertainty = Column(
    "±", "uncertainty", .detail, "the standard error of the noise, relative to it, by which rows were sampled"
  )
  static let measuredRows = Column("measured", "measuredRows", .detail, "rows that were measured")
  static let judgedBy = Column(
    "judged by", "judgedBy", .useful, "weights, activations or importance: what the error is held against",
    align: .left)
  static let sensitivity = Column(
    "weight", "sensitivity", .detail, "what the matrix's relative error counts, beside that of others")
  static let share = Column("of cost", "share", .decides, "the share of the whole's cost")
  static let runnerUp = Column(
    "runner-up", "runnerUp.scheme", .decides, "what would be taken next at the same price of a byte",
    align: .left)
  static let runnerUpBits = Column(
    "its bits", "runnerUp.bitsPerWeight", .useful, "bits of the runner-up", unit: "bits")
  static let runnerUpSqnr = Column(
    "its dB", "runnerUp.sqnr", .useful, "the SQNR of the runner-up", unit: "dB")

  // Of groups.
  static let kindKey = Column(
    "kind", "kind", .decides, "what matrices of different layers have in common", align: .left, key: true)
  static let layerKey = Column(
    "layer", "layer", .decides, "the layer; what stands outside layers has none", key: true)
  static let tensors = Column("matrices", "tensors", .useful, "how many matrices")
  static let schemes = Column(
    "schemes", "schemes", .decides, "the schemes that they have, and how many have each", align: .left,
    prose: true)
  static let worst = Column(
    "worst", "worst.tensor", .useful, "the matrix with the largest relative error", align: .left)
  static let worstSqnr = Column("its dB", "worst.sqnr", .decides, "its SQNR", unit: "dB")

  static let all = [
    tensor, kind, layer, type, count, scheme, SchemeColumns.bits, bytes, SchemeColumns.sqnr, uncertainty,
    measuredRows,
    judgedBy, sensitivity, share, runnerUp, runnerUpBits, runnerUpSqnr, tensors, schemes, worst, worstSqnr,
  ]
}
