import CSchemes

/// The 4-bit types of bitsandbytes: `nf4`, `fp4`, with double quantization `nf4:dq`, `fp4:dq`; blocks of another size as `nf4@g128` (32 to
/// 4096). `:cpu` is what it computes without a GPU.
///
/// NF4: quantiles of the normal distribution (Dettmers et al., arXiv 2305.14314, appendix E). FP4: 0, 1/192, ⅙, ¼, ⅓,
/// ½, ⅔, 1 and a sign, which is not e2m1.
let bitsandbytesFamily = SchemeFamily(
  file: "Bitsandbytes",
  defaults: {
    [BitsandbytesBlocks(.nf4), BitsandbytesBlocks(.fp4)].flatMap {
      [$0, DoubleQuantized(inner: $0)] as [any Scheme]
    }
  },
  variants: { [BitsandbytesBlocks(.nf4, isCPU: true), BitsandbytesBlocks(.fp4, isCPU: true)] },
  origin: { $0.dialects.contains("cpu") ? "bitsandbytes 0.50, CPU" : "bitsandbytes 0.50, CUDA" },
  make: { name in
    guard let book = FourBitBook(rawValue: name.base) else { return nil }
    var size = BitsandbytesBlocks.usualSize
    if let granularity = name.granularity {
      guard case .group(let length) = granularity, BitsandbytesBlocks.sizes.contains(length) else {
        return nil
      }
      size = length
    }
    var name = name
    let double = name.take(["dq": true]) ?? false
    let isCPU = name.take(["cpu": true, "cuda": false]) ?? false
    // A survey of absmax is one of blocks of 64.
    guard name.isUsedUp, !double || size == BitsandbytesBlocks.usualSize && !isCPU else { return nil }
    let plain = BitsandbytesBlocks(book, size: size, isCPU: isCPU)
    return double ? DoubleQuantized(inner: plain) : plain
  })

enum FourBitBook: String, Sendable, Hashable {
  case nf4, fp4

  /// The value of each code, over amax.
  var values: [Float] {
    switch self {
    case .nf4:
      return [
        -1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0,
        0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1,
      ]
    case .fp4:
      let magnitudes: [Float] = [0, 0.0052083333, 0.6666667, 1, 0.33333334, 0.5, 0.16666667, 0.25]
      return magnitudes + magnitudes.map { -$0 }
    }
  }

  /// Where the codes change, as the kernels write it: the value itself still belongs below.
  var thresholds: [Float] {
    switch self {
    case .nf4:
      return [
        -0.8480964004993439, -0.6106329262256622, -0.4599952697753906, -0.33967943489551544,
        -0.23460740596055984, -0.13791173323988914, -0.045525018125772476, 0.03979014977812767,
        0.1202552504837513, 0.2035212516784668, 0.2920137718319893, 0.3893125355243683, 0.5016634166240692,
        0.6427869200706482, 0.8614784181118011,
      ]
    case .fp4: return [0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333]
    }
  }

  /// The codes by ascending value.
  private var ascending: [UInt8] {
    self == .nf4 ? Array(0..<16) : [11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3]
  }

  /// Where the codes change on the CPU: midway between neighbours, in f32, the midpoint still below; and the code above each.
  var midpoints: (thresholds: [Float], codes: [UInt8]) {
    let levels = self.values
    let codes = ascending
    let sorted = codes.map { levels[Int($0)] }
    return (zip(sorted, sorted.dropFirst()).map { ($0 + $1) / 2 }, codes)
  }
}

/// Blocks of 64 (or so many) consecutive elements, whatever the rows; the last may be shorter. x̂ = value·amax.
///
/// Storage: amax of every block (f32), then the codes, the high nibble the even element. Elements are x·(1/amax) held
/// against the thresholds, NaN below all of them, as the CUDA kernels do. So a zero block, where 0·(1/0) is NaN, has NF4
/// codes 0 (which decode to −0) and FP4 codes 0; so has a block with amax below 2^−128, whose reciprocal is ∞, for its
/// zeros. NaN elements become code 0 and do not count for amax; an infinity does, and makes its block's amax
/// infinite: it has code 0 itself, all others that of zero, which decodes to NaN.
///
/// `:cpu`: 1/amax with amax at least 10^−38, so that a zero block has NF4 codes 7; thresholds are the midpoints, and those of FP4 order
/// signed values: a tie of negative ones goes to the larger magnitude. (Of a short last block the library divides by amax instead.)
struct BitsandbytesBlocks: BlockedScheme {
  static let usualSize = 64
  static let sizes = [32, 64, 128, 256, 512, 1024, 2048, 4096]

  let book: FourBitBook
  let size: Int
  let isCPU: Bool
  private let values: [Float]
  private let thresholds: [Float]
  private let codes: [UInt8]

  init(_ book: FourBitBook, size: Int = usualSize, isCPU: Bool = false) {
    self.book = book
    self.size = size
    self.isCPU = isCPU
    values = book.values
    let midpoints = book.midpoints
    thresholds = isCPU ? midpoints.thresholds : book.thresholds
    codes = midpoints.codes
  }

  var name: String {
    SchemeName.joined(book.rawValue, size == Self.usualSize ? nil : granularity, isCPU ? ["cpu"] : [])
  }
  var granularity: Granularity { .group(size) }
  var elementBits: Int { 4 }
  var highNibbleFirst: Bool { true }
  var blockBytes: Int { 4 }
  var rangeKind: BlockRangeKind { .magnitudeWithInfinities }
  var unrounded: (any Scheme)? { nil }
  var flatBlockLength: Int? { size }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    let least: Float = isCPU ? 1e-38 : 0
    return BlockScale(
      stored: range.magnitude, scale: range.magnitude, divisor: 1 / max(range.magnitude, least))
  }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: block.stored.bitPattern.littleEndian, as: UInt32.self)
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    let amax = Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
    return BlockScale(stored: amax, scale: amax, divisor: 1 / amax)
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    if isCPU {
      nc_book16(values, run.divisors, run.count, thresholds, codes)
      if book == .fp4 { for index in 0..<run.count { codes[index] = self.codes[Int(codes[index])] } }
      return
    }
    switch book {
    case .nf4: nc_book16(values, run.divisors, run.count, thresholds, codes)
    case .fp4: nc_book_fp4(values, run.divisors, run.count, thresholds, codes)
    }
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    nc_book_values(codes, run.scales, run.count, self.values, values)
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) { (-block.scale, block.scale) }
}

/// The same with its amax quantized in turn (`:dq`).
///
/// Storage: the mean of all amax (f32, summed in f64), for each 256 of them the largest |amax − mean| (f32), for
/// each a code of the 8-bit dynamic map (`DynamicMap`), then the codes of the elements, which are chosen with the
/// unrounded amax. amax comes back as map[code]·largest + mean, rounded twice. With an amax that is not finite the
/// mean is taken over the others.
struct DoubleQuantized: GridScheme {
  let inner: BitsandbytesBlocks
  /// The mean where a survey of the whole tensor has found it; bands then do not store it.
  var knownMean: Float?

  var name: String { inner.name + ":dq" }
  var unrounded: (any Scheme)? { inner }

  static let group = 256
  private var meanBytes: Int { knownMean == nil ? 4 : 0 }

  private func blockCount(_ rows: Int, _ columns: Int) throws -> Int {
    try inner.layout(rows: rows, columns: columns).blocksAcross
  }

  private func prefix(_ blocks: Int) -> Int {
    blocks == 0
      ? 0 : meanBytes + (blocks + DoubleQuantized.group - 1) / DoubleQuantized.group * 4 + blocks
  }

  func byteCount(rows: Int, columns: Int) throws -> Int {
    let blocks = try blockCount(rows, columns)
    return try inner.byteCount(rows: rows, columns: columns) - 4 * blocks + prefix(blocks)
  }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    let expected = try byteCount(rows: rows, columns: columns)
    guard bytes.count == expected else { throw SchemeError.bytes(expected: expected, found: bytes.count) }
    let blocks = try blockCount(rows, columns)
    let plain = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try inner.byteCount(rows: rows, columns: columns), alignment: 16)
    defer { plain.deallocate() }
    try inner.encode(values, rows: rows, columns: columns, into: plain)
    guard blocks > 0 else { return }
    let scales = (0..<blocks).map { Float(littleEndianBits: UnsafeRawBufferPointer(plain), at: 4 * $0) }
    let finite = scales.lazy.filter(\.isFinite)
    let mean =
      knownMean ?? DoubleQuantized.mean(finite.reduce(0.0) { $0 + Double($1) }, count: finite.count)
    if knownMean == nil { bytes.store(mean, at: 0) }
    var place = meanBytes
    let codesPlace = prefix(blocks) - blocks
    for start in stride(from: 0, to: blocks, by: DoubleQuantized.group) {
      let group = start..<min(start + DoubleQuantized.group, blocks)
      let largest = scales[group].reduce(Float(0)) { max($0, abs($1 - mean)) }
      bytes.store(largest, at: place)
      place += 4
      let factor = 1 / largest
      for block in group {
        bytes[codesPlace + block] = DynamicMap.code((scales[block] - mean) * factor)
      }
    }
    UnsafeMutableRawBufferPointer(rebasing: bytes[prefix(blocks)...]).copyMemory(
      from: UnsafeRawBufferPointer(rebasing: plain[(4 * blocks)...]))
  }

  static func mean(_ sum: Double, count: Int) -> Float { count == 0 ? 0 : Float(sum / Double(count)) }

  /// The bytes of the scheme without double quantization, with the restored amax.
  private func restored(_ bytes: UnsafeRawBufferPointer, _ rows: Int, _ columns: Int) throws
    -> UnsafeMutableRawBufferPointer
  {
    let expected = try byteCount(rows: rows, columns: columns)
    guard bytes.count == expected else { throw SchemeError.bytes(expected: expected, found: bytes.count) }
    let blocks = try blockCount(rows, columns)
    let plain = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try inner.byteCount(rows: rows, columns: columns), alignment: 16)
    guard blocks > 0 else { return plain }
    let mean = knownMean ?? Float(littleEndianBits: bytes, at: 0)
    let codesPlace = prefix(blocks) - blocks
    for block in 0..<blocks {
      let largest = Float(littleEndianBits: bytes, at: meanBytes + block / DoubleQuantized.group * 4)
      let product = DynamicMap.values[Int(bytes[codesPlace + block])] * largest
      plain.store(product + mean, at: 4 * block)
    }
    UnsafeMutableRawBufferPointer(rebasing: plain[(4 * blocks)...]).copyMemory(
      from: UnsafeRawBufferPointer(rebasing: bytes[prefix(blocks)...]))
    return plain
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    let plain = try restored(bytes, rows, columns)
    defer { plain.deallocate() }
    try inner.decode(UnsafeRawBufferPointer(plain), rows: rows, columns: columns, into: values)
  }

  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    let plain = try restored(bytes, rows, columns)
    defer { plain.deallocate() }
    try inner.decodeLimits(
      UnsafeRawBufferPointer(plain), rows: rows, columns: columns, lowest: lowest, highest: highest)
  }
}

extension Float {
  /// The f32 that stands at a byte offset.
  init(littleEndianBits bytes: UnsafeRawBufferPointer, at offset: Int) {
    self.init(
      bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Writes an f32 at a byte offset.
  func store(_ value: Float, at offset: Int) {
    storeBytes(of: value.bitPattern.littleEndian, toByteOffset: offset, as: UInt32.self)
  }
}
