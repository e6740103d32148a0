import CSchemes

/// any4 (Elhoushi and Johnson, arXiv 2507.04610, §3): `any4`, groups of 128; others as `any4@g64`.
let any4Family = SchemeFamily(
  file: "Any4",
  // Lloyd's iteration for each row, which a table of everything need not wait for.
  defaults: { [] },
  variants: { [Any4()] },
  origin: { _ in "any4 02a6011, its own k-means" },
  make: { name in
    guard name.base == "any4", name.isUsedUp else { return nil }
    guard let granularity = name.granularity else { return Any4() }
    guard case .group(let n) = granularity, (2...1 << 20).contains(n) else { return nil }
    return Any4(group: n)
  })

/// A row's groups are brought to 0 … 15 by their ends, w' = (w − min)/s with s = max(max − min, 10⁻⁶)/15, and 16 levels for all of the row
/// found by Lloyd's iteration from equal steps (the code's `cluster_row_custom`, its start `int`; the k-means++ that it has by default
/// draws numbers). A code is the nearest level's, the lower of equals, before the last move of the levels.
///
/// Stored for a row: 16 levels, then s and min + 8·s of each group, all in Float16, then codes of 4 bits, the first low.
/// ŵ = (level − 8)·s + (min + 8·s), in f32. Of NaN and infinities neither ends nor levels know; NaN has code 0, infinities those of the ends.
struct Any4: LimitedScheme {
  static let usualGroup = 128
  private static let levels = 16

  let group: Int

  init(group: Int = usualGroup) { self.group = group }

  var name: String { SchemeName.joined("any4", group == Self.usualGroup ? nil : .group(group), []) }
  var independentRows: Int? { 1 }

  private func rowBytes(_ columns: Int) -> Int {
    2 * Self.levels + (columns + group - 1) / group * 4 + (columns + 1) / 2
  }

  func byteCount(rows: Int, columns: Int) throws -> Int {
    try SchemeError.require(rows: rows, columns: columns, for: name)
    return columns == 0 ? 0 : rows * rowBytes(columns)
  }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws { try encode(values, rows: rows, columns: columns, strengths: nil, into: bytes) }

  /// The same with `strengths` of the columns: an element counts that times its group's s.
  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, strengths: [Double]?,
    into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    var grouped = [Float](repeating: 0, count: columns)
    var weights = [Double](repeating: 1, count: columns)
    var levels = [Float](repeating: 0, count: Self.levels)
    var codes = [UInt8](repeating: 0, count: columns)
    for row in 0..<rows {
      let source = x + row * columns
      let target = y + row * rowBytes(columns)
      var place = 2 * Self.levels
      for first in stride(from: 0, to: columns, by: group) {
        let members = first..<min(first + group, columns)
        var (low, high) = (Float.infinity, -Float.infinity)
        for j in members where source[j].isFinite {
          (low, high) = (min(low, source[j]), max(high, source[j]))
        }
        if low > high { (low, high) = (0, 0) }
        let scale = max(high - low, 1e-6) / 15
        for j in members {
          grouped[j] = (source[j] - low) / scale
          if let strengths { weights[j] = Double(Float(strengths[j]) * scale) }
        }
        Half.write(scale, target, place)
        Half.write(low + scale * 8, target, place + 2)
        place += 4
      }
      nc_any4_fit(grouped, strengths == nil ? nil : weights, columns, &levels, &codes)
      for k in 0..<Self.levels { Half.write(levels[k], target, 2 * k) }
      nc_pack(codes, columns, 4, 0, (target + place).assumingMemoryBound(to: UInt8.self))
    }
  }

  /// Calls `body` with each group: its row's bytes, its elements in the row, s and the offset.
  private func forEachGroup(
    _ y: UnsafeRawPointer, _ rows: Int, _ columns: Int,
    _ body: (_ row: Int, _ bytes: UnsafeRawPointer, _ members: Range<Int>, _ scale: Float, _ offset: Float) ->
      Void
  ) {
    for row in 0..<rows {
      let bytes = y + row * rowBytes(columns)
      for (k, first) in stride(from: 0, to: columns, by: group).enumerated() {
        let place = 2 * Self.levels + 4 * k
        body(
          row, bytes, first..<min(first + group, columns), Half.read(bytes, place),
          Half.read(bytes, place + 2))
      }
    }
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    let codesPlace = rowBytes(columns) - (columns + 1) / 2
    forEachGroup(y, rows, columns) { row, bytes, members, scale, offset in
      for j in members {
        let pair = bytes.load(fromByteOffset: codesPlace + j / 2, as: UInt8.self)
        let code = Int(j % 2 == 0 ? pair & 15 : pair >> 4)
        x[row * columns + j] = (Half.read(bytes, 2 * code) - 8) * scale + offset
      }
    }
  }

  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    try checkCounts(rows, columns, values: lowest.count, bytes: bytes.count)
    guard let y = bytes.baseAddress else { return }
    forEachGroup(y, rows, columns) { row, bytes, members, scale, offset in
      let ends = (0..<Self.levels).map { (Half.read(bytes, 2 * $0) - 8) * scale + offset }
      for j in members {
        lowest[row * columns + j] = ends.reduce(.infinity) { Float.minimum($0, $1) }
        highest[row * columns + j] = ends.reduce(-.infinity) { Float.maximum($0, $1) }
      }
    }
  }
}
