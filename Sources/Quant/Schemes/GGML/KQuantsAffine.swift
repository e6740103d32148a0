// K-quants with minima: super-blocks of 256, x = d·s·code − dmin·m, with integer scales s and minima m for groups.
//
// Zero scale: where d·s is zero the codes are those of the search (q·0 − m all the same). Special values: the
// arithmetic of x86-64, in which a NaN or an infinity spoils its super-block: d or dmin become NaN or infinite, or the
// codes zero. (ggml's debug builds stop there.) What a NaN with a payload leaves depends on the order of operands.

/// The scales and minima of the groups of a super-block, and what reproduces the codes of the search.
private struct GroupFits {
  var scales = SIMD16<Float>.zero
  var minima = SIMD16<Float>.zero
  var factors = SIMD16<Float>.zero
  var origins = SIMD16<Float>.zero

  @inline(__always) mutating func set(_ fit: AffineFit, upper: Bool) {
    if upper {
      scales.highHalf = fit.scale.v
      minima.highHalf = fit.minimum.v
      factors.highHalf = fit.factor.v
      origins.highHalf = fit.origin.v
    } else {
      scales.lowHalf = fit.scale.v
      minima.lowHalf = fit.minimum.v
      factors.lowHalf = fit.factor.v
      origins.lowHalf = fit.origin.v
    }
  }

  /// The largest of the first `count`, at least 0.
  @inline(__always) static func greatest(_ values: SIMD16<Float>, _ count: Int) -> Float {
    var greatest: Float = 0
    for j in 0..<count where values[j] > greatest { greatest = values[j] }
    return greatest
  }
}

/// Codes of 32 elements for given scale and minimum.
@inline(__always)
private func affineCodes(_ x: Floats32, _ d: Floats32, _ m: Floats32, steps: Int32) -> Ints32 {
  ((x + m) / d).nearestInteger.clamped(0, steps)
}

/// ggml's Q2_K: 84 bytes: 16 bytes of 4-bit scale | minimum « 4 for groups of 16, 64 bytes of codes, Float16 d and dmin.
/// Codes lie as in TQ2_0. The search weighs by |x| and takes absolute differences.
struct Q2_K: GGMLScheme {
  let name = "q2_k"
  static let blockLength = 256
  static let blockBytes = 84

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
    let search = AffineSearch(steps: 3, first: -0.5, tries: 15, absolute: true)
    var fits = GroupFits()
    for half in 0..<2 {
      lanes.load(x + 128 * half, count: 16)
      for j in 0..<16 { lanes.element(j).magnitude.store(at: lanes.weights + 8 * j) }
      fits.set(affineFit(lanes, count: 16, search), upper: half == 1)
    }
    let scale = GroupFits.greatest(fits.scales, 16)
    let minimum = GroupFits.greatest(fits.minima, 16)
    Half.write(scale > 0 ? scale / 15 : 0, b, 80)
    Half.write(minimum > 0 ? minimum / 15 : 0, b, 82)
    let (d, dmin) = (Half.read(b, 80), Half.read(b, 82))
    var fields = SIMD16<UInt8>.zero
    for g in 0..<16 {
      let s = scale > 0 ? nearestInteger(15 / scale * fits.scales[g]) : 0
      let m = minimum > 0 ? nearestInteger(15 / minimum * fits.minima[g]) : 0
      fields[g] = UInt8(truncatingIfNeeded: s | m << 4)
      b.storeBytes(of: fields[g], toByteOffset: g, as: UInt8.self)
    }
    for pair in 0..<8 {
      let (low, high) = (2 * pair, 2 * pair + 1)
      let v = Floats32(at: x + 32 * pair)
      let (dl, dh) = (d * Float(fields[low] & 15), d * Float(fields[high] & 15))
      let m = Floats32(low: dmin * Float(fields[low] >> 4), high: dmin * Float(fields[high] >> 4))
      var codes = affineCodes(v, Floats32(low: dl, high: dh), m, steps: 3)
      if dl == 0 || dh == 0 {
        let origin = Floats32(low: fits.origins[low], high: fits.origins[high])
        let factor = Floats32(low: fits.factors[low], high: fits.factors[high])
        let searched = ((v - origin) * factor).nearestInteger.clamped(0, 3)
        codes = (Floats32(low: dl, high: dh) == Floats32(0)).choose(searched, codes)
      }
      codes.bytes.store(at: t + 32 * pair)
    }
    TwoBits.pack(t, into: b + 16)
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let (d, dmin) = (Half.read(b, 80), Half.read(b, 82))
      for pair in 0..<8 {
        let low = b.load(fromByteOffset: 2 * pair, as: UInt8.self)
        let high = b.load(fromByteOffset: 2 * pair + 1, as: UInt8.self)
        let codes = Floats32(Ints32(TwoBits.plane(pair, at: b + 16)))
        let scale = Floats32(low: d * Float(low & 15), high: d * Float(high & 15))
        let minimum = Floats32(low: dmin * Float(low >> 4), high: dmin * Float(high >> 4))
        (scale * codes - minimum).store(at: x + 256 * i + 32 * pair)
      }
    }
  }
}

/// Eight 6-bit scales and eight minima in 12 bytes: the first four of each in the low six bits of bytes 0–3 and 4–7,
/// of the others the low nibbles in bytes 8–11 and the high bits above the first.
private enum SixBits {
  static func pack(_ scales: SIMD8<UInt8>, _ minima: SIMD8<UInt8>, _ b: UnsafeMutableRawPointer) {
    for j in 0..<4 {
      let (s, m) = (scales[j + 4], minima[j + 4])
      b.storeBytes(of: scales[j] | (s >> 4) << 6, toByteOffset: j, as: UInt8.self)
      b.storeBytes(of: minima[j] | (m >> 4) << 6, toByteOffset: j + 4, as: UInt8.self)
      b.storeBytes(of: (s & 15) | (m & 15) << 4, toByteOffset: j + 8, as: UInt8.self)
    }
  }

  @inline(__always) static func unpack(_ b: UnsafeRawPointer, _ j: Int) -> (scale: Float, minimum: Float) {
    func byte(_ i: Int) -> UInt8 { b.load(fromByteOffset: i, as: UInt8.self) }
    if j < 4 { return (Float(byte(j) & 63), Float(byte(j + 4) & 63)) }
    return (
      Float((byte(j + 4) & 15) | (byte(j - 4) >> 6) << 4), Float((byte(j + 4) >> 4) | (byte(j) >> 6) << 4)
    )
  }
}

/// What Q4_K and Q5_K share: d, dmin and the 12 bytes of scales at `b`, and the codes of 8 groups of 32 into `t`.
/// The search weighs by the group's root mean square plus |x|.
@inline(__always)
private func encodeGroupsOf32(
  _ x: UnsafePointer<Float>, _ search: AffineSearch, _ b: UnsafeMutableRawPointer, _ lanes: LaneBuffers,
  _ t: UnsafeMutableRawPointer
) {
  lanes.load(x, count: 32)
  var squares = Floats8(0)
  for j in 0..<32 { squares = squares + lanes.element(j) * lanes.element(j) }
  let rms = (squares / Floats8(32)).squareRoot
  for j in 0..<32 { (rms + lanes.element(j).magnitude).store(at: lanes.weights + 8 * j) }
  let fit = affineFit(lanes, count: 32, search)

  var fits = GroupFits()
  fits.set(fit, upper: false)
  let scale = GroupFits.greatest(fits.scales, 8)
  let minimum = GroupFits.greatest(fits.minima, 8)
  Half.write(scale / 63, b, 0)
  Half.write(minimum / 63, b, 2)
  let (d, dmin) = (Half.read(b, 0), Half.read(b, 2))
  let toScale = scale > 0 ? 63 / scale : 0
  let toMinimum = minimum > 0 ? 63 / minimum : 0
  var (scales, minima) = (SIMD8<UInt8>.zero, SIMD8<UInt8>.zero)
  for g in 0..<8 {
    scales[g] = min(63, UInt8(truncatingIfNeeded: nearestInteger(toScale * fits.scales[g])))
    minima[g] = min(63, UInt8(truncatingIfNeeded: nearestInteger(toMinimum * fits.minima[g])))
    let v = Floats32(at: x + 32 * g)
    let dg = d * Float(scales[g])
    let steps = Int32(search.steps)
    let codes =
      dg == 0
      ? ((v - Floats32(fits.origins[g])) * Floats32(fits.factors[g])).nearestInteger.clamped(0, steps)
      : affineCodes(v, Floats32(dg), Floats32(dmin * Float(minima[g])), steps: steps)
    codes.bytes.store(at: t + 32 * g)
  }
  SixBits.pack(scales, minima, b + 4)
}

/// ggml's Q4_K: 144 bytes: Float16 d and dmin, 12 bytes of scales and minima for groups of 32, 128 bytes of codes:
/// byte j of each 32 holds elements j and j + 32 of 64.
struct Q4_K: GGMLScheme {
  let name = "q4_k"
  static let blockLength = 256
  static let blockBytes = 144

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    let search = AffineSearch(steps: 15, first: -1, tries: 20, absolute: false)
    LaneBuffers.with { lanes in
      withUnsafeTemporaryAllocation(byteCount: 256, alignment: 32) { buffer in
        guard let t = buffer.baseAddress else { return }
        for i in 0..<blocks {
          let b = y + blockBytes * i
          encodeGroupsOf32(x + 256 * i, search, b, lanes, t)
          for n in 0..<4 {
            (Bytes32(at: t + 64 * n) | (Bytes32(at: t + 64 * n + 32) << 4)).store(at: b + 16 + 32 * n)
          }
        }
      }
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let (d, dmin) = (Half.read(b, 0), Half.read(b, 2))
      for g in 0..<8 {
        let (s, m) = SixBits.unpack(b + 4, g)
        let plane = Bytes32(at: b + 16 + 32 * (g / 2))
        let codes = Floats32(Ints32(g % 2 == 0 ? plane & 15 : plane >> 4))
        (Floats32(d * s) * codes - Floats32(dmin * m)).store(at: x + 256 * i + 32 * g)
      }
    }
  }
}

/// ggml's Q5_K: 176 bytes: as Q4_K, with 32 bytes of fifth bits (bit g of byte j: element j of group g) before the codes.
struct Q5_K: GGMLScheme {
  let name = "q5_k"
  static let blockLength = 256
  static let blockBytes = 176

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    let search = AffineSearch(steps: 31, first: -0.5, tries: 15, absolute: false)
    LaneBuffers.with { lanes in
      withUnsafeTemporaryAllocation(byteCount: 256, alignment: 32) { buffer in
        guard let t = buffer.baseAddress else { return }
        for i in 0..<blocks {
          let b = y + blockBytes * i
          encodeGroupsOf32(x + 256 * i, search, b, lanes, t)
          var fifth = Bytes32(at: t) >> 4
          for n in 0..<4 {
            let (low, high) = (Bytes32(at: t + 64 * n), Bytes32(at: t + 64 * n + 32))
            ((low & 15) | (high << 4)).store(at: b + 48 + 32 * n)
            fifth = fifth | ((low >> 4) << UInt8(2 * n)) | ((high >> 4) << UInt8(2 * n + 1))
          }
          fifth.store(at: b + 16)
        }
      }
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let (d, dmin) = (Half.read(b, 0), Half.read(b, 2))
      let fifth = Bytes32(at: b + 16)
      for g in 0..<8 {
        let (s, m) = SixBits.unpack(b + 4, g)
        let plane = Bytes32(at: b + 48 + 32 * (g / 2))
        let low = g % 2 == 0 ? plane & 15 : plane >> 4
        let codes = Floats32(Ints32(low | (((fifth >> UInt8(g)) & 1) << 4)))
        (Floats32(d * s) * codes - Floats32(dmin * m)).store(at: x + 256 * i + 32 * g)
      }
    }
  }
}
