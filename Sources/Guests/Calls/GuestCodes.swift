import NumKit
import TensorFiles

extension ElementType {
  /// Bytes of an element in a guest's memory.
  package var guestWidth: Int {
    let unit = self.unit
    return unit.elements == 1 ? unit.bytes : 1
  }

  /// Its number in `numcheck_kernel.h`; nil where it has none.
  package var guestNumber: Int? { Self.guestNumbers[name] }

  private static let guestNumbers: [String: Int] = [
    "f64": 1, "f32": 2, "f16": 3, "bf16": 4, "f8e4m3fn": 5, "f8e5m2": 6, "f8e4m3fnuz": 7, "f8e5m2fnuz": 8,
    "f8e3m4": 9, "f6e3m2": 10, "f6e2m3": 11, "f4e2m1": 12, "int8": 32, "uint8": 33, "int32": 34, "int64": 35,
    "bool": 36,
  ]

  /// The number of a code.
  func guestValue(_ code: UInt64) -> Double {
    switch self {
    case .f64: return Double(bitPattern: code)
    case .f32: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: code)))
    case .f16: return Double(Float16(bitPattern: UInt16(truncatingIfNeeded: code)))
    case .bf16: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: code) << 16))
    case .small(let format): return format.decode(code)
    case .int8: return Double(Int8(truncatingIfNeeded: code))
    case .int16: return Double(Int16(truncatingIfNeeded: code))
    case .int32: return Double(Int32(truncatingIfNeeded: code))
    case .int64: return Double(Int64(truncatingIfNeeded: code))
    default: return Double(code)
    }
  }

  /// The code of a number, rounded to nearest where it is a format's; whole numbers and truth values must be ones.
  package func guestCode(_ x: Double, overflow: Overflow = .special) -> UInt64? {
    if let format = numberFormat { return format.encode(x, overflow: overflow) }
    if case .bool = self { return x == 0 ? 0 : 1 }
    guard let n = Int64(exactly: x) else { return nil }
    return UInt64(bitPattern: n)
  }

  /// What memory is filled with before a call: a NaN that no arithmetic makes where there is such a one, so that what is still there
  /// was not written; otherwise NaN, or (`otherwise`) the largest number.
  func fillCode(otherwise: Bool) -> UInt64 {
    switch self {
    case .f64: return 0x7ffa_5ca1_ab1e_5a5a
    case .f32: return 0x7fe5_a5a5
    case .f16: return 0x7f5a
    case .bf16: return 0x7fda
    case .bool: return otherwise ? 1 : 0
    default:
      if let format = numberFormat {
        return format.hasNaN && !otherwise ? format.encode(.nan) : format.encode(format.largestFinite)
      }
      return otherwise ? 0x5a5a_5a5a_5a5a_5a5a : 0x2525_2525_2525_2525
    }
  }

  /// Whether what memory is filled with can be told from every number and from the NaN that arithmetic makes.
  var fillIsUnique: Bool {
    switch self {
    case .f64, .f32, .f16, .bf16: return true
    default: return false
    }
  }

  /// How far apart two codes are in the order of numbers, in steps of the format; nil where one is NaN and the other none.
  package func steps(_ a: UInt64, _ b: UInt64) -> UInt64? {
    if a == b { return 0 }
    let (x, y) = (guestValue(a), guestValue(b))
    if x.isNaN && y.isNaN { return 0 }
    if x.isNaN || y.isNaN { return nil }
    guard let format = numberFormat, format.hasSign, format.hasZero else {
      let distance = (x - y).magnitude
      return distance < 0x1p63 ? UInt64(distance) : .max
    }
    let sign: UInt64 = 1 << UInt64(format.bitWidth - 1)
    func place(_ code: UInt64) -> Int64 {
      let magnitude = Int64(bitPattern: code & (sign - 1))
      return code & sign == 0 ? magnitude : -magnitude
    }
    // +0 and −0 are neighbours: they differ in a bit.
    let distance = UInt64((place(a).subtractingReportingOverflow(place(b)).partialValue).magnitude)
    return max(distance, 1)
  }
}

extension GuestArray {
  /// Numbers as an array of `type`, rounded to nearest. Throws for what an integer type cannot hold.
  package init(
    _ name: String, _ type: ElementType, _ shape: [Int], values: [Double], overflow: Overflow = .special
  ) throws {
    let width = type.guestWidth
    var bytes = [UInt8](repeating: 0, count: values.count * width)
    for (i, x) in values.enumerated() {
      guard let code = type.guestCode(x, overflow: overflow) else {
        throw GuestFault(.failure, "\(name): \(x) is no \(type)")
      }
      for k in 0..<width { bytes[i * width + k] = UInt8(truncatingIfNeeded: code >> UInt64(8 * k)) }
    }
    self.init(name, type, shape, bytes: bytes)
  }
}

/// The index in a shape of element `index` in row-major order.
package func multiIndex(_ index: Int, in shape: [Int]) -> [Int] {
  var rest = index
  var place = [Int](repeating: 0, count: shape.count)
  for axis in shape.indices.reversed() where shape[axis] > 0 {
    place[axis] = rest % shape[axis]
    rest /= shape[axis]
  }
  return place
}
