import CSchemes

/// What the elements of a block span; NaN and infinities count only where a scheme says so.
struct BlockRange {
  /// The largest magnitude; ∞ or NaN where those count.
  var magnitude: Float
  /// The smallest and the largest number; 0 in a block without numbers. Only where a scheme asks for them.
  var lowest: Float
  var highest: Float
}

/// What a block stores, and what that means for its elements.
struct BlockScale {
  /// What is written for the block, in its own terms.
  var stored: Float = 1
  /// What decoded codes are multiplied by.
  var scale: Float = 1
  /// What elements are divided or multiplied by before they are rounded.
  var divisor: Float = 1
  /// The zero point, or the block's offset.
  var zero: Float = 0
}

/// What the loops need of an element's block, for a stretch of a row.
struct BlockRun {
  let count: Int
  let scales: UnsafePointer<Float>
  let divisors: UnsafePointer<Float>
  let zeros: UnsafePointer<Float>
}

/// The elements of a block, `stride` apart from row to row.
struct BlockElements {
  let start: UnsafePointer<Float>
  let stride: Int
  let rows: Int
  let columns: Int
}

/// Which range of its blocks a scheme looks at.
enum BlockRangeKind {
  /// The largest magnitude of the numbers.
  case magnitude
  /// The largest magnitude of all: an infinity or NaN in a block shows.
  case magnitudeOfAll
  /// The largest magnitude, infinities included, NaN not.
  case magnitudeWithInfinities
  /// The smallest and the largest number.
  case extremes
}

/// A scheme of narrow codes with a scale for each block of elements.
///
/// Storage: the tensor's scale, if the scheme has one (f32). Then for each band, that is the rows of one row of
/// blocks: what the band's blocks store, from left to right, then for each row its codes, packed without gaps
/// (the first in the lowest bits; `highNibbleFirst` turns that round) and filled up to a byte.
/// All is little-endian. Nothing is padded: blocks at the edges are smaller.
protocol BlockedScheme: GridScheme, ScaledScheme {
  var granularity: Granularity { get }
  var elementBits: Int { get }
  var highNibbleFirst: Bool { get }
  var rangeKind: BlockRangeKind { get }
  var hasZeros: Bool { get }
  var hasTensorScale: Bool { get }

  /// The length of blocks that run on from row to row; nil where they end with a row.
  var flatBlockLength: Int? { get }
  /// The places of a matrix in its bytes.
  func layout(rows: Int, columns: Int) throws -> BlockLayout
  /// Bytes that a block stores beside its codes.
  var blockBytes: Int { get }
  /// The tensor's scale for its largest finite magnitude.
  func tensorScale(magnitude: Float) -> Float
  /// What a block stores.
  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale
  /// The same where a scheme tries scales on the elements.
  func blockScale(_ range: BlockRange, tensor: Float, of elements: BlockElements) -> BlockScale
  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer)
  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale
  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>)
  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>)
  /// The smallest and the largest value of an element.
  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float)
}

extension BlockedScheme {
  var highNibbleFirst: Bool { false }
  var rangeKind: BlockRangeKind { .magnitude }
  var hasZeros: Bool { false }
  var flatBlockLength: Int? { nil }
  var hasTensorScale: Bool { false }
  func tensorScale(magnitude: Float) -> Float { 1 }
  @inline(__always)
  func blockScale(_ range: BlockRange, tensor: Float, of elements: BlockElements) -> BlockScale {
    blockScale(range, tensor: tensor)
  }

  public var independentRows: Int? {
    hasTensorScale || flatBlockLength != nil ? nil : granularity.independentRows
  }

  func layout(rows: Int, columns: Int) throws -> BlockLayout {
    var (rows, columns) = (rows, columns)
    if flatBlockLength != nil {
      let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
      guard rows >= 0, columns >= 0, !overflow else {
        throw SchemeError.shape("\(name) cannot take \(rows) rows of \(columns) elements")
      }
      // One row of everything.
      (rows, columns) = (1, count)
    }
    return try BlockLayout(
      rows: rows, columns: columns, granularity: granularity, elementBits: elementBits,
      blockBytes: blockBytes, headerBytes: hasTensorScale ? 4 : 0, name: name)
  }

  public func byteCount(rows: Int, columns: Int) throws -> Int {
    try layout(rows: rows, columns: columns).byteCount
  }

  public func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try encode(values, layout(rows: rows, columns: columns), nil, into: bytes)
  }

  /// The same with what is `known` of the whole tensor already: `values` is then a band of it, and `bytes` hold nothing
  /// of what all bands share.
  func encode(
    _ values: UnsafeBufferPointer<Float>, _ layout: BlockLayout, _ known: KnownBlocks?,
    into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try layout.check(values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress, layout.count > 0 else { return }
    let isShared = known?.blocks != nil
    var tensor: Float = known?.tensor ?? 1
    if known == nil && hasTensorScale {
      var magnitude: Int32 = 0
      nc_finite_magnitudes(x, 1, layout.count, &magnitude)
      tensor = tensorScale(magnitude: Float(bitPattern: UInt32(bitPattern: magnitude)))
      y.storeBytes(of: tensor.bitPattern.littleEndian, as: UInt32.self)
    }
    let scratch = BlockScratch(layout)
    let tiles = layout.tiles
    defer { scratch.deallocate() }
    for band in 0..<layout.bands {
      let rows = layout.rows(band: band)
      let start = y + layout.offset(band: band)
      if let blocks = known?.blocks {
        for block in 0..<layout.blocksAcross { scratch.blocks[block] = blocks.chosen[block] }
      } else {
        scratch.measure(x + rows.lowerBound * layout.columns, rows: rows.count, layout, rangeKind)
        for block in 0..<layout.blocksAcross {
          let first = block * layout.blockColumns
          let elements = BlockElements(
            start: x + rows.lowerBound * layout.columns + first, stride: layout.columns, rows: rows.count,
            columns: min(layout.blockColumns, layout.columns - first))
          let chosen = blockScale(scratch.range(block, rangeKind), tensor: tensor, of: elements)
          scratch.blocks[block] = chosen
          write(chosen, to: start + block * blockBytes)
        }
      }
      let codesStart = start + (isShared ? 0 : layout.blocksAcross * blockBytes)
      for tile in tiles {
        let run = scratch.run(tile, layout, divisors: true, zeros: hasZeros)
        for row in 0..<rows.count {
          let source = x + (rows.lowerBound + row) * layout.columns + tile.lowerBound
          let target = codesStart + row * layout.rowBytes + tile.lowerBound * elementBits / 8
          if elementBits == 8 {
            encode(source, run, into: target.assumingMemoryBound(to: UInt8.self))
          } else {
            encode(source, run, into: scratch.codes)
            nc_pack(
              scratch.codes, tile.count, Int32(elementBits), highNibbleFirst ? 1 : 0,
              target.assumingMemoryBound(to: UInt8.self))
          }
        }
      }
    }
  }

  public func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try decode(bytes, layout(rows: rows, columns: columns), nil, into: values)
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, _ layout: BlockLayout, _ known: KnownBlocks?,
    into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try layout.check(values: values.count, bytes: bytes.count)
    guard let y = bytes.baseAddress, let x = values.baseAddress, layout.count > 0 else { return }
    let tensor = known?.tensor ?? storedTensorScale(y)
    let isShared = known?.blocks != nil
    let scratch = BlockScratch(layout)
    let tiles = layout.tiles
    defer { scratch.deallocate() }
    for band in 0..<layout.bands {
      let rows = layout.rows(band: band)
      let start = y + layout.offset(band: band)
      for block in 0..<layout.blocksAcross {
        scratch.blocks[block] =
          known?.blocks?.restored[block] ?? read(start + block * blockBytes, tensor: tensor)
      }
      let codesStart = start + (isShared ? 0 : layout.blocksAcross * blockBytes)
      for tile in tiles {
        let run = scratch.run(tile, layout, divisors: false, zeros: hasZeros)
        for row in 0..<rows.count {
          let target = x + (rows.lowerBound + row) * layout.columns + tile.lowerBound
          let source = (codesStart + row * layout.rowBytes + tile.lowerBound * elementBits / 8)
            .assumingMemoryBound(to: UInt8.self)
          if elementBits == 8 {
            decode(source, run, into: target)
          } else {
            nc_unpack(source, tile.count, Int32(elementBits), highNibbleFirst ? 1 : 0, scratch.codes)
            decode(scratch.codes, run, into: target)
          }
        }
      }
    }
  }

  public func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    try decodeLimits(bytes, layout(rows: rows, columns: columns), nil, lowest: lowest, highest: highest)
  }

  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, _ layout: BlockLayout, _ known: KnownBlocks?,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    try layout.check(values: lowest.count, bytes: bytes.count)
    try layout.check(values: highest.count, bytes: bytes.count)
    guard let y = bytes.baseAddress, let low = lowest.baseAddress, let high = highest.baseAddress,
      layout.count > 0
    else { return }
    let tensor = known?.tensor ?? storedTensorScale(y)
    let scratch = BlockScratch(layout)
    let tiles = layout.tiles
    defer { scratch.deallocate() }
    for band in 0..<layout.bands {
      let rows = layout.rows(band: band)
      let start = y + layout.offset(band: band)
      for block in 0..<layout.blocksAcross {
        let ends = limits(
          known?.blocks?.restored[block] ?? read(start + block * blockBytes, tensor: tensor))
        scratch.blocks[block] = BlockScale(scale: ends.lowest, zero: ends.highest)
      }
      for tile in tiles {
        let run = scratch.run(tile, layout, divisors: false, zeros: true)
        for row in rows {
          let place = row * layout.columns + tile.lowerBound
          (low + place).update(from: run.scales, count: tile.count)
          (high + place).update(from: run.zeros, count: tile.count)
        }
      }
    }
  }

  func storedTensorScale(_ bytes: UnsafeRawPointer) -> Float {
    guard hasTensorScale else { return 1 }
    return Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
  }
}
