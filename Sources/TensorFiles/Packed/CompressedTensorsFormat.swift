import NumKit

/// compressed-tensors' packed codes: `weight_packed` with `weight_scale`.
///
/// - pack-quantized: 32 bit words along the inputs, `weight_shape`, codes less 2^(bits − 1); asymmetric: `weight_zero_point`, packed the
///   same way down the outputs; act-order: `weight_g_idx`. 3, 5, 6 and 7 bits are dense; older releases left the rest of each word empty.
/// - nvfp4-pack-quantized: bytes of two e2m1, low half first, scales e4m3 by 16 over `weight_global_scale`.
/// - mxfp4-pack-quantized: the same with scales e8m0 by 32.
///
/// Values are rounded to the scales' format, those of fp4 to bf16, as its `decompress` does.
enum CompressedTensorsFormat: PackedFormat {
  static let marks = ["weight_packed"]

  static func tensor(_ base: String, _ mark: String, _ parts: PartList, _ config: CheckpointConfig) throws
    -> (name: String, tensor: PackedTensor)?
  {
    guard let codes = parts[base + mark] else { return nil }
    let scales = try parts.require(base + "weight_scale")
    guard codes.count > 0, codes.shape.count == 2, scales.count > 0 else {
      throw PackedRefusal("'weight_packed' of shape \(codes.shape) is no matrix")
    }
    if codes.elementType == .uint8 {
      return (base + "weight", try fourBitFloats(base, codes, scales, parts))
    }
    guard codes.elementType == .int32 else {
      throw PackedRefusal("'weight_packed' of \(codes.elementType) is not read")
    }
    return (base + "weight", try integers(base, codes, scales, parts))
  }

  private static func fourBitFloats(
    _ base: String, _ codes: TensorView, _ scales: TensorView, _ parts: PartList
  ) throws -> PackedTensor {
    let global = parts[base + "weight_global_scale"]
    let isMX = global == nil && (scales.elementType == .uint8 || scales.elementType == .small(.e8m0))
    guard isMX || scales.elementType == .small(.f8e4m3fn) else {
      throw PackedRefusal("its scales are \(scales.elementType), neither f8e4m3fn nor e8m0")
    }
    let group = isMX ? 32 : 16
    guard codes.shape[1] * 2 % group == 0, scales.shape == [codes.shape[0], codes.shape[1] * 2 / group] else {
      throw PackedRefusal("\(scales.shape) scales are not one for each \(group) of \(codes.shape) bytes")
    }
    let all = [codes, scales] + (global.map { [$0] } ?? [])
    return FourBitFloatFormat.tensor(
      isMX ? "mxfp4" : "nvfp4", .bf16, shape: [codes.shape[0], codes.shape[1] * 2], group: group, parts: all
    ) {
      try FourBitFloatFormat.scales(scales, divisor: try global?.scalar() ?? 1)
    }
  }

  private static func integers(
    _ base: String, _ codes: TensorView, _ scales: TensorView, _ parts: PartList
  ) throws -> PackedTensor {
    let stated = try parts.require(base + "weight_shape")
    let zeros = parts[base + "weight_zero_point"]
    let listed = parts[base + "weight_g_idx"]
    guard stated.count == 2, stated.elementType == .int64 || stated.elementType == .int32 else {
      throw PackedRefusal("'weight_shape' is no shape of a matrix")
    }
    let shape = try stated.withDoubles { $0.map { Int(max(-1, min($0, 0x1p40))) } }
    let (outputs, inputs) = (shape[0], shape[1])
    guard outputs == codes.shape[0], inputs > 0 else {
      throw PackedRefusal("'weight_shape' \(shape) does not fit 'weight_packed' \(codes.shape)")
    }
    guard let format = scales.elementType.numberFormat, [.f16, .bf16, .f32].contains(format) else {
      throw PackedRefusal("its scales are \(scales.elementType), not f16, bf16 or f32")
    }
    let widths = (1...8).filter { (inputs * $0 + 31) / 32 == codes.shape[1] }
    guard let bits = widths.first(where: { $0 == 4 || $0 == 8 }) ?? widths.first,
      widths.count == 1 || inputs < 32
    else {
      if (3...7).contains(where: { (inputs + 32 / $0 - 1) / (32 / $0) == codes.shape[1] }) {
        throw PackedRefusal("codes padded to whole words, as older releases wrote them, are not read")
      }
      throw PackedRefusal("\(codes.shape[1]) words hold no \(inputs) codes of 1 to 8 bits")
    }
    let groups = scales.shape.count == 2 ? scales.shape[1] : 1
    guard scales.count == 1 || scales.shape[0] == outputs, groups > 0, listed != nil || inputs % groups == 0,
      scales.count == 1 || scales.count == outputs * groups
    else { throw PackedRefusal("scales of shape \(scales.shape) do not fit a weight of \(shape)") }
    if let listed, listed.count != inputs || listed.elementType != .int32 {
      throw PackedRefusal("'weight_g_idx' has \(listed.count) of \(listed.elementType) for \(inputs) inputs")
    }
    if let zeros {
      guard zeros.elementType == .int32, zeros.shape == [(outputs * bits + 31) / 32, groups] else {
        throw PackedRefusal(
          "zero points of \(zeros.elementType) \(zeros.shape) do not fit a weight of \(shape)")
      }
    }
    let all = [codes, scales, stated] + [zeros, listed].compactMap { $0 }
    return PackedTensor(
      PackedType(name: "compressed-tensors-int\(bits)", format: format), shape: [outputs, inputs], parts: all
    ) {
      // Codes and zero points are shifted alike: their difference is not.
      let elements = PackedElements(
        inner: inputs,
        codes: CodeGrid(
          base: try codes.start(), bits: bits, isWords: true, unitStride: 4, lineStride: 4 * codes.shape[1]),
        values: PackedElements.integers(bits, lowest: zeros == nil ? -(1 << (bits - 1)) : 0),
        innerGroups: PackedGroups(inputs / groups), scales: try scales.scales(), scaleStride: groups,
        format: format)
      if scales.count == 1 { elements.outerGroups = PackedGroups(max(outputs, 1)) }
      if let listed {
        // The one that is not listed, −1, stands for contiguous groups.
        let list = try listed.withDoubles { Array($0) }
        if !list.contains(-1) { elements.innerGroups.listed = try GPTQFormat.groupList(listed, groups) }
      }
      if let zeros {
        elements.zeros = CodeGrid(
          base: try zeros.start(), bits: bits, isWords: true, unitStride: 4 * groups, lineStride: 4)
        elements.zerosAlongInner = false
      }
      return elements
    }
  }
}
