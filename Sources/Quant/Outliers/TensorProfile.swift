import CSchemes

/// What stands out of a tensor: every figure a person needs to see why a grid does not fit it.
///
/// Figures are over its finite elements, in Float; medians, counts and places are exact, mean and moments are sums in
/// Double that depend on the tensor alone, not on threads.
public struct TensorProfile: Sendable {
  /// Rows: tokens.
  public let rows: Int
  /// Columns: channels.
  public let columns: Int
  /// What counted as standing out.
  public let settings: ScanSettings

  /// Elements that are numbers.
  public internal(set) var finiteCount = 0
  /// Elements that are zero.
  public internal(set) var zeroCount = 0
  /// Elements that are NaN.
  public internal(set) var nanCount = 0
  /// The first NaN.
  public internal(set) var firstNaN: TensorPlace?
  /// Elements that are ±∞.
  public internal(set) var infiniteCount = 0
  /// The first infinity.
  public internal(set) var firstInfinity: TensorPlace?

  /// The smallest number; NaN where there is none, as for all that follow.
  public internal(set) var smallest = Float.nan
  /// The largest number.
  public internal(set) var largest = Float.nan
  /// max |a|: ‖·‖∞.
  public internal(set) var largestMagnitude = Float.nan
  /// min |a| over a ≠ 0.
  public internal(set) var smallestMagnitude = Float.nan
  /// The mean.
  public internal(set) var mean = Double.nan
  /// The standard deviation, √(Σ(a − mean)²/n).
  public internal(set) var standardDeviation = Double.nan
  /// n Σ(a − mean)³ / (Σ(a − mean)²)^1.5 · n^−0.5; NaN where all are equal.
  public internal(set) var skewness = Double.nan
  /// n Σ(a − mean)⁴ / (Σ(a − mean)²)²: 3 for a normal distribution; NaN where all are equal.
  public internal(set) var kurtosis = Double.nan
  /// The median |a|, exactly: the mean of the middle two where they are two.
  public internal(set) var medianMagnitude = Double.nan

  /// What casts would lose.
  public internal(set) var losses: [FormatLoss] = []
  /// The largest magnitudes, largest first, of equal ones the first.
  public internal(set) var largestPlaces: [TensorPlace] = []
  /// The massive activations.
  public internal(set) var massive = MassiveActivations()
  /// Elements by ⌊log2|a|⌋: the first exponent and how many have it and those after it. Zeros are not among them.
  public internal(set) var octaves: (first: Int, counts: [Int]) = (0, [])

  /// max |a| of each column; empty where the tensor has more than `TensorProfile.columnLimit` columns.
  public internal(set) var columnMaxima: [Float] = []
  /// How many elements of each column have |a| ≥ `settings.outlierLimit`; empty like `columnMaxima`.
  public internal(set) var columnOutliers: [Int] = []
  /// max |a| of each `rowsPerMaximum` rows.
  public internal(set) var rowMaxima: [Float] = []
  /// How many rows share an entry of `rowMaxima`: 1 up to `TensorProfile.columnLimit` rows.
  public let rowsPerMaximum: Int

  /// Figures of single channels are kept up to this many, and of rows that many entries, so that memory stays bounded.
  public static let columnLimit = 1 << 18

  /// Bytes that figures of single channels and rows take.
  public var maximaBytes: Int { 4 * columnMaxima.count + 8 * columnOutliers.count + 4 * rowMaxima.count }

  /// Forgets figures of single channels and rows: of hundreds of tensors they would be most of what is kept.
  public mutating func forgetMaxima() { (columnMaxima, columnOutliers, rowMaxima) = ([], [], []) }

  /// Of nothing yet.
  package init(rows: Int, columns: Int, settings: ScanSettings) {
    self.rows = rows
    self.columns = columns
    self.settings = settings
    rowsPerMaximum = max(1, (rows + Self.columnLimit - 1) / Self.columnLimit)
  }

  /// All elements.
  public var count: Int { rows * columns }
  /// log2(max |a| / min |a|) over a ≠ 0, in bits; NaN where all are zero.
  public var dynamicRange: Double {
    smallestMagnitude.isNaN ? .nan : nc_log2(Double(largestMagnitude) / Double(smallestMagnitude))
  }
  /// max |a| / median |a|.
  public var peakToMedian: Double { Double(largestMagnitude) / medianMagnitude }

  /// Channels in which at least `share` of the rows have |a| ≥ `settings.outlierLimit`; with 0: in which any has.
  ///
  /// LLM.int8() takes those that have 6 % of the tokens in at least a quarter of the layers: see `LayerSeries.outlierChannels`.
  public func outlierChannels(share: Double = 0) -> [Int] {
    columnOutliers.indices.filter {
      columnOutliers[$0] > 0 && Double(columnOutliers[$0]) >= share * Double(rows)
    }
  }
}

/// The massive activations of a tensor.
public struct MassiveActivations: Sendable {
  /// How many there are.
  public internal(set) var count = 0
  /// The largest of them, at most 64.
  public internal(set) var places: [TensorPlace] = []
  /// The channels that hold any, and how many.
  public internal(set) var channels: [Int: Int] = [:]
  /// max |a| of all others; NaN where there are no massive ones.
  public internal(set) var restMagnitude = Float.nan
  /// How many pass half of each limit, but not both limits.
  public internal(set) var nearMissCount = 0
  /// The largest of those, at most 64.
  public internal(set) var nearMisses: [TensorPlace] = []

  /// The channels, ascending.
  public var sortedChannels: [Int] { channels.keys.sorted() }
}
