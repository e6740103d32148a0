/// The error of computed results against the exact ones, gathered over many rows. Adding rows in another order, or
/// merging the statistics of shards, gives the same numbers.
public struct ErrorStatistics: Sendable {
  /// One result and where it stood, for a person to look at and a machine to try again.
  public struct Witness: Sendable, Hashable {
    /// Index of the row.
    public let row: Int
    /// Index of the result in its row.
    public let index: Int
    /// What the kernel computed.
    public let computed: Double
    /// The exact result, rounded to Double.
    public let exact: Double
    /// The error in ulps; NaN for a wrong special value.
    public let ulp: Double
  }

  /// Rows.
  public private(set) var rows = 0
  /// Results.
  public private(set) var count = 0
  /// Rows with a NaN whose truth has none.
  public private(set) var nanRows = 0
  /// Results that are infinite (in a saturating format: never) where the truth, rounded to the format, is finite.
  public private(set) var overflow = 0
  /// Results that are zero where the truth, rounded to the format, is not: harmful underflow.
  public private(set) var underflow = 0
  /// Results whose truth is NaN or infinite and that are something else.
  public private(set) var specialMismatches = 0
  /// Results above the sound bound on their error.
  public private(set) var aboveBound = 0
  /// The largest error in ulps over results that are finite and whose truth is.
  public private(set) var maxUlp = 0.0
  /// The largest error in ulps of the row's largest exact result: what counts where small results come from cancellation.
  public private(set) var maxUlpAtPeak = 0.0
  /// The largest absolute error.
  public private(set) var maxAbsolute = 0.0
  /// The largest relative error, over results whose truth is not zero.
  public private(set) var maxRelative = 0.0
  /// The largest over rows of (largest absolute error) / (largest magnitude of the truth).
  public private(set) var maxNormwise = 0.0
  /// The result with the largest error in ulps; one with a wrong special value before any other.
  public private(set) var witness: Witness?
  /// The first result above its bound.
  public private(set) var boundWitness: Witness?

  private var sum = ExactSum()
  private var sumOfSquares = ExactSum()
  private var histogram = Histogram()

  /// Nothing measured.
  public init() {}

  /// Results that were finite and whose truth was.
  public var finiteCount: Int { Int(histogram.count) }
  /// The mean error in ulps.
  public var meanUlp: Double { finiteCount == 0 ? 0 : sum.value / Double(finiteCount) }
  /// The root mean square error in ulps.
  public var rmsUlp: Double { finiteCount == 0 ? 0 : (sumOfSquares.value / Double(finiteCount)).squareRoot() }
  /// The `q`-quantile of the error in ulps, to within 0.8 %; never above the maximum.
  public func quantileUlp(_ q: Double) -> Double { Swift.min(histogram.quantile(q), maxUlp) }

  /// Adds the results of row number `row`. `bounds`, if any, are absolute errors that a correct kernel cannot exceed.
  public mutating func add(
    row: Int, computed: UnsafeBufferPointer<Double>, truth: Truth, unit: ErrorUnit,
    bounds: UnsafeBufferPointer<Double>?
  ) {
    rows += 1
    count += computed.count
    var sawNaN = false
    var truthHasNaN = false
    var worst = 0.0
    var scale = 0.0
    for i in computed.indices {
      let y = computed[i]
      let t = truth.rounded[i]
      if t.isNaN { truthHasNaN = true }
      if y.isNaN && !t.isNaN { sawNaN = true }
      if !y.isFinite || !t.isFinite {
        addSpecial(row, i, y, t, exact: truth.error(of: 0, at: i).exact)
        continue
      }
      if y == 0 && t != 0 { underflow += 1 }
      let (absolute, exact) = truth.error(of: y, at: i)
      let ulps = absolute / unit.size(at: exact)
      sum.add(ulps)
      sumOfSquares.add(ulps * ulps)
      histogram.add(ulps)
      worst = Swift.max(worst, absolute)
      scale = Swift.max(scale, exact.magnitude)
      if exact != 0 {
        maxRelative = Swift.max(maxRelative, absolute / exact.magnitude)
      } else if truth.isTiny(i) {
        maxRelative = Swift.max(maxRelative, y == 0 ? 1 : .infinity)
      }
      let isWorse = ulps > maxUlp || (witness == nil && ulps >= maxUlp)
      if isWorse {
        maxUlp = ulps
        offer(Witness(row: row, index: i, computed: y, exact: exact, ulp: ulps))
      }
      if let bounds, absolute > bounds[i] {
        aboveBound += 1
        if boundWitness == nil {
          boundWitness = Witness(row: row, index: i, computed: y, exact: exact, ulp: ulps)
        }
      }
    }
    maxAbsolute = Swift.max(maxAbsolute, worst)
    if scale > 0 {
      maxNormwise = Swift.max(maxNormwise, worst / scale)
      maxUlpAtPeak = Swift.max(maxUlpAtPeak, worst / unit.size(at: scale))
    }
    if sawNaN && !truthHasNaN { nanRows += 1 }
  }

  private mutating func addSpecial(_ row: Int, _ i: Int, _ y: Double, _ t: Double, exact: Double) {
    if y.isNaN && t.isNaN || y == t { return }
    if t.isFinite {
      if y.isInfinite { overflow += 1 }
    } else {
      specialMismatches += 1
    }
    offer(Witness(row: row, index: i, computed: y, exact: exact, ulp: .nan))
  }

  private mutating func offer(_ other: Witness) {
    if let mine = witness, !other.precedes(mine) { return }
    witness = other
  }

  /// Adds the statistics of other rows.
  public mutating func merge(_ other: ErrorStatistics) {
    rows += other.rows
    count += other.count
    nanRows += other.nanRows
    overflow += other.overflow
    underflow += other.underflow
    specialMismatches += other.specialMismatches
    aboveBound += other.aboveBound
    maxUlp = Swift.max(maxUlp, other.maxUlp)
    maxUlpAtPeak = Swift.max(maxUlpAtPeak, other.maxUlpAtPeak)
    maxAbsolute = Swift.max(maxAbsolute, other.maxAbsolute)
    maxRelative = Swift.max(maxRelative, other.maxRelative)
    maxNormwise = Swift.max(maxNormwise, other.maxNormwise)
    if let witness = other.witness { offer(witness) }
    if let theirs = other.boundWitness {
      if let mine = boundWitness {
        boundWitness = (mine.row, mine.index) <= (theirs.row, theirs.index) ? mine : theirs
      } else {
        boundWitness = theirs
      }
    }
    sum.merge(other.sum)
    sumOfSquares.merge(other.sumOfSquares)
    histogram.merge(other.histogram)
  }
}

extension ErrorStatistics.Witness {
  /// Whether this is the one to show of two: wrong special values first, then the larger error, then the earlier.
  func precedes(_ other: Self) -> Bool {
    if ulp.isNaN != other.ulp.isNaN { return ulp.isNaN }
    if !ulp.isNaN && ulp != other.ulp { return ulp > other.ulp }
    return (row, index) < (other.row, other.index)
  }
}

extension Truth {
  /// |y − exact| for the result `i`, and the exact value rounded to Double.
  func error(of y: Double, at i: Int) -> (absolute: Double, exact: Double) {
    let e = Int(exponent[i])
    if e == 0 { return (((y - high[i]) - low[i]).magnitude, high[i]) }
    // Outside Double's comfort: scaled by the exponent, which rounds only what underflows.
    let h = Double(sign: .plus, exponent: e, significand: high[i])
    let l = Double(sign: .plus, exponent: e, significand: low[i])
    return (((y - h) - l).magnitude, h)
  }

  /// Whether the exact result is not zero, though too small for Double.
  func isTiny(_ i: Int) -> Bool { high[i] != 0 }
}
