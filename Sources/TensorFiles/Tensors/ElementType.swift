import NumKit

/// What the elements of a stored tensor are.
public enum ElementType: Sendable, Hashable, CustomStringConvertible {
  case f64, f32, f16, bf16
  /// A format of at most 8 bits. Codes of fewer are packed without gaps, the first in the lowest bits: two of 4 bits in a byte, four
  /// of 6 bits in three.
  case small(NumberFormat)
  case int8, int16, int32, int64, uint8, uint16, uint32, uint64
  /// A byte, 0 or 1; any other byte reads as 1.
  case bool
  /// Quantized blocks: raw bytes for the scheme of that name to decode.
  case block(BlockType)
  /// Codes, scales and zero points in several tensors of a checkpoint, read together as the numbers they mean.
  case packed(PackedType)
  /// A type that is sized but not decoded here (complex numbers), by its name in the file.
  case opaque(name: String, bitWidth: Int)

  /// The name: a dtype's where there is one (`f32`), a scheme's for blocks (`q4_0`), else the file's own.
  public var name: String {
    switch self {
    case .f64: return "f64"
    case .f32: return "f32"
    case .f16: return "f16"
    case .bf16: return "bf16"
    case .small(let format): return format.name
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
    case .packed(let type): return type.name
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
  public static let numeric: [ElementType] =
    [.f64, .f32, .f16, .bf16] + smallFormats.map(ElementType.small)
    + [.int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .bool]

  /// Every format there is of at most 8 bits.
  static let smallFormats = FormatRegistry.all.compactMap(\.dtype.numberFormat).filter { $0.bitWidth <= 8 }

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
    case .small(let format): return format
    case .packed(let type): return type.format
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
    guard case .small(let format) = self, format.bitWidth < 8 else { return nil }
    return format.bitWidth
  }

  /// The smallest whole unit of storage: `elements` numbers in `bytes` bytes.
  package var unit: (elements: Int, bytes: Int) {
    switch self {
    case .f64, .int64, .uint64: return (1, 8)
    case .f32, .int32, .uint32: return (1, 4)
    case .f16, .bf16, .int16, .uint16: return (1, 2)
    case .int8, .uint8, .bool: return (1, 1)
    case .small(let format): return Self.packed(format.bitWidth)
    case .block(let type): return (type.elementCount, type.byteCount)
    // Of what it is read as: its own bytes lie in several places.
    case .packed(let type): return (1, type.format.bitWidth / 8)
    case .opaque(_, let bits): return Self.packed(bits)
    }
  }

  /// The fewest elements of so many bits that fill bytes.
  private static func packed(_ bits: Int) -> (elements: Int, bytes: Int) {
    switch bits % 8 {
    case 0: return (1, bits / 8)
    case 4: return (2, bits / 4)
    case 2, 6: return (4, bits / 2)
    default: return (8, bits)
    }
  }
}
