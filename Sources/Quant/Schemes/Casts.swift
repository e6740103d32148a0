import CSchemes
import NumKit

/// Plain casts, element by element, and casts with a scale for each block of elements.
///
/// Names: `f16`, `bf16`; `f8e4m3fn`, `f8e5m2`, `f8e4m3fnuz`, `f8e5m2fnuz`, `f6e3m2`, `f6e2m3`, `f4e2m1` and the
/// aliases that `DType` knows, plain or with any granularity; `f8e4m3fn:saturate` (plain only; scaled casts saturate).
let castFamily = SchemeFamily(
  file: "Casts",
  defaults: {
    let small: [any Scheme] = SmallFloat.all.map { SmallCast($0) }
    let scaled: [any Scheme] = [.tensor, .channel, .token, .block(128, 128), .group(128)].flatMap {
      [ScaledCast(.e4m3fn, $0), ScaledCast(.e5m2, $0)]
    }
    let narrow: [any Scheme] = [Granularity.token, .group(32)].flatMap { granularity in
      [SmallFloat.e3m2, .e2m3, .e2m1].map { ScaledCast($0, granularity) }
    }
    return [WideCast(isBrain: false), WideCast(isBrain: true)] + small + scaled + narrow
  },
  variants: {
    SmallFloat.all.filter { $0.bits == 8 }.map { SmallCast($0, saturating: true) }
  },
  make: { name in
    guard case .float(let format)? = DType(name.base) else { return nil }
    var name = name
    if format == .f16 || format == .bf16 {
      guard name.granularity == nil, name.isUsedUp else { return nil }
      return WideCast(isBrain: format == .bf16)
    }
    guard let small = SmallFloat(format) else { return nil }
    // bitsandbytes' FP4 owns that name.
    if name.base == "fp4" { return nil }
    if let granularity = name.granularity {
      return name.isUsedUp ? ScaledCast(small, granularity) : nil
    }
    let saturating = name.take(["saturate": true, "special": false]) ?? false
    guard name.isUsedUp else { return nil }
    // Formats without ∞ and NaN always saturate.
    return SmallCast(small, saturating: saturating && format.hasNaN)
  })

/// f16 and bf16, two bytes an element, little-endian.
///
/// Too large numbers and infinities become ±∞. NaN stays NaN: f16 keeps its sign and upper payload, bf16 its sign
/// only (0x7fc0). Subnormals round like all else.
struct WideCast: GridScheme {
  let isBrain: Bool

  var name: String { isBrain ? "bf16" : "f16" }
  var independentRows: Int? { 1 }
  var unrounded: (any Scheme)? { nil }

  func byteCount(rows: Int, columns: Int) throws -> Int { try layout(rows, columns).byteCount }

  private func layout(_ rows: Int, _ columns: Int) throws -> BlockLayout {
    try BlockLayout(
      rows: rows, columns: columns, granularity: .token, elementBits: 16, blockBytes: 0, headerBytes: 0,
      name: name)
  }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try layout(rows, columns).check(values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    let codes = y.assumingMemoryBound(to: UInt16.self)
    if isBrain { nc_bf16_cast(x, values.count, codes) } else { nc_f16_cast(x, values.count, codes) }
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try layout(rows, columns).check(values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    let codes = y.assumingMemoryBound(to: UInt16.self)
    if isBrain { nc_bf16_decoded(codes, values.count, x) } else { nc_f16_decoded(codes, values.count, x) }
  }

  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    let largest = Float((isBrain ? NumberFormat.bf16 : .f16).largestFinite)
    lowest.update(repeating: -largest)
    highest.update(repeating: largest)
  }
}

/// A format of at most 8 bits, its codes packed row by row, rows filled up to a byte.
///
/// As ml_dtypes: overflow and infinities become ±∞ where the format has it, else NaN where it has that, else the
/// largest number. `:saturate`: the largest number, for infinities too. NaN: see `SmallFloat`.
struct SmallCast: GridScheme {
  let element: SmallFloat
  let saturating: Bool

  init(_ element: SmallFloat, saturating: Bool = false) {
    self.element = element
    self.saturating = saturating
  }

  var name: String { element.format.name + (saturating ? ":saturate" : "") }
  var independentRows: Int? { 1 }
  var unrounded: (any Scheme)? { nil }

  private func layout(_ rows: Int, _ columns: Int) throws -> BlockLayout {
    try BlockLayout(
      rows: rows, columns: columns, granularity: .token, elementBits: element.bits, blockBytes: 0,
      headerBytes: 0, name: name)
  }

  func byteCount(rows: Int, columns: Int) throws -> Int { try layout(rows, columns).byteCount }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    let layout = try layout(rows, columns)
    try layout.check(values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    if element.bits == 8 {
      element.cast(x, values.count, into: y.assumingMemoryBound(to: UInt8.self), saturating: saturating)
      return
    }
    let codes = UnsafeMutablePointer<UInt8>.allocate(capacity: BlockLayout.tile)
    defer { codes.deallocate() }
    for row in 0..<rows {
      for tile in stride(from: 0, to: columns, by: BlockLayout.tile) {
        let count = min(BlockLayout.tile, columns - tile)
        element.cast(x + row * columns + tile, count, into: codes, saturating: saturating)
        let target = y + row * layout.rowBytes + tile * element.bits / 8
        nc_pack(codes, count, Int32(element.bits), 0, target.assumingMemoryBound(to: UInt8.self))
      }
    }
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    let layout = try layout(rows, columns)
    try layout.check(values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress else { return }
    if element.bits == 8 {
      element.decode(y.assumingMemoryBound(to: UInt8.self), values.count, into: x)
      return
    }
    let codes = UnsafeMutablePointer<UInt8>.allocate(capacity: BlockLayout.tile)
    defer { codes.deallocate() }
    for row in 0..<rows {
      for tile in stride(from: 0, to: columns, by: BlockLayout.tile) {
        let count = min(BlockLayout.tile, columns - tile)
        let source = y + row * layout.rowBytes + tile * element.bits / 8
        nc_unpack(source.assumingMemoryBound(to: UInt8.self), count, Int32(element.bits), 0, codes)
        element.decode(codes, count, into: x + row * columns + tile)
      }
    }
  }

  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    lowest.update(repeating: -element.largest)
    highest.update(repeating: element.largest)
  }
}

/// A cast of x/s with s = amax/largest for each block, in f32, and amax over the block's numbers.
///
/// Stored for a block: s. A block of zeros has s = 1, and s is at least 2^−126. Infinities become the largest
/// number times s and do not count for amax; nor does NaN, which becomes NaN or, where the format has none, 0.
struct ScaledCast: BlockedScheme {
  let element: SmallFloat
  let granularity: Granularity
  private let largest: Float

  init(_ element: SmallFloat, _ granularity: Granularity) {
    self.element = element
    largest = element.largest
    self.granularity = granularity
  }

  var name: String { SchemeName.joined(element.format.name, granularity, []) }
  var elementBits: Int { element.bits }
  var blockBytes: Int { 4 }
  var unrounded: (any Scheme)? { nil }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    let s = usableScale(range.magnitude / largest)
    return BlockScale(stored: s, scale: s, divisor: s)
  }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: block.stored.bitPattern.littleEndian, as: UInt32.self)
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    let s = Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
    return BlockScale(stored: s, scale: s, divisor: s)
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    element.divide(values, run, into: codes)
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    element.scale(codes, run, into: values)
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    (-largest * block.scale, largest * block.scale)
  }
}
