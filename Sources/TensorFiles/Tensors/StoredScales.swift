import NumKit

/// The scales of a packed tensor, read where they lie.
struct StoredScales {
  enum Kind {
    case f32, f16, bf16
    /// One byte each: f8e4m3, f8e5m2, e8m0.
    case codes([Float])
    /// bitsandbytes' double quantization: map[code] · largest[place / length] + offset.
    case nested(map: [Float], largest: UnsafeRawPointer, length: Int, offset: Float)
  }

  let base: UnsafeRawPointer
  let kind: Kind
  /// What scales are multiplied with, or divided by.
  var factor: Float = 1
  var divisor: Float = 1

  /// nil for elements that are no scales.
  static func kind(of type: ElementType) -> Kind? {
    switch type {
    case .f32: return .f32
    case .f16: return .f16
    case .bf16: return .bf16
    case .small(let format) where format.bitWidth == 8: return .codes(values(of: format))
    default: return nil
    }
  }

  /// The value of every code of a format of at most 8 bits.
  static func values(of format: NumberFormat) -> [Float] {
    (0..<1 << UInt64(format.bitWidth)).map { Float(format.decode($0)) }
  }

  @inline(__always)
  subscript(place: Int) -> Float {
    let scale: Float
    switch kind {
    case .f32: scale = Self.f32(base + 4 * place)
    case .f16:
      scale = Float(
        Float16(bitPattern: UInt16(littleEndian: (base + 2 * place).loadUnaligned(as: UInt16.self))))
    case .bf16:
      let bits = UInt16(littleEndian: (base + 2 * place).loadUnaligned(as: UInt16.self))
      scale = Float(bitPattern: UInt32(bits) << 16)
    case .codes(let values): scale = values[Int((base + place).load(as: UInt8.self))]
    case .nested(let map, let largest, let length, let offset):
      let product = map[Int((base + place).load(as: UInt8.self))] * Self.f32(largest + 4 * (place / length))
      scale = product + offset
    }
    return scale * factor / divisor
  }

  private static func f32(_ place: UnsafeRawPointer) -> Float {
    Float(bitPattern: UInt32(littleEndian: place.loadUnaligned(as: UInt32.self)))
  }
}

/// Which group a row or a column of a packed matrix belongs to.
struct PackedGroups {
  /// The length of a group; all in one where it is `.max`.
  let length: Int
  private let shift: Int
  /// The group of each, where the checkpoint lists it (GPTQ's act-order).
  var listed: [Int32] = []

  init(_ length: Int) {
    self.length = length
    shift = length & (length - 1) == 0 ? length.trailingZeroBitCount : -1
  }

  @inline(__always)
  func callAsFunction(_ index: Int) -> Int {
    if !listed.isEmpty { return Int(listed[index]) }
    return shift >= 0 ? index >> shift : index / length
  }
}
