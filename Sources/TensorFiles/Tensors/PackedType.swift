import NumKit

/// What the elements of a tensor are that a checkpoint stores in parts: codes, scales, zero points.
public struct PackedType: Sendable, Hashable {
  /// What wrote it and how narrow its codes are: `gptq-int4`, `nvfp4`.
  public let name: String
  /// What its numbers are rounded to, as the library that wrote it does when it dequantizes.
  public let format: NumberFormat
}
