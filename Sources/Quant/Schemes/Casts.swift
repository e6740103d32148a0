import CSchemes
import NumKit

/// Plain casts, element by element, and casts with a scale for each block of elements.
///
/// Names: `f16`, `bf16`; `f8e4m3fn`, `f8e5m2`, `f8e4m3fnuz`, `f8e5m2fnuz`, `f6e3m2`, `f6e2m3`, `f4e2m1` and the
/// aliases that `DType` knows, plain or with any granularity; `f8e4m3fn:saturate` (plain only; scaled casts saturate). With a
/// granularity: `:deepgemm`, elements are x·(1/s) and amax is at least 10^−4; `:ue8m0`, the same with s the next power of two.
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
    let scaled: [any Scheme] = [ScaledCast.Rule.deepGEMM, .powerOfTwo].flatMap { rule in
      [Granularity.block(128, 128), .group(128)].map { ScaledCast(.e4m3fn, $0, rule: rule) }
    }
    return SmallFloat.all.filter { $0.bits == 8 }.map { SmallCast($0, saturating: true) } + scaled
  },
  origin: { name in
    if let release = name.first(of: ["saturate": "torch 2.13", "deepgemm": "DeepGEMM", "ue8m0": "DeepGEMM"]) {
      return release
    }
    if name.granularity != nil { return name.base == "f8e4m3fn" ? "compressed-tensors 0.20" : "" }
    switch name.base {
    case "f16", "bf16", "f8e5m2", "f8e4m3fnuz", "f8e5m2fnuz": return "torch 2.13, ml_dtypes, ONNX"
    case "f8e4m3fn": return "ml_dtypes, ONNX"
    default: return "ml_dtypes"
    }
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
      let rule = name.take(["deepgemm": ScaledCast.Rule.deepGEMM, "ue8m0": .powerOfTwo]) ?? .divide
      return name.isUsedUp ? ScaledCast(small, granularity, rule: rule) : nil
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
///
/// As DeepGEMM has it (`per_block_cast_to_fp8`, `per_token_cast_to_fp8`): amax is at least 10^−4 and elements are x·(1/s); with UE8M0
/// scales (DeepSeek V3.1) s is the next power of two, 2^−126 … 2^127, a byte.
struct ScaledCast: BlockedScheme {
  enum Rule: String, Sendable, Hashable {
    case divide
    case deepGEMM = "deepgemm"
    case powerOfTwo = "ue8m0"
  }

  let element: SmallFloat
  let granularity: Granularity
  let rule: Rule
  private let largest: Float

  init(_ element: SmallFloat, _ granularity: Granularity, rule: Rule = .divide) {
    self.element = element
    largest = element.largest
    self.granularity = granularity
    self.rule = rule
  }

  var name: String {
    SchemeName.joined(element.format.name, granularity, rule == .divide ? [] : [rule.rawValue])
  }
  var elementBits: Int { element.bits }
  var blockBytes: Int { rule == .powerOfTwo ? 1 : 4 }
  var unrounded: (any Scheme)? {
    rule == .powerOfTwo ? ScaledCast(element, granularity, rule: .deepGEMM) : nil
  }

  private func block(_ s: Float) -> BlockScale {
    BlockScale(stored: s, scale: s, divisor: rule == .divide ? s : 1 / s)
  }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    if rule == .divide { return block(usableScale(range.magnitude / largest)) }
    let s = max(range.magnitude, 1e-4) / largest
    guard rule == .powerOfTwo else { return block(s) }
    let exponent = s.bitPattern >> 23 + (s.bitPattern & 0x7f_ffff == 0 ? 0 : 1)
    return block(Float(bitPattern: min(max(exponent, 1), 254) << 23))
  }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    if rule == .powerOfTwo {
      bytes.storeBytes(of: UInt8(block.stored.bitPattern >> 23), as: UInt8.self)
    } else {
      bytes.storeBytes(of: block.stored.bitPattern.littleEndian, as: UInt32.self)
    }
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    if rule == .powerOfTwo { return block(Float(bitPattern: UInt32(bytes.load(as: UInt8.self)) << 23)) }
    return block(Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))))
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    if rule == .divide {
      element.divide(values, run, into: codes)
    } else {
      element.multiply(values, run, into: codes)
    }
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    element.scale(codes, run, into: values)
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    (-largest * block.scale, largest * block.scale)
  }
}
