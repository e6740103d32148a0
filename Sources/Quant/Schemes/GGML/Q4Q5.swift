// Blocks of 32 in 4 or 5 bits. A code is (x − m)·(1/d) + ½, truncated, where 1/d is taken from the unrounded d.
//
// Symmetric (q4_0, q5_0): d = −(the value of largest magnitude, the first of equals)/8 or /16, so that this value
// gets code 0. Asymmetric (q4_1, q5_1): m is the least value, d = (greatest − least)/15 or /31.
//
// Special values, as x86-64 gives them: NaN counts for neither extreme and gets code 0, like every element whose
// quotient is NaN or infinite. An infinity makes d infinite (1/d = 0; other elements get the code of zero). A block
// whose 1/d overflows (largest magnitude below about 2⁻¹²⁵) gets code 0 throughout. A zero block has d = −0 in the
// symmetric schemes. Scales beyond Float16 become infinite.

/// What the symmetric schemes share: the scale, and codes in 0 ..< 2·levels.
@inline(__always)
private func symmetricCodes(
  _ p: UnsafePointer<Float>, _ x: Floats32, _ greatest: Int32, levels: Int32, careful: Bool
) -> (d: Float, codes: Bytes32) {
  var greatest = greatest
  var magnitude = x.magnitude
  if careful {
    let bits = x.magnitudeBits
    let numbers = (Ints32(0x7F80_0000) < bits).choose(Ints32(0), bits)
    greatest = numbers.greatest
    magnitude = Floats32(bits: numbers)
  }
  let first = (magnitude == Floats32(bits: Ints32(greatest))).mask.trailingZeroBitCount
  let extreme = careful && greatest == 0 ? 0 : p[first]
  let d = extreme / Float(-levels)
  let inverse = d == 0 ? 0 : 1 / d
  let shifted = x * Floats32(inverse) + Floats32(Float(levels) + 0.5)
  let codes = careful ? shifted.guardedlyTruncated : shifted.truncated
  return (d, codes.bytes.atMost(UInt8(2 * levels - 1)))
}

/// What the asymmetric schemes share, for eight blocks at a time, whose scales are computed together: `write` gets the
/// place of a block, the Float16 bits of d and m, and codes in 0 ... steps.
@inline(__always)
private func encodeAsymmetric(
  _ x: UnsafePointer<Float>, _ blocks: Int, steps: Int32, write: (Int, UInt16, UInt16, Bytes32) -> Void
) {
  for i in stride(from: 0, to: blocks, by: 8) {
    let count = min(8, blocks - i)
    var (least, greatest) = (Floats8(0), Floats8(0))
    if count == 8 {
      (least, greatest) = Floats8.extremes(ofBlocksAt: x + 32 * i)
    } else {
      for g in 0..<count {
        let v = Floats32(at: x + 32 * (i + g))
        (least.v[g], greatest.v[g]) = (v.least, v.greatest)
      }
    }
    let range = greatest - least
    let d = range / Floats8(Float(steps))
    let inverse = Floats8(1) / d
    let (scales, minima) = (d.halfBits, least.halfBits)
    for g in 0..<count {
      let p = x + 32 * (i + g)
      let v = Floats32(at: p)
      let shifted = (v - Floats32(least.v[g])) * Floats32(inverse.v[g]) + Floats32(0.5)
      // Neither a NaN nor an infinity passes both tests, nor a range whose reciprocal overflows.
      if range.v[g] >= 0x1p-119, (shifted < Floats32(Float(steps) + 1)).mask == .max {
        var m = minima[g]
        if least.v[g] == 0 {
          // Of zeros the first gives its sign.
          m = p[(v == Floats32(0)).mask.trailingZeroBitCount].sign == .minus ? 0x8000 : 0
        }
        write(i + g, scales[g], m, shifted.truncated.bytes)
      } else {
        let (d, m, codes) = carefulAsymmetricCodes(p, steps: steps)
        write(i + g, Half.bits(d), Half.bits(m), codes)
      }
    }
  }
}

@inline(never)
private func carefulAsymmetricCodes(
  _ p: UnsafePointer<Float>, steps: Int32
) -> (d: Float, m: Float, codes: Bytes32) {
  var least = Float.greatestFiniteMagnitude
  var greatest = -Float.greatestFiniteMagnitude
  for i in 0..<32 {
    if p[i] < least { least = p[i] }
    if p[i] > greatest { greatest = p[i] }
  }
  var d = (greatest - least) / Float(steps)
  if d.isNaN { d = -.nan }
  let inverse = d == 0 ? 0 : 1 / d
  let shifted = (Floats32(at: p) - Floats32(least)) * Floats32(inverse) + Floats32(0.5)
  return (d, least, shifted.guardedlyTruncated.bytes.atMost(UInt8(steps)))
}

/// ggml's Q4_0: 18 bytes a block of 32: Float16 d, 16 bytes of code j | code j+16 « 4. x = d·(code − 8).
struct Q4_0: GGMLScheme {
  let name = "q4_0"
  static let blockLength = 32
  static let blockBytes = 18

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    for i in 0..<blocks {
      let (p, b) = (x + 32 * i, y + blockBytes * i)
      let v = Floats32(at: p)
      let greatest = v.magnitudeBits.greatest
      let (d, codes) =
        Floats32.isOrdinary(magnitudeBits: greatest)
        ? symmetricCodes(p, v, greatest, levels: 8, careful: false)
        : symmetricCodes(p, v, greatest, levels: 8, careful: true)
      Half.write(d, b, 0)
      codes.storeNibbles(at: b + 2)
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let codes = Bytes32(nibblesAt: b + 2) - 8
      (Floats32(Ints32(signed: codes)) * Floats32(Half.read(b, 0))).store(at: x + 32 * i)
    }
  }
}

/// ggml's Q4_1: 20 bytes a block of 32: Float16 d and m, then codes as in Q4_0. x = d·code + m.
struct Q4_1: GGMLScheme {
  let name = "q4_1"
  static let blockLength = 32
  static let blockBytes = 20

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    encodeAsymmetric(x, blocks, steps: 15) { i, d, m, codes in
      let b = y + blockBytes * i
      b.storeBytes(of: d.littleEndian, as: UInt16.self)
      b.storeBytes(of: m.littleEndian, toByteOffset: 2, as: UInt16.self)
      codes.storeNibbles(at: b + 4)
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let codes = Floats32(Ints32(Bytes32(nibblesAt: b + 4)))
      (codes * Floats32(Half.read(b, 0)) + Floats32(Half.read(b, 2))).store(at: x + 32 * i)
    }
  }
}

/// ggml's Q5_0: 22 bytes a block of 32: Float16 d, the fifth bits as a UInt32, low halves as in Q4_0.
/// x = d·(code − 16).
struct Q5_0: GGMLScheme {
  let name = "q5_0"
  static let blockLength = 32
  static let blockBytes = 22

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    for i in 0..<blocks {
      let (p, b) = (x + 32 * i, y + blockBytes * i)
      let v = Floats32(at: p)
      let greatest = v.magnitudeBits.greatest
      let (d, codes) =
        Floats32.isOrdinary(magnitudeBits: greatest)
        ? symmetricCodes(p, v, greatest, levels: 16, careful: false)
        : symmetricCodes(p, v, greatest, levels: 16, careful: true)
      Half.write(d, b, 0)
      b.storeBytes(of: codes.mask(ofBit: 4).littleEndian, toByteOffset: 2, as: UInt32.self)
      (codes & 15).storeNibbles(at: b + 6)
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let high = UInt32(littleEndian: b.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
      let codes = (Bytes32(nibblesAt: b + 6) | (Bytes32(mask: high) << 4)) - 16
      (Floats32(Ints32(signed: codes)) * Floats32(Half.read(b, 0))).store(at: x + 32 * i)
    }
  }
}

/// ggml's Q5_1: 24 bytes a block of 32: Float16 d and m, then as Q5_0. x = d·code + m.
struct Q5_1: GGMLScheme {
  let name = "q5_1"
  static let blockLength = 32
  static let blockBytes = 24

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    encodeAsymmetric(x, blocks, steps: 31) { i, d, m, codes in
      let b = y + blockBytes * i
      b.storeBytes(of: d.littleEndian, as: UInt16.self)
      b.storeBytes(of: m.littleEndian, toByteOffset: 2, as: UInt16.self)
      b.storeBytes(of: codes.mask(ofBit: 4).littleEndian, toByteOffset: 4, as: UInt32.self)
      (codes & 15).storeNibbles(at: b + 8)
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let high = UInt32(littleEndian: b.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
      let codes = Floats32(Ints32(Bytes32(nibblesAt: b + 8) | (Bytes32(mask: high) << 4)))
      (codes * Floats32(Half.read(b, 0)) + Floats32(Half.read(b, 2))).store(at: x + 32 * i)
    }
  }
}
