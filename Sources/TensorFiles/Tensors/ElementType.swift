import NumKit

/// What the elements of a stored tensor are.
public enum ElementType: Sendable, Hashable, CustomStringConvertible {
  case f64, f32, f16, bf16
  case f8e4m3fn, f8e5m2, f8e4m3fnuz, f8e5m2fnuz, e8m0
  /// Packed without gaps, the first in the lowest bits: two of 4 bits in a byte, four of 6 bits in three.
  case f6e3m2, f6e2m3, f4e2m1
  case int8, int16, int32, int64, uint8, uint16, uint32, uint64
  /// A byte, 0 or 1; any other byte reads as 1.
  case bool
  /// Quantized blocks: raw bytes for the scheme of that name to decode.
  case block(BlockType)
  /// A type that is sized but not decoded here (complex numbers), by its name in the file.
  case opaque(name: String, bitWidth: Int)

  /// The name: a dtype's where there is one (`f32`), a scheme's for blocks (`q4_0`), else the file's own.
  public var name: String {
    switch self {
    case .f64: return "f64"
    case .f32: return "f32"
    case .f16: return "f16"
    case .bf16: return "bf16"
    case .f8e4m3fn: return "f8e4m3fn"
    case .f8e5m2: return "f8e5m2"
    case .f8e4m3fnuz: return "f8e4m3fnuz"
    case .f8e5m2fnuz: return "f8e5m2fnuz"
    case .e8m0: return "e8m0"
    case .f6e3m2: return "f6e3m2"
    case .f6e2m3: return "f6e2m3"
    case .f4e2m1: return "f4e2m1"
    case .int8: return "int8"
    case .int16: return "int16"
    case .int32: return "int32"
    case .int64: return "int64"
    case .uint8: return "uint8"
    case .uint16: return "uint16"
    case .uint32: return "uint32"
    case .uint64: return "uint64"
    case .bool: return "bool"
    case .block(let type): return type.name
    case .opaque(let name, _): return name
    }
  }

  public var description: String { name }

  /// The type that stores `dtype`'s codes; nil for those that no file here has (tf32, 4 bit integers).
  public init?(_ dtype: DType) {
    guard let type = Self.numeric.first(where: { $0.name == dtype.name }) else { return nil }
    self = type
  }

  /// Every type whose elements read as numbers.
  public static let numeric: [ElementType] = [
    .f64, .f32, .f16, .bf16, .f8e4m3fn, .f8e5m2, .f8e4m3fnuz, .f8e5m2fnuz, .e8m0, .f6e3m2, .f6e2m3, .f4e2m1,
    .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .bool,
  ]

  /// The dtype with the same codes; nil where there is none (16 to 64 bit integers, bool, blocks).
  public var dtype: DType? {
    switch self {
    case .int8: return .integer(.int8)
    case .uint8: return .integer(.uint8)
    default: return numberFormat.map(DType.float)
    }
  }

  /// The floating-point format of the elements; nil for integers, bool and what is not decoded here.
  public var numberFormat: NumberFormat? {
    switch self {
    case .f64: return .f64
    case .f32: return .f32
    case .f16: return .f16
    case .bf16: return .bf16
    case .f8e4m3fn: return .f8e4m3fn
    case .f8e5m2: return .f8e5m2
    case .f8e4m3fnuz: return .f8e4m3fnuz
    case .f8e5m2fnuz: return .f8e5m2fnuz
    case .e8m0: return .e8m0
    case .f6e3m2: return .f6e3m2
    case .f6e2m3: return .f6e2m3
    case .f4e2m1: return .f4e2m1
    default: return nil
    }
  }

  /// Whether the elements read as numbers here.
  public var isNumeric: Bool {
    switch self {
    case .block, .opaque: return false
    default: return true
    }
  }

  /// The bits of an element that is less than a byte; nil for all others.
  var packedWidth: Int? {
    switch self {
    case .f6e3m2, .f6e2m3: return 6
    case .f4e2m1: return 4
    default: return nil
    }
  }

  /// The smallest whole unit of storage: `elements` numbers in `bytes` bytes.
  var unit: (elements: Int, bytes: Int) {
    switch self {
    case .f64, .int64, .uint64: return (1, 8)
    case .f32, .int32, .uint32: return (1, 4)
    case .f16, .bf16, .int16, .uint16: return (1, 2)
    case .f8e4m3fn, .f8e5m2, .f8e4m3fnuz, .f8e5m2fnuz, .e8m0, .int8, .uint8, .bool: return (1, 1)
    case .f6e3m2, .f6e2m3: return (4, 3)
    case .f4e2m1: return (2, 1)
    case .block(let type): return (type.elementCount, type.byteCount)
    case .opaque(_, let bits):
      switch bits % 8 {
      case 0: return (1, bits / 8)
      case 4: return (2, bits / 4)
      case 2, 6: return (4, bits / 2)
      default: return (8, bits)
      }
    }
  }
}
