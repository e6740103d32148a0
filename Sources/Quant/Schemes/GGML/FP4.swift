// Blocks of e2m1, coded as sign | index into 0, ½, 1, 1½, 2, 3, 4, 6. The nearest value wins, of two equally near the
// one with the smaller index: toward zero, and a negative that rounds to zero is +0. Nibbles as in Q4_0.
//
// Special values: NaN does not count for the scale and becomes +0. Infinities: see each scheme.

/// Twice the magnitudes, so that they are integers; ggml halves the scale instead.
private let doubled: SIMD16<UInt8> = SIMD16(
  [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12].map { UInt8(bitPattern: $0 as Int8) })

private let magnitudes: [Float] = [0, 1, 2, 3, 4, 6, 8, 12]

/// Codes where every |x| is small enough beside `d` (half the scale) for differences to be exact.
@inline(__always)
private func codes(_ x: Floats32, _ d: Floats32) -> Bytes32 {
  let m = x.magnitude
  // A mask is −1: subtracting counts the midpoints that lie below.
  var count = Ints32(0) - (d * Floats32(0.5) < m)
  count = count - (d * Floats32(1.5) < m)
  count = count - (d * Floats32(2.5) < m)
  count = count - (d * Floats32(3.5) < m)
  count = count - (d * Floats32(5) < m)
  count = count - (d * Floats32(7) < m)
  count = count - (d * Floats32(10) < m)
  let negative = (x < Floats32(0)) & (Ints32(0) < count)
  return (count | (negative & Ints32(8))).bytes
}

/// The magnitude's index for ⌈4·|x|/scale⌉ − 1 in 0 ..< 16, and 16 ..< 20 as 15; above that it is 7.
private let indices: SIMD16<UInt8> = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6]

/// Codes for scale 2^(e − 127), every |x| at most 8 scales.
///
/// All midpoints are multiples of a quarter scale, and belong to the magnitude below: so the quarters that lie wholly
/// below |x| decide. Multiplying by the float below a power of two gives the float below the exact product.
@inline(__always)
private func codes(_ x: Floats32, exponent e: UInt8) -> Bytes32 {
  let quarters = Float(bitPattern: (256 - UInt32(e)) << 23).nextDown
  let n = (x * Floats32(quarters)).truncated.bytes
  let magnitude = n.magnitude
  // isLess gives −1 or 0. What is below zero here has an index above 0.
  let index = magnitude.atMost(15).looked(upIn: indices) + (magnitude.isLess(than: 20) + Bytes32(1))
  return index | (n.isLess(than: 0) & 8)
}

/// The definition, rounding of the differences included: the first of the 16 with the least |value·d − x|.
private func nearestCode(_ x: Float, _ d: Float) -> UInt8 {
  var (best, error): (UInt8, Float) = (0, abs(0 * d - x))
  for code in UInt8(1)..<16 {
    let m = magnitudes[Int(code & 7)]
    let candidate = abs((code < 8 ? m : -m) * d - x)
    if candidate < error { (best, error) = (code, candidate) }
  }
  return best
}

/// MXFP4 as ggml writes it: 17 bytes a block of 32: E8M0 scale, then codes. x = 2^(e − 127) · value.
///
/// e = ⌊log2 of the largest magnitude⌋ − 2 + 127, modulo 256: magnitudes below 2⁻¹²⁵ wrap to a huge scale, under which
/// all becomes zero. log2 is the C library's in single precision, which rounds up to an integer just below a
/// power of two (so those get twice the scale). An infinity or an all-zero block: e = 0. e = 255 is no NaN here.
struct MXFP4GGML: GGMLScheme {
  let name = "mxfp4:ggml"
  static let blockLength = 32
  static let blockBytes = 17

  /// ⌊log2f(x)⌋ for finite positive x, log2f correctly rounded.
  @inline(__always) static func floorLog2(bits: UInt32) -> Int {
    var bits = bits
    var exponent = Int(bits >> 23) - 127
    if bits < 0x0080_0000 {
      let shift = bits.leadingZeroBitCount - 8
      bits = bits << UInt32(shift)
      exponent = -126 - shift
    }
    // x = 2^k·(1 − n·2⁻²⁴), k = exponent + 1: log2 x = k − n·2⁻²⁴/ln 2 rounds to k within half an ulp of k.
    let n = Int(0x80_0000 - (bits & 0x7F_FFFF))
    return n <= 89 && n <= nearPowerOfTwo(exponent + 1) ? exponent + 1 : exponent
  }

  /// The largest n for which log2(2^k·(1 − n·2⁻²⁴)) rounds to k in single precision.
  private static func nearPowerOfTwo(_ k: Int) -> Int {
    guard k != 0 else { return 0 }
    let m = abs(k)
    let power = Int.bitWidth - 1 - m.leadingZeroBitCount  // 2^power ≤ |k|
    // Half the gap below k: above zero the gap halves below a power of two.
    let half = Double(sign: .plus, exponent: power - 24 - (k > 0 && m & (m - 1) == 0 ? 1 : 0), significand: 1)
    return Int(half * 0.6931471805599453 * 0x1p24)
  }

  /// 2^(e − 128), half the scale.
  @inline(__always) private static func halfScale(_ e: UInt8) -> Float {
    Float(bitPattern: e < 2 ? 0x0020_0000 << UInt32(e) : UInt32(e - 1) << 23)
  }

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    for i in 0..<blocks {
      let (p, b) = (x + 32 * i, y + blockBytes * i)
      let v = Floats32(at: p)
      let bits = v.magnitudeBits.greatest
      if Floats32.isOrdinary(magnitudeBits: bits), bits < largestOrdinary {
        let e = UInt8(truncatingIfNeeded: floorLog2(bits: UInt32(bitPattern: bits)) + 125)
        b.storeBytes(of: e, as: UInt8.self)
        codes(v, exponent: e).storeNibbles(at: b + 1)
      } else {
        careful(p, b)
      }
    }
  }

  /// 2¹²⁷: from there on the larger codes may decode to infinity, and are then not the nearest.
  private static let largestOrdinary: Int32 = 0x7F00_0000

  private static func careful(_ p: UnsafePointer<Float>, _ b: UnsafeMutableRawPointer) {
    var greatest: Float = 0
    for i in 0..<32 where greatest < abs(p[i]) { greatest = abs(p[i]) }
    let e =
      greatest > 0 && greatest < .infinity
      ? UInt8(truncatingIfNeeded: floorLog2(bits: greatest.bitPattern) + 125) : 0
    b.storeBytes(of: e, as: UInt8.self)
    let d = halfScale(e)
    for j in 0..<16 {
      b.storeBytes(
        of: nearestCode(p[j], d) | nearestCode(p[j + 16], d) << 4, toByteOffset: 1 + j, as: UInt8.self)
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    let table = doubled
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let values = Bytes32(nibblesAt: b + 1).looked(upIn: table)
      let d = halfScale(b.load(as: UInt8.self))
      (Floats32(Ints32(signed: values)) * Floats32(d)).store(at: x + 32 * i)
    }
  }
}

/// NVFP4 as ggml writes it: 36 bytes a block of 64: four unsigned E4M3 scales, then 8 bytes of codes for each 16.
/// The tensor's own f32 scale is kept outside, and is 1 here.
///
/// A scale is (largest magnitude)/6, rounded half up; whatever rounds to 256 or more becomes 448. 0x7F and 0 both mean 0, and a sub-block of scale 0
/// is all zeros. Beside an infinity the scale is 448 and the infinity itself becomes 0, as do finite values so large
/// that every difference rounds to the same float.
struct NVFP4GGML: GGMLScheme {
  let name = "nvfp4:ggml"
  static let blockLength = 64
  static let blockBytes = 36

  /// Rounded half up; subnormals by adding ½ and truncating, and not into the first normal.
  @inline(__always) static func scaleCode(_ x: Float) -> UInt8 {
    guard x > 0 else { return 0 }
    let x = x > 448 ? 448 : x
    let bits = x.bitPattern
    let exponent = Int(bits >> 23) - 127 + 7
    if exponent <= 0 { return UInt8(min(7, Int(x * 512 + 0.5))) }
    // The fraction's carry runs into the exponent by itself.
    let code = (exponent << 3 | Int(bits >> 20 & 7)) + Int(bits >> 19 & 1)
    return code < 0x78 ? UInt8(code) : 0x7E
  }

  /// Half the value of each code.
  private static let halfScales: [Float] = (0..<256).map { code in
    guard code != 0, code != 0x7F else { return 0 }
    let (exponent, fraction) = (code >> 3 & 15, Float(code & 7))
    return exponent == 0
      ? fraction * 0x1p-10 : (1 + fraction / 8) * Float(sign: .plus, exponent: exponent - 8, significand: 1)
  }

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    halfScales.withUnsafeBufferPointer { scales in
      for i in 0..<blocks {
        for pair in 0..<2 { encodePair(x + 64 * i + 32 * pair, y + blockBytes * i, pair, scales) }
      }
    }
  }

  /// Two sub-blocks of 16.
  @inline(__always) private static func encodePair(
    _ p: UnsafePointer<Float>, _ b: UnsafeMutableRawPointer, _ pair: Int,
    _ scales: UnsafeBufferPointer<Float>
  ) {
    let v = Floats32(at: p)
    let bits = v.magnitudeBits
    let limit = Int32(bitPattern: Float(0x1p20).bitPattern)
    let y = b + 4 + 16 * pair
    guard bits.greatest <= limit else { return careful(p, b, pair, scales) }
    let low = scaleCode(Float(bitPattern: UInt32(bitPattern: bits.greatestOfLow)) / 6)
    let high = scaleCode(Float(bitPattern: UInt32(bitPattern: bits.greatestOfHigh)) / 6)
    b.storeBytes(of: low, toByteOffset: 2 * pair, as: UInt8.self)
    b.storeBytes(of: high, toByteOffset: 2 * pair + 1, as: UInt8.self)
    // Nothing exceeds a midpoint of an infinite scale: all zeros.
    let (d, e) = (scales[Int(low)], scales[Int(high)])
    codes(v, Floats32(low: d == 0 ? .infinity : d, high: e == 0 ? .infinity : e)).storeNibblesOf16(at: y)
  }

  @inline(never) private static func careful(
    _ p: UnsafePointer<Float>, _ b: UnsafeMutableRawPointer, _ pair: Int,
    _ scales: UnsafeBufferPointer<Float>
  ) {
    for half in 0..<2 {
      let p = p + 16 * half
      var greatest: Float = 0
      for i in 0..<16 where greatest < abs(p[i]) { greatest = abs(p[i]) }
      let scale = scaleCode(greatest / 6)
      b.storeBytes(of: scale, toByteOffset: 2 * pair + half, as: UInt8.self)
      let d = scales[Int(scale)]
      for j in 0..<8 {
        b.storeBytes(
          of: nearestCode(p[j], d) | nearestCode(p[j + 8], d) << 4,
          toByteOffset: 4 + 16 * pair + 8 * half + j, as: UInt8.self)
      }
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    let table = doubled
    halfScales.withUnsafeBufferPointer { scales in
      for i in 0..<blocks {
        let b = y + blockBytes * i
        for pair in 0..<2 {
          let values = Bytes32(nibblesOf16At: b + 4 + 16 * pair).looked(upIn: table)
          let low = scales[Int(b.load(fromByteOffset: 2 * pair, as: UInt8.self))]
          let high = scales[Int(b.load(fromByteOffset: 2 * pair + 1, as: UInt8.self))]
          (Floats32(Ints32(signed: values)) * Floats32(low: low, high: high))
            .store(at: x + 64 * i + 32 * pair)
        }
      }
    }
  }
}
