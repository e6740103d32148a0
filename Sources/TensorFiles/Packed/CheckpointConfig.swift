import SystemPackage

/// What the `config.json` (or `quantize_config.json`) beside a checkpoint says of how its tensors are packed.
struct CheckpointConfig {
  /// MLX: bits and group size, for all layers and for some by name.
  struct Affine {
    var bits: Int?
    var groupSize: Int?
  }

  /// `gptq` or `gptq_v2`.
  var checkpointFormat: String?
  /// Rows and columns of a block with one scale.
  var blockSize: [Int]?
  var affine = Affine()
  var layers: [Spelling: Affine] = [:]

  /// No file, or none that can be read: nothing is known.
  init(beside folder: FilePath?) {
    guard let folder else { return }
    for name in ["config.json", "quantize_config.json"] {
      let path = folder.appending(name)
      guard let bytes = try? SmallFile.bytes(path, kept: false) else { continue }
      bytes.withUnsafeBytes { bytes in
        var reader = JSONReader(bytes, path: path.label)
        // What was read before it broke stays.
        try? reader.object { reader, key in
          switch key {
          case "quantization_config": try readMethod(&reader)
          case "quantization": try readAffine(&reader)
          case "checkpoint_format": checkpointFormat = try reader.string()
          default: try reader.skipValue()
          }
        }
      }
    }
  }

  private mutating func readMethod(_ reader: inout JSONReader) throws {
    if reader.null() { return }
    try reader.object { reader, key in
      switch key {
      case "checkpoint_format": checkpointFormat = try? reader.peeking { try $0.string() }
      case "weight_block_size": blockSize = try? reader.peeking { try $0.integers(limit: 2, key) }
      default: break
      }
      try reader.skipValue()
    }
  }

  private mutating func readAffine(_ reader: inout JSONReader) throws {
    if reader.null() { return }
    try reader.object { reader, key in
      switch key {
      case "bits": affine.bits = try? reader.peeking { try $0.integer(key) }
      case "group_size": affine.groupSize = try? reader.peeking { try $0.integer(key) }
      default:
        var layer = Affine()
        let isLayer =
          (try? reader.peeking { reader in
            try reader.object { reader, inner in
              switch inner {
              case "bits": layer.bits = try? reader.peeking { try $0.integer(inner) }
              case "group_size": layer.groupSize = try? reader.peeking { try $0.integer(inner) }
              default: break
              }
              try reader.skipValue()
            }
          }) != nil
        if isLayer { layers[Spelling(key)] = layer }
      }
      try reader.skipValue()
    }
  }
}
