import Reports

/// Columns of reports on quantization schemes, and on what helps them.
enum SchemeColumns {
  static let tensor = Column(
    "tensor", "tensor", .machine, "the tensor: FILE:TENSOR, or how it was generated", align: .left)
  /// Where a report is on several.
  static let tensorKey = Column(
    "tensor", "tensor", .machine, "the tensor: FILE:TENSOR, or how it was generated", align: .left, key: true)
  static let scheme = Column("scheme", "scheme", .decides, "the scheme", align: .left, key: true)
  static let plainScheme = Column("scheme", "scheme", .machine, "the scheme that is treated", align: .left)
  static let treatment = Column(
    "treatment", "treatment", .decides, "the scheme and what is done to help it", align: .left, key: true)
  static let pareto = Column(
    "", "paretoBest", .decides,
    "whether it loses no number and no scale, and none that loses none has, with as few bits, a higher SQNR",
    align: .left)
  static let bits = Column(
    "bits", "bitsPerWeight", .decides, "bits an element, scales and all that is stored", unit: "bits",
    sense: .lowerIsBetter)
  static let lost = Column(
    "lost", "lost", .decides, "finite numbers that became NaN or infinite; no average counts them",
    hidesZeros: true, sense: .lowerIsBetter)
  static let scaleOverflow = Column(
    "scale inf", "scaleFaults.overflowed", .decides, "blocks that store an infinite scale, offset or sum",
    hidesZeros: true, sense: .lowerIsBetter)
  static let scaleUnderflow = Column(
    "scale 0", "scaleFaults.underflowed", .decides,
    "blocks of numbers other than 0 whose scale is so small that nothing is left of them", hidesZeros: true)
  static let scaleNaN = Column(
    "scale NaN", "scaleFaults.nan", .decides, "blocks that store a scale, offset or sum that is NaN",
    hidesZeros: true, sense: .lowerIsBetter)
  static let sqnr = Column(
    "SQNR dB", "sqnr", .decides, "the energy of the tensor over that of the error", unit: "dB",
    sense: .higherIsBetter)
  static let mse = Column("MSE", "mse", .detail, "the mean squared error")
  static let maxAbsolute = Column(
    "max error", "maxAbsoluteError", .decides, "the largest absolute error", hex: true)
  static let relativeL1 = Column("rel L1", "relativeL1", .detail, "sum of |error| over sum of |x|")
  static let relativeL2 = Column("rel L2", "relativeL2", .detail, "norm of the error over norm of x")
  static let cosine = Column("cosine", "cosine", .useful, "the cosine between x and what became of it")
  static let divergence = Column(
    "KL nats", "softmaxDivergence", .detail,
    "the mean divergence of a row's softmax, were rows logits, over a sample of rows", unit: "nats")
  static let overFloor = Column(
    "over floor", "floor.decibelsAbove", .useful,
    "by how much the error is above that of the Lloyd-Max quantizer of as many levels for this tensor",
    unit: "dB")
  static let lloydMax = Column(
    "Lloyd-Max", "floor.lloydMax", .machine, "the mean squared error of that quantizer")
  static let gaussianBound = Column(
    "Gauss", "floor.gaussianBound", .machine,
    "the rate-distortion bound of a Gaussian source of the tensor's variance")
  static let rounding = Column(
    "rounding", "split.elementRounding", .useful, "what of the squared error is rounding to the grid")
  static let clipping = Column(
    "clipping", "split.clipping", .useful, "what of the squared error lies outside the grid")
  static let flushed = Column(
    "to zero", "split.flushToZero", .useful, "what of the squared error became zero")
  static let scales = Column(
    "scales", "split.scaleRounding", .useful,
    "what of the squared error storing the scales in few bits costs, or saves")
  static let splitTotal = Column("squared error", "split.total", .machine, "the sum of the four")
  static let worstChannel = Column(
    "worst channel", "worstChannel", .detail, "the channel with the largest squared error: its relative error"
  )
  static let worstBlock = Column(
    "worst block", "worstBlock", .detail,
    "the block of 32 with the largest squared error, by row and column: its relative error")
  static let warnings = Column("warnings", "warnings", .machine, "metrics that contradict each other")

  // Of cures.
  static let rest = Column(
    "rest dB", "restSqnr", .decides, "the SQNR of what is not massive", unit: "dB")
  static let restored = Column(
    "restored dB", "restored", .decides,
    "the dB restored: of the product with the activations where there are any, else of what is not massive",
    unit: "dB")
  static let restFlushed = Column(
    "to zero", "flushed", .decides, "elements other than zero, not massive, that became zero")
  static let output = Column(
    "output dB", "outputSqnr", .decides, "the SQNR of the product with the activations", unit: "dB")
  static let take = Column("take", "take", .machine, "whether this is the one to take")
  static let sacrifices = Column(
    "sacrifices", "sacrifices", .machine, "whether it buys the rest with the massive ones")

  // Of tensors.
  static let rows = Column("rows", "rows", .useful, "rows")
  static let length = Column("columns", "length", .useful, "elements in a row")
  static let nonFinite = Column("not finite", "nonFinite", .useful, "elements that are NaN or infinite")
  static let massive = Column("massive", "massive", .useful, "massive activations")
  static let recommended = Column(
    "recommended", "recommended", .useful, "the scheme to take within the limits", align: .left)
  static let conclusion = Column("conclusion", "conclusion", .useful, "what to make of it", align: .left)

  // Of dialects.
  static let kind = Column("kind", "kind", .decides, "in what they differ", align: .left, key: true)
  static let blocks = Column("blocks", "blocks", .decides, "blocks that differ so")
  static let smallest = Column("witness", "witness", .machine, "the smallest input found on which they do")
  static let boundaries = Column("boundaries", "boundaries", .decides, "decision boundaries of its codes")
  static let below = Column("below", "below", .decides, "the value on the lower side")
  static let above = Column("above", "above", .decides, "the value on the upper side")
  static let ulps = Column("apart", "ulps", .decides, "how many floats apart the two boundaries are")
  /// The last float on the lower side, of the scheme called `name`.
  static func last(_ path: String, _ name: String) -> Column {
    Column(
      "last below, \(name)", path, .decides, "the last float that decodes to the lower value", align: .left,
      hex: true)
  }

  static let all = [
    tensor, scheme, treatment, pareto, bits, lost, scaleOverflow, scaleUnderflow, scaleNaN, sqnr, mse,
    maxAbsolute, relativeL1, relativeL2, cosine,
    divergence, overFloor, lloydMax, gaussianBound, rounding, clipping, flushed, scales, splitTotal,
    worstChannel, worstBlock, warnings, rest, restored, restFlushed, output, take, sacrifices, rows, length,
    nonFinite, massive, recommended, conclusion, kind, blocks, smallest, boundaries, below, above, ulps,
    last("first", "A"), last("second", "B"),
  ]
}
