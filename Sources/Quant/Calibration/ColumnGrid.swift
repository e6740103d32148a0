import CSchemes

/// The grid of any block scheme, for calibrations that go column by column: a block's scale from whatever its elements are when it is
/// measured, and a column of many rows rounded at once.
struct ColumnGrid {
  /// What a block stores: as encoding chooses it, and as decoding reads it back.
  struct GroupScale {
    var chosen = BlockScale()
    var restored = BlockScale()
  }

  private let scheme: any BlockedScheme
  private let tensor: Float
  /// Whether a block's range is shrunk to where it loses least: `find_params` of GPTQ's code with `mse`.
  var shrinksRanges = false
  /// Which elements share a scale.
  var granularity: Granularity { scheme.granularity }

  /// Of a tensor of so many columns, whose `largest` magnitude is asked for where the scheme needs it. Throws `CureError.blocksOnly` for a
  /// scheme that is none of blocks, or whose blocks run on from row to row.
  init(_ scheme: any Scheme, columns: Int, cure: String, largest: () throws -> Float) throws {
    guard let blocked = scheme as? any BlockedScheme else {
      throw CureError.blocksOnly(cure: cure, scheme: scheme.name)
    }
    if let length = blocked.flatBlockLength, columns % length != 0 {
      throw CureError.shape("\(cure): blocks of \(length) elements run on from row to row of \(columns)")
    }
    self.scheme = blocked
    tensor = blocked.hasTensorScale ? blocked.tensorScale(magnitude: try largest()) : 1
  }

  /// What the block of these elements stores.
  func block(of values: UnsafeBufferPointer<Float>, rows: Int = 1) -> GroupScale {
    var range = BlockRange(magnitude: 0, lowest: 0, highest: 0)
    guard let x = values.baseAddress, !values.isEmpty else {
      return stored(scheme.blockScale(range, tensor: tensor))
    }
    let width = values.count / rows
    let elements = BlockElements(start: x, stride: width, rows: rows, columns: width)
    var bits: Int32 = 0
    switch scheme.rangeKind {
    case .extremes:
      var (low, high) = (Float.infinity, -Float.infinity)
      nc_extremes(x, 1, values.count, &low, &high)
      if low <= high {
        range = BlockRange(magnitude: max(abs(low), abs(high)), lowest: low + 0, highest: high + 0)
      }
      return best(range, values, elements)
    case .magnitude: nc_finite_magnitudes(x, 1, values.count, &bits)
    case .magnitudeOfAll: nc_magnitudes(x, 1, values.count, &bits)
    case .magnitudeWithInfinities: nc_magnitudes_without_nan(x, 1, values.count, &bits)
    }
    range.magnitude = Float(bitPattern: UInt32(bitPattern: bits))
    return best(range, values, elements)
  }

  /// What a block of that range stores; of shrunk ranges the first that loses least.
  private func best(
    _ range: BlockRange, _ values: UnsafeBufferPointer<Float>, _ elements: BlockElements
  ) -> GroupScale {
    guard shrinksRanges else { return stored(scheme.blockScale(range, tensor: tensor, of: elements)) }
    let members = Array(values)
    var rounded = RoundedColumn(count: members.count)
    var best = (error: Double.infinity, scale: GroupScale())
    for step in 0..<80 {
      let share = Float(1 - Double(step) / 100)
      let shrunk = BlockRange(
        magnitude: share * range.magnitude, lowest: share * range.lowest, highest: share * range.highest)
      let scale = stored(scheme.blockScale(shrunk, tensor: tensor, of: elements))
      rounded.round(members, repeatElement(scale, count: members.count), on: self)
      let error = zip(rounded.values, members).reduce(0.0) { $0 + nc_pow(Double(abs($1.0 - $1.1)), 2.4) }
      if step == 0 || error < best.error { best = (error, scale) }
    }
    return best.scale
  }

  private func stored(_ chosen: BlockScale) -> GroupScale {
    let restored = withUnsafeTemporaryAllocation(byteCount: max(scheme.blockBytes, 1), alignment: 8) {
      bytes in
      guard let start = bytes.baseAddress, scheme.blockBytes > 0 else { return chosen }
      scheme.write(chosen, to: start)
      return scheme.read(start, tensor: tensor)
    }
    return GroupScale(chosen: chosen, restored: restored)
  }

  /// Every block of some rows, in the order of `ScaleGroups`.
  func blocks(of matrix: TensorMatrix) -> [GroupScale] {
    let groups = ScaleGroups(granularity, rows: matrix.rows, columns: matrix.columns)
    var members = [Float]()
    members.reserveCapacity(groups.width * groups.height)
    return (0..<groups.count).map { group in
      let (top, left) = (group / groups.across * groups.height, group % groups.across * groups.width)
      members.removeAll(keepingCapacity: true)
      for row in top..<min(top + groups.height, matrix.rows) {
        let start = row * matrix.columns
        members += matrix.values[start + left..<start + min(left + groups.width, matrix.columns)]
      }
      let height = min(groups.height, matrix.rows - top)
      return members.withUnsafeBufferPointer { block(of: $0, rows: height) }
    }
  }

  /// A column of some rows, each with its block, rounded to the grid.
  struct RoundedColumn {
    private(set) var values: [Float]
    private var scales: [Float]
    private var divisors: [Float]
    private var zeros: [Float]
    private var ends: [Float]
    private var codes: [UInt8]

    init(count: Int) {
      values = [Float](repeating: 0, count: count)
      (scales, divisors, zeros, ends) = (values, values, values, values)
      codes = [UInt8](repeating: 0, count: count)
    }

    /// Takes `x`, a number for each of its blocks, and leaves what it becomes in `values`.
    mutating func round(_ x: [Float], _ blocks: some Collection<GroupScale>, on grid: ColumnGrid) {
      for (k, block) in blocks.enumerated() {
        divisors[k] = block.chosen.divisor
        zeros[k] = block.chosen.zero
        scales[k] = block.restored.scale
        ends[k] = block.restored.zero
      }
      let count = blocks.count
      divisors.withUnsafeBufferPointer { divisors in
        scales.withUnsafeBufferPointer { scales in
          zeros.withUnsafeBufferPointer { zeros in
            ends.withUnsafeBufferPointer { ends in
              guard let d = divisors.baseAddress, let s = scales.baseAddress, let z = zeros.baseAddress,
                let e = ends.baseAddress
              else { return }
              grid.scheme.encode(x, BlockRun(count: count, scales: s, divisors: d, zeros: z), into: &codes)
              grid.scheme.decode(
                codes, BlockRun(count: count, scales: s, divisors: d, zeros: e), into: &values)
            }
          }
        }
      }
    }
  }
}
