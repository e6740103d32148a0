import NumKit

extension BlockedScheme {
  func scaleFaults(
    _ bytes: UnsafeRawBufferPointer, _ values: UnsafeBufferPointer<Float>,
    decoded: UnsafeBufferPointer<Float>, rows: Int, columns: Int
  ) throws -> ScaleFaults {
    let layout = try layout(rows: rows, columns: columns)
    try layout.check(values: values.count, bytes: bytes.count)
    guard let y = bytes.baseAddress, layout.count > 0 else { return ScaleFaults() }
    return scaleFaults(y, values, decoded, layout, tensor: storedTensorScale(y))
  }

  /// The same of a band whose tensor's scale is known; each block stores something.
  func scaleFaults(
    _ bytes: UnsafeRawPointer, _ x: UnsafeBufferPointer<Float>, _ y: UnsafeBufferPointer<Float>,
    _ layout: BlockLayout, tensor: Float
  ) -> ScaleFaults {
    var faults = ScaleFaults()
    for band in 0..<layout.bands {
      let start = bytes + layout.offset(band: band)
      for block in 0..<layout.blocksAcross {
        let columns = block * layout.blockColumns..<min((block + 1) * layout.blockColumns, layout.columns)
        var (vanished, isSeen) = (true, false)
        for row in layout.rows(band: band) where vanished {
          let place = row * layout.columns
          let range = place + columns.lowerBound..<place + columns.upperBound
          let isLost = hasVanished(x, y, range)
          isSeen = isSeen || isLost
          vanished = isLost || range.allSatisfy { !x[$0].isFinite || x[$0] == 0 && y[$0] == 0 }
        }
        faults.add(block: read(start + block * blockBytes, tensor: tensor), vanished: vanished && isSeen)
      }
    }
    return faults
  }
}

extension ScaleFaults {
  /// Counts a block by what it means for its elements.
  mutating func add(block: BlockScale, vanished: Bool) { add([block.scale, block.zero], vanished: vanished) }
}
