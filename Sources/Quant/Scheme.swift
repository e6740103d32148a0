import NumKit

/// A way to squeeze a matrix of f32 into fewer bits: encode to bytes in the scheme's storage layout, decode back.
///
/// A matrix is `rows` × `columns`, row-major, as a weight (output channels × input channels) or as activations
/// (tokens × channels). Blocks run along a row.
public protocol Scheme: Sendable {
  /// The full name, with granularity and dialect: `q4_0`, `int8@channel`, `mxfp4:ggml`.
  var name: String { get }

  /// The bytes of the encoded matrix, scales and all; throws `SchemeError.shape` where the scheme does not fit it.
  func byteCount(rows: Int, columns: Int) throws -> Int

  /// Encodes into `bytes`, whose count is `byteCount(rows:columns:)`.
  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws

  /// Decodes `bytes` into `values`, whose count is rows × columns.
  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws
}

/// Why a scheme refuses a matrix or its bytes.
public enum SchemeError: Error, Hashable, CustomStringConvertible {
  /// The matrix does not fit the scheme's blocks.
  case shape(String)
  /// There is no such scheme.
  case unknown(String)
  /// The encoded bytes are not as many as the scheme needs.
  case bytes(expected: Int, found: Int)

  public var description: String {
    switch self {
    case .shape(let why): return why
    case .unknown(let name): return "unknown scheme '\(name)'"
    case .bytes(let expected, let found): return "expected \(expected) encoded bytes, found \(found)"
    }
  }
}
