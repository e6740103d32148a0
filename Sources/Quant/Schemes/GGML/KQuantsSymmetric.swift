// K-quants without minima: super-blocks of 256 in groups of 16, x = d·s·code with signed integer scales s.
//
// Where d·s is zero the codes are those of the search, 0 (the lowest) in a group below 10⁻¹⁵. Special values: as for
// the K-quants with minima.

/// The group scales of a super-block, and of them the one of largest magnitude, the first of equals (0 if NaN).
private func extreme(_ scales: SIMD16<Float>) -> Float {
  var (value, magnitude): (Float, Float) = (0, 0)
  for g in 0..<16 where abs(scales[g]) > magnitude { (value, magnitude) = (scales[g], abs(scales[g])) }
  return value
}

/// ggml's Q3_K: 110 bytes: 32 bytes of third bits (bit p of byte j: element j of the p-th 32), 64 bytes of low bits as
/// in Q2_K, 12 bytes of 6-bit scales plus 32 for groups of 16, Float16 d. Codes −4 ... 3.
struct Q3_K: GGMLScheme {
  let name = "q3_k"
  static let blockLength = 256
  static let blockBytes = 110

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    LaneBuffers.with { lanes in
      withUnsafeTemporaryAllocation(byteCount: 512, alignment: 32) { buffer in
        guard let t = buffer.baseAddress else { return }
        for i in 0..<blocks { encode(x + 256 * i, into: y + blockBytes * i, lanes, t, t + 256) }
      }
    }
  }

  private static func encode(
    _ x: UnsafePointer<Float>, into b: UnsafeMutableRawPointer, _ lanes: LaneBuffers,
    _ t: UnsafeMutableRawPointer, _ searched: UnsafeMutableRawPointer
  ) {
    var scales = SIMD16<Float>.zero
    for half in 0..<2 {
      lanes.load(x + 128 * half, count: 16)
      let (scale, isZero) = descentFit(lanes, count: 16, levels: 4)
      if half == 0 { scales.lowHalf = scale.v } else { scales.highHalf = scale.v }
      for j in 0..<16 {
        let codes = isZero.choose(Floats8(0), Floats8(at: lanes.codes + 8 * j) + Floats8(4))
        for g in 0..<8 {
          searched.storeBytes(
            of: UInt8(truncatingIfNeeded: Int32(codes.v[g])), toByteOffset: 128 * half + 16 * g + j,
            as: UInt8.self)
        }
      }
    }
    let extremeScale = extreme(scales)
    let factor = -32 / extremeScale
    Half.write(extremeScale == 0 ? 0 : 1 / factor, b, 108)
    let d = Half.read(b, 108)
    var fields = SIMD16<UInt8>.zero
    if extremeScale != 0 {
      for g in 0..<16 {
        let l = Int8(truncatingIfNeeded: nearestInteger(factor * scales[g]))
        fields[g] = UInt8(max(-32, min(31, l)) + 32)
      }
    }
    pack(fields, b + 96)
    var third = Bytes32(at: t) & 0
    for p in 0..<8 {
      let (low, high) = (Float(Int(fields[2 * p]) - 32), Float(Int(fields[2 * p + 1]) - 32))
      let dg = Floats32(low: d * low, high: d * high)
      let codes = (Floats32(at: x + 32 * p) / dg).nearestInteger.clamped(-4, 3) + Ints32(4)
      let kept = Ints32(Bytes32(at: searched + 32 * p))
      let chosen = (dg == Floats32(0)).choose(kept, codes).bytes
      chosen.store(at: t + 32 * p)
      third = third | (((chosen >> 2) & 1) << UInt8(p))
    }
    third.store(at: b)
    TwoBits.pack(t, into: b + 32)
  }

  /// Low nibbles of scales 0–7 and 8–15 in bytes 0–7; the high two bits of scale j at bits 2·(j/4) of byte 8 + j mod 4.
  private static func pack(_ fields: SIMD16<UInt8>, _ b: UnsafeMutableRawPointer) {
    for j in 0..<8 {
      b.storeBytes(of: (fields[j] & 15) | (fields[j + 8] & 15) << 4, toByteOffset: j, as: UInt8.self)
    }
    for j in 0..<4 {
      let low = fields[j] >> 4 | (fields[j + 4] >> 4) << 2
      let high = (fields[j + 8] >> 4) << 4 | (fields[j + 12] >> 4) << 6
      b.storeBytes(of: low | high, toByteOffset: 8 + j, as: UInt8.self)
    }
  }

  @inline(__always) private static func scale(_ b: UnsafeRawPointer, _ j: Int) -> Float {
    let low = b.load(fromByteOffset: j % 8, as: UInt8.self) >> (j < 8 ? 0 : 4) & 15
    let high = b.load(fromByteOffset: 8 + j % 4, as: UInt8.self) >> UInt8(2 * (j / 4)) & 3
    return Float(Int(low | high << 4) - 32)
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let d = Half.read(b, 108)
      let third = Bytes32(at: b)
      for p in 0..<8 {
        let codes = (TwoBits.plane(p, at: b + 32) | (((third >> UInt8(p)) & 1) << 2)) - 4
        let dg = Floats32(low: d * scale(b + 96, 2 * p), high: d * scale(b + 96, 2 * p + 1))
        (dg * Floats32(Ints32(signed: codes))).store(at: x + 256 * i + 32 * p)
      }
    }
  }
}

/// ggml's Q6_K: 210 bytes: 128 bytes of low nibbles, 64 bytes of high bits, 16 Int8 scales for groups of 16, Float16 d.
/// Codes −32 ... 31. Of each 128 elements, byte j of 64 holds the nibbles of j and j + 64; byte j of 32 the high two
/// bits of j, j + 32, j + 64, j + 96.
struct Q6_K: GGMLScheme {
  let name = "q6_k"
  static let blockLength = 256
  static let blockBytes = 210

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    LaneBuffers.with { lanes in
      withUnsafeTemporaryAllocation(byteCount: 256, alignment: 32) { buffer in
        guard let t = buffer.baseAddress else { return }
        for i in 0..<blocks { encode(x + 256 * i, into: y + blockBytes * i, lanes, t) }
      }
    }
  }

  private static func encode(
    _ x: UnsafePointer<Float>, into b: UnsafeMutableRawPointer, _ lanes: LaneBuffers,
    _ t: UnsafeMutableRawPointer
  ) {
    var (scales, factors) = (SIMD16<Float>.zero, SIMD16<Float>.zero)
    var zeros = SIMD16<Int32>.zero
    for half in 0..<2 {
      lanes.load(x + 128 * half, count: 16)
      let fit = symmetricFit(lanes, count: 16, levels: 32)
      if half == 0 {
        (scales.lowHalf, factors.lowHalf, zeros.lowHalf) = (fit.scale.v, fit.factor.v, fit.isZero.v)
      } else {
        (scales.highHalf, factors.highHalf, zeros.highHalf) = (fit.scale.v, fit.factor.v, fit.isZero.v)
      }
    }
    let extremeScale = extreme(scales)
    guard abs(extremeScale) >= groupEpsilon else {
      b.initializeMemory(as: UInt8.self, repeating: 0, count: blockBytes)
      return
    }
    let toInteger = -128 / extremeScale
    Half.write(1 / toInteger, b, 208)
    let d = Half.read(b, 208)
    for g in 0..<16 {
      let s = min(127, nearestInteger(toInteger * scales[g]))
      b.storeBytes(of: Int8(truncatingIfNeeded: s), toByteOffset: 192 + g, as: Int8.self)
    }
    for pair in 0..<8 {
      let (low, high) = (2 * pair, 2 * pair + 1)
      let dg = groupScales(b, pair, d)
      let v = Floats32(at: x + 32 * pair)
      var codes = (v / dg).nearestInteger.clamped(-32, 31) + Ints32(32)
      let empty = dg == Floats32(0)
      if empty.mask != 0 {
        let factor = Floats32(low: factors[low], high: factors[high])
        // A group of zeros has all codes 0, which is 32 less than what its factor 0 gives.
        let shift = Floats32(low: zeros[low] != 0 ? -32 : 0, high: zeros[high] != 0 ? -32 : 0)
        let searched = (v * factor + shift).nearestInteger.clamped(-32, 31) + Ints32(32)
        codes = empty.choose(searched, codes)
      }
      codes.bytes.store(at: t + 32 * pair)
    }
    for half in 0..<2 {
      let (a, c) = (Bytes32(at: t + 128 * half), Bytes32(at: t + 128 * half + 32))
      let (e, f) = (Bytes32(at: t + 128 * half + 64), Bytes32(at: t + 128 * half + 96))
      ((a & 15) | (e << 4)).store(at: b + 64 * half)
      ((c & 15) | (f << 4)).store(at: b + 64 * half + 32)
      let high = (a >> 4) | ((c >> 4) << 2) | ((e >> 4) << 4) | ((f >> 4) << 6)
      high.store(at: b + 128 + 32 * half)
    }
  }

  @inline(__always) private static func groupScales(_ b: UnsafeRawPointer, _ pair: Int, _ d: Float)
    -> Floats32
  {
    let low = b.load(fromByteOffset: 192 + 2 * pair, as: Int8.self)
    let high = b.load(fromByteOffset: 193 + 2 * pair, as: Int8.self)
    return Floats32(low: d * Float(low), high: d * Float(high))
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let d = Half.read(b, 208)
      for pair in 0..<8 {
        let (half, quarter) = (pair / 4, pair % 4)
        let nibbles = Bytes32(at: b + 64 * half + 32 * (quarter % 2))
        let low = quarter < 2 ? nibbles & 15 : nibbles >> 4
        let high = (Bytes32(at: b + 128 + 32 * half) >> UInt8(2 * quarter)) & 3
        let codes = (low | (high << 4)) - 32
        (groupScales(b, pair, d) * Floats32(Ints32(signed: codes))).store(at: x + 256 * i + 32 * pair)
      }
    }
  }
}
