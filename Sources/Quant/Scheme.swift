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

  /// Bands of a multiple of this many rows, encoded apart and concatenated, give the bytes of the whole matrix;
  /// nil where rows share a scale or the layout gathers something from all of them.
  var independentRows: Int? { get }

  /// How many of the encoded `bytes` hold something: fewer than `byteCount(rows:columns:)` in a scheme whose size
  /// depends on the data, where that is the largest possible. Bits per weight count these.
  func storedByteCount(_ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int) throws -> Int
}

extension Scheme {
  public var independentRows: Int? { nil }

  public func storedByteCount(_ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int) throws -> Int {
    try byteCount(rows: rows, columns: columns)
  }
}

/// A scheme that tells where its grid ends: what tells clipping from rounding, and scales from elements.
public protocol LimitedScheme: Scheme {
  /// For each element the smallest and the largest value it could have, beside the scales in `bytes`.
  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws
}

/// A scheme that also tells what rounding its scales costs.
public protocol GridScheme: LimitedScheme {
  /// The same scheme with the blocks' scales in f32; nil where nothing rounds them further than that.
  var unrounded: (any Scheme)? { get }
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
