/// Where a block's codes stand, and what fills them with the codes of the two ends of the grid.
struct CodeBytes {
  let places: Range<Int>
  var low: UInt8 = 0x00
  var high: UInt8 = 0xFF
}

extension Q4_0 { static var codePlaces: CodeBytes { CodeBytes(places: 2..<18) } }
extension Q4_1 { static var codePlaces: CodeBytes { CodeBytes(places: 4..<20) } }
extension Q5_0 { static var codePlaces: CodeBytes { CodeBytes(places: 2..<22) } }
extension Q5_1 { static var codePlaces: CodeBytes { CodeBytes(places: 4..<24) } }
extension Q8_0 { static var codePlaces: CodeBytes { CodeBytes(places: 2..<34, low: 0x80, high: 0x7F) } }
extension Q8_0SIMD { static var codePlaces: CodeBytes { Q8_0.codePlaces } }
extension Q8_1 { static var codePlaces: CodeBytes { CodeBytes(places: 4..<36, low: 0x80, high: 0x7F) } }
extension TQ1_0 { static var codePlaces: CodeBytes { CodeBytes(places: 0..<52) } }
// Two bits an element, of which 3 is not used.
extension TQ2_0 { static var codePlaces: CodeBytes { CodeBytes(places: 0..<64, high: 0xAA) } }
extension Q2_K { static var codePlaces: CodeBytes { CodeBytes(places: 16..<80) } }
extension Q3_K { static var codePlaces: CodeBytes { CodeBytes(places: 0..<96) } }
extension Q4_K { static var codePlaces: CodeBytes { CodeBytes(places: 16..<144) } }
extension Q5_K { static var codePlaces: CodeBytes { CodeBytes(places: 16..<176) } }
extension Q6_K { static var codePlaces: CodeBytes { CodeBytes(places: 0..<192) } }
extension IQ4_NL { static var codePlaces: CodeBytes { CodeBytes(places: 2..<18) } }
extension IQ4_NLReference { static var codePlaces: CodeBytes { IQ4_NL.codePlaces } }
extension IQ4_XS { static var codePlaces: CodeBytes { CodeBytes(places: 8..<136) } }
extension MXFP4GGML { static var codePlaces: CodeBytes { CodeBytes(places: 1..<17, low: 0xFF, high: 0x77) } }
extension NVFP4GGML { static var codePlaces: CodeBytes { CodeBytes(places: 4..<36, low: 0xFF, high: 0x77) } }

extension GGMLScheme {
  public func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    let ends = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
    defer { ends.deallocate() }
    for (fill, target) in [(Self.codePlaces.low, lowest), (Self.codePlaces.high, highest)] {
      ends.copyMemory(from: bytes)
      for block in stride(from: 0, to: bytes.count - bytes.count % Self.blockBytes, by: Self.blockBytes) {
        for place in Self.codePlaces.places { ends[block + place] = fill }
      }
      try decode(UnsafeRawBufferPointer(ends), rows: rows, columns: columns, into: target)
    }
    Self.order(lowest, highest)
  }

  /// A negative scale turns the grid round.
  static func order(_ lowest: UnsafeMutableBufferPointer<Float>, _ highest: UnsafeMutableBufferPointer<Float>)
  {
    for index in lowest.indices where lowest[index] > highest[index] {
      (lowest[index], highest[index]) = (highest[index], lowest[index])
    }
  }
}
