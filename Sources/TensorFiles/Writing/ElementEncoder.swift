import NumKit

/// Double or Float: what elements are encoded from.
protocol EncodedValue {
  var double: Double { get }
}
extension Double: EncodedValue {
  @inline(__always) var double: Double { self }
}
extension Float: EncodedValue {
  @inline(__always) var double: Double { Double(self) }
}

/// Values as little-endian codes of an element type.
struct ElementEncoder {
  let type: ElementType
  /// What floating-point values too large become.
  let overflow: Overflow

  /// The first value that the type cannot hold.
  struct Misfit: Error {
    let index: Int
    let value: Double
  }

  /// Encodes `values` into `out`, which has room; codes of less than a byte take one each. Floats round to nearest even; integers and bool must hold the
  /// value exactly, else `Misfit` is thrown.
  func encode<T: EncodedValue>(_ values: UnsafeBufferPointer<T>, into out: UnsafeMutableRawPointer)
    throws(Misfit)
  {
    switch type {
    case .f64 where overflow == .special: store(values, out) { $0.double.bitPattern }
    case .f32 where overflow == .special: store(values, out) { Float($0.double).bitPattern }
    case .f16 where overflow == .special: store(values, out) { Float16($0.double).bitPattern }
    case .f64: float(.f64, UInt64.self, values, out)
    case .f32: float(.f32, UInt32.self, values, out)
    case .f16: float(.f16, UInt16.self, values, out)
    case .bf16: float(.bf16, UInt16.self, values, out)
    case .small(let format): float(format, UInt8.self, values, out)
    case .int8: try integer(Int8.self, values, out)
    case .int16: try integer(Int16.self, values, out)
    case .int32: try integer(Int32.self, values, out)
    case .int64: try integer(Int64.self, values, out)
    case .uint8: try integer(UInt8.self, values, out)
    case .uint16: try integer(UInt16.self, values, out)
    case .uint32: try integer(UInt32.self, values, out)
    case .uint64: try integer(UInt64.self, values, out)
    case .bool:
      if let index = values.firstIndex(where: { $0.double != 0 && $0.double != 1 }) {
        throw Misfit(index: index, value: values[index].double)
      }
      store(values, out) { $0.double == 0 ? 0 as UInt8 : 1 }
    case .block, .packed, .opaque: break
    }
  }

  private func float<T: EncodedValue, Bits: FixedWidthInteger>(
    _ format: NumberFormat, _ bits: Bits.Type, _ values: UnsafeBufferPointer<T>,
    _ out: UnsafeMutableRawPointer
  ) {
    store(values, out) { Bits(truncatingIfNeeded: format.encode($0.double, overflow: overflow)) }
  }

  private func integer<T: EncodedValue, I: FixedWidthInteger>(
    _ integer: I.Type, _ values: UnsafeBufferPointer<T>, _ out: UnsafeMutableRawPointer
  ) throws(Misfit) {
    let size = MemoryLayout<I>.size
    for i in values.indices {
      guard let code = I(exactly: values[i].double) else { throw Misfit(index: i, value: values[i].double) }
      (out + i * size).storeBytes(of: code.littleEndian, as: I.self)
    }
  }

  @inline(__always)
  private func store<T, Bits: FixedWidthInteger>(
    _ values: UnsafeBufferPointer<T>, _ out: UnsafeMutableRawPointer, _ code: (T) -> Bits
  ) {
    let size = MemoryLayout<Bits>.size
    for i in values.indices {
      (out + i * size).storeBytes(of: code(values[i]).littleEndian, as: Bits.self)
    }
  }
}
