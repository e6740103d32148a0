import Reports

/// Columns of attention's reports.
enum AttentionColumns {
  static let rmse = Column(
    "RMSE", "rmse", .decides, "the root mean square error of all outputs", hex: true, sense: .lowerIsBetter)
  static let relativeL1 = Column("rel L1", "relativeL1", .detail, "sum of |error| over sum of |truth|")
  static let cosine = Column("cosine", "cosine", .machine, "the cosine between outputs and truth")
  static let oneMinusCosine = Column(
    "1-cosine", "oneMinusCosine", .detail, "1 less the cosine between outputs and truth")
  static let ofLimit = Column(
    "of limit", "baseline.share", .decides,
    "the largest error as a share of what FlashAttention's tests allow: twice the baseline's")
  static let ofBaseline = Column(
    "of baseline", "baseline.share", .decides,
    "the largest error as a share of the baseline's: the standard algorithm in the storage format, sums in f32"
  )
  static let baseline = Column(
    "baseline", "baseline.maxAbsoluteError", .machine, "the baseline's largest error of the same gradient")
  static let withinBaseline = Column(
    "within", "withinBaseline", .machine,
    "whether the largest error is within what FlashAttention's tests allow")
  static let totalRMSE = Column(
    "total RMSE", "total.rmse", .decides, "the same against the truth of the inputs as given", hex: true)
  static let totalL1 = Column(
    "rel L1", "total.relativeL1", .detail,
    "sum of |error| over sum of |truth|, against the truth of the inputs as given")
  static let totalCosine = Column(
    "total cosine", "total.cosine", .machine,
    "the cosine between outputs and the truth of the inputs as given")
  static let totalOneMinusCosine = Column(
    "1-cosine", "total.oneMinusCosine", .detail,
    "1 less the cosine between outputs and the truth of the inputs as given")
  static let lseFormat = Column(
    "lse format", "logSumExp.format", .machine, "the format of the log-sum-exps", align: .left)
  static let stages = Column(
    "stages", "stages", .machine,
    "bits of headroom by stage, and rows whose first NaN or overflow was born there")
  static let gradient = Column(
    "gradient", "gradient", .decides, "dq, dk or dv", align: .left, key: true)

  // Of the comparisons of ways.
  static let way = Column("way", "way", .decides, "the way attention is computed", align: .left, key: true)
  static let scheme = Column("scheme", "scheme", .decides, "the scheme", align: .left, key: true)
  static let summary = Column("what", "summary", .machine, "what it does", align: .left)
  static let lost = Column(
    "lost", "lost", .decides, "outputs that are not finite though the truth is; no other figure counts them",
    hidesZeros: true, sense: .lowerIsBetter)
  static let compared = Column("compared", "compared", .machine, "outputs that the figures are of")
  static let maxError = Column("max error", "maxAbsoluteError", .decides, "the largest absolute error")
  static let relativeError = Column(
    "rel L1", "relativeL1", .decides, "sum of |error| over sum of |truth|")
  static let ofStandard = Column(
    "of standard", "ofStandard", .decides, "the RMSE beside that of the standard way of as many bits")
  static let ofF16 = Column("of f16", "ofF16", .decides, "the RMSE beside that of the f16 standard")
  static let bitsQ = Column("q", "bits.q", .useful, "bits a number of q, scales counted", unit: "bits")
  static let bitsK = Column("k", "bits.k", .useful, "bits a number of k, scales counted", unit: "bits")
  static let bitsV = Column("v bits", "bits.v", .useful, "bits a number of v, scales counted", unit: "bits")
  static let flushed = Column("P to 0", "flushed", .useful, "the share of P that became 0")
  static let predicted = Column(
    "predicted", "flushedPredicted", .detail,
    "the share of P that becomes 0 by each row's mean, deviation and maximum of scores")

  // Of the sweep over head sizes.
  static let headSize = Column("head size", "headSize", .decides, "numbers in a query or key", key: true)
  static let scale = Column(
    "scale", "scale", .decides, "what scores are multiplied with", align: .left, key: true)
  static let scoreRMS = Column("score rms", "scoreRms", .decides, "the root mean square score")
  static let entropy = Column("entropy", "entropy", .decides, "the mean entropy of a row", unit: "nats")
  static let largestProbability = Column(
    "largest p", "largestProbability", .decides, "the mean of the rows' largest probabilities")
  static let jacobianNorm = Column(
    "Jacobian norm", "jacobianNorm", .decides, "the mean norm of a row's Jacobian")
  static let saturated = Column(
    "saturated", "saturated", .decides, "the share of rows whose Jacobian's norm is below the threshold")

  // Of the key-value cache.
  static let cache = Column("cache", "cache", .decides, "the format of the cache", align: .left, key: true)
  static let bitsPerNumber = Column(
    "bits", "bitsPerNumber", .decides, "bits a number, scales and what stays in f16 counted", unit: "bits")
  static let bytes = Column("bytes", "bytes", .decides, "the size of the cache", unit: "bytes")
  static let sizeOfF16 = Column("of f16", "ofF16", .decides, "the size beside that in f16")

  // Of every layer's.
  static let keys = Column("keys", "keys", .decides, "the layer's keys", align: .left, key: true)
  static let values = Column("values", "values", .machine, "the layer's values", align: .left)
  static let layer = Column("layer", "layer", .machine, "the layer")
  static let keysSqnr = Column(
    "k dB", "k.sqnr", .decides, "the energy of the keys over that of their error", unit: "dB",
    sense: .higherIsBetter)
  static let valuesSqnr = Column(
    "v dB", "v.sqnr", .decides, "the energy of the values over that of their error", unit: "dB",
    sense: .higherIsBetter)
  static let lostNumbers = Column(
    "lost", "lostNumbers", .decides, "finite keys and values that became NaN or infinite", hidesZeros: true,
    sense: .lowerIsBetter)
  static let worstKeys = Column(
    "worst keys", "k.worst", .decides, "the layer whose keys lose most", align: .left)
  static let worstValues = Column(
    "worst values", "v.worst", .decides, "the layer whose values lose most", align: .left)

  static let all = [
    keys, values, layer, keysSqnr, valuesSqnr, lostNumbers, worstKeys, worstValues, rmse, relativeL1, cosine,
    oneMinusCosine, ofLimit, baseline, withinBaseline, totalRMSE, totalL1,
    totalCosine, totalOneMinusCosine, lseFormat, stages, gradient, way, scheme, summary, lost, compared,
    maxError, ofStandard, ofF16, bitsQ, bitsK, bitsV, flushed, predicted, headSize, scale, scoreRMS, entropy,
    largestProbability, jacobianNorm, saturated, cache, bitsPerNumber, bytes, sizeOfF16,
  ]
}
