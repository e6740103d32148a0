// Four bits on a non-linear grid: the code is the index of the nearest of 16 integers, of two equally near the larger.
//
// A group below 10⁻¹⁵ has scale 0 and the code of zero (8); ggml's reference for IQ4_NL leaves there what memory held.
// NaN takes the last code. A NaN or an infinity makes the scale NaN, which counts as no scale in a super-block.

private let gridValues: [Int8] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
private let grid: SIMD16<UInt8> = SIMD16(gridValues.map { UInt8(bitPattern: $0) })

/// The midpoints between neighbours: exact, and so are ggml's comparisons of the distances near them.
private let midpoints: SIMD16<Float> = [
  -115.5, -93.5, -74, -57, -42, -28.5, -16, -4.5, 7, 19, 31.5, 45.5, 61, 79, 101, .infinity,
]

/// The grid value nearest to each lane, by bisection.
@inline(__always)
private func nearestValue(_ x: Floats8) -> Floats8 {
  @inline(__always) func f(_ s: Float) -> Floats8 { Floats8(s) }
  let a = x < f(-4.5)
  let b = x < a.choose(f(-57), f(45.5))
  let c = x < a.choose(b.choose(f(-93.5), f(-28.5)), b.choose(f(19), f(79)))
  let d =
    x
    < a.choose(
      b.choose(c.choose(f(-115.5), f(-74)), c.choose(f(-42), f(-16))),
      b.choose(c.choose(f(7), f(31.5)), c.choose(f(61), f(101))))
  let low = b.choose(
    c.choose(d.choose(f(-127), f(-104)), d.choose(f(-83), f(-65))),
    c.choose(d.choose(f(-49), f(-35)), d.choose(f(-22), f(-10))))
  let high = b.choose(
    c.choose(d.choose(f(1), f(13)), d.choose(f(25), f(38))),
    c.choose(d.choose(f(53), f(69)), d.choose(f(89), f(113))))
  return a.choose(low, high)
}

/// The index of the grid value nearest to each lane.
@inline(__always)
private func codes(_ x: Floats32) -> Bytes32 {
  // A mask is −1.
  var index = Ints32(15)
  for i in 0..<15 { index = index + (x < Floats32(midpoints[i])) }
  return index.bytes
}

/// Weighted sums (weights x²) of q·x and q² for the grid values q nearest to x·factor.
@inline(__always)
private func sums(_ lanes: LaneBuffers, _ factor: Floats8) -> (qx: Floats8, qq: Floats8) {
  var (qx, qq) = (Floats8(0), Floats8(0))
  for j in 0..<32 {
    let x = lanes.element(j)
    let q = nearestValue(factor * x)
    let wq = x * x * q
    qx = qx + wq * x
    qq = qq + wq * q
  }
  return (qx, qq)
}

/// Calls `body` with blocks of 32, eight at a time: the lanes, the first block and how many there are.
@inline(__always)
private func forEachEight(
  _ x: UnsafePointer<Float>, blocks: Int, _ body: (LaneBuffers, _ first: Int, _ count: Int) -> Void
) {
  LaneBuffers.with { lanes in
    for i in stride(from: 0, to: blocks, by: 8) {
      let count = min(8, blocks - i)
      if count == 8 {
        lanes.load(x + 32 * i, count: 32)
      } else {
        for j in 0..<32 {
          for g in 0..<8 { lanes.elements[8 * j + g] = g < count ? x[32 * (i + g) + j] : 0 }
        }
      }
      body(lanes, i, count)
    }
  }
}

/// ggml's IQ4_NL as llama-quantize writes it (`quantize_iq4_nl` without an importance matrix): 18 bytes a block of 32: Float16 d, then
/// codes as in Q4_0. x = d·grid[code]. d is the best of 16 trials, as in IQ4_XS; codes are those of the d before it is rounded.
struct IQ4_NL: GGMLScheme {
  let name = "iq4_nl"
  static let blockLength = 32
  static let blockBytes = 18

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    forEachEight(x, blocks: blocks) { lanes, i, count in
      let scales = IQ4_XS.scales(lanes).v
      for g in 0..<count {
        let b = y + blockBytes * (i + g)
        Half.write(scales[g], b, 0)
        codes(Floats32(at: x + 32 * (i + g)) * Floats32(scales[g] == 0 ? 0 : 1 / scales[g]))
          .storeNibbles(at: b + 2)
      }
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    let table = grid
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let values = Bytes32(nibblesAt: b + 2).looked(upIn: table)
      (Floats32(Half.read(b, 0)) * Floats32(Ints32(signed: values))).store(at: x + 32 * i)
    }
  }
}

/// `iq4_nl:ref`: the same layout by the reference's one try (`quantize_row_iq4_nl_ref`): the value of largest magnitude on −127, codes
/// from that, then the best d for the codes.
struct IQ4_NLReference: GGMLScheme {
  let name = "iq4_nl:ref"
  static let blockLength = IQ4_NL.blockLength
  static let blockBytes = IQ4_NL.blockBytes

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    forEachEight(x, blocks: blocks) { lanes, i, count in
      let (value, magnitude) = extreme(lanes, count: 32)
      let isZero = magnitude < Floats8(groupEpsilon)
      let factor = Floats8(1) / (value / Floats8(-127))
      let (qx, qq) = sums(lanes, factor)
      let zero = Floats8(0)
      let d = isZero.choose(zero, (zero < qq).choose(qx / qq, zero))
      for g in 0..<count {
        let b = y + blockBytes * (i + g)
        Half.write(d.v[g], b, 0)
        let nearest = codes(Floats32(at: x + 32 * (i + g)) * Floats32(factor.v[g]))
        (isZero.v[g] == 0 ? nearest : Bytes32(8)).storeNibbles(at: b + 2)
      }
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    IQ4_NL.decode(y, blocks: blocks, into: x)
  }
}

/// ggml's IQ4_XS: 136 bytes a super-block of 256: Float16 d, the high two bits of eight 6-bit scales in a UInt16, their
/// low nibbles in 4 bytes, then codes as in Q4_0 for each 32. x = d·(s − 32)·grid[code].
struct IQ4_XS: GGMLScheme {
  let name = "iq4_xs"
  static let blockLength = 256
  static let blockBytes = 136

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    LaneBuffers.with { lanes in
      for i in 0..<blocks { encode(x + 256 * i, into: y + blockBytes * i, lanes) }
    }
  }

  /// The best of 16 trial scales for each group of 32.
  @inline(__always) fileprivate static func scales(_ lanes: LaneBuffers) -> Floats8 {
    let (value, magnitude) = extreme(lanes, count: 32)
    let zero = Floats8(0)
    let first = sums(lanes, Floats8(1) / (value.negated / Floats8(-127)))
    var d = (zero < first.qq).choose(first.qx / first.qq, zero)
    var best = d * first.qx
    for n in -7...7 {
      let (qx, qq) = sums(lanes, Floats8(Float(n - 127)) / value)
      let better = (zero < qq) & (best * qq < qx * qx)
      d = better.choose(qx / qq, d)
      best = better.choose(d * qx, best)
    }
    return (magnitude < Floats8(groupEpsilon)).choose(zero, d)
  }

  private static func encode(
    _ x: UnsafePointer<Float>, into b: UnsafeMutableRawPointer, _ lanes: LaneBuffers
  ) {
    lanes.load(x, count: 32)
    let scales = scales(lanes).v
    var (value, magnitude): (Float, Float) = (0, 0)
    for g in 0..<8 where abs(scales[g]) > magnitude { (value, magnitude) = (scales[g], abs(scales[g])) }
    let d = -value / 32
    let inverse = d == 0 ? 0 : 1 / d
    Half.write(d, b, 0)
    var (low, high): (UInt32, UInt16) = (0, 0)
    for g in 0..<8 {
      let l = max(-32, min(31, nearestInteger(inverse * scales[g])))
      let dl = d * Float(l)
      codes(Floats32(at: x + 32 * g) * Floats32(dl == 0 ? 0 : 1 / dl)).storeNibbles(at: b + 8 + 16 * g)
      let field = UInt32(l + 32)
      low |= (field & 15) << UInt32(4 * g)
      high |= UInt16(field >> 4) << UInt16(2 * g)
    }
    b.storeBytes(of: high.littleEndian, toByteOffset: 2, as: UInt16.self)
    b.storeBytes(of: low.littleEndian, toByteOffset: 4, as: UInt32.self)
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    let table = grid
    for i in 0..<blocks {
      let b = y + blockBytes * i
      let d = Half.read(b, 0)
      let high = UInt32(UInt16(littleEndian: b.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
      let low = UInt32(littleEndian: b.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
      for g in 0..<8 {
        let field = (low >> UInt32(4 * g) & 15) | (high >> UInt32(2 * g) & 3) << 4
        let values = Bytes32(nibblesAt: b + 8 + 16 * g).looked(upIn: table)
        let dl = d * Float(Int(field) - 32)
        (Floats32(dl) * Floats32(Ints32(signed: values))).store(at: x + 256 * i + 32 * g)
      }
    }
  }
}
