import CSchemes
import NumKit
import NumKitNumbers

/// The first pass over a tensor, by one thread; where a sample guessed mean and median well it is all they need. Parts
/// merge to the same whatever the split, as long as they begin at multiples of `grain`.
struct FirstPass {
  /// Elements whose sums are taken together: what a part must begin at a multiple of.
  static let grain = 4096

  let rows: Int
  let columns: Int
  private let keepsColumns: Bool
  private let rowsPerMaximum: Int
  private let outlierBits: Int32

  /// What moments are summed about.
  private let center: Double
  /// Elements by exponent field, what is no number too; and those of field 0 by their leading bit, zeros not.
  private(set) var exponents = [UInt64](repeating: 0, count: 256)
  private(set) var subnormals = [UInt64](repeating: 0, count: 23)
  /// Magnitudes that are exact powers of two, by exponent field; none of field 0.
  private(set) var powers = [UInt64](repeating: 0, count: 256)
  private(set) var zeroCount: UInt64 = 0
  /// Bits of magnitudes that neither exponents nor powers decide, ascending.
  private let thresholds: [Int32]
  private(set) var thresholdCounts: [UInt64]
  private(set) var window: MagnitudeWindow
  private(set) var moments = [ExactSum](repeating: ExactSum(), count: 4)
  private(set) var smallest = Float.infinity
  private(set) var largest = -Float.infinity
  private(set) var tiny = Int32.max
  private(set) var nanCount = 0
  private(set) var infiniteCount = 0
  private(set) var firstNaN: Int?
  private(set) var firstInfinity: Int?
  private(set) var places: LargestPlaces
  private(set) var columnMaxima: [Int32]
  private(set) var columnCounts: [UInt32]
  private(set) var rowMaxima: [Int32]

  init(_ profile: TensorProfile, guess: SampleGuess, thresholds: [Int32]) {
    center = Double(guess.mean)
    self.thresholds = thresholds
    thresholdCounts = [UInt64](repeating: 0, count: thresholds.count)
    window = MagnitudeWindow(guess.window)
    rows = profile.rows
    columns = profile.columns
    keepsColumns = profile.columns <= TensorProfile.columnLimit
    rowsPerMaximum = profile.rowsPerMaximum
    outlierBits = Int32(bitPattern: max(profile.settings.outlierLimit, 0).bitPattern)
    places = LargestPlaces(limit: profile.settings.placeCount)
    columnMaxima = [Int32](repeating: 0, count: keepsColumns ? columns : 0)
    columnCounts = [UInt32](repeating: 0, count: keepsColumns ? columns : 0)
    rowMaxima = [Int32](repeating: 0, count: (rows + rowsPerMaximum - 1) / rowsPerMaximum)
  }

  /// Adds the elements from number `start` on.
  mutating func add(_ values: UnsafeBufferPointer<Float>, at start: Int) {
    guard let x = values.baseAddress else { return }
    for offset in stride(from: 0, to: values.count, by: Self.grain) {
      let count = min(Self.grain, values.count - offset)
      addGrain(x + offset, count, at: start + offset)
    }
  }

  private mutating func addGrain(_ x: UnsafePointer<Float>, _ count: Int, at start: Int) {
    let fields = exponents.withUnsafeMutableBufferPointer { counts in
      powers.withUnsafeMutableBufferPointer {
        nc_count_exponents(x, count, counts.baseAddress, $0.baseAddress)
      }
    }
    var zeros: UInt64 = 0
    // A bound from below of all but zeros.
    var least = fields.lowest << 23
    if fields.zeroFields > 0 {
      zeros = nc_count_zeros(x, count)
      zeroCount += zeros
      if zeros > 0 { (smallest, largest) = (min(smallest, 0), max(largest, 0)) }
      if fields.zeroFields > zeros {
        least = 1
        nc_count_subnormals(x, count, &subnormals)
      }
    }
    let sums = nc_sum(x, count, center)
    for (k, term) in [sums.first, sums.second, sums.third, sums.fourth].enumerated() { moments[k].add(term) }
    window.add(x, count)
    let magnitude = addRows(x, count, at: start)
    let reach = Float(bitPattern: UInt32(magnitude))
    if least < tiny || fields.hasPositive != 0 && reach > largest
      || fields.hasNegative != 0 && -reach < smallest
    {
      let range = nc_find_range(x, count)
      smallest = min(smallest, range.smallest)
      largest = max(largest, range.largest)
      tiny = min(tiny, range.tiny)
    }
    let specials = UInt64(count - sums.numbers)
    for (k, limit) in thresholds.enumerated() where magnitude >= limit {
      thresholdCounts[k] +=
        (least >= limit ? UInt64(count) - zeros : nc_count_from(x, count, limit)) - specials
    }
    if specials > 0 {
      for i in 0..<count where !x[i].isFinite {
        if x[i].isNaN {
          nanCount += 1
          firstNaN = min(firstNaN ?? .max, start + i)
        } else {
          infiniteCount += 1
          firstInfinity = min(firstInfinity ?? .max, start + i)
        }
      }
    }
    guard magnitude >= places.threshold else { return }
    var i = nc_find_from(x, count, places.threshold, 0)
    while i < count {
      if x[i].isFinite { places.add(start + i, x[i]) }
      i = nc_find_from(x, count, places.threshold, i + 1)
    }
  }

  /// Returns the largest magnitude, as bits.
  private mutating func addRows(_ x: UnsafePointer<Float>, _ count: Int, at start: Int) -> Int32 {
    var offset = 0
    var largest: Int32 = 0
    while offset < count {
      let column = (start + offset) % columns
      let length = min(columns - column, count - offset)
      let magnitude: Int32
      if keepsColumns {
        magnitude = columnMaxima.withUnsafeMutableBufferPointer { maxima in
          columnCounts.withUnsafeMutableBufferPointer { counts in
            guard let m = maxima.baseAddress, let c = counts.baseAddress else { return 0 }
            return nc_scan_row(x + offset, length, outlierBits, m + column, c + column)
          }
        }
      } else {
        magnitude = nc_row_magnitude(x + offset, length)
      }
      let entry = (start + offset) / columns / rowsPerMaximum
      rowMaxima[entry] = max(rowMaxima[entry], magnitude)
      largest = max(largest, magnitude)
      offset += length
    }
    return largest
  }

  /// Adds what another thread saw.
  mutating func merge(_ other: FirstPass) {
    Self.add(other.exponents, to: &exponents)
    Self.add(other.subnormals, to: &subnormals)
    zeroCount += other.zeroCount
    for k in moments.indices { moments[k].merge(other.moments[k]) }
    Self.add(other.powers, to: &powers)
    Self.add(other.thresholdCounts, to: &thresholdCounts)
    window.merge(other.window)
    smallest = min(smallest, other.smallest)
    largest = max(largest, other.largest)
    tiny = min(tiny, other.tiny)
    nanCount += other.nanCount
    infiniteCount += other.infiniteCount
    if let first = other.firstNaN { firstNaN = min(firstNaN ?? .max, first) }
    if let first = other.firstInfinity { firstInfinity = min(firstInfinity ?? .max, first) }
    places.merge(other.places)
    Self.raise(&columnMaxima, to: other.columnMaxima)
    Self.add(other.columnCounts, to: &columnCounts)
    Self.raise(&rowMaxima, to: other.rowMaxima)
  }

  private static func add<Count: FixedWidthInteger>(_ other: [Count], to counts: inout [Count]) {
    for k in counts.indices { counts[k] += other[k] }
  }

  private static func raise(_ maxima: inout [Int32], to other: [Int32]) {
    for k in maxima.indices { maxima[k] = max(maxima[k], other[k]) }
  }
}

extension FirstPass: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(sparse: &exponents)
    try c.carry(sparse: &subnormals)
    try c.carry(sparse: &powers)
    try c.carry(count: &zeroCount)
    try c.carry(sparse: &thresholdCounts)
    try c.carry(&window)
    try c.carry(fixed: &moments) { try $0.carry(&$1) }
    try c.carry(&smallest)
    try c.carry(&largest)
    try c.carry(&tiny)
    try c.carry(count: &nanCount)
    try c.carry(count: &infiniteCount)
    try c.carry(&firstNaN, blank: 0) { try $0.carry(count: &$1) }
    try c.carry(&firstInfinity, blank: 0) { try $0.carry(count: &$1) }
    try c.carry(&places)
    try c.carry(fixed: &columnMaxima) { try $0.carry(&$1) }
    try c.carry(fixed: &columnCounts) { try $0.carry(count: &$1) }
    try c.carry(fixed: &rowMaxima) { try $0.carry(&$1) }
  }
}
