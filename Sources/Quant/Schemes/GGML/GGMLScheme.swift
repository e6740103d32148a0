import NumKit

/// The block schemes of ggml, byte for byte as llama-quantize writes them, without an importance matrix or (`imatrix`) with one, on x86-64 without fused
/// multiply-add: ggml-quants.c, `quantize_*`, which are its reference quantizers (`quantize_row_*_ref`) but for IQ4_NL.
public enum GGMLSchemes {
  /// Every scheme, cheapest first within its family.
  public static let all: [any Scheme] = [
    Q4_0(), Q4_1(), Q5_0(), Q5_1(), Q8_0(), Q8_0SIMD(), Q8_1(), TQ1_0(), TQ2_0(),
    Q2_K(), Q3_K(), Q4_K(), Q5_K(), Q6_K(), IQ4_NL(), IQ4_NLReference(), IQ4_XS(), MXFP4GGML(), NVFP4GGML(),
  ]

  /// The types on grids of points. Their searches are slow: a table of everything need not wait for them.
  public static let lattices: [any Scheme] = [
    IQ1_S(), IQ1_M(), IQ2_XXS(), IQ2_XS(), IQ2_S(), IQ3_XXS(), IQ3_S(),
  ]

  /// The scheme of a GGUF file's block type (`q4_0`, `mxfp4`), nil for types without one.
  public static func scheme(ofBlockType name: String) -> (any Scheme)? {
    (all + lattices).first { $0.name == name || $0.name == name + ":ggml" }
  }
}

let ggmlFamily = SchemeFamily(
  file: "GGML",
  defaults: { GGMLSchemes.all.filter { !$0.name.contains(":") } },
  variants: { GGMLSchemes.all.filter { $0.name.contains(":") } + GGMLSchemes.lattices },
  origin: { name in
    switch (name.base, name.dialects) {
    case (_, ["simd"]): return "ggml 0.13, its x86 kernel"
    case ("iq1_s", _), ("iq2_xxs", _), ("iq2_xs", _): return "ggml 0.13, all importances 1"
    default: return "ggml 0.13"
    }
  },
  make: { name in
    let wanted = SchemeName.joined(name.base, name.granularity, name.dialects)
    return (GGMLSchemes.all + GGMLSchemes.lattices).first { $0.name == wanted }
  })

/// A scheme of fixed blocks that know nothing of each other; a row holds a whole number of them.
protocol GGMLScheme: LimitedScheme, ScaledScheme {
  /// The elements of a block.
  static var blockLength: Int { get }
  /// The bytes of a block.
  static var blockBytes: Int { get }
  /// The bytes of a block that hold its elements' codes; all others are scales.
  static var codePlaces: CodeBytes { get }
  /// Where a block stores Float16 beside its codes.
  static var halves: [Int] { get }

  static func encode(_ x: UnsafePointer<Float>, blocks: Int, into y: UnsafeMutableRawPointer)
  static func decode(_ y: UnsafeRawPointer, blocks: Int, into x: UnsafeMutablePointer<Float>)
}

extension GGMLScheme {
  public var independentRows: Int? { 1 }

  /// The number of blocks of a matrix.
  func blockCount(rows: Int, columns: Int) throws -> Int {
    guard rows >= 0, columns >= 0 else {
      throw SchemeError.shape("\(name): a matrix cannot have \(rows) rows of \(columns) elements")
    }
    guard columns % Self.blockLength == 0 else {
      throw SchemeError.shape(
        "\(name) cuts rows into blocks of \(Self.blockLength); \(columns) elements are no whole number of them"
      )
    }
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns / Self.blockLength)
    guard !overflow,
      !count.multipliedReportingOverflow(by: max(Self.blockBytes, Self.blockLength)).overflow
    else { throw SchemeError.shape("\(name): \(rows) rows of \(columns) elements are too many") }
    return count
  }

  public func byteCount(rows: Int, columns: Int) throws -> Int {
    try blockCount(rows: rows, columns: columns) * Self.blockBytes
  }

  public func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    let blocks = try check(rows, columns, values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress, blocks > 0 else { return }
    Self.encode(x, blocks: blocks, into: y)
  }

  public func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    let blocks = try check(rows, columns, values: values.count, bytes: bytes.count)
    guard let x = values.baseAddress, let y = bytes.baseAddress, blocks > 0 else { return }
    Self.decode(y, blocks: blocks, into: x)
  }

  private func check(_ rows: Int, _ columns: Int, values: Int, bytes: Int) throws -> Int {
    let blocks = try blockCount(rows: rows, columns: columns)
    guard values == blocks * Self.blockLength else {
      throw SchemeError.shape("\(name): \(rows) rows of \(columns) elements are not \(values) values")
    }
    guard bytes == blocks * Self.blockBytes else {
      throw SchemeError.bytes(expected: blocks * Self.blockBytes, found: bytes)
    }
    return blocks
  }
}

/// The scale fields of a block.
enum Half {
  @inline(__always) static func read(_ p: UnsafeRawPointer, _ offset: Int) -> Float {
    Float(Float16(bitPattern: UInt16(littleEndian: p.loadUnaligned(fromByteOffset: offset, as: UInt16.self))))
  }

  /// `value` rounded to nearest even; a NaN is 0x7E00 with its sign.
  @inline(__always) static func bits(_ value: Float) -> UInt16 {
    value.isNaN ? (value.sign == .minus ? 0xFE00 : 0x7E00) : Float16(value).bitPattern
  }

  @inline(__always) static func write(_ value: Float, _ p: UnsafeMutableRawPointer, _ offset: Int) {
    p.storeBytes(of: bits(value).littleEndian, toByteOffset: offset, as: UInt16.self)
  }
}
