import CSchemes

/// What schemes must know of a whole tensor before its first element can be encoded: the range of each column, and so
/// of everything, and the mean amax of its blocks of 64. Gathered from bands of rows that come in order; its size depends
/// on the columns only.
public struct TensorSurvey: Sendable {
  /// Columns of the tensor.
  public let columns: Int
  /// Rows added.
  public private(set) var rows = 0
  // Largest magnitudes of each column, as bits: of its numbers, and of all.
  private var finiteMagnitudes: [Int32]
  private(set) var magnitudes: [Int32]
  private var lowest: [Float]
  private var highest: [Float]
  // bitsandbytes' blocks run on from row to row.
  private var blockSum = 0.0
  private var blockCount = 0
  private var open: Int32 = 0
  private var openCount = 0
  private let wantsBlocks: Bool

  /// A survey of nothing yet, for tensors of so many columns and for these schemes.
  public init(columns: Int, for schemes: [any Scheme]) {
    self.columns = max(columns, 0)
    finiteMagnitudes = [Int32](repeating: 0, count: self.columns)
    magnitudes = finiteMagnitudes
    lowest = [Float](repeating: .infinity, count: self.columns)
    highest = [Float](repeating: -.infinity, count: self.columns)
    wantsBlocks = schemes.contains { $0 is DoubleQuantized }
  }

  /// What a profile tells already, without another pass; nil where one of these schemes must know more of the tensor.
  public init?(_ profile: TensorProfile, for schemes: [any Scheme]) {
    guard profile.finiteCount > 0, profile.columns > 0,
      schemes.allSatisfy({ !$0.needsSurvey || Self.needsRangeOnly($0) })
    else { return nil }
    self.init(columns: profile.columns, for: [])
    rows = profile.rows
    // In whichever column it stands: the tensor's range is asked for, no column's.
    finiteMagnitudes[0] = Int32(bitPattern: profile.largestMagnitude.bitPattern)
    (lowest[0], highest[0]) = (profile.smallest, profile.largest)
  }

  /// Whether all that a scheme, and what it would be without rounded scales, must know of a tensor is the range of its numbers.
  private static func needsRangeOnly(_ scheme: any Scheme) -> Bool {
    guard let blocked = scheme as? any BlockedScheme, blocked.granularity != .channel,
      [.magnitude, .extremes].contains(blocked.rangeKind)
    else { return false }
    return blocked.unrounded.map { !$0.needsSurvey || needsRangeOnly($0) } ?? true
  }

  /// Adds the next rows; a last row that is cut short does not count.
  public mutating func add(_ values: UnsafeBufferPointer<Float>) {
    guard let x = values.baseAddress, columns > 0 else { return }
    let count = values.count / columns
    for row in 0..<count {
      let start = x + row * columns
      nc_finite_magnitudes(start, columns, 1, &finiteMagnitudes)
      nc_magnitudes(start, columns, 1, &magnitudes)
      nc_extremes(start, columns, 1, &lowest, &highest)
    }
    rows += count
    if wantsBlocks { addBlocks(x, count * columns) }
  }

  private mutating func addBlocks(_ x: UnsafePointer<Float>, _ count: Int) {
    var place = 0
    while place < count {
      let length = min(64 - openCount, count - place)
      nc_magnitudes_without_nan(x + place, 1, length, &open)
      place += length
      openCount += length
      if openCount == 64 { closeBlock() }
    }
  }

  private mutating func closeBlock() {
    let amax = Float(bitPattern: UInt32(bitPattern: open))
    if amax.isFinite {
      blockSum += Double(amax)
      blockCount += 1
    }
    (open, openCount) = (0, 0)
  }

  /// The mean of the finite amax of runs of 64 elements.
  var meanBlockMagnitude: Float {
    var all = self
    if openCount > 0 { all.closeBlock() }
    return DoubleQuantized.mean(all.blockSum, count: all.blockCount)
  }

  /// The largest magnitude of the tensor's numbers.
  var magnitude: Float { Float(bitPattern: UInt32(bitPattern: finiteMagnitudes.max() ?? 0)) }

  /// The ranges of the blocks across a row: one for the tensor or one for each column.
  func ranges(_ granularity: Granularity, _ kind: BlockRangeKind) -> [BlockRange] {
    let each = (0..<columns).map { range($0..<$0 + 1, kind) }
    return granularity == .channel ? each : [range(0..<columns, kind)]
  }

  private func range(_ span: Range<Int>, _ kind: BlockRangeKind) -> BlockRange {
    guard kind == .extremes else {
      let bits = (kind == .magnitude ? finiteMagnitudes : magnitudes)[span].max() ?? 0
      return BlockRange(magnitude: Float(bitPattern: UInt32(bitPattern: bits)), lowest: 0, highest: 0)
    }
    // −0 is below +0 here as in the loops, so it makes no difference which of them is met.
    let (low, high) = (lowest[span].min() ?? .infinity, highest[span].max() ?? -.infinity)
    guard low <= high else { return BlockRange(magnitude: 0, lowest: 0, highest: 0) }
    return BlockRange(magnitude: max(abs(low), abs(high)), lowest: low + 0, highest: high + 0)
  }
}
