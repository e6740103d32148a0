/// A ggml type whose numbers come in blocks with their scales: bytes and counts here, numbers in the schemes.
///
/// The raw value is the type's id in a GGUF file (`enum ggml_type`); sizes are those of the structs in ggml-common.h.
public enum BlockType: UInt32, Sendable, Hashable, CaseIterable {
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q8_1 = 9
  case q2_k = 10
  case q3_k = 11
  case q4_k = 12
  case q5_k = 13
  case q6_k = 14
  case q8_k = 15
  case iq2_xxs = 16
  case iq2_xs = 17
  case iq3_xxs = 18
  case iq1_s = 19
  case iq4_nl = 20
  case iq3_s = 21
  case iq2_s = 22
  case iq4_xs = 23
  case iq1_m = 29
  case tq1_0 = 34
  case tq2_0 = 35
  case mxfp4 = 39
  case nvfp4 = 40
  case q1_0 = 41

  /// The scheme's name, in lower case: `q4_0`.
  public var name: String { "\(self)" }

  /// How many numbers a block holds.
  public var elementCount: Int { layout.elements }

  /// How many bytes a block takes.
  public var byteCount: Int { layout.bytes }

  private var layout: (elements: Int, bytes: Int) {
    switch self {
    case .q4_0: return (32, 18)
    case .q4_1: return (32, 20)
    case .q5_0: return (32, 22)
    case .q5_1: return (32, 24)
    case .q8_0: return (32, 34)
    case .q8_1: return (32, 36)
    case .q2_k: return (256, 84)
    case .q3_k: return (256, 110)
    case .q4_k: return (256, 144)
    case .q5_k: return (256, 176)
    case .q6_k: return (256, 210)
    case .q8_k: return (256, 292)
    case .iq2_xxs: return (256, 66)
    case .iq2_xs: return (256, 74)
    case .iq3_xxs: return (256, 98)
    case .iq1_s: return (256, 50)
    case .iq4_nl: return (32, 18)
    case .iq3_s: return (256, 110)
    case .iq2_s: return (256, 82)
    case .iq4_xs: return (256, 136)
    case .iq1_m: return (256, 56)
    case .tq1_0: return (256, 54)
    case .tq2_0: return (256, 66)
    case .mxfp4: return (32, 17)
    case .nvfp4: return (64, 36)
    case .q1_0: return (128, 18)
    }
  }
}
