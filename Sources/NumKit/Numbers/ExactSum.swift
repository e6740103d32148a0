import CNumbers

/// A sum of Doubles without any rounding until it is read, so that it depends neither on order nor on how it was split
/// (after Neal, "Fast exact summation using small and large superaccumulators", arXiv 1505.05571).
///
/// Chunk k holds a multiple of 2^(32k − 1074); a Double spans at most three neighbours.
public struct ExactSum: Sendable {
  private var chunks = [Int64](repeating: 0, count: 68)
  private var pending = 0
  /// Sum of what was not finite: ±∞ or NaN, else 0.
  private var special = 0.0

  /// Zero.
  public init() {}

  /// Adds `x`.
  public mutating func add(_ x: Double) {
    guard x.isFinite else {
      special += x
      return
    }
    let bits = x.bitPattern
    let field = Int((bits >> 52) & 0x7ff)
    var significand = Int64(bitPattern: bits & ((1 << 52) - 1))
    if field != 0 { significand |= 1 << 52 }
    if x.sign == .minus { significand = -significand }
    let position = Swift.max(field, 1) - 1
    let chunk = position >> 5
    let offset = Int64(position & 31)
    // significand·2^offset in two parts: the low 32 bits, unsigned, and the rest.
    let low = (significand << offset) & 0xffff_ffff
    let high = significand >> (32 - offset)
    chunks[chunk] += low
    chunks[chunk + 1] += high
    pending += 1
    if pending == 512 { carry() }
  }

  /// Adds another sum.
  public mutating func merge(_ other: ExactSum) {
    var other = other
    carry()
    other.carry()
    for i in chunks.indices { chunks[i] += other.chunks[i] }
    special += other.special
    carry()
  }

  /// Forgets all but the rounded value: nothing can be added any more. Of thousands of sums that is what is to be kept.
  package mutating func settle() {
    special = value
    chunks = []
  }

  /// The sum, rounded; the same for the same terms in any order.
  public var value: Double {
    if chunks.isEmpty { return special }
    if special != 0 || special.isNaN { return special }
    var copy = self
    copy.carry()
    // A negative sum has its sign in the top chunk, which is beyond Double: its magnitude is read.
    let isNegative = copy.chunks[copy.chunks.count - 1] < 0
    if isNegative {
      for i in copy.chunks.indices { copy.chunks[i] = -copy.chunks[i] }
      copy.carry()
    }
    var total = 0.0
    for i in copy.chunks.indices.reversed() where copy.chunks[i] != 0 {
      total += Double(sign: .plus, exponent: 32 * i - 1074, significand: Double(copy.chunks[i]))
    }
    return isNegative ? -total : total
  }

  /// Brings every chunk but the last to 0 … 2^32 − 1: one form for one value.
  private mutating func carry() {
    // What keeps its value alone has no chunks.
    if chunks.isEmpty { return }
    for i in 0..<(chunks.count - 1) {
      chunks[i + 1] += chunks[i] >> 32
      chunks[i] &= 0xffff_ffff
    }
    pending = 0
  }
}

extension ExactSum: Hashable {
  public static func == (a: ExactSum, b: ExactSum) -> Bool { a.value == b.value }
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

extension ExactSum: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    carry()
    try c.carry(&special)
    var used = special == 0 ? chunks.indices.filter { chunks[$0] != 0 } : []
    try c.carry(&used, blank: 0) { try $0.carry(count: &$1) }
    if c.isReading {
      for k in chunks.indices { chunks[k] = 0 }
      guard used.allSatisfy(chunks.indices.contains) else { throw CarrierError() }
    }
    for k in used {
      try c.carry(&chunks[k])
      // As `carry` leaves them; the last has the sign, and room for the sums of many shards.
      let limit: Range<Int64> = k == chunks.count - 1 ? -1 << 50..<1 << 50 : 0..<1 << 32
      guard limit.contains(chunks[k]) else { throw CarrierError() }
    }
  }
}
