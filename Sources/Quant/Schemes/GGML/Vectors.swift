import CSchemes

// Names for the vector functions of CVector. The operators of Swift's own SIMD types do not reliably become
// vector instructions; these are single LLVM vector operations, inlined.

/// 32 floats: a block, one lane an element.
struct Floats32 {
  var v: SIMD32<Float>

  @inline(__always) init(_ v: SIMD32<Float>) { self.v = v }
  @inline(__always) init(_ s: Float) { v = nc_splat_f32(s) }
  @inline(__always) init(at p: UnsafePointer<Float>) { v = nc_load_f32(p) }
  /// One number in the first 16 lanes, one in the others.
  @inline(__always) init(low: Float, high: Float) { v = nc_splat_halves_f32(low, high) }
  @inline(__always) init(bits: Ints32) { v = nc_float_bits_i32(bits.v) }
  @inline(__always) init(_ i: Ints32) { v = nc_float_i32(i.v) }
  @inline(__always) func store(at p: UnsafeMutablePointer<Float>) { nc_store_f32(p, v) }

  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(nc_add_f32(a.v, b.v)) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { Self(nc_sub_f32(a.v, b.v)) }
  @inline(__always) static func * (a: Self, b: Self) -> Self { Self(nc_mul_f32(a.v, b.v)) }
  @inline(__always) static func / (a: Self, b: Self) -> Self { Self(nc_div_f32(a.v, b.v)) }
  @inline(__always) static func < (a: Self, b: Self) -> Ints32 { Ints32(nc_less_f32(a.v, b.v)) }
  @inline(__always) static func == (a: Self, b: Self) -> Ints32 { Ints32(nc_equal_f32(a.v, b.v)) }

  @inline(__always) var bits: Ints32 { Ints32(nc_bits_f32(v)) }
  /// The bits of |x|: as integers they sort as the numbers do, with NaN above infinity.
  @inline(__always) var magnitudeBits: Ints32 { bits & Ints32(0x7FFF_FFFF) }
  @inline(__always) var magnitude: Self { Self(bits: magnitudeBits) }
  @inline(__always) var least: Float { nc_reduce_min_f32(v) }
  @inline(__always) var greatest: Float { nc_reduce_max_f32(v) }

  /// Whether a block's largest magnitude is finite and far from where reciprocals of scales overflow.
  @inline(__always) static func isOrdinary(magnitudeBits bits: Int32) -> Bool {
    UInt32(bitPattern: bits) &- 0x0400_0000 < 0x7F80_0000 - 0x0400_0000
  }

  /// The integer part, where it fits in Int32.
  @inline(__always) var truncated: Ints32 { Ints32(nc_truncate_f32(v)) }
  /// The integer part; 0 where it does not fit in Int32, and for NaN.
  @inline(__always) var guardedlyTruncated: Ints32 {
    let fits = magnitude < Floats32(0x1p31)
    return Self(nc_select_f32(fits.v, v, nc_splat_f32(0))).truncated
  }
  /// The nearest integers, half to even, of floats within ±127.4.
  @inline(__always) var roundedBytes: Bytes32 { Bytes32(nc_narrow_rounded_f32(v)) }
  /// The nearest integer, half to even, for |x| < 2²²; beyond that what the trick of adding 1.5 · 2²³ leaves in
  /// the low 23 bits, as ggml's `nearest_int` does.
  @inline(__always) var nearestInteger: Ints32 {
    (Ints32(nc_round_bits_f32(v)) & Ints32(0x7F_FFFF)) - Ints32(0x40_0000)
  }
  /// x plus the largest float below ½, with the sign of x: truncating it rounds x half away from zero.
  @inline(__always) var awayFromZero: Self {
    let half = (bits & Ints32(Int32.min)) | Ints32(Int32(bitPattern: Float(0.5).nextDown.bitPattern))
    return self + Floats32(bits: half)
  }
}

/// 32 integers, or 32 masks of all ones and all zeros.
struct Ints32 {
  var v: SIMD32<Int32>

  @inline(__always) init(_ v: SIMD32<Int32>) { self.v = v }
  @inline(__always) init(_ s: Int32) { v = nc_splat_i32(s) }
  @inline(__always) init(_ bytes: Bytes32) { v = nc_widen_b32(bytes.v) }
  @inline(__always) init(signed bytes: Bytes32) { v = nc_widen_s32(bytes.v) }

  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(nc_add_i32(a.v, b.v)) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { Self(nc_sub_i32(a.v, b.v)) }
  @inline(__always) static func & (a: Self, b: Self) -> Self { Self(nc_and_i32(a.v, b.v)) }
  @inline(__always) static func | (a: Self, b: Self) -> Self { Self(nc_or_i32(a.v, b.v)) }
  @inline(__always) static func < (a: Self, b: Self) -> Self { Self(nc_less_i32(a.v, b.v)) }
  @inline(__always) func clamped(_ low: Int32, _ high: Int32) -> Self {
    Self(nc_max_i32(nc_splat_i32(low), nc_min_i32(nc_splat_i32(high), v)))
  }
  @inline(__always) func choose(_ a: Self, _ b: Self) -> Self { Self(nc_select_i32(v, a.v, b.v)) }

  @inline(__always) var greatest: Int32 { nc_reduce_max_i32(v) }
  @inline(__always) var greatestOfLow: Int32 { nc_reduce_max_low_i32(v) }
  @inline(__always) var greatestOfHigh: Int32 { nc_reduce_max_high_i32(v) }
  @inline(__always) var sum: Int32 { nc_reduce_add_i32(v) }
  /// One bit a lane of a mask.
  @inline(__always) var mask: UInt32 { nc_mask_i32(v) }
  /// The low bytes.
  @inline(__always) var lowBytes: Bytes32 { Bytes32(nc_narrow_i32(v)) }
  /// The bytes of integers within −128 ... 127.
  @inline(__always) var bytes: Bytes32 { Bytes32(nc_narrow_small_i32(v)) }
  /// The bytes of the halves, rounded away from zero, of integers within ±255.
  @inline(__always) var halvedBytes: Bytes32 { Bytes32(nc_narrow_halves_i32(v)) }
}

/// 32 bytes: codes of a block, or of the 32 elements that share a plane of a super-block.
struct Bytes32 {
  var v: SIMD32<UInt8>

  @inline(__always) init(_ v: SIMD32<UInt8>) { self.v = v }
  @inline(__always) init(_ s: UInt8) { v = nc_splat_b32(s) }
  @inline(__always) init(at p: UnsafeRawPointer) { v = nc_load_b32(p) }
  @inline(__always) init(nibblesAt p: UnsafeRawPointer) { v = nc_unpack_nibbles(nc_load_b16(p)) }
  /// As `nibblesAt`, in two runs of 16 lanes.
  @inline(__always) init(nibblesOf16At p: UnsafeRawPointer) {
    v = nc_unpack_nibbles_of_16(nc_load_b16(p))
  }
  /// 0 or 1 a lane.
  @inline(__always) init(mask: UInt32) { v = nc_scatter_bit(mask) }
  @inline(__always) func store(at p: UnsafeMutableRawPointer) { nc_store_b32(p, v) }
  /// Lane j into the low half of byte j, lane j + 16 into the high half.
  @inline(__always) func storeNibbles(at p: UnsafeMutableRawPointer) {
    nc_store_b16(p, nc_pack_nibbles(v))
  }
  /// As `storeNibbles`, in two runs of 16 lanes.
  @inline(__always) func storeNibblesOf16(at p: UnsafeMutableRawPointer) {
    nc_store_b16(p, nc_pack_nibbles_of_16(v))
  }

  @inline(__always) static func & (a: Self, b: UInt8) -> Self { Self(nc_and_b32(a.v, b)) }
  @inline(__always) static func | (a: Self, b: Self) -> Self { Self(nc_or_b32(a.v, b.v)) }
  @inline(__always) static func - (a: Self, b: UInt8) -> Self { Self(nc_sub_b32(a.v, b)) }
  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(nc_add_b32(a.v, b.v)) }
  @inline(__always) static func * (a: Self, b: UInt8) -> Self { Self(nc_mul_b32(a.v, b)) }
  @inline(__always) static func << (a: Self, n: UInt8) -> Self { Self(nc_shift_left_b32(a.v, n)) }
  @inline(__always) static func >> (a: Self, n: UInt8) -> Self { Self(nc_shift_right_b32(a.v, n)) }

  @inline(__always) func atMost(_ b: UInt8) -> Self { Self(nc_min_b32(v, b)) }
  /// |x| of signed bytes.
  @inline(__always) var magnitude: Self { Self(nc_abs_s32(v)) }
  /// 255 where the signed byte is less than `b`, 0 elsewhere.
  @inline(__always) func isLess(than b: Int8) -> Self { Self(nc_less_s32(v, b)) }

  /// Bit `n` of every byte.
  @inline(__always) func mask(ofBit n: UInt8) -> UInt32 { nc_gather_bit(v, n) }
  /// `table` at every lane, all below 16.
  @inline(__always) func looked(upIn table: SIMD16<UInt8>) -> Self { Self(nc_lookup(table, v)) }
}

/// 8 floats: one lane a group, so that 8 groups are fitted side by side, each in its own order of summation.
struct Floats8 {
  var v: SIMD8<Float>

  @inline(__always) init(_ v: SIMD8<Float>) { self.v = v }
  @inline(__always) init(_ s: Float) { v = nc_splat_f8(s) }
  @inline(__always) init(at p: UnsafePointer<Float>) { v = nc_load_f8(p) }
  @inline(__always) init(_ i: Ints8) { v = nc_float_i8(i.v) }
  @inline(__always) func store(at p: UnsafeMutablePointer<Float>) { nc_store_f8(p, v) }

  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(nc_add_f8(a.v, b.v)) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { Self(nc_sub_f8(a.v, b.v)) }
  @inline(__always) static func * (a: Self, b: Self) -> Self { Self(nc_mul_f8(a.v, b.v)) }
  @inline(__always) static func / (a: Self, b: Self) -> Self { Self(nc_div_f8(a.v, b.v)) }
  @inline(__always) static func < (a: Self, b: Self) -> Ints8 { Ints8(nc_less_f8(a.v, b.v)) }
  @inline(__always) static func == (a: Self, b: Self) -> Ints8 { Ints8(nc_equal_f8(a.v, b.v)) }

  @inline(__always) var magnitude: Self {
    Self(nc_float_bits_i8(nc_and_i8(nc_bits_f8(v), nc_splat_i8(0x7FFF_FFFF))))
  }
  @inline(__always) var negated: Self {
    Self(
      nc_float_bits_i8(
        nc_add_i8(nc_bits_f8(v), nc_splat_i8(Int32.min))))
  }
  @inline(__always) var squareRoot: Self { Self(nc_square_root_f8(v)) }
  /// The lesser; `b` where either is NaN.
  @inline(__always) static func lesser(_ a: Self, _ b: Self) -> Self { Self(nc_min_f8(a.v, b.v)) }
  /// The greater; `b` where either is NaN.
  @inline(__always) static func greater(_ a: Self, _ b: Self) -> Self { Self(nc_max_f8(a.v, b.v)) }

  /// The nearest integer, half to even, for |x| < 2²².
  @inline(__always) var nearest: Self { Self(nc_round_f8(v)) }
  /// As `Floats32.nearestInteger`.
  @inline(__always) var nearestInteger: Ints8 {
    Ints8(
      nc_sub_i8(
        nc_and_i8(nc_round_bits_f8(v), nc_splat_i8(0x7F_FFFF)), nc_splat_i8(0x40_0000)
      ))
  }
  @inline(__always) func clamped(_ low: Float, _ high: Float) -> Self {
    Self.lesser(Self.greater(self, Self(low)), Self(high))
  }
}

extension Floats8 {
  /// The largest magnitudes of 8 consecutive blocks of 32; nil unless all are ordinary.
  @inline(__always) static func ordinaryMagnitudes(ofBlocksAt p: UnsafePointer<Float>) -> Floats8? {
    let bits = Ints8(nc_magnitudes_of_8(p))
    let low = Int32(0x0400_0000)
    let inside =
      Ints8(nc_less_i8(nc_splat_i8(low - 1), bits.v))
      & Ints8(nc_less_i8(bits.v, nc_splat_i8(0x7F80_0000)))
    return inside.all ? Floats8(nc_float_bits_i8(bits.v)) : nil
  }

  /// The least and the greatest of each of 8 consecutive blocks of 32 numbers; which zero among zeros is open.
  @inline(__always) static func extremes(ofBlocksAt p: UnsafePointer<Float>) -> (Floats8, Floats8) {
    (Floats8(nc_min_of_8(p)), Floats8(nc_max_of_8(p)))
  }

  /// Float16 bits, rounded to nearest even.
  @inline(__always) var halfBits: SIMD8<UInt16> { nc_half_f8(v) }
}

/// 8 integers, or 8 masks.
struct Ints8 {
  var v: SIMD8<Int32>

  @inline(__always) init(_ v: SIMD8<Int32>) { self.v = v }
  @inline(__always) static func & (a: Self, b: Self) -> Self { Self(nc_and_i8(a.v, b.v)) }
  @inline(__always) static func | (a: Self, b: Self) -> Self { Self(nc_or_i8(a.v, b.v)) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { Self(nc_sub_i8(a.v, b.v)) }
  @inline(__always) func clamped(_ low: Int32, _ high: Int32) -> Self {
    Self(nc_max_i8(nc_splat_i8(low), nc_min_i8(nc_splat_i8(high), v)))
  }
  @inline(__always) func choose(_ a: Floats8, _ b: Floats8) -> Floats8 {
    Floats8(nc_select_f8(v, a.v, b.v))
  }
  @inline(__always) var any: Bool { nc_any_i8(v) }
  @inline(__always) var all: Bool { nc_all_i8(v) }
}
