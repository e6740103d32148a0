// Blocks of 32 in 8 bits: d = (largest magnitude)/127.
//
// Special values, as x86-64 gives them. The reference's maximum forgets what came before a NaN, so d comes from the
// elements after the last NaN of the block (NaN when it is the last element); NaN and what is divided by an infinite
// or an overflowing scale get code 0. The AVX2 code takes the maximum of eight lanes in its own order (so a NaN
// counts or not by its place), and what is no integer gets code −128. An infinity makes d infinite.

/// The largest magnitude as the reference finds it.
@inline(__always)
func forgetfulGreatestMagnitude(_ p: UnsafePointer<Float>, count: Int) -> Float {
  var greatest: Float = 0
  for i in 0..<count {
    let magnitude = abs(p[i])
    greatest = greatest > magnitude ? greatest : magnitude
  }
  return greatest
}

@inline(__always)
private func referenceBlock(_ p: UnsafePointer<Float>) -> (d: Float, codes: Bytes32) {
  let x = Floats32(at: p)
  let bits = x.magnitudeBits.greatest
  guard Floats32.isOrdinary(magnitudeBits: bits) else { return carefulBlock(p) }
  let d = Float(bitPattern: UInt32(bitPattern: bits)) / 127
  return (d, (x * Floats32(2 * (1 / d))).truncated.halvedBytes)
}

@inline(never)
private func carefulBlock(_ p: UnsafePointer<Float>) -> (d: Float, codes: Bytes32) {
  let d = forgetfulGreatestMagnitude(p, count: 32) / 127
  let inverse = d == 0 ? 0 : 1 / d
  return (d, (Floats32(at: p) * Floats32(inverse)).awayFromZero.guardedlyTruncated.lowBytes)
}

/// Eight blocks at a time, whose scales are computed together; `alone` writes one block by itself.
/// `factors` turns the largest magnitudes into what `codes` multiplies by; `write` gets the place of a block, the
/// scale, its Float16 bits and the codes.
@inline(__always)
private func encodeEights(
  _ x: UnsafePointer<Float>, _ blocks: Int,
  factors: (Floats8) -> Floats8, codes: (Floats32, Float) -> Bytes32,
  write: (Int, Float, UInt16, Bytes32) -> Void, alone: (Int) -> Void
) {
  var i = 0
  while i < blocks {
    let p = x + 32 * i
    if i + 8 <= blocks, let greatest = Floats8.ordinaryMagnitudes(ofBlocksAt: p) {
      let d = greatest / Floats8(127)
      let halves = d.halfBits
      let factors = factors(greatest).v
      for g in 0..<8 { write(i + g, d.v[g], halves[g], codes(Floats32(at: p + 32 * g), factors[g])) }
    } else {
      for g in i..<min(i + 8, blocks) { alone(g) }
    }
    i += 8
  }
}

/// The reference's way: 1/d (doubled, for the rounding), half away from zero.
@inline(__always)
private func encodeReference(
  _ x: UnsafePointer<Float>, _ blocks: Int, write: (Int, Float, UInt16, Bytes32) -> Void
) {
  encodeEights(
    x, blocks,
    factors: { Floats8(2) / ($0 / Floats8(127)) },
    codes: { ($0 * Floats32($1)).truncated.halvedBytes },
    write: write,
    alone: { i in
      let (d, codes) = referenceBlock(x + 32 * i)
      write(i, d, Half.bits(d), codes)
    })
}

/// ggml's Q8_0: 34 bytes a block of 32: Float16 d, 32 codes of Int8. x = d·code.
/// The reference multiplies by 1/d and rounds half away from zero.
struct Q8_0: GGMLScheme {
  let name = "q8_0"
  static let blockLength = 32
  static let blockBytes = 34

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    encodeReference(x, blocks) { i, _, half, codes in
      let b = y + blockBytes * i
      b.storeBytes(of: half.littleEndian, as: UInt16.self)
      codes.store(at: b + 2)
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      (Floats32(Ints32(signed: Bytes32(at: b + 2))) * Floats32(Half.read(b, 0))).store(at: x + 32 * i)
    }
  }
}

/// Q8_0 as ggml's AVX2 code writes it: 127/(largest magnitude) as the factor, half to even.
struct Q8_0SIMD: GGMLScheme {
  let name = "q8_0:simd"
  static let blockLength = Q8_0.blockLength
  static let blockBytes = Q8_0.blockBytes

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    encodeEights(
      x, blocks,
      factors: { Floats8(127) / $0 },
      codes: { ($0 * Floats32($1)).roundedBytes },
      write: { i, _, half, codes in
        let b = y + blockBytes * i
        b.storeBytes(of: half.littleEndian, as: UInt16.self)
        codes.store(at: b + 2)
      },
      alone: { careful(x + 32 * $0, y + blockBytes * $0) })
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    Q8_0.decode(y, blocks: blocks, into: x)
  }

  private static func careful(_ p: UnsafePointer<Float>, _ b: UnsafeMutableRawPointer) {
    // Eight running maxima, then halves against halves; the second operand survives a NaN.
    func larger(_ a: Float, _ b: Float) -> Float { a > b ? a : b }
    func lane(_ l: Int) -> Float {
      larger(larger(larger(abs(p[l]), abs(p[l + 8])), abs(p[l + 16])), abs(p[l + 24]))
    }
    func four(_ l: Int) -> Float { larger(lane(l + 4), lane(l)) }
    let greatest = larger(larger(four(0), four(2)), larger(four(1), four(3)))
    Half.write(greatest / 127, b, 0)
    let factor = greatest == 0 ? 0 : 127 / greatest
    for i in 0..<32 {
      let product = p[i] * factor
      let code: Float = abs(product) < 0x1p31 ? max(-128, min(127, product)) : -128
      b.storeBytes(of: Int8(code.rounded(.toNearestOrEven)), toByteOffset: 2 + i, as: Int8.self)
    }
  }
}

/// ggml's Q8_1: 36 bytes a block of 32: Float16 d, Float16 s = d·Σ codes (with the unrounded d), then Q8_0's codes.
struct Q8_1: GGMLScheme {
  let name = "q8_1"
  static let blockLength = 32
  static let blockBytes = 36

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    encodeReference(x, blocks) { i, d, half, codes in
      let b = y + blockBytes * i
      var s = Float(Ints32(signed: codes).sum) * d
      if s.isNaN && !d.isNaN { s = -.nan }  // 0 · ∞
      b.storeBytes(of: half.littleEndian, as: UInt16.self)
      Half.write(s, b, 2)
      codes.store(at: b + 4)
    }
  }

  /// ggml has no decoder of its own: as Q8_0, s is for dot products.
  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      (Floats32(Ints32(signed: Bytes32(at: b + 4))) * Floats32(Half.read(b, 0))).store(at: x + 32 * i)
    }
  }
}
