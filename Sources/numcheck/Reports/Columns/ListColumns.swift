import Reports

/// Columns of lists of what there is.
enum ListColumns {
  static let file = Column("file", "output", .decides, "the file that was written", align: .left, key: true)
  static let dtype = Column("dtype", "dtype", .decides, "the number format", align: .left, key: true)
  static let bits = Column("bits", "bits", .decides, "bits a number", unit: "bits")
  static let layout = Column(
    "sign/exp/frac", "layout", .decides, "bits of sign, exponent and fraction", align: .left)
  static let largest = Column("largest", "largest", .decides, "the largest finite number")
  static let smallestNormal = Column(
    "smallest normal", "smallestNormal", .decides, "the smallest number of full precision")
  static let smallestSubnormal = Column(
    "smallest subnormal", "smallestSubnormal", .detail, "the smallest positive number")
  static let epsilon = Column("epsilon", "epsilon", .detail, "the distance from 1 to the next number")
  static let hasInfinity = Column("inf", "hasInfinity", .useful, "whether it has infinities", align: .left)
  static let nan = Column("NaN", "nan", .detail, "how many codes are NaN", align: .left)
  static let aliases = Column(
    "also called", "aliases", .detail, "other names that are understood", align: .left)
  static let command = Column("command", "command", .decides, "the command", align: .left, key: true)
  static let algorithm = Column(
    "--algorithm", "algorithm", .decides, "the algorithm's name", align: .left, key: true)
  static let dtypes = Column("dtypes", "dtypes", .useful, "the dtypes it runs in", align: .left)
  static let summary = Column("how", "summary", .decides, "what it does", align: .left, prose: true)
  static let scheme = Column("--scheme", "scheme", .decides, "the scheme's name", align: .left, key: true)
  static let bitsPerWeight = Column(
    "bits", "bitsPerWeight", .decides, "bits an element of a large matrix, scales and all", unit: "bits")
  static let family = Column("family", "family", .useful, "the file it is in", align: .left)
  static let origin = Column(
    "whose", "origin", .decides, "the release or specification whose numbers a scheme's are", align: .left)
  static let isDefault = Column(
    "default", "isDefault", .decides, "whether it is tried unless schemes are named", align: .left)
  static let nanGives = Column(
    "NaN gives", "nanGives", .useful, "what becomes of a NaN among ones, and of the ones", align: .left)
  static let infinityGives = Column(
    "inf gives", "infinityGives", .useful, "what becomes of an infinity among ones, and of the ones",
    align: .left)
  static let cure = Column("name", "name", .decides, "the cure's name", align: .left, key: true)
  static let flag = Column("flag", "flag", .decides, "the flag that takes it", align: .left)
  static let distribution = Column(
    "--distribution", "distribution", .decides, "the distribution's name", align: .left, key: true)
  static let figure = Column(
    "figure", "figure", .decides, "the path that JSON, CSV, --check and --columns have", align: .left,
    key: true)
  static let title = Column("title", "title", .useful, "what stands above it in tables", align: .left)
  static let unit = Column("unit", "unit", .useful, "its unit", align: .left)
  static let group = Column("of", "group", .decides, "what it is a figure of", align: .left, key: true)
  static let meaning = Column("meaning", "meaning", .decides, "what it says", align: .left, prose: true)

  static let all = [
    file, dtype, bits, layout, largest, smallestNormal, smallestSubnormal, epsilon, hasInfinity, nan, aliases,
    command, algorithm, dtypes, summary, scheme, bitsPerWeight, family, origin, isDefault, nanGives,
    infinityGives,
    cure, flag, distribution, figure, title, unit, group, meaning,
  ]
}
