import NumKit

/// bitsandbytes' 4 bit weights: `weight` (bytes, the high half first, in any storage type), `weight.absmax`, `weight.quant_map`, with
/// double quantization `weight.nested_absmax` and `weight.nested_quant_map`, and what else there is as JSON in
/// `weight.quant_state.bitsandbytes__nf4` or `…__fp4`.
///
/// x = map[code] · absmax, rounded to the dtype stated; absmax of blocks of so many elements of the flat tensor, or
/// nested map[code] · nested absmax + offset. Source: `QuantState` and `dequantize_4bit`.
enum BitsandbytesFormat: PackedFormat {
  static let marks = [".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4"]

  static func names(_ base: String, _ mark: String) -> (tensor: String, codes: String) { (base, base) }

  static func tensor(_ base: String, _ mark: String, _ parts: PartList, _ config: CheckpointConfig) throws
    -> (name: String, tensor: PackedTensor)?
  {
    guard let state = parts[base + mark], state.elementType == .uint8 else { return nil }
    let codes = try parts.require(base)
    let largest = try parts.require(base + ".absmax")
    let map = try parts.require(base + ".quant_map")
    let description = try Description(state)
    guard map.elementType == .f32, map.count == 16 else {
      throw PackedRefusal("'quant_map' has \(map.count) of \(map.elementType), not 16 f32")
    }
    let shape = description.shape
    var count = 1
    for dimension in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard dimension > 0, !overflow else { throw PackedRefusal("its stated shape \(shape) is none") }
      count = product
    }
    guard !shape.isEmpty, shape.count <= TensorInfo.maximumRank, (count + 1) / 2 <= codes.info.byteCount,
      codes.info.byteCount < (count + 1) / 2 + 8
    else {
      throw PackedRefusal("\(codes.info.byteCount) bytes are not the codes of the stated shape \(shape)")
    }
    let blockSize = description.blockSize
    guard blockSize > 0, (count + blockSize - 1) / blockSize == largest.count else {
      throw PackedRefusal("\(largest.count) absmax are not one for each \(blockSize) of \(count) elements")
    }
    var all = [codes, largest, map, state]
    var nested: (absmax: TensorView, map: TensorView)?
    if largest.elementType == .uint8 {
      let outer = try parts.require(base + ".nested_absmax")
      let outerMap = try parts.require(base + ".nested_quant_map")
      let length = description.nestedBlockSize
      guard outer.elementType == .f32, outerMap.elementType == .f32, outerMap.count == 256, length > 0,
        (largest.count + length - 1) / length == outer.count
      else { throw PackedRefusal("its nested absmax do not fit \(largest.count) absmax") }
      nested = (outer, outerMap)
      all += [outer, outerMap]
    } else if largest.elementType != .f32 {
      throw PackedRefusal("absmax of \(largest.elementType) are not read")
    }
    let (elementCount, double) = (count, nested)
    let kind = mark.hasSuffix("nf4") ? "nf4" : "fp4"
    let tensor = PackedTensor(
      PackedType(name: "bitsandbytes-\(kind)", format: description.format), shape: shape, parts: all
    ) {
      let scales: StoredScales
      if let double {
        scales = StoredScales(
          base: try largest.start(),
          kind: .nested(
            map: try double.map.withFloats { Array($0) }, largest: try double.absmax.start(),
            length: description.nestedBlockSize, offset: description.nestedOffset))
      } else {
        scales = try largest.scales()
      }
      var values = try map.withFloats { Array($0) }
      // The kernel multiplies a magnitude with a sign: the second zero is negative, whatever the map says; but not in f16.
      if kind == "fp4" && values[8] == 0 && description.format != .f16 { values[8] = -0.0 }
      return PackedElements(
        inner: elementCount, codes: .bytes(try codes.start(), bits: 4, lineBytes: 0, order: .highFirst),
        values: values, innerGroups: PackedGroups(blockSize), scales: scales,
        scaleStride: 0, format: description.format)
    }
    return (base, tensor)
  }

  /// What the JSON says.
  private struct Description {
    var shape: [Int] = []
    var blockSize = 0
    var nestedBlockSize = 256
    var nestedOffset: Float = 0
    var format = NumberFormat.f32

    init(_ state: TensorView) throws {
      let bytes = try state.withRawBytes { Array($0.prefix(1 << 16)) }
      try bytes.withUnsafeBytes { bytes in
        var reader = JSONReader(bytes, path: state.name)
        try reader.object { reader, key in
          switch key {
          case "shape": shape = try reader.integers(limit: TensorInfo.maximumRank, key)
          case "blocksize": blockSize = try reader.integer(key)
          case "nested_blocksize": nestedBlockSize = try reader.integer(key)
          case "nested_offset": nestedOffset = Float(try reader.number(key))
          case "dtype":
            let name = try reader.string()
            guard let format = ["float32": NumberFormat.f32, "float16": .f16, "bfloat16": .bf16][name] else {
              throw PackedRefusal("its dtype \(name.quoted) is not read")
            }
            self.format = format
          default: try reader.skipValue()
          }
        }
      }
    }
  }
}
