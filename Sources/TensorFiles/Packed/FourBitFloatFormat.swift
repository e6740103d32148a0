import NumKit

/// Four-bit floats with scales beside them, two codes in a byte, the low half first.
///
/// - modelopt's NVFP4: `weight` (bytes), `weight_scale` (e4m3, by 16), `weight_scale_2` (f32, multiplied with the scale).
/// - gpt-oss: `X_blocks` [… , groups, 16] and `X_scales` [… , groups] (e8m0, by 32) are the tensor `X` [… , 32 · groups].
enum FourBitFloatFormat: PackedFormat {
  static let marks = ["weight_scale_2", "_blocks"]

  static func names(_ base: String, _ mark: String) -> (tensor: String, codes: String) {
    mark == "_blocks" ? (base, base + mark) : (base + "weight", base + "weight")
  }

  static func tensor(_ base: String, _ mark: String, _ parts: PartList, _ config: CheckpointConfig) throws
    -> (name: String, tensor: PackedTensor)?
  {
    let (name, codesName) = names(base, mark)
    guard let codes = parts[codesName], codes.elementType == .uint8, codes.count > 0 else { return nil }
    if mark == "_blocks" {
      guard let scales = parts[base + "_scales"], scales.elementType == .uint8, codes.shape.last == 16,
        codes.shape.dropLast() == scales.shape[...], !scales.shape.isEmpty
      else { return nil }
      var shape = scales.shape
      shape[shape.count - 1] *= 32
      return (
        name,
        tensor("mxfp4", .f32, shape: shape, group: 32, parts: [codes, scales]) { try Self.scales(scales) }
      )
    }
    let scales = try parts.require(base + "weight_scale")
    let second = try parts.require(base + mark)
    guard codes.shape.count == 2, scales.elementType == .small(.f8e4m3fn), codes.shape[1] % 8 == 0,
      scales.shape == [codes.shape[0], codes.shape[1] / 8], second.count == 1
    else {
      throw PackedRefusal(
        "\(scales.shape) scales of \(scales.elementType) are not one for each 16 of its elements")
    }
    let shape = [codes.shape[0], 2 * codes.shape[1]]
    return (
      name,
      // modelopt's table has +0 twice.
      tensor(
        "nvfp4", .f32, shape: shape, group: 16, parts: [codes, scales, second], secondZero: 0,
        { try scales.scales(factor: try second.scalar()) })
    )
  }

  static func tensor(
    _ kind: String, _ format: NumberFormat, shape: [Int], group: Int, parts: [TensorView],
    secondZero: Float = -0.0, _ scales: @escaping @Sendable () throws -> StoredScales
  ) -> PackedTensor {
    PackedTensor(PackedType(name: kind, format: format), shape: shape, parts: parts) {
      let length = shape[shape.count - 1]
      var values = StoredScales.values(of: .f4e2m1)
      values[8] = secondZero
      return PackedElements(
        inner: length, codes: .bytes(try parts[0].start(), bits: 4, lineBytes: length / 2),
        values: values, innerGroups: PackedGroups(group), scales: try scales(),
        scaleStride: length / group, format: format)
    }
  }

  /// Scales in bytes, which stand for powers of two where they are stored as integers.
  static func scales(_ view: TensorView, divisor: Float = 1) throws -> StoredScales {
    guard view.elementType == .uint8 else { return try view.scales(divisor: divisor) }
    return StoredScales(
      base: try view.start(), kind: .codes(StoredScales.values(of: .e8m0)), divisor: divisor)
  }
}
