import NumKit

/// MLX: `weight` (32 bit words along the inputs, the first code in the lowest bits), `scales`, and for affine codes `biases`.
///
/// - affine, 1 to 8 bits, groups of 32, 64, 128: x = scale · code + bias, rounded to the scales' format after the product and after the
///   sum. Several widths fit the same shapes, so the `config.json` beside the file must say which, but where one alone fits.
/// - without biases, scales in bytes: `mxfp4`, `mxfp8` (e8m0 by 32), `nvfp4` (e4m3 by 16); values are rounded to bf16.
enum MLXFormat: PackedFormat {
  static let marks = ["scales"]

  static func names(_ base: String, _ mark: String) -> (tensor: String, codes: String) {
    (base + "weight", base + "weight")
  }

  static func tensor(_ base: String, _ mark: String, _ parts: PartList, _ config: CheckpointConfig) throws
    -> (name: String, tensor: PackedTensor)?
  {
    guard let codes = parts[base + "weight"], codes.elementType == .uint32, let scales = parts[base + mark],
      codes.count > 0, scales.count > 0, codes.shape.count >= 2,
      codes.shape.dropLast() == scales.shape.dropLast()
    else { return nil }
    let (words, groups) = (codes.shape[codes.shape.count - 1], scales.shape[scales.shape.count - 1])
    guard words % groups == 0 else {
      throw PackedRefusal("\(groups) scales do not share \(words) words evenly")
    }
    let ratio = words / groups
    if scales.elementType == .uint8, parts[base + "biases"] == nil {
      let kinds: [Int: (name: String, bits: Int, group: Int, values: NumberFormat, scale: NumberFormat)] = [
        2: ("nvfp4", 4, 16, .f4e2m1, .f8e4m3fn), 4: ("mxfp4", 4, 32, .f4e2m1, .e8m0),
        8: ("mxfp8", 8, 32, .f8e4m3fn, .e8m0),
      ]
      guard let kind = kinds[ratio] else {
        throw PackedRefusal("\(ratio) words a scale are no mode of MLX's")
      }
      let tensor = self.tensor("mlx-\(kind.name)", .bf16, kind.bits, kind.group, [codes, scales]) {
        elements in
        elements.values = StoredScales.values(of: kind.values)
      } scales: {
        StoredScales(base: try scales.start(), kind: .codes(StoredScales.values(of: kind.scale)))
      }
      return (base + "weight", tensor)
    }
    let biases = try parts.require(base + "biases")
    guard let format = scales.elementType.numberFormat, [.f16, .bf16, .f32].contains(format),
      biases.elementType == scales.elementType, biases.shape == scales.shape
    else { throw PackedRefusal("its scales and biases do not fit each other") }
    let layer = config.layers[Spelling(String(base.dropLast()))] ?? config.affine
    let fitting = [32, 64, 128].compactMap { group in
      ratio * 32 % group == 0 && 1...8 ~= ratio * 32 / group ? (bits: ratio * 32 / group, group: group) : nil
    }.filter { $0.bits != 7 }
    let stated = fitting.filter { $0.bits == layer.bits ?? 4 && $0.group == layer.groupSize ?? 64 }
    let isStated = layer.bits != nil || layer.groupSize != nil
    guard let chosen = isStated ? stated.first : fitting.count == 1 ? fitting[0] : nil else {
      let list = fitting.map { "\($0.bits) bits by \($0.group)" }.joined(separator: ", ")
      throw PackedRefusal(
        isStated
          ? "the config.json's bits and group_size do not fit its shapes"
          : "MLX's codes may be \(list.isEmpty ? "nothing known" : list): the config.json that says which is not beside the file"
      )
    }
    let tensor = self.tensor(
      "mlx-int\(chosen.bits)", format, chosen.bits, chosen.group, [codes, scales, biases]
    ) { elements in
      elements.offsets = try biases.scales()
    } scales: {
      try scales.scales()
    }
    return (base + "weight", tensor)
  }

  private static func tensor(
    _ name: String, _ format: NumberFormat, _ bits: Int, _ group: Int, _ parts: [TensorView],
    _ adjust: @escaping @Sendable (PackedElements) throws -> Void,
    scales: @escaping @Sendable () throws -> StoredScales
  ) -> PackedTensor {
    var shape = parts[0].shape
    let words = shape[shape.count - 1]
    let columns = words * 32 / bits
    shape[shape.count - 1] = columns
    return PackedTensor(PackedType(name: name, format: format), shape: shape, parts: parts) {
      let elements = PackedElements(
        inner: columns, codes: .bytes(try parts[0].start(), bits: bits, lineBytes: 4 * words),
        values: PackedElements.integers(bits), innerGroups: PackedGroups(group), scales: try scales(),
        scaleStride: columns / group, format: format)
      try adjust(elements)
      return elements
    }
  }
}
