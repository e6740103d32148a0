import Reports

/// Columns of how a kernel computes.
enum FingerprintColumns {
  static let trait = Column("trait", "trait", .decides, "a property of the kernel", align: .left, key: true)
  static let value = Column("found", "value", .decides, "what was found", align: .left, pinned: true)
  static let probe = Column(
    "probe", "probe", .decides, "the inputs that show it and what they gave, or why none does", align: .left,
    prose: true)
  static let before = Column("before", "before", .decides, "what an earlier fingerprint says", align: .left)
  static let after = Column("after", "after", .decides, "what this one says", align: .left)

  static let all = [trait, value, probe, before, after]
}
