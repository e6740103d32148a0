import CSchemes

/// `nvint4`: NVFP4's blocks and scales with int4 elements (Chen et al., "INT v.s. FP", arXiv 2510.25602), as Four over Six's library has it.
let nvint4Family = SchemeFamily(
  file: "NVINT4",
  defaults: { [NVInt4()] },
  origin: { _ in "Four over Six" },
  make: { name in
    name.base == "nvint4" && [nil, .group(16)].contains(name.granularity) && name.isUsedUp ? NVInt4() : nil
  })

/// Blocks of 16 integers −7 … 7 in a row, an e4m3 scale s for each, and the tensor's amax: s = e4m3((amax_b/7)·G), G = 3136/amax
/// (3136 = 448·7); elements are x·(1/((1/G)·s)), ties to even, values q·s·amax/3136.
///
/// The last block of a row may be shorter. NaN and infinities do not count for amax: an infinity becomes the largest value of its
/// block, NaN a zero.
struct NVInt4: BlockedScheme {
  private static let range: Float = 3136

  var name: String { "nvint4" }
  var granularity: Granularity { .group(16) }
  var elementBits: Int { 4 }
  var blockBytes: Int { 1 }
  var hasZeros: Bool { true }
  var hasTensorScale: Bool { true }
  var unrounded: (any Scheme)? { AffineInteger(bits: 4, signed: true, granularity) }

  func tensorScale(magnitude: Float) -> Float { magnitude }

  private func block(_ s: Float, _ tensor: Float) -> BlockScale {
    let encode = min(Self.range / tensor, .greatestFiniteMagnitude)
    let divisor = s == 0 ? 0 : min(1 / (1 / encode * s), .greatestFiniteMagnitude)
    // Values are divided last, so that they need the tensor's scale beside the block's.
    return BlockScale(stored: s, scale: s, divisor: divisor, zero: tensor)
  }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    let wanted = range.magnitude / 7 * min(Self.range / tensor, .greatestFiniteMagnitude)
    return block(E4M3Scale.value(E4M3Scale.code(wanted)), tensor)
  }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: E4M3Scale.code(block.stored), as: UInt8.self)
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    block(E4M3Scale.value(bytes.load(as: UInt8.self)), tensor)
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    nc_integers(values, run.divisors, run.zeros, run.count, -7, 7, codes, 4, 0)
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    nc_signed_values(codes, run.scales, run.count, 4, values)
    nc_ratios(values, run.zeros, Self.range, run.count, values)
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    let largest = 7 * block.scale * block.zero / Self.range
    return (-largest, largest)
  }
}
