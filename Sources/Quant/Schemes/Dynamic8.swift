import CSchemes

/// `dynamic8`: bitsandbytes' blockwise 8 bits (Dettmers et al., arXiv 2110.02861), blocks of 256 as its optimizers keep their first
/// moments; `dynamic8:unsigned`, their second; blocks of another size as `dynamic8@g4096` (64 to 4096). `:cpu` is what it computes
/// without a GPU.
let dynamic8Family = SchemeFamily(
  file: "Dynamic8",
  defaults: { [DynamicBlocks()] },
  variants: {
    [
      DynamicBlocks(isSigned: false), DynamicBlocks(isCPU: true),
      DynamicBlocks(isSigned: false, isCPU: true),
    ]
  },
  origin: { $0.dialects.contains("cpu") ? "bitsandbytes 0.50, CPU" : "bitsandbytes 0.50, CUDA" },
  make: { name in
    guard name.base == "dynamic8" else { return nil }
    var size = DynamicBlocks.usualSize
    if let granularity = name.granularity {
      guard case .group(let length) = granularity, DynamicBlocks.sizes.contains(length) else { return nil }
      size = length
    }
    var name = name
    let isSigned = name.take(["unsigned": false, "signed": true]) ?? true
    let isCPU = name.take(["cpu": true, "cuda": false]) ?? false
    return name.isUsedUp ? DynamicBlocks(size: size, isSigned: isSigned, isCPU: isCPU) : nil
  })

/// Blocks of consecutive elements, whatever the rows; the last may be shorter. x̂ = map[code]·amax.
///
/// Storage: amax of every block (f32), then the codes. The map's 256 values are midpoints of equal steps in decades, more steps the
/// larger the decade; the code is that of the value nearest to x·(1/amax). A tie goes to the value that the kernel's search comes to last.
/// NaN has code 0, as what its comparisons end in, and does not count for amax; so have zeros of a block of zeros, 0·(1/0), which
/// decode to −0. An infinity makes its block's amax infinite: all others then have zero's code, which decodes to NaN. Unsigned, numbers
/// below 0 become 0.
///
/// `:cpu`: x·(1/amax) is rounded to 65536 places from −1 to 1 first, of which a table has the codes, the lower on a tie.
struct DynamicBlocks: BlockedScheme {
  static let usualSize = 256
  static let sizes = [64, 128, 256, 512, 1024, 2048, 4096]

  let size: Int
  let isSigned: Bool
  let isCPU: Bool
  private let map: [Float]
  private let table: [UInt8]

  init(size: Int = usualSize, isSigned: Bool = true, isCPU: Bool = false) {
    self.size = size
    self.isSigned = isSigned
    self.isCPU = isCPU
    map = isSigned ? DynamicMap.values : DynamicMap.unsigned
    table = isCPU ? isSigned ? Self.signedTable : Self.unsignedTable : []
  }

  private static let signedTable = table(DynamicMap.values)
  private static let unsignedTable = table(DynamicMap.unsigned)

  private static func table(_ map: [Float]) -> [UInt8] {
    let midpoints = zip(map, map.dropFirst()).map { 0.5 * ($0 + $1) }
    var code = 0
    return (0..<65536).map { place in
      let value = -1 + 2 * Float(place) / 65535
      while code < 255 && midpoints[code] < value { code += 1 }
      return UInt8(code)
    }
  }

  var name: String {
    SchemeName.joined(
      "dynamic8", size == Self.usualSize ? nil : granularity,
      (isSigned ? [] : ["unsigned"]) + (isCPU ? ["cpu"] : []))
  }
  var granularity: Granularity { .group(size) }
  var elementBits: Int { 8 }
  var blockBytes: Int { 4 }
  var rangeKind: BlockRangeKind { .magnitudeWithInfinities }
  var unrounded: (any Scheme)? { nil }
  var flatBlockLength: Int? { size }

  private func block(_ amax: Float) -> BlockScale {
    BlockScale(stored: amax, scale: amax, divisor: 1 / amax)
  }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale { block(range.magnitude) }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: block.stored.bitPattern.littleEndian, as: UInt32.self)
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    block(Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))))
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    if isCPU {
      nc_dynamic_table_codes(values, run.divisors, run.count, table, codes)
    } else {
      nc_dynamic_codes(values, run.divisors, run.count, map, codes)
    }
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    nc_dynamic_values(codes, run.scales, run.count, map, values)
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    ((map.first ?? 0) * block.scale, block.scale)
  }
}
