// BitNet's −1, 0, 1 in super-blocks of 256: d = the largest magnitude, code = x/d rounded half away from zero, plus 1.
// So every element of at least half the largest magnitude becomes ±d.
//
// Special values as in q8_0: d comes from the elements after the last NaN; NaN, and a quotient that is infinite, get
// the code of 0.

/// The 256 codes, 0 ... 2, of a super-block, in order; and its scale.
@inline(__always)
private func trits(_ p: UnsafePointer<Float>, into codes: UnsafeMutableRawPointer) -> Float {
  var bits = Floats32(at: p).magnitudeBits
  for i in 1..<8 {
    let next = Floats32(at: p + 32 * i).magnitudeBits
    bits = (bits < next).choose(next, bits)
  }
  let ordinary = Floats32.isOrdinary(magnitudeBits: bits.greatest)
  let d =
    ordinary
    ? Float(bitPattern: UInt32(bitPattern: bits.greatest)) : forgetfulGreatestMagnitude(p, count: 256)
  let inverse = Floats32(d == 0 ? 0 : 1 / d)
  for i in 0..<8 {
    let quotient = Floats32(at: p + 32 * i) * inverse
    let rounded =
      ordinary
      ? (quotient + quotient).truncated.halvedBytes : quotient.awayFromZero.guardedlyTruncated.lowBytes
    (rounded + Bytes32(1)).store(at: codes + 32 * i)
  }
  return d
}

/// ggml's TQ1_0: 54 bytes a super-block of 256: five ternary digits a byte, then four bytes of four, then Float16 d.
///
/// A byte is ⌈256·v/243⌉ with v the five digits, first digit first: multiplying it by 3 modulo 256 brings the next
/// digit to the top. 32 bytes hold elements j, j+32, … of the first 160; 16 bytes j, j+16, … of the next 80; 4 the rest.
struct TQ1_0: GGMLScheme {
  let name = "tq1_0"
  static let blockLength = 256
  static let blockBytes = 54

  /// ⌈256·v/243⌉ = v + ⌊(13·v + 242)/243⌋.
  @inline(__always) private static func spread(_ v: Bytes32) -> Bytes32 {
    let extra = Floats32(Ints32(v)) * Floats32(13.0 / 243) + Floats32(242.5 / 243)
    return v + extra.truncated.bytes
  }

  @inline(__always) private static func digits(_ t: UnsafeRawPointer, apart: Int, count: Int) -> Bytes32 {
    var v = Bytes32(at: t)
    for n in 1..<count { v = v * 3 + Bytes32(at: t + apart * n) }
    return v
  }

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    // Reads of 32 codes run up to 28 past the end of the 256.
    withUnsafeTemporaryAllocation(byteCount: 288 + 32, alignment: 32) { buffer in
      guard let t = buffer.baseAddress else { return }
      t.initializeMemory(as: UInt8.self, repeating: 0, count: 288 + 32)
      let out = t + 288
      for i in 0..<blocks {
        let b = y + blockBytes * i
        let d = trits(x + 256 * i, into: t)
        spread(digits(t, apart: 32, count: 5)).store(at: b)
        spread(digits(t + 160, apart: 16, count: 5)).store(at: out)
        (b + 32).copyMemory(from: out, byteCount: 16)
        spread(digits(t + 240, apart: 4, count: 4) * 3).store(at: out)
        (b + 48).copyMemory(from: out, byteCount: 4)
        Half.write(d, b, 52)
      }
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    withUnsafeTemporaryAllocation(byteCount: 32 + 128, alignment: 32) { buffer in
      guard let t = buffer.baseAddress else { return }
      t.initializeMemory(as: UInt8.self, repeating: 0, count: 32 + 128)
      let values = (t + 32).bindMemory(to: Float.self, capacity: 32)
      for i in 0..<blocks {
        let (b, p) = (y + blockBytes * i, x + 256 * i)
        let d = Floats32(Half.read(b, 52))
        var bytes = Bytes32(at: b)
        for n in 0..<5 {
          decode(bytes, d).store(at: p + 32 * n)
          bytes = bytes * 3
        }
        t.copyMemory(from: b + 32, byteCount: 20)
        bytes = Bytes32(at: t)
        for n in 0..<5 {
          decode(bytes, d).store(at: values)
          (p + 160 + 16 * n).update(from: values, count: 16)
          if n < 4 { (p + 240 + 4 * n).update(from: values + 16, count: 4) }
          bytes = bytes * 3
        }
      }
    }
  }

  /// The first digit of every byte, ⌊3·byte/256⌋, less 1, times d.
  @inline(__always) private static func decode(_ bytes: Bytes32, _ d: Floats32) -> Floats32 {
    let first = (Floats32(Ints32(bytes)) * Floats32(3.0 / 256)).truncated
    return Floats32(first - Ints32(1)) * d
  }
}

/// ggml's TQ2_0: 66 bytes a super-block of 256: two bits a code, then Float16 d. x = d·(code − 1).
/// Byte j of each 32 holds elements j, j+32, j+64, j+96, lowest bits first.
struct TQ2_0: GGMLScheme {
  let name = "tq2_0"
  static let blockLength = 256
  static let blockBytes = 66

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 32) { buffer in
      guard let t = buffer.baseAddress else { return }
      for i in 0..<blocks {
        let b = y + blockBytes * i
        let d = trits(x + 256 * i, into: t)
        TwoBits.pack(t, into: b)
        Half.write(d, b, 64)
      }
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let d = Floats32(Half.read(b, 64))
      for plane in 0..<8 {
        let codes = TwoBits.plane(plane, at: b) - 1
        (Floats32(Ints32(signed: codes)) * d).store(at: x + 256 * i + 32 * plane)
      }
    }
  }
}

/// 256 codes of two bits in 64 bytes: byte j of each 32 holds elements j, j+32, j+64, j+96 of a half.
enum TwoBits {
  /// The low two bits of the 256 bytes at `t`.
  @inline(__always) static func pack(_ t: UnsafeRawPointer, into y: UnsafeMutableRawPointer) {
    for half in 0..<2 {
      let t = t + 128 * half
      let low = (Bytes32(at: t) & 3) | ((Bytes32(at: t + 32) & 3) << 2)
      let high = ((Bytes32(at: t + 64) & 3) << 4) | (Bytes32(at: t + 96) << 6)
      (low | high).store(at: y + 32 * half)
    }
  }

  /// The 32 codes of elements 32·plane ..< 32·plane + 32.
  @inline(__always) static func plane(_ plane: Int, at y: UnsafeRawPointer) -> Bytes32 {
    (Bytes32(at: y + 32 * (plane / 4)) >> UInt8(2 * (plane % 4))) & 3
  }
}
