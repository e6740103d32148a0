import NumKit

/// Elements of 8 bits under the tensor's own name, `weight`, with scales beside them: what fp8 and int8 checkpoints hold.
///
/// - `weight_scale` (compressed-tensors, modelopt, torchao): one for all, for each row, for groups of a row, for blocks; with int8 maybe
///   `weight_zero_point`. Values are rounded to the scales' format.
/// - `weight_scale_inv` (DeepSeek's fp8): blocks of 128 × 128 or what the config says; its scales are multiplied too, in f32.
/// - `SCB` (bitsandbytes' LLM.int8()): amax of each row; x = code · amax · f32(1/127).
enum ScaledFormat: PackedFormat {
  static let marks = ["weight_scale", "weight_scale_inv", "qscale_weight", "SCB"]

  static func names(_ base: String, _ mark: String) -> (tensor: String, codes: String) {
    (base + "weight", base + "weight")
  }

  static func tensor(_ base: String, _ mark: String, _ parts: PartList, _ config: CheckpointConfig) throws
    -> (name: String, tensor: PackedTensor)?
  {
    guard let codes = parts[base + "weight"], let scales = parts[base + mark], codes.count > 0,
      let rows = codes.shape.first, codes.shape.count >= 2, let columns = codes.shape.last
    else { return nil }
    let values: [Float]
    switch codes.elementType {
    case .small(let format) where format.bitWidth == 8 && format != .e8m0:
      values = StoredScales.values(of: format)
    case .int8: values = (0..<256).map { Float(Int8(truncatingIfNeeded: $0)) }
    default: return nil
    }
    guard codes.shape.count == 2 else {
      throw PackedRefusal("8 bit codes of shape \(codes.shape) with '\(mark)' are read of matrices only")
    }
    let isBytes = scales.elementType == .uint8
    guard isBytes || StoredScales.kind(of: scales.elementType) != nil else {
      throw PackedRefusal("'\(mark)' of \(scales.elementType) are no scales")
    }
    var extra: [TensorView] = []
    let block: (rows: Int, columns: Int)
    if mark == "SCB" {
      guard scales.count == rows, scales.elementType == .f32 else {
        throw PackedRefusal("'SCB' has \(scales.count) of \(scales.elementType) for \(rows) rows")
      }
      if let order = parts[base + "weight_format"] {
        guard order.count == 1, try order.scalar() == 0 else {
          throw PackedRefusal("bitsandbytes' int8 in tiles ('weight_format' is not 0) is not read")
        }
        extra.append(order)
      }
      block = (1, columns)
    } else {
      block = try self.block(scales.shape, rows, columns, mark == "weight_scale_inv" ? config.blockSize : nil)
    }
    let zeros = codes.elementType == .int8 ? parts[base + "weight_zero_point"] : nil
    if let zeros {
      guard zeros.elementType == .int8, zeros.shape == scales.shape else {
        throw PackedRefusal(
          "zero points of \(zeros.elementType) \(zeros.shape) are not those of scales \(scales.shape)")
      }
      extra.append(zeros)
    }
    let own = scales.elementType.numberFormat ?? .bf16
    let format = mark == "weight_scale_inv" || own.bitWidth < 16 && !isBytes ? NumberFormat.f32 : own
    let across = (columns + block.columns - 1) / block.columns
    let tensor = PackedTensor(
      PackedType(name: "scaled-\(codes.elementType)", format: format), shape: codes.shape,
      parts: [codes, scales] + extra
    ) {
      let elements = PackedElements(
        inner: columns, codes: .bytes(try codes.start(), bits: 8, lineBytes: columns), values: values,
        innerGroups: PackedGroups(block.columns), scales: try FourBitFloatFormat.scales(scales),
        scaleStride: across, format: format)
      elements.outerGroups = PackedGroups(block.rows)
      if mark == "SCB" { elements.factor = 1 / 127 }
      if let zeros {
        elements.zeros = .bytes(try zeros.start(), bits: 8, lineBytes: across)
        elements.zerosAreSigned = true
      }
      return elements
    }
    return (base + "weight", tensor)
  }

  /// How many rows and columns share one of the scales of that shape.
  private static func block(_ scales: [Int], _ rows: Int, _ columns: Int, _ stated: [Int]?) throws -> (
    rows: Int, columns: Int
  ) {
    let shape = scales.count == 1 && scales[0] == rows && rows > 1 ? [rows, 1] : scales
    if shape.allSatisfy({ $0 == 1 }) { return (rows, columns) }
    guard shape.count == 2 else {
      throw PackedRefusal("scales of shape \(scales) do not fit \(rows) x \(columns)")
    }
    func length(_ whole: Int, _ count: Int, _ stated: Int?) -> Int? {
      if count == 1 { return whole }
      if count == whole { return 1 }
      // A block at the edge may be short, so its size is not the quotient.
      for size in [stated ?? 128, 128, 64, 32, 16] where size > 0 && (whole + size - 1) / size == count {
        return size
      }
      return count > 0 && whole % count == 0 ? whole / count : nil
    }
    guard let height = length(rows, shape[0], stated?.first),
      let width = length(columns, shape[1], stated?.last)
    else { throw PackedRefusal("scales of shape \(scales) do not fit \(rows) x \(columns)") }
    return (height, width)
  }
}
