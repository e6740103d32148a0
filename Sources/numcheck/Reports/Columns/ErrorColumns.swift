import NumKit
import Reports

/// Columns of results that are held against a proven truth.
enum ErrorColumns {
  static let algorithm = Column("algorithm", "algorithm", .decides, "the algorithm", align: .left, key: true)
  static let verdict = Column(
    "verdict", "verdict", .decides,
    "ok; bug: a wrong special value, results lost to an overflow inside, or an error above a sound bound; ill-conditioned: the "
      + "kernel keeps its bound and an answer (a row by its norm, or a result that carries a thirty-second of its row's sum) is "
      + "still off by more than an eighth of itself, because of rounded inputs or the row's conditioning; vacuous: the bound "
      + "says nothing, which is never a pass",
    align: .left, words: Verdict.allCases.map(\.rawValue))
  static let nanRows = Column(
    "NaN rows", "nanRows", .decides, "rows with a NaN whose truth has none", sense: .lowerIsBetter)
  static let overflow = Column(
    "overflow", "overflow", .decides,
    "results that are infinite where the truth, rounded to the format, is finite", hidesZeros: true,
    sense: .lowerIsBetter)
  static let underflow = Column(
    "underflow", "underflow", .useful,
    "results that are zero where the truth, rounded to the format, is not", hidesZeros: true)
  static let specialMismatches = Column(
    "special", "specialMismatches", .useful,
    "results that should be NaN or infinite and are not", hidesZeros: true, sense: .lowerIsBetter)
  static let maxUlp = Column(
    "max ulp", "ulp.max", .decides,
    "the kernel's own largest error, against the truth of the inputs as rounded to the format", unit: "ulp",
    hex: true, sense: .lowerIsBetter)
  static let p99 = Column(
    "p99", "ulp.p99", .detail, "99 % of the errors are below this, to within 0.8 %", unit: "ulp")
  static let mean = Column("mean", "ulp.mean", .detail, "the mean error", unit: "ulp", sense: .lowerIsBetter)
  static let rms = Column("rms", "ulp.rms", .detail, "the root mean square error", unit: "ulp")
  static let atPeak = Column(
    "at peak", "ulp.atPeak", .detail, "the largest error in ulps of the row's largest result", unit: "ulp")
  static let maxAbsolute = Column(
    "max error", "maxAbsoluteError", .detail, "the largest absolute error", hex: true)
  static let maxRelative = Column(
    "max rel", "maxRelativeError", .detail, "the largest relative error", hex: true)
  static let bound = Column(
    "bound", "bound.ulp", .decides,
    "the largest error that a correct kernel of this algorithm may make on these rows", unit: "ulp",
    sense: .bound)
  static let boundKind = Column(
    "bound kind", "bound.kind", .machine,
    "sound: it holds, underflow included (given: with the measured accuracy of these functions of the platform); vacuous: "
      + "it says nothing; none: none was derived",
    align: .left)
  static let boundExceeded = Column(
    "above bound", "bound.exceeded", .useful, "results above their bound", hidesZeros: true)
  static let boundShare = Column(
    "of bound", "bound.share", .detail, "the largest error as a share of the largest bound")
  static let headroom = Column(
    "headroom", "headroomBits", .useful,
    "bits between the largest number inside the kernel and overflow; none where an overflow was born",
    unit: "bits")
  static let firstNaN = Column(
    "first NaN", "firstNaN", .machine, "where the first NaN was born: row, stage, index")
  static let firstOverflow = Column(
    "first overflow", "firstOverflow", .machine, "where the first infinity was born: row, stage, index")
  static let certificate = Column(
    "certificate", "certificate", .machine, "how many truths were proven by what")
  static let witness = Column(
    "witness", "witness", .machine, "the worst result: where it stands, what was computed, what is exact")
  static let sumError = Column("|sum-1|", "sumError", .detail, "the largest distance of a row's sum from 1")
  static let maxDivergence = Column(
    "KL nats", "klDivergence.max", .detail,
    "the largest divergence KL(truth || computed) of a row, generalised where it does not sum to 1; infinite when a "
      + "representable probability was lost", unit: "nats")
  static let meanDivergence = Column(
    "mean KL", "klDivergence.mean", .detail, "the mean divergence of a row", unit: "nats")
  static let topFlips = Column(
    "top-1 flips", "top1Flips", .detail, "rows whose most probable entry changed")
  static let logits = Column(
    "at logits", "logits", .decides, "the pair of logits with the largest error", align: .left)

  /// Those that there are of any set of errors.
  static let errors = [
    nanRows, overflow, underflow, specialMismatches, maxUlp, p99, mean, rms, atPeak, maxAbsolute, maxRelative,
  ]

  static let all =
    [algorithm, verdict] + errors + [
      bound, boundKind, boundExceeded, boundShare, sumError, maxDivergence,
      meanDivergence, topFlips, headroom, logits, firstNaN, firstOverflow, certificate, witness,
    ]

  /// What the same figure is of the error in all: the kernel's and the format's.
  static func total(_ column: Column, _ importance: Column.Importance = .machine) -> Column {
    Column(
      "total \(column.name.replacing("max ", with: ""))", "total.\(column.path)", importance,
      "against the truth of the inputs as given: \(column.meaning)", unit: column.unit, hex: column.hasHex)
  }

  /// The same of the log-sum-exp that attention gives beside its output.
  static func logSumExp(_ column: Column, _ importance: Column.Importance = .machine) -> Column {
    Column(
      "lse \(column.name.replacing("max ", with: ""))", "logSumExp.\(column.path)", importance,
      "of the log-sum-exps: \(column.meaning)", unit: column.unit, hex: column.hasHex)
  }
}
