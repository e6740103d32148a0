/// Packed codes that are known and not read: refused, so that nobody takes them for numbers.
enum UnreadFormat: PackedFormat {
  static let marks = ["W_q", "B"]

  static func tensor(_ base: String, _ mark: String, _ parts: PartList, _ config: CheckpointConfig) throws
    -> (name: String, tensor: PackedTensor)?
  {
    if mark == "W_q", parts[base + "scale"] != nil || parts[base + "zero"] != nil {
      throw PackedRefusal("HQQ's packed codes are not read; dequantize it and save that")
    }
    if mark == "B", parts[base + "B"]?.elementType == .int32, parts[base + "s"] != nil {
      throw PackedRefusal("Marlin's order of codes is not read; the GPTQ checkpoint that it came from is")
    }
    return nil
  }
}
