import CSchemes

/// QuIP#'s codebook (Tseng et al., arXiv 2402.04396, §4.2): `e8p`, 16 bits for 8 numbers.
let quipSharpFamily = SchemeFamily(
  file: "QuIPSharp",
  // Eight numbers are held against 512 points, which a table of everything need not wait for.
  defaults: { [] }, variants: { [E8P()] }, origin: { _ in "QuIP# 1d8f873, its codebook; a scale a row" },
  make: { $0.base == "e8p" && $0.granularity == nil && $0.isUsedUp ? E8P() : nil })

/// Eight numbers of a row, the last filled up with zeros, over s = ‖row‖/√n/1.03 are the nearest of 2¹⁶ points of E8 + ¼: by ¼ more or
/// less, points of D̂8 with one of 256 patterns of magnitudes.
///
/// QuIP# has one s for a matrix that it has turned from both sides; `--transform hadamard` turns it from one. Its own checkpoints lay the
/// codes out in tiles.
///
/// Stored for a row: s (f32), then a UInt16 for eight numbers: the index of the magnitudes, and below it signs, whose parity is the
/// shift's. What is no number counts as 0.
struct E8P: LimitedScheme {
  let name = "e8p"
  var independentRows: Int? { 1 }

  /// `opt_scale` of the code.
  private static let strength = 1.03
  private static let magnitudes: [UInt8] = {
    var table = [UInt8](repeating: 0, count: 8 * 256)
    nc_e8p_magnitudes(&table)
    return table
  }()

  private func rowBytes(_ columns: Int) -> Int { 4 + (columns + 7) / 8 * 2 }

  func byteCount(rows: Int, columns: Int) throws -> Int {
    try SchemeError.require(rows: rows, columns: columns, for: name)
    return columns == 0 ? 0 : rows * rowBytes(columns)
  }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    let count = (columns + 7) / 8
    var row = [Float](repeating: 0, count: 8 * count)
    var codes = [UInt16](repeating: 0, count: count)
    for r in 0..<rows {
      var energy = 0.0
      for j in 0..<columns {
        let x = values[r * columns + j]
        row[j] = x.isFinite ? x : 0
        energy += Double(row[j]) * Double(row[j])
      }
      let scale = Float((energy / Double(columns)).squareRoot() / Self.strength)
      nc_e8p_codes(Self.magnitudes, row, count, scale > 0 ? 1 / scale : 0, &codes)
      bytes.store(scale, at: r * rowBytes(columns))
      for (k, code) in codes.enumerated() {
        bytes.storeBytes(
          of: code.littleEndian, toByteOffset: r * rowBytes(columns) + 4 + 2 * k, as: UInt16.self)
      }
    }
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    let count = (columns + 7) / 8
    var row = [Float](repeating: 0, count: 8 * count)
    var codes = [UInt16](repeating: 0, count: count)
    for r in 0..<rows {
      let start = r * rowBytes(columns)
      for k in 0..<count {
        codes[k] = UInt16(
          littleEndian: bytes.loadUnaligned(fromByteOffset: start + 4 + 2 * k, as: UInt16.self))
      }
      nc_e8p_values(Self.magnitudes, codes, count, Float(littleEndianBits: bytes, at: start), &row)
      for j in 0..<columns { values[r * columns + j] = row[j] }
    }
  }

  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    try checkCounts(rows, columns, values: lowest.count, bytes: bytes.count)
    for r in 0..<rows {
      // 5/2 and ¼.
      let end = 2.75 * Float(littleEndianBits: bytes, at: r * rowBytes(columns))
      for j in 0..<columns { (lowest[r * columns + j], highest[r * columns + j]) = (-end, end) }
    }
  }
}
