/// Codes of 1 to 8 bits in a matrix of lines, each a dense run of bits in bytes or in words of 32 bits, the first in the lowest.
///
/// A word's neighbour in its line may lie anywhere, so that lines may be the file's columns.
struct CodeGrid {
  /// How codes of 4 bits are ordered within their unit.
  enum Order {
    case ascending
    /// The first code of a byte is its high half.
    case highFirst
    /// The 8 of a word in AWQ's order: 0, 2, 4, 6, 1, 3, 5, 7.
    case interleaved
  }

  let base: UnsafeRawPointer
  let bits: Int
  /// Whether units are words of 32 bits; else bytes.
  let isWords: Bool
  /// How far apart units of a line, and lines, are; in bytes.
  let unitStride: Int
  let lineStride: Int
  var order = Order.ascending

  /// Codes in bytes, line after line.
  static func bytes(_ base: UnsafeRawPointer, bits: Int, lineBytes: Int, order: Order = .ascending)
    -> CodeGrid
  {
    CodeGrid(
      base: base, bits: bits, isWords: false, unitStride: 1, lineStride: lineBytes, order: order)
  }

  /// The code at `place` of `line`.
  @inline(__always)
  func code(_ place: Int, line: Int) -> Int {
    let position: Int
    switch order {
    case .ascending: position = place
    case .highFirst: position = place ^ 1
    case .interleaved: position = place & ~7 | (place & 1) << 2 | (place & 7) >> 1
    }
    let bit = position * bits
    let mask = 1 << bits - 1
    let start = base + line * lineStride
    if isWords {
      let unit = start + (bit >> 5) * unitStride
      let shift = bit & 31
      var word = Int(UInt32(littleEndian: unit.loadUnaligned(as: UInt32.self))) >> shift
      if shift + bits > 32 {
        word |= Int(UInt32(littleEndian: (unit + unitStride).loadUnaligned(as: UInt32.self))) << (32 - shift)
      }
      return word & mask
    }
    let unit = start + bit >> 3
    let shift = bit & 7
    var code = Int(unit.load(as: UInt8.self)) >> shift
    if shift + bits > 8 { code |= Int((unit + 1).load(as: UInt8.self)) << (8 - shift) }
    return code & mask
  }
}
