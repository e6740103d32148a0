import NumKit

/// GPTQ's and AWQ's codes: `qweight`, `qzeros`, `scales`, maybe `g_idx`, of a weight of `outputs` × `inputs`.
///
/// - GPTQ (2, 3, 4, 8 bits): `qweight` [inputs · bits/32, outputs] runs down the inputs, `qzeros` [groups, outputs · bits/32] along the
///   outputs and holds z − 1 (`gptq_v2` in the config: z); `g_idx` [inputs] is each input's group. A z − 1 of all ones is 2^bits, as
///   the kernels that take `g_idx` read it; AutoGPTQ's older ones make it 0.
/// - AWQ (4 bits, the layout of its GEMM): `qweight` [inputs, outputs/8], `qzeros` [groups, outputs/8], both along the outputs in the order
///   0, 2, 4, 6, 1, 3, 5, 7.
///
/// x = (code − z) · scale in the scales' format. Sources: AutoGPTQ's and AutoAWQ's own dequantization.
enum GPTQFormat: PackedFormat {
  static let marks = ["qweight"]

  static func tensor(_ base: String, _ mark: String, _ parts: PartList, _ config: CheckpointConfig) throws
    -> (name: String, tensor: PackedTensor)?
  {
    guard let codes = parts[base + mark] else { return nil }
    if codes.elementType == .int16 {
      throw PackedRefusal("AWQ's gemv_fast layout (16 bit words) is not read; its gemm layout is")
    }
    guard codes.elementType == .int32 || codes.elementType == .uint32 else { return nil }
    let zeros = try parts.require(base + "qzeros")
    let scales = try parts.require(base + "scales")
    let listed = parts[base + "g_idx"]
    guard zeros.elementType == codes.elementType, codes.shape.count == 2, zeros.shape.count == 2,
      scales.shape.count == 2, scales.count > 0, codes.count > 0, zeros.shape[0] == scales.shape[0]
    else { throw PackedRefusal(contradiction(codes, zeros, scales)) }
    guard let format = scales.elementType.numberFormat, [.f16, .bf16, .f32].contains(format) else {
      throw PackedRefusal("its scales are \(scales.elementType), not f16, bf16 or f32")
    }
    let all = [codes, zeros, scales] + (listed.map { [$0] } ?? [])
    let (groups, outputs) = (scales.shape[0], scales.shape[1])
    if codes.shape[1] == outputs {
      let bits = zeros.shape[1] * 32 / outputs
      guard [2, 3, 4, 8].contains(bits), zeros.shape[1] * 32 == outputs * bits,
        codes.shape[0] * 32 % bits == 0
      else { throw PackedRefusal(contradiction(codes, zeros, scales)) }
      let inputs = codes.shape[0] * 32 / bits
      if let listed, listed.count != inputs || !(listed.elementType == .int32 || listed.elementType == .int64)
      {
        throw PackedRefusal("'g_idx' has \(listed.count) of \(listed.elementType) for \(inputs) inputs")
      }
      guard listed != nil || inputs % groups == 0 else {
        throw PackedRefusal("\(inputs) inputs are no \(groups) whole groups")
      }
      let isLater = config.checkpointFormat == "gptq_v2"
      let tensor = PackedTensor(
        PackedType(name: "gptq-int\(bits)", format: format), shape: [outputs, inputs], order: .columnMajor,
        parts: all
      ) {
        let elements = PackedElements(
          inner: outputs,
          codes: CodeGrid(
            base: try codes.start(), bits: bits, isWords: true, unitStride: 4 * outputs, lineStride: 4),
          values: PackedElements.integers(bits), innerGroups: PackedGroups(1), scales: try scales.scales(),
          scaleStride: outputs, format: format)
        elements.codesAlongInner = false
        elements.outerGroups = PackedGroups(max(inputs / groups, 1))
        if let listed { elements.outerGroups.listed = try groupList(listed, groups) }
        elements.zeros = CodeGrid(
          base: try zeros.start(), bits: bits, isWords: true, unitStride: 4, lineStride: 4 * zeros.shape[1])
        if !isLater { elements.zeroShift = 1 }
        return elements
      }
      return (base + "weight", tensor)
    }
    let inputs = codes.shape[0]
    guard codes.shape[1] * 8 == outputs, zeros.shape[1] == codes.shape[1], inputs % groups == 0, listed == nil
    else { throw PackedRefusal(contradiction(codes, zeros, scales)) }
    let tensor = PackedTensor(
      PackedType(name: "awq-int4", format: format), shape: [outputs, inputs], order: .columnMajor, parts: all
    ) {
      let elements = PackedElements(
        inner: outputs,
        codes: CodeGrid(
          base: try codes.start(), bits: 4, isWords: true, unitStride: 4, lineStride: outputs / 2,
          order: .interleaved),
        values: PackedElements.integers(4), innerGroups: PackedGroups(1), scales: try scales.scales(),
        scaleStride: outputs, format: format)
      elements.outerGroups = PackedGroups(inputs / groups)
      elements.zeros = CodeGrid(
        base: try zeros.start(), bits: 4, isWords: true, unitStride: 4, lineStride: outputs / 2,
        order: .interleaved)
      return elements
    }
    return (base + "weight", tensor)
  }

  private static func contradiction(_ codes: TensorView, _ zeros: TensorView, _ scales: TensorView) -> String
  {
    "shapes \(codes.shape) of 'qweight', \(zeros.shape) of 'qzeros' and \(scales.shape) of 'scales' are neither GPTQ's nor AWQ's (gemm)"
  }

  /// The group of each input; throws for one that is not there.
  static func groupList(_ listed: TensorView, _ groups: Int) throws -> [Int32] {
    let list = try listed.withDoubles { $0.map { Int32(clamping: Int($0)) } }
    if let wrong = list.first(where: { $0 < 0 || $0 >= groups }) {
      throw listed.error("group \(wrong) is outside the \(groups) that have scales")
    }
    return list
  }
}
