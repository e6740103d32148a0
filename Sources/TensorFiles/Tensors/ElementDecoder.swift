import NumKit

/// Double or Float: what elements are decoded to.
protocol DecodedValue {
  init(_ value: Double)
  init(_ value: Float)
  init(_ value: Float16)
  init(_ value: Int8)
  init(_ value: Int16)
  init(_ value: Int32)
  init(_ value: Int64)
  init(_ value: UInt8)
  init(_ value: UInt16)
  init(_ value: UInt32)
  init(_ value: UInt64)
}
extension Double: DecodedValue {}
extension Float: DecodedValue {}

/// A run of stored elements: `count` of them, `stride` bytes apart, the first at `base`.
struct StoredRun {
  let base: UnsafeRawPointer
  let type: ElementType
  let isByteSwapped: Bool
  let stride: Int
  let count: Int

  /// Decodes into `out`, `outStride` values apart. Types that are not numeric leave it as it was.
  func decode<T: DecodedValue>(into out: UnsafeMutablePointer<T>, outStride: Int) {
    switch type {
    case .f64: copy(UInt64.self, out, outStride) { T(Double(bitPattern: $0)) }
    case .f32: copy(UInt32.self, out, outStride) { T(Float(bitPattern: $0)) }
    case .f16: copy(UInt16.self, out, outStride) { T(Float16(bitPattern: $0)) }
    case .bf16: copy(UInt16.self, out, outStride) { T(Float(bitPattern: UInt32($0) << 16)) }
    case .small(let format): decode(CodeTables.table(format), out, outStride)
    case .int8: copy(UInt8.self, out, outStride) { T(Int8(bitPattern: $0)) }
    case .int16: copy(UInt16.self, out, outStride) { T(Int16(bitPattern: $0)) }
    case .int32: copy(UInt32.self, out, outStride) { T(Int32(bitPattern: $0)) }
    case .int64: copy(UInt64.self, out, outStride) { T(Int64(bitPattern: $0)) }
    case .uint8: copy(UInt8.self, out, outStride) { T($0) }
    case .uint16: copy(UInt16.self, out, outStride) { T($0) }
    case .uint32: copy(UInt32.self, out, outStride) { T($0) }
    case .uint64: copy(UInt64.self, out, outStride) { T($0) }
    case .bool: copy(UInt8.self, out, outStride) { T($0 == 0 ? 0 as UInt8 : 1) }
    case .block, .packed, .opaque: break
    }
  }

  /// The first 64 bit integer that no Double holds, in decimal, and its place in the run.
  var firstInexact: (Int, String)? {
    guard type == .int64 || type == .uint64 else { return nil }
    for i in 0..<count {
      let raw = (base + i * stride).loadUnaligned(as: UInt64.self)
      let bits = isByteSwapped ? raw.byteSwapped : raw
      let magnitude = type == .int64 ? Int64(bitPattern: bits).magnitude : bits
      let width = UInt64.bitWidth - magnitude.leadingZeroBitCount
      if width > 53 && width - magnitude.trailingZeroBitCount > 53 {
        return (i, type == .int64 ? "\(Int64(bitPattern: bits))" : "\(bits)")
      }
    }
    return nil
  }

  private func decode<T: DecodedValue>(_ table: [Float], _ out: UnsafeMutablePointer<T>, _ outStride: Int) {
    table.withUnsafeBufferPointer { table in
      copy(UInt8.self, out, outStride) { T(table[Int($0)]) }
    }
  }

  @inline(__always)
  private func copy<Bits: FixedWidthInteger, T>(
    _ bits: Bits.Type, _ out: UnsafeMutablePointer<T>, _ outStride: Int, _ convert: (Bits) -> T
  ) {
    let size = MemoryLayout<Bits>.size
    if isByteSwapped && size > 1 {
      for i in 0..<count {
        out[i * outStride] = convert((base + i * stride).loadUnaligned(as: Bits.self).byteSwapped)
      }
    } else if stride == size && outStride == 1 {
      for i in 0..<count { out[i] = convert((base + i * size).loadUnaligned(as: Bits.self)) }
    } else {
      for i in 0..<count { out[i * outStride] = convert((base + i * stride).loadUnaligned(as: Bits.self)) }
    }
  }
}

/// A run of elements of less than a byte, packed from the lowest bit on: `count` of them, `stride` elements apart, from number
/// `first` on of those that begin at `base`.
struct PackedRun {
  let base: UnsafeRawPointer
  let format: NumberFormat
  let first: Int
  let stride: Int
  let count: Int

  func decode<T: DecodedValue>(into out: UnsafeMutablePointer<T>, outStride: Int) {
    let table = CodeTables.table(format)
    let width = format.bitWidth
    let mask = UInt16(1) << UInt16(width) - 1
    table.withUnsafeBufferPointer { table in
      for i in 0..<count {
        let bit = (first + i * stride) * width
        let place = base + bit >> 3
        var code = UInt16(place.load(as: UInt8.self))
        // The next byte may be beyond the end where it is not needed.
        if bit & 7 + width > 8 { code |= UInt16((place + 1).load(as: UInt8.self)) << 8 }
        out[i * outStride] = T(table[Int(code >> UInt16(bit & 7) & mask)])
      }
    }
  }
}

/// The value of every code of the formats of 8 bits and less; all are exact as Float.
private enum CodeTables {
  private static let all = Dictionary(
    uniqueKeysWithValues: ElementType.smallFormats.map { format in
      (format, (0..<1 << UInt64(format.bitWidth)).map { Float(format.decode($0)) })
    })

  static func table(_ format: NumberFormat) -> [Float] { all[format] ?? [] }
}
