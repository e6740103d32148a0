/// Bands of a `BlockedScheme` whose scales, of the tensor or of its columns, are known.
struct StagedBlocks: GridScheme, ScaledScheme {
  /// What the whole tensor's bytes begin with.
  let prefix: [UInt8]
  private let base: any BlockedScheme
  private let known: KnownBlocks
  let unrounded: (any Scheme)?
  /// The faults of scales that all bands share.
  let sharedFaults: ScaleFaults

  init(_ base: any BlockedScheme, _ survey: TensorSurvey) {
    self.base = base
    let tensor = base.hasTensorScale ? base.tensorScale(magnitude: survey.magnitude) : 1
    var prefix: [UInt8] = []
    if base.hasTensorScale {
      prefix = withUnsafeBytes(of: tensor.bitPattern.littleEndian) { [UInt8]($0) }
    }
    var blocks: (chosen: [BlockScale], restored: [BlockScale])?
    if base.granularity.independentRows == nil {
      let chosen = survey.ranges(base.granularity, base.rangeKind).map { base.blockScale($0, tensor: tensor) }
      var restored: [BlockScale] = []
      var stored = [UInt8](repeating: 0, count: base.blockBytes)
      for block in chosen {
        stored.withUnsafeMutableBytes { bytes in
          guard let start = bytes.baseAddress else { return }
          base.write(block, to: start)
          restored.append(base.read(start, tensor: tensor))
        }
        prefix += stored
      }
      blocks = (chosen, restored)
    }
    self.prefix = prefix
    known = KnownBlocks(tensor: tensor, blocks: blocks)
    var faults = ScaleFaults()
    for (chosen, restored) in zip(blocks?.chosen ?? [], blocks?.restored ?? []) {
      faults.add(block: restored, vanished: restored.scale == 0 && chosen.scale != 0)
    }
    sharedFaults = faults
    let ideal = base.unrounded
    if let blocked = ideal as? any BlockedScheme, blocked.independentRows == nil {
      unrounded = StagedBlocks(blocked, survey)
    } else {
      unrounded = ideal
    }
  }

  var name: String { base.name }
  var independentRows: Int? { 1 }

  private func layout(_ rows: Int, _ columns: Int) throws -> BlockLayout {
    try BlockLayout(
      rows: rows, columns: columns, granularity: base.granularity, elementBits: base.elementBits,
      blockBytes: known.blocks == nil ? base.blockBytes : 0, headerBytes: 0, name: name)
  }

  func byteCount(rows: Int, columns: Int) throws -> Int { try layout(rows, columns).byteCount }

  func encode(
    _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try base.encode(values, layout(rows, columns), known, into: bytes)
  }

  func decode(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) throws {
    try base.decode(bytes, layout(rows, columns), known, into: values)
  }

  func scaleFaults(
    _ bytes: UnsafeRawBufferPointer, _ values: UnsafeBufferPointer<Float>,
    decoded: UnsafeBufferPointer<Float>, rows: Int, columns: Int
  ) throws -> ScaleFaults {
    let layout = try layout(rows, columns)
    guard known.blocks == nil, layout.count > 0, let y = bytes.baseAddress else { return ScaleFaults() }
    return base.scaleFaults(y, values, decoded, layout, tensor: known.tensor)
  }

  func decodeLimits(
    _ bytes: UnsafeRawBufferPointer, rows: Int, columns: Int,
    lowest: UnsafeMutableBufferPointer<Float>, highest: UnsafeMutableBufferPointer<Float>
  ) throws {
    try base.decodeLimits(bytes, layout(rows, columns), known, lowest: lowest, highest: highest)
  }
}
