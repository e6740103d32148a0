import Reports

/// Columns of the report on what stands out of tensors.
enum ActivationColumns {
  static let tensor = Column("tensor", "tensor", .decides, "the tensor", align: .left, key: true)
  static let type = Column("type", "type", .useful, "the elements' type", align: .left)
  static let shape = Column("shape", "shape", .useful, "the shape", align: .left)
  static let rows = Column("tokens", "rows", .machine, "rows: tokens")
  static let length = Column("channels", "length", .machine, "elements in a row: channels")
  static let finite = Column("finite", "finite", .machine, "elements that are numbers")
  static let zeros = Column("zeros", "zeros", .detail, "elements that are zero")
  static let nan = Column(
    "NaN", "nan", .decides, "elements that are NaN", hidesZeros: true, sense: .lowerIsBetter)
  static let firstNaN = Column("first NaN", "firstNaN", .machine, "the first of them")
  static let infinite = Column(
    "inf", "infinite", .decides, "elements that are infinite", hidesZeros: true, sense: .lowerIsBetter)
  static let firstInfinity = Column("first inf", "firstInfinity", .machine, "the first of them")
  static let smallest = Column("min", "min", .decides, "the smallest number")
  static let largest = Column("max", "max", .decides, "the largest number")
  static let mean = Column("mean", "mean", .detail, "the mean")
  static let deviation = Column("std", "std", .detail, "the standard deviation")
  static let median = Column("median |a|", "medianMagnitude", .decides, "the median magnitude, exactly")
  static let peakToMedian = Column(
    "max/median", "peakToMedian", .decides, "the largest magnitude over the median magnitude")
  static let skewness = Column("skewness", "skewness", .detail, "the third standardized moment")
  static let kurtosis = Column(
    "kurtosis", "kurtosis", .decides, "the fourth standardized moment: 3 for a normal distribution")
  static let maxMagnitude = Column(
    "max |a|", "maxMagnitude", .machine, "the largest magnitude", sense: .lowerIsBetter)
  static let minMagnitude = Column(
    "min |a|", "minMagnitude", .machine, "the smallest magnitude that is not 0")
  static let dynamicRange = Column(
    "range", "dynamicRangeBits", .detail, "log2 of the largest over the smallest magnitude that is not 0",
    unit: "bits")
  static let outlierChannels = Column(
    "outliers", "outlierChannels", .decides, "channels that are outliers in 6 % of the tokens")
  static let massive = Column(
    "massive", "massive.count", .decides, "massive activations", hidesZeros: true, sense: .lowerIsBetter)
  static let nearMisses = Column(
    "near misses", "massive.nearMissCount", .detail, "those that pass half of each limit, but not both limits"
  )
  static let peakValue = Column(
    "peak", "peak.value", .machine, "the number of the largest magnitude", hex: true)
  static let peakToken = Column("peak token", "peak.token", .machine, "its token")
  static let peakChannel = Column("peak channel", "peak.channel", .machine, "its channel")
  static let peakRow = Column("peak row", "peak.row", .machine, "of a weight its row")
  static let peakColumn = Column("peak column", "peak.column", .machine, "of a weight its column")

  /// What machines alone are told.
  static let largestPlaces = data("largest", "the largest magnitudes and where they stand")
  static let massivePlaces = data("massive.places", "the largest massive activations and where they stand")
  static let massiveChannels = data("massive.channels", "the channels that hold any")
  static let nearMissPlaces = data("massive.nearMisses", "the largest near misses and where they stand")
  static let cost = data("cost", "what the massive ones cost everything else under some schemes")
  static let formats = data("formats", "what a cast to each format would lose")
  static let octaves = data("octaves", "elements by the power of two of their magnitude")
  static let channelMaxima = data("channelMaxima", "the largest magnitude of each channel")
  static let channelOutliers = data("channelOutliers", "outliers in each channel")
  static let tokenMaxima = data(
    "tokenMaxima", "the largest magnitude of each token, or of as many as share an entry")
  static let tokensPerMaximum = data("tokensPerMaximum", "tokens that share an entry")

  // Of series of layers.
  static let file = Column("file", "file", .machine, "the file or folder", align: .left)
  static let pattern = Column(
    "pattern", "pattern", .machine, "the name with * for the layer", align: .left, key: true)
  static let layers = data("layers", "the layers that are there")
  static let channels = data("channels", "the course of each channel that is massive in some layer")
  static let seriesOutliers = data("outlierChannels", "channels that are outliers in a quarter of the layers")

  private static func data(_ path: String, _ meaning: String) -> Column {
    Column(path, path, .machine, meaning)
  }

  static let all = [
    tensor, type, shape, rows, length, finite, zeros, nan, firstNaN, infinite, firstInfinity, smallest,
    largest,
    mean, deviation, median, peakToMedian, skewness, kurtosis, maxMagnitude, minMagnitude, dynamicRange,
    outlierChannels, massive, nearMisses, peakValue, peakToken, peakChannel, peakRow,
    peakColumn, largestPlaces, massivePlaces,
    massiveChannels, nearMissPlaces, cost,
    formats, octaves, channelMaxima, channelOutliers, tokenMaxima, tokensPerMaximum, file, pattern, layers,
    channels,
  ]
}
