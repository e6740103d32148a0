/// A data type by its command-line name: a floating-point format, or an integer grid whose scale is only known at
/// run time.
public enum DType: Sendable, Hashable, CustomStringConvertible {
  /// A floating-point format.
  case float(NumberFormat)
  /// Integer codes with a scale beside them.
  case integer(IntegerFormat)

  /// The canonical name.
  public var name: String {
    switch self {
    case .float(let format): return format.name
    case .integer(let format): return format.name
    }
  }

  /// Bits of a code.
  public var bitWidth: Int {
    switch self {
    case .float(let format): return format.bitWidth
    case .integer(let format): return format.bitWidth
    }
  }

  /// The floating-point record, or nil for an integer grid.
  public var numberFormat: NumberFormat? {
    if case .float(let format) = self { return format }
    return nil
  }

  public var description: String { name }
}

/// An integer grid: codes from `min` to `max`, each times a scale that stands beside the tensor.
public struct IntegerFormat: Sendable, Hashable {
  /// The dtype name.
  public let name: String
  /// Bits of a code.
  public let bitWidth: Int
  /// Whether codes are two's complement.
  public let isSigned: Bool

  /// A grid of codes of that many bits, two's complement where they are signed.
  package init(name: String, bitWidth: Int, isSigned: Bool) {
    self.name = name
    self.bitWidth = bitWidth
    self.isSigned = isSigned
  }

  /// The smallest code.
  public var min: Int { isSigned ? -(1 << (bitWidth - 1)) : 0 }
  /// The largest code.
  public var max: Int { (1 << (isSigned ? bitWidth - 1 : bitWidth)) - 1 }

  /// 8 bits, −128 … 127.
  public static let int8 = IntegerFormat(name: "int8", bitWidth: 8, isSigned: true)
  /// 8 bits, 0 … 255.
  public static let uint8 = IntegerFormat(name: "uint8", bitWidth: 8, isSigned: false)
  /// 4 bits, −8 … 7.
  public static let int4 = IntegerFormat(name: "int4", bitWidth: 4, isSigned: true)
  /// 4 bits, 0 … 15.
  public static let uint4 = IntegerFormat(name: "uint4", bitWidth: 4, isSigned: false)
}
