import CSchemes

/// HIGGS (Malinovskii et al., arXiv 2411.17525) as transformers has it: `higgs4`, `higgs3` and `higgs2` on pairs of numbers, `higgs4:p1` on
/// single ones; Hadamard blocks of 512 as its configuration has by default, others as `higgs4@g1024`.
let higgsFamily = SchemeFamily(
  file: "HIGGS",
  // Each pair of numbers is held against up to 256 points, which a table of everything need not wait for.
  defaults: { [] },
  variants: { [2, 1].flatMap { length in [4, 3, 2].map { HIGGS(bits: $0, length: length) } } },
  origin: { _ in "transformers 5.24" },
  make: { name in
    guard name.base.hasPrefix("higgs"), let bits = Int(name.base.dropFirst(5)), (2...4).contains(bits),
      name.base == "higgs\(bits)"
    else { return nil }
    var block = HIGGS.usualBlock
    if let granularity = name.granularity {
      guard case .group(let n) = granularity, n & (n - 1) == 0, (32...8192).contains(n) else { return nil }
      block = n
    }
    var name = name
    let length = name.take(["p1": 1, "p2": 2]) ?? 2
    return name.isUsedUp ? HIGGS(bits: bits, length: length, block: block) : nil
  })

/// Blocks of a row, the last filled up with zeros, are rotated by a Hadamard matrix and scaled to numbers of variance 1; each pair of them
/// is the nearest point of a grid made for normal numbers.
///
/// Stored for a block: s = ‖x‖/√n (f32), then a code of `bits` a number, two numbers' together, packed without gaps. x̂ = H·(point·s).
/// A block of zeros is zeros; NaN or an infinity makes all its block NaN.
struct HIGGS: Scheme {
  static let usualBlock = 512

  let bits: Int
  /// Numbers of a point.
  let length: Int
  let block: Int

  init(bits: Int, length: Int = 2, block: Int = usualBlock) {
    self.bits = bits
    self.length = length
    self.block = block
  }

  var name: String {
    SchemeName.joined(
      "higgs\(bits)", block == Self.usualBlock ? nil : .group(block), length == 1 ? ["p1"] : [])
  }
  var independentRows: Int? { 1 }

  private var points: Int32 { 1 << Int32(bits * length) }
  private var blockBytes: Int { 4 + block * bits / 8 }

  func byteCount(rows: Int, columns: Int) throws -> Int {
    try SchemeError.require(rows: rows, columns: columns, for: name)
    return rows * ((columns + block - 1) / block) * blockBytes
  }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    var rotated = [Double](repeating: 0, count: block)
    var scaled = [Float](repeating: 0, count: block)
    var codes = [UInt8](repeating: 0, count: block / length)
    forEachRowBlock(rows: rows, columns: columns, length: block, blockBytes: blockBytes) {
      start, count, place in
      var energy = 0.0
      for i in 0..<block {
        rotated[i] = i < count ? Double(values[start + i]) : 0
        energy += rotated[i] * rotated[i]
      }
      let scale = Float((energy / Double(block)).squareRoot())
      bytes.store(scale, at: place)
      nc_walsh_hadamard(&rotated, block)
      let factor = scale > 0 ? 1 / Double(scale) : 0
      for i in 0..<block { scaled[i] = Float(rotated[i] * factor) }
      nc_higgs_codes(scaled, codes.count, Int32(length), points, &codes)
      guard let target = bytes.baseAddress else { return }
      nc_pack(
        codes, codes.count, Int32(bits * length), 0,
        (target + place + 4).assumingMemoryBound(to: UInt8.self))
    }
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try checkCounts(rows, columns, values: values.count, bytes: bytes.count)
    var rotated = [Double](repeating: 0, count: block)
    var codes = [UInt8](repeating: 0, count: block / length)
    forEachRowBlock(rows: rows, columns: columns, length: block, blockBytes: blockBytes) {
      start, count, place in
      guard let source = bytes.baseAddress else { return }
      let scale = Float(littleEndianBits: bytes, at: place)
      nc_unpack(
        (source + place + 4).assumingMemoryBound(to: UInt8.self), codes.count, Int32(bits * length), 0, &codes
      )
      nc_higgs_values(codes, codes.count, Int32(length), points, Double(scale), &rotated)
      nc_walsh_hadamard(&rotated, block)
      for i in 0..<count { values[start + i] = Float(rotated[i]) }
    }
  }
}
