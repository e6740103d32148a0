import CSchemes

// ggml's IQ1, IQ2 and IQ3: super-blocks of 256; magnitudes of 8 or 4 neighbours are a point of a grid, of IQ1 the numbers themselves.
// Encoded as llama-quantize writes them: IQ2_S, IQ3 and IQ1_M without an importance matrix; IQ1_S, IQ2_XXS and IQ2_XS, which it refuses
// without one, as if all importances were 1. Of a block with NaN or an infinity comparisons make what they make.

/// A type of which C has encoder and decoder.
protocol LatticeScheme: WeightedScheme {
  static var values: @convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Float>?) -> Void { get }
  /// Whether ggml's quantizer takes no importances at all, too.
  static var isFree: Bool { get }
  /// The bits of a block's byte that hold codes; all others are scales.
  static func codeBits(ofByte index: Int) -> UInt8
  /// The largest level over that of the grid's first point; nil where codes of all ones are the highest.
  static var span: (first: Float, last: Float)? { get }
}

extension LatticeScheme {
  static var blockLength: Int { 256 }
  static var halves: [Int] { [0] }
  static var codePlaces: CodeBytes { CodeBytes(places: 0..<0) }

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer) {
    let bytes = y.assumingMemoryBound(to: UInt8.self)
    if isFree {
      weighted(x, blocks, 256, nil, bytes)
    } else {
      weighted(x, blocks, 256, [Float](repeating: 1, count: 256), bytes)
    }
  }

  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>) {
    values(y.assumingMemoryBound(to: UInt8.self), blocks, x)
  }

  public func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    let ends = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
    defer { ends.deallocate() }
    let masks = (0..<Self.blockBytes).map { Self.codeBits(ofByte: $0) }
    for i in ends.indices { ends[i] = bytes[i] & ~masks[i % Self.blockBytes] }
    try decode(UnsafeRawBufferPointer(ends), rows: rows, columns: columns, into: lowest)
    if let (first, last) = Self.span {
      for i in lowest.indices {
        highest[i] = abs(lowest[i] / first * last)
        lowest[i] = -highest[i]
      }
      return
    }
    for i in ends.indices { ends[i] |= masks[i % Self.blockBytes] }
    try decode(UnsafeRawBufferPointer(ends), rows: rows, columns: columns, into: highest)
    Self.order(lowest, highest)
  }
}

/// 66 bytes: Float16 d; for each 32 elements four indices of 8 bits, then 4 × 7 signs below a scale of 4 bits.
struct IQ2_XXS: LatticeScheme {
  let name = "iq2_xxs"
  static let blockBytes = 66
  static let isFree = false
  static let span: (first: Float, last: Float)? = (8, 43)
  static var weighted: WeightedEncoder { nc_iq2_xxs_weighted }
  static var values: @convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Float>?) -> Void {
    nc_iq2_xxs_values
  }
  static func codeBits(ofByte index: Int) -> UInt8 { index < 2 ? 0 : (index - 2) % 8 == 7 ? 0x0F : 0xFF }
}

/// 74 bytes: Float16 d; for each 8 elements an index of 9 bits below 7 signs; for each 16 a scale of 4 bits.
struct IQ2_XS: LatticeScheme {
  let name = "iq2_xs"
  static let blockBytes = 74
  static let isFree = false
  static let span: (first: Float, last: Float)? = (8, 43)
  static var weighted: WeightedEncoder { nc_iq2_xs_weighted }
  static var values: @convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Float>?) -> Void {
    nc_iq2_xs_values
  }
  static func codeBits(ofByte index: Int) -> UInt8 { (2..<66).contains(index) ? 0xFF : 0 }
}

/// 82 bytes: Float16 d; for each 8 elements the low 8 bits of an index; 8 signs each; the high 2 bits; for each 16 a scale of 4 bits.
struct IQ2_S: LatticeScheme {
  let name = "iq2_s"
  static let blockBytes = 82
  static let isFree = true
  static let span: (first: Float, last: Float)? = (8, 43)
  static var weighted: WeightedEncoder { nc_iq2_s_weighted }
  static var values: @convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Float>?) -> Void {
    nc_iq2_s_values
  }
  static func codeBits(ofByte index: Int) -> UInt8 { (2..<74).contains(index) ? 0xFF : 0 }
}

/// 98 bytes: Float16 d; for each 4 elements an index of 8 bits; for each 32, 4 × 7 signs below a scale of 4 bits.
struct IQ3_XXS: LatticeScheme {
  let name = "iq3_xxs"
  static let blockBytes = 98
  static let isFree = true
  static let span: (first: Float, last: Float)? = (4, 62)
  static var weighted: WeightedEncoder { nc_iq3_xxs_weighted }
  static var values: @convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Float>?) -> Void {
    nc_iq3_xxs_values
  }
  static func codeBits(ofByte index: Int) -> UInt8 {
    index < 2 ? 0 : index >= 66 && (index - 66) % 4 == 3 ? 0x0F : 0xFF
  }
}

/// 110 bytes: Float16 d; for each 4 elements the low 8 bits of an index; the ninth bits; a sign each; for each 32 a scale of 4 bits.
///
/// Behind a group of 32 that are all 0 ggml's quantizer puts indices and signs of the groups that follow where those of the group before
/// belong, with the ninth bits and scales in their own places: these numbers are lost. So it is here, and a block with such a group is
/// the smallest witness.
struct IQ3_S: LatticeScheme {
  let name = "iq3_s"
  static let blockBytes = 110
  static let isFree = true
  static let span: (first: Float, last: Float)? = (1, 15)
  static var weighted: WeightedEncoder { nc_iq3_s_weighted }
  static var values: @convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Float>?) -> Void {
    nc_iq3_s_values
  }
  static func codeBits(ofByte index: Int) -> UInt8 { (2..<106).contains(index) ? 0xFF : 0 }
}

/// 50 bytes: Float16 d; for each 8 elements the low 8 bits of an index; for each 32 a word: 4 × 3 high bits, a scale of 3 bits, and
/// whether ⅛ is taken from −1, 0, 1 or added.
struct IQ1_S: LatticeScheme {
  let name = "iq1_s"
  static let blockBytes = 50
  static let isFree = false
  static let span: (first: Float, last: Float)? = nil
  static var weighted: WeightedEncoder { nc_iq1_s_weighted }
  static var values: @convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Float>?) -> Void {
    nc_iq1_s_values
  }
  static func codeBits(ofByte index: Int) -> UInt8 {
    index < 2 ? 0 : index < 34 || index % 2 == 0 ? 0xFF : 0x0F
  }
}

/// 56 bytes: the same with the high bits and the eighth's sign in 4 bits for each 8 elements, scales of 3 bits for each 16, and d spread
/// over the highest bits of the four words of scales.
struct IQ1_M: LatticeScheme {
  let name = "iq1_m"
  static let blockBytes = 56
  static let isFree = true
  static let halves: [Int] = []
  static let span: (first: Float, last: Float)? = nil
  static var weighted: WeightedEncoder { nc_iq1_m_weighted }
  static var values: @convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Float>?) -> Void {
    nc_iq1_m_values
  }
  static func codeBits(ofByte index: Int) -> UInt8 { index < 32 ? 0xFF : index < 48 ? 0x77 : 0 }
}
