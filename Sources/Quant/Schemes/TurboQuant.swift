import CSchemes
import NumKit

/// TurboQuant (Zandieh et al., arXiv 2504.19874): `turboquant4` … `turboquant1` (algorithm 1, least squared error), `turboquant4:prod`
/// (algorithm 2, inner products without bias), on vectors of 128 numbers of a row; others as `turboquant3@g64`.
let turboQuantFamily = SchemeFamily(
  file: "TurboQuant",
  // Each vector is turned by a full matrix, which a table of everything need not wait for.
  defaults: { [] },
  variants: {
    [false, true].flatMap { product in
      [4, 3, 2, 1].filter { !product || $0 > 1 }.map { TurboQuant(bits: $0, isProduct: product) }
    }
  },
  origin: { _ in "the paper" },
  make: { name in
    guard name.base.hasPrefix("turboquant"), let bits = Int(name.base.dropFirst(10)),
      name.base == "turboquant\(bits)"
    else { return nil }
    var length = TurboQuant.usualLength
    if let granularity = name.granularity {
      guard case .group(let n) = granularity, n % 8 == 0, (16...1024).contains(n) else { return nil }
      length = n
    }
    var name = name
    let isProduct = name.take(["mse": false, "prod": true]) ?? false
    guard name.isUsedUp, (isProduct ? 2...5 : 1...4).contains(bits) else { return nil }
    return TurboQuant(bits: bits, length: length, isProduct: isProduct)
  })

/// A vector of d numbers, the last of a row filled up with zeros, over its norm is turned by a random orthogonal matrix; each of its
/// coordinates, which are then distributed as (1 − x²)^((d − 3)/2), is the nearest of the 2^b levels that err least on that distribution
/// (Lloyd and Max), of two equally near the lower.
///
/// `prod` spends one of the b bits on the sign of each S·r, where r is what the others leave and S has normal entries (QJL); they give
/// √(π/2)/d·‖r‖·Sᵀ·signs back.
///
/// Stored for a vector: its norm (f32), with `prod` ‖r‖ (f32), then the codes packed without gaps, then the signs, 1 for minus. Both
/// matrices follow from a seed that is always the same. NaN or an infinity makes all its vector NaN.
struct TurboQuant: Scheme {
  static let usualLength = 128

  let bits: Int
  let length: Int
  let isProduct: Bool
  private let tables: Tables

  /// What all vectors of one length share.
  private final class Tables: Sendable {
    let rotation: OrthogonalMatrix
    /// S transposed, and S.
    let sketch: [Double]
    let transposedSketch: [Double]
    /// Of 2, 4, 8 and 16 levels.
    let levels: [[Float]]

    static let usual = Tables(TurboQuant.usualLength)

    init(_ n: Int) {
      rotation = OrthogonalMatrix(length: n, seed: 1)
      var sketch: [Double] = []
      for i in 0..<n {
        var random = RandomSource(seed: 1, row: -10_000 - i)
        sketch += (0..<n).map { _ in random.normal() }
      }
      self.sketch = sketch
      transposedSketch = (0..<n * n).map { sketch[$0 % n * n + $0 / n] }
      levels = (1...4).map { bits in
        var half = [Double](repeating: 0, count: 1 << (bits - 1))
        nc_coordinate_levels(Int32(n), Int32(half.count), &half)
        return half.reversed().map { -Float($0) } + half.map { Float($0) }
      }
    }
  }

  init(bits: Int, length: Int = usualLength, isProduct: Bool = false) {
    self.bits = bits
    self.length = length
    self.isProduct = isProduct
    tables = length == Self.usualLength ? .usual : Tables(length)
  }

  var name: String {
    SchemeName.joined(
      "turboquant\(bits)", length == Self.usualLength ? nil : .group(length), isProduct ? ["prod"] : [])
  }
  var independentRows: Int? { 1 }

  /// Bits of a code.
  private var codeBits: Int { isProduct ? bits - 1 : bits }
  private var levels: [Float] { tables.levels[codeBits - 1] }
  private var headBytes: Int { isProduct ? 8 : 4 }
  private var codeBytes: Int { length * codeBits / 8 }
  private var vectorBytes: Int { headBytes + length * bits / 8 }

  func byteCount(rows: Int, columns: Int) throws -> Int {
    try SchemeError.require(rows: rows, columns: columns, for: name)
    return rows * ((columns + length - 1) / length) * vectorBytes
  }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    let (n, levels) = (length, levels)
    let edges = zip(levels, levels.dropFirst()).map { (Double($0) + Double($1)) / 2 }
    var unit = [Float](repeating: 0, count: n)
    var turned = [Double](repeating: 0, count: n)
    var codes = [UInt8](repeating: 0, count: n)
    var signs = codes
    forEachRowBlock(rows: rows, columns: columns, length: length, blockBytes: vectorBytes) {
      start, count, place in
      guard let target = bytes.baseAddress?.advanced(by: place) else { return }
      var energy = 0.0
      for i in 0..<count { energy += Double(values[start + i]) * Double(values[start + i]) }
      let norm = Float(energy.squareRoot())
      bytes.store(norm.isFinite ? norm : .nan, at: place)
      let factor = norm > 0 && norm.isFinite ? 1 / energy.squareRoot() : 0
      for i in 0..<n { unit[i] = i < count && factor > 0 ? Float(Double(values[start + i]) * factor) : 0 }
      nc_apply_matrix(tables.rotation.matrix, unit, &turned, n)
      for i in 0..<n {
        var code = 0
        for edge in edges where turned[i] > edge { code += 1 }
        codes[i] = UInt8(code)
      }
      nc_pack(codes, n, Int32(codeBits), 0, (target + headBytes).assumingMemoryBound(to: UInt8.self))
      guard isProduct else { return }
      let chosen = codes.map { levels[Int($0)] }
      nc_apply_matrix(tables.rotation.transposed, chosen, &turned, n)
      var left = 0.0
      for i in 0..<n {
        unit[i] = Float(Double(unit[i]) - turned[i])
        left += Double(unit[i]) * Double(unit[i])
      }
      bytes.store(Float(left.squareRoot()), at: place + 4)
      nc_apply_matrix(tables.sketch, unit, &turned, n)
      for i in 0..<n { signs[i] = turned[i] < 0 ? 1 : 0 }
      nc_pack(signs, n, 1, 0, (target + headBytes + codeBytes).assumingMemoryBound(to: UInt8.self))
    }
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    let (n, levels) = (length, levels)
    var codes = [UInt8](repeating: 0, count: n)
    var turned = [Double](repeating: 0, count: n)
    var given = turned
    forEachRowBlock(rows: rows, columns: columns, length: length, blockBytes: vectorBytes) {
      start, count, place in
      guard let source = bytes.baseAddress?.advanced(by: place) else { return }
      let norm = Double(Float(littleEndianBits: bytes, at: place))
      nc_unpack((source + headBytes).assumingMemoryBound(to: UInt8.self), n, Int32(codeBits), 0, &codes)
      nc_apply_matrix(tables.rotation.transposed, codes.map { levels[Int($0)] }, &turned, n)
      if isProduct {
        let left = Double(Float(littleEndianBits: bytes, at: place + 4))
        nc_unpack((source + headBytes + codeBytes).assumingMemoryBound(to: UInt8.self), n, 1, 0, &codes)
        nc_apply_matrix(tables.transposedSketch, codes.map { $0 == 0 ? 1 : -1 }, &given, n)
        let factor = (Double.pi / 2).squareRoot() / Double(n) * left
        for i in 0..<n { turned[i] += factor * given[i] }
      }
      for i in 0..<count { values[start + i] = Float(norm * turned[i]) }
    }
  }
}
