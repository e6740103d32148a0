import CJudging
import NumKitNumbers
import NumKitTruth

/// The error of computed results against the exact ones, gathered over many rows. Adding rows in another order, or
/// merging the statistics of shards, gives the same numbers.
public struct ErrorStatistics: Sendable {
  /// Results that carry at least this share of their row's Σ |truth| are judged by themselves: a probability of 5 % that is off by
  /// a fifth of itself matters, though the row's norm hides it.
  public static let leastShare = 0x1p-5

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
  /// Results whose truth is finite.
  public private(set) var finiteTruths = 0
  /// Rows with a NaN whose truth has none.
  public private(set) var nanRows = 0
  /// Results that are infinite (in a saturating format: never) where the truth, rounded to the format, is finite.
  public private(set) var overflow = 0
  /// Results that are zero where the truth, rounded to the format, is not: harmful underflow.
  public private(set) var underflow = 0
  /// Results whose truth is NaN or infinite and that are something else.
  public private(set) var specialMismatches = 0
  /// Results that are special where the truth is another datum, or the reverse, and that no sound bound explains.
  public private(set) var wrongSpecials = 0
  /// Such results that a sound bound does explain: the exact one is nearer to overflow than the kernel need be to it.
  public private(set) var borderlineSpecials = 0
  /// Rows inside which something overflowed or became NaN, that have no sound bound, and of whose results one is lost: 0
  /// where the truth is not, or off by more than an eighth of the row's largest (4 u in very short formats).
  public private(set) var lostRows = 0
  /// Results above the sound bound on their error, and not what the truth is rounded to.
  public private(set) var aboveBound = 0
  /// The largest bound in ulps.
  public private(set) var maxBoundUlp = 0.0
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
  /// The largest relative error of a result that carries at least `leastShare` of its row's Σ |truth|.
  public private(set) var maxShare = 0.0
  /// The result with the largest error in ulps; one with a wrong special value before any other.
  public private(set) var witness: Witness?
  /// The first result above its bound.
  public private(set) var boundWitness: Witness?

  /// What the truth's own error may change of the largest errors.
  private(set) var slack = TruthSlack()

  private var sum = ExactSum()
  private var sumOfSquares = ExactSum()
  private var histogram = Histogram()

  /// What results too large are stored as, and the truth therefore.
  private let overflowResult: Overflow

  /// Nothing measured.
  public init(overflow: Overflow = .special) { overflowResult = overflow }

  /// Results that were finite and whose truth was.
  public var finiteCount: Int { Int(histogram.count) }
  /// The mean error in ulps.
  public var meanUlp: Double { finiteCount == 0 ? 0 : sum.value / Double(finiteCount) }
  /// The root mean square error in ulps.
  public var rmsUlp: Double { finiteCount == 0 ? 0 : (sumOfSquares.value / Double(finiteCount)).squareRoot() }
  /// The `q`-quantile of the error in ulps, to within 0.8 %; never above the maximum.
  public func quantileUlp(_ q: Double) -> Double { Swift.min(histogram.quantile(q), maxUlp) }

  /// How many errors lie in each octave of ulps: see `Histogram.octaves`.
  package var ulpOctaves: [(from: Double, count: UInt64)] { histogram.octaves }

  /// Adds the results of row number `row`. `bounds`, if any, are absolute errors that a correct kernel cannot exceed;
  /// `overflowed` says that an infinity or a NaN was born inside the kernel on this row.
  public mutating func add(
    row: Int, computed: UnsafeBufferPointer<Double>, truth: Truth, unit: ErrorUnit,
    bounds: UnsafeBufferPointer<Double>?, overflowed: Bool = false
  ) {
    add(
      row: row, computed: computed, truth: truth, flat: FlatTruth(truth), unit: unit, bounds: bounds,
      overflowed: overflowed)
  }

  /// The same, with the truth in Double at hand.
  public mutating func add(
    row: Int, computed: UnsafeBufferPointer<Double>, truth: Truth, flat: FlatTruth, unit: ErrorUnit,
    bounds: UnsafeBufferPointer<Double>?, overflowed: Bool = false
  ) {
    rows += 1
    count += computed.count
    var sight = Sight()
    for start in stride(from: 0, to: computed.count, by: Self.block) {
      let block = start..<Swift.min(start + Self.block, computed.count)
      if addVectors(row, block, computed, truth, flat, unit, bounds, &sight) { continue }
      for i in block { addOne(row, i, computed[i], truth, flat, unit, bounds, &sight) }
    }
    maxAbsolute = Swift.max(maxAbsolute, sight.worst)
    slack.add(truth.relativeError, scale: sight.scale, unit)
    if sight.relative > maxShare { addShares(computed, flat) }
    if sight.scale > 0 {
      maxNormwise = Swift.max(maxNormwise, sight.worst / sight.scale)
      maxUlpAtPeak = Swift.max(maxUlpAtPeak, sight.worst / unit.size(at: sight.scale))
    }
    if sight.hasNaN && !sight.truthHasNaN { nanRows += 1 }
    if overflowed && bounds == nil && isLost(computed, truth, flat, unit, scale: sight.scale) {
      lostRows += 1
    }
  }

  /// Judges by themselves the results that carry a share of their row.
  private mutating func addShares(_ computed: UnsafeBufferPointer<Double>, _ flat: FlatTruth) {
    let (share, known) = (Self.leastShare, maxShare)
    maxShare = flat.value.withUnsafeBufferPointer { value in
      flat.remainder.withUnsafeBufferPointer { remainder in
        guard let y = computed.baseAddress, let high = value.baseAddress, let low = remainder.baseAddress
        else { return known }
        return nc_largest_share(y, high, low, share, known, computed.count)
      }
    }
  }

  /// Whether some result that is not what the truth is rounded to is 0 for something else, or far off.
  private func isLost(
    _ computed: UnsafeBufferPointer<Double>, _ truth: Truth, _ flat: FlatTruth, _ unit: ErrorUnit,
    scale: Double
  ) -> Bool {
    let tolerance = unit.tolerance * scale
    return computed.indices.contains { i in
      let y = computed[i]
      let t = stored(truth.rounded[i], flat.value[i], unit)
      return y != t && (y == 0 || flat.error(of: y, at: i) > tolerance)
    }
  }

  /// The truth `t` as it is stored; `exact` is its exact value.
  private func stored(_ t: Double, _ exact: Double, _ unit: ErrorUnit) -> Double {
    guard overflowResult == .saturate, !t.isFinite, !exact.isNaN, case .ulp(let format) = unit else {
      return t
    }
    return format.round(exact, overflow: .saturate)
  }

  /// What has been seen of a row.
  private struct Sight {
    var hasNaN = false
    var truthHasNaN = false
    var worst = 0.0
    var scale = 0.0
    var relative = 0.0
  }

  private static let block = 1024
  /// From here on what the vector sums round away, 2^−90 a result, is below what a Double can show.
  private static let leastVectorUlp = 0x1p-16

  /// Adds a block of results; false, and nothing done, where some number in it is out of the ordinary.
  private mutating func addVectors(
    _ row: Int, _ block: Range<Int>, _ computed: UnsafeBufferPointer<Double>, _ truth: Truth,
    _ flat: FlatTruth,
    _ unit: ErrorUnit, _ bounds: UnsafeBufferPointer<Double>?, _ sight: inout Sight
  ) -> Bool {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: block.count) { ulps in
      let b = block.lowerBound
      let seen = truth.rounded.withUnsafeBufferPointer { rounded in
        flat.value.withUnsafeBufferPointer { value in
          flat.remainder.withUnsafeBufferPointer { remainder in
            flat.tiny.withUnsafeBufferPointer { tiny in
              nc_measure_row(
                computed.baseAddress! + b, rounded.baseAddress! + b, value.baseAddress! + b,
                remainder.baseAddress! + b, tiny.isEmpty ? nil : tiny.baseAddress! + b,
                bounds.map { $0.baseAddress! + b }, truth.relativeError, block.count, unit.vector,
                ulps.baseAddress)
            }
          }
        }
      }
      guard seen.regular != 0 else { return false }
      finiteTruths += block.count
      underflow += seen.underflow
      if seen.ulp >= Self.leastVectorUlp {
        sum.add(seen.sum)
        sumOfSquares.add(seen.squares)
      } else {
        for u in ulps {
          sum.add(u)
          sumOfSquares.add(u * u)
        }
      }
      histogram.add(UnsafeBufferPointer(ulps))
      sight.worst = Swift.max(sight.worst, seen.absolute)
      sight.scale = Swift.max(sight.scale, seen.scale)
      maxRelative = Swift.max(maxRelative, seen.relative)
      sight.relative = Swift.max(sight.relative, seen.relative)
      if seen.ulp > maxUlp || witness == nil, let i = ulps.firstIndex(of: seen.ulp) {
        maxUlp = seen.ulp
        offer(
          Witness(row: row, index: b + i, computed: computed[b + i], exact: flat.value[b + i], ulp: seen.ulp))
      }
      if let bounds {
        maxBoundUlp = Swift.max(maxBoundUlp, seen.bound_ulp)
        aboveBound += seen.above
        if seen.above > 0 && boundWitness == nil {
          let i =
            block.first {
              isAbove(flat.error(of: computed[$0], at: $0), bounds[$0], truth, flat, $0)
                && computed[$0] != truth.rounded[$0]
            } ?? b
          boundWitness = Witness(
            row: row, index: i, computed: computed[i], exact: flat.value[i], ulp: ulps[i - b])
        }
      }
      return true
    }
  }

  private mutating func addOne(
    _ row: Int, _ i: Int, _ y: Double, _ truth: Truth, _ flat: FlatTruth, _ unit: ErrorUnit,
    _ bounds: UnsafeBufferPointer<Double>?, _ sight: inout Sight
  ) {
    let exact = flat.value[i]
    let t = stored(truth.rounded[i], exact, unit)
    let size = unit.size(at: exact)
    if let bounds, exact.isFinite { maxBoundUlp = Swift.max(maxBoundUlp, bounds[i] / size) }
    if t.isNaN { sight.truthHasNaN = true }
    if y.isNaN && !t.isNaN { sight.hasNaN = true }
    if t.isFinite && exact.isFinite { finiteTruths += 1 }
    guard y.isFinite && t.isFinite && exact.isFinite else {
      return addSpecial(row, i, y, t, flat, unit, bounds?[i])
    }
    if y == 0 && t != 0 { underflow += 1 }
    let absolute = flat.error(of: y, at: i)
    // A subnormal Double holds too few bits of an exact result to tell how far off another is.
    let ulps = truth.exponent[i] == 0 ? absolute / size : truth.error(of: y, at: i, inUnitsOf: size)
    sum.add(ulps)
    sumOfSquares.add(ulps * ulps)
    histogram.add(ulps)
    sight.worst = Swift.max(sight.worst, absolute)
    sight.scale = Swift.max(sight.scale, exact.magnitude)
    let relative = flat.relative(absolute, of: y, at: i)
    maxRelative = Swift.max(maxRelative, relative)
    sight.relative = Swift.max(sight.relative, relative)
    if ulps > maxUlp || (witness == nil && ulps >= maxUlp) {
      maxUlp = ulps
      offer(Witness(row: row, index: i, computed: y, exact: exact, ulp: ulps))
    }
    if let bounds, isAbove(absolute, bounds[i], truth, flat, i), y != t {
      aboveBound += 1
      if boundWitness == nil {
        boundWitness = Witness(row: row, index: i, computed: y, exact: exact, ulp: ulps)
      }
    }
  }

  /// Whether an error exceeds its bound by more than what is measured against may itself be off.
  private func isAbove(_ error: Double, _ bound: Double, _ truth: Truth, _ flat: FlatTruth, _ i: Int) -> Bool
  {
    error > bound + truth.relativeError * flat.value[i].magnitude
  }

  /// Results that no right kernel gives.
  var wrong: Int { aboveBound + wrongSpecials }

  /// Whether result `i` is one of them.
  package func isWrong(
    _ i: Int, _ y: Double, _ truth: Truth, _ flat: FlatTruth, _ unit: ErrorUnit, _ bound: Double?
  ) -> Bool {
    let exact = flat.value[i]
    let t = stored(truth.rounded[i], exact, unit)
    let error = flat.error(of: y, at: i)
    guard y.isFinite && t.isFinite && exact.isFinite else {
      return !(y.isNaN && t.isNaN || y == t) && !isBorderline(y, exact, error, unit, bound)
    }
    guard let bound else { return false }
    return isAbove(error, bound, truth, flat, i) && y != t
  }

  private mutating func addSpecial(
    _ row: Int, _ i: Int, _ y: Double, _ t: Double, _ flat: FlatTruth, _ unit: ErrorUnit, _ bound: Double?
  ) {
    if y.isNaN && t.isNaN || y == t { return }
    let exact = flat.value[i]
    if t.isFinite {
      if y.isInfinite { overflow += 1 }
    } else {
      specialMismatches += 1
    }
    if isBorderline(y, exact, flat.error(of: y, at: i), unit, bound) {
      borderlineSpecials += 1
    } else {
      wrongSpecials += 1
    }
    offer(Witness(row: row, index: i, computed: y, exact: exact, ulp: .nan))
  }

  /// Whether rounding errors explain a special result, or a finite one in place of a special truth: the exact result is
  /// finite, and within the bound of it are numbers that are stored as this one.
  private func isBorderline(
    _ y: Double, _ exact: Double, _ error: Double, _ unit: ErrorUnit, _ bound: Double?
  ) -> Bool {
    guard let bound, bound < .infinity, exact.isFinite, case .ulp(let format) = unit else { return false }
    if y.isFinite { return error <= bound }
    if y.isNaN && !format.hasZero && exact - bound <= 0 { return true }
    // Beyond the largest number the next one would be the first to overflow.
    let next = format.largestFinite + format.ulp(of: format.largestFinite)
    let reach = y.isNaN ? exact.magnitude : y > 0 ? exact : -exact
    return reach + bound >= next
  }

  private mutating func offer(_ other: Witness) {
    if let mine = witness, !other.precedes(mine) { return }
    witness = other
  }

  /// Adds the statistics of other rows.
  public mutating func merge(_ other: ErrorStatistics) {
    rows += other.rows
    count += other.count
    finiteTruths += other.finiteTruths
    nanRows += other.nanRows
    overflow += other.overflow
    underflow += other.underflow
    specialMismatches += other.specialMismatches
    wrongSpecials += other.wrongSpecials
    borderlineSpecials += other.borderlineSpecials
    lostRows += other.lostRows
    aboveBound += other.aboveBound
    maxBoundUlp = Swift.max(maxBoundUlp, other.maxBoundUlp)
    maxUlp = Swift.max(maxUlp, other.maxUlp)
    maxUlpAtPeak = Swift.max(maxUlpAtPeak, other.maxUlpAtPeak)
    maxAbsolute = Swift.max(maxAbsolute, other.maxAbsolute)
    maxRelative = Swift.max(maxRelative, other.maxRelative)
    maxNormwise = Swift.max(maxNormwise, other.maxNormwise)
    maxShare = Swift.max(maxShare, other.maxShare)
    if let witness = other.witness { offer(witness) }
    if let theirs = other.boundWitness {
      if let mine = boundWitness {
        boundWitness = (mine.row, mine.index) <= (theirs.row, theirs.index) ? mine : theirs
      } else {
        boundWitness = theirs
      }
    }
    slack.merge(other.slack)
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

extension ExactSum {
  /// Adds a sum in exact parts.
  fileprivate mutating func add(_ parts: nc_parts) {
    add(parts.part.0)
    add(parts.part.1)
    add(parts.part.2)
  }
}

extension ErrorStatistics.Witness: Portable {
  /// To read into.
  fileprivate static let blank = Self(row: 0, index: 0, computed: 0, exact: 0, ulp: 0)

  package mutating func carry(_ c: inout Carrier) throws {
    var (row, index, computed, exact, ulp) = (row, index, computed, exact, ulp)
    try c.carry(count: &row)
    try c.carry(count: &index)
    try c.carry(&computed)
    try c.carry(&exact)
    try c.carry(&ulp)
    self = Self(row: row, index: index, computed: computed, exact: exact, ulp: ulp)
  }
}

extension ErrorStatistics: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    for count in [
      \Self.rows, \.count, \.finiteTruths, \.nanRows, \.overflow, \.underflow, \.specialMismatches,
      \.wrongSpecials, \.borderlineSpecials, \.lostRows, \.aboveBound,
    ] as [WritableKeyPath<Self, Int>] {
      try c.carry(count: &self[keyPath: count])
    }
    for largest in [
      \Self.maxBoundUlp, \.maxUlp, \.maxUlpAtPeak, \.maxAbsolute, \.maxRelative, \.maxNormwise, \.maxShare,
    ] as [WritableKeyPath<Self, Double>] {
      try c.carry(&self[keyPath: largest])
    }
    try c.carry(&witness, blank: .blank) { try $0.carry(&$1) }
    try c.carry(&boundWitness, blank: .blank) { try $0.carry(&$1) }
    try c.carry(&slack)
    try c.carry(&sum)
    try c.carry(&sumOfSquares)
    try c.carry(&histogram)
  }
}
