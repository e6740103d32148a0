import CSchemes

/// Where the parts of a matrix stand in the bytes of a `BlockedScheme`.
struct BlockLayout {
  let rows: Int
  let columns: Int
  let blockRows: Int
  let blockColumns: Int
  let blocksAcross: Int
  let bands: Int
  let rowBytes: Int
  let byteCount: Int
  private let headerBytes: Int
  private let bandBytes: Int

  var count: Int { rows * columns }

  init(
    rows: Int, columns: Int, granularity: Granularity, elementBits: Int, blockBytes: Int, headerBytes: Int,
    name: String
  ) throws {
    try SchemeError.require(rows: rows, columns: columns, for: name)
    self.rows = rows
    self.columns = columns
    self.headerBytes = headerBytes
    blockRows = granularity.blockRows(rows)
    blockColumns = granularity.blockColumns(columns)
    blocksAcross = (columns + blockColumns - 1) / blockColumns
    bands = columns == 0 ? 0 : (rows + blockRows - 1) / blockRows
    rowBytes = (columns * elementBits + 7) / 8
    bandBytes = blocksAcross * blockBytes + blockRows * rowBytes
    byteCount =
      columns == 0 || rows == 0 ? 0 : headerBytes + bands * blocksAcross * blockBytes + rows * rowBytes
  }

  func check(values: Int, bytes: Int) throws {
    try SchemeError.require(values: values, rows: rows, columns: columns)
    guard bytes == byteCount else { throw SchemeError.bytes(expected: byteCount, found: bytes) }
  }

  func rows(band: Int) -> Range<Int> {
    band * blockRows..<min((band + 1) * blockRows, rows)
  }

  func offset(band: Int) -> Int { headerBytes + band * bandBytes }

  /// Stretches of a row that the loops take at once; codes of each but the last fill whole bytes.
  var tiles: [Range<Int>] {
    stride(from: 0, to: columns, by: BlockLayout.tile).map { $0..<min($0 + BlockLayout.tile, columns) }
  }

  static let tile = 2048
}

/// Memory for one band and one tile.
struct BlockScratch {
  let blocks: UnsafeMutablePointer<BlockScale>
  let codes: UnsafeMutablePointer<UInt8>
  private let magnitudes: UnsafeMutablePointer<Int32>
  private let lowest: UnsafeMutablePointer<Float>
  private let highest: UnsafeMutablePointer<Float>
  private let expanded: UnsafeMutablePointer<Float>

  init(_ layout: BlockLayout) {
    blocks = .allocate(capacity: layout.blocksAcross)
    blocks.initialize(repeating: BlockScale(), count: layout.blocksAcross)
    codes = .allocate(capacity: BlockLayout.tile)
    codes.initialize(repeating: 0, count: BlockLayout.tile)
    magnitudes = .allocate(capacity: layout.blocksAcross)
    lowest = .allocate(capacity: layout.blocksAcross)
    highest = .allocate(capacity: layout.blocksAcross)
    expanded = .allocate(capacity: 3 * BlockLayout.tile)
    expanded.initialize(repeating: 0, count: 3 * BlockLayout.tile)
  }

  func deallocate() {
    blocks.deallocate()
    codes.deallocate()
    magnitudes.deallocate()
    lowest.deallocate()
    highest.deallocate()
    expanded.deallocate()
  }

  /// Measures the blocks of the band that starts at `x`.
  func measure(_ x: UnsafePointer<Float>, rows: Int, _ layout: BlockLayout, _ kind: BlockRangeKind) {
    let whole = layout.columns / layout.blockColumns
    let rest = layout.columns - whole * layout.blockColumns
    switch kind {
    case .extremes:
      lowest.initialize(repeating: .infinity, count: layout.blocksAcross)
      highest.initialize(repeating: -.infinity, count: layout.blocksAcross)
    case .magnitude, .magnitudeOfAll, .magnitudeWithInfinities:
      magnitudes.initialize(repeating: 0, count: layout.blocksAcross)
    }
    for row in 0..<rows {
      let start = x + row * layout.columns
      let tail = start + whole * layout.blockColumns
      switch kind {
      case .extremes:
        nc_extremes(start, whole, layout.blockColumns, lowest, highest)
        if rest > 0 { nc_extremes(tail, 1, rest, lowest + whole, highest + whole) }
      case .magnitude:
        nc_finite_magnitudes(start, whole, layout.blockColumns, magnitudes)
        if rest > 0 { nc_finite_magnitudes(tail, 1, rest, magnitudes + whole) }
      case .magnitudeOfAll:
        nc_magnitudes(start, whole, layout.blockColumns, magnitudes)
        if rest > 0 { nc_magnitudes(tail, 1, rest, magnitudes + whole) }
      case .magnitudeWithInfinities:
        nc_magnitudes_without_nan(start, whole, layout.blockColumns, magnitudes)
        if rest > 0 { nc_magnitudes_without_nan(tail, 1, rest, magnitudes + whole) }
      }
    }
  }

  /// A zero of a range is +0.
  @inline(__always)
  func range(_ block: Int, _ kind: BlockRangeKind) -> BlockRange {
    guard kind == .extremes else {
      return BlockRange(
        magnitude: Float(bitPattern: UInt32(bitPattern: magnitudes[block])), lowest: 0, highest: 0)
    }
    guard lowest[block] <= highest[block] else { return BlockRange(magnitude: 0, lowest: 0, highest: 0) }
    return BlockRange(
      magnitude: max(abs(lowest[block]), abs(highest[block])), lowest: lowest[block] + 0,
      highest: highest[block] + 0)
  }

  /// Spreads the blocks' numbers over the elements of `tile`.
  func run(_ tile: Range<Int>, _ layout: BlockLayout, divisors: Bool, zeros: Bool) -> BlockRun {
    let used = expanded + (divisors ? BlockLayout.tile : 0)
    spread(tile, layout, field: divisors ? 2 : 1, into: used)
    if zeros { spread(tile, layout, field: 3, into: expanded + 2 * BlockLayout.tile) }
    return BlockRun(
      count: tile.count, scales: expanded, divisors: expanded + BlockLayout.tile,
      zeros: expanded + 2 * BlockLayout.tile)
  }

  private func spread(
    _ tile: Range<Int>, _ layout: BlockLayout, field: Int, into out: UnsafeMutablePointer<Float>
  ) {
    let stride = MemoryLayout<BlockScale>.stride / 4
    let width = layout.blockColumns
    blocks.withMemoryRebound(to: Float.self, capacity: stride * layout.blocksAcross) { fields in
      var column = tile.lowerBound
      // A block that began in the tile before, whole blocks, and one that ends beyond the tile or is short.
      while column < tile.upperBound {
        let block = column / width
        let end = min((block + 1) * width, tile.upperBound)
        if column % width == 0, tile.upperBound - column >= width {
          let count = (tile.upperBound - column) / width
          nc_spread(fields + block * stride + field, stride, count, width, out + column - tile.lowerBound)
          column += count * width
        } else {
          (out + column - tile.lowerBound).update(
            repeating: fields[block * stride + field], count: end - column)
          column = end
        }
      }
    }
  }
}
