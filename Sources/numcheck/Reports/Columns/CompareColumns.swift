import Reports

/// Columns of comparisons of dumps.
enum CompareColumns {
  static let tensor = Column(
    "tensor", "tensor", .decides, "the tensor's name in the first", align: .left, key: true)
  static let other = Column(
    "in B", "otherName", .useful, "its name in the second", align: .left, hidesZeros: true)
  static let file = Column(
    "beside", "file", .decides, "the file that is held against the first", align: .left, key: true)
  static let types = Column("dtype", "types", .useful, "the elements of both", align: .left)
  static let count = Column("elements", "count", .detail, "elements")
  static let different = Column("differ", "different", .useful, "elements that are not equal; NaN equals NaN")
  static let maxUlp = Column(
    "max ulp", "ulp.max", .decides,
    "the largest difference in ulps at the first's number, of the coarser of both formats", unit: "ulp",
    hex: true)
  static let meanUlp = Column("mean", "ulp.mean", .useful, "the mean difference", unit: "ulp")
  static let relativeL2 = Column(
    "rel L2", "relativeL2", .decides, "norm of the difference over norm of the first")
  static let cosine = Column("cosine", "cosine", .decides, "the cosine between both")
  static let maxAbsolute = Column(
    "max diff", "maxAbsoluteError", .useful, "the largest absolute difference", hex: true)
  static let firstNaN = Column("NaN in A", "nan.first", .useful, "NaN in the first", hidesZeros: true)
  static let secondNaN = Column("NaN in B", "nan.second", .decides, "NaN in the second", hidesZeros: true)
  static let overflow = Column(
    "overflow", "overflow", .decides, "elements that are infinite in the second and finite in the first",
    hidesZeros: true)

  static let all = [
    tensor, file, other, types, count, different, maxUlp, meanUlp, relativeL2, cosine, maxAbsolute, firstNaN,
    secondNaN, overflow,
  ]
}
