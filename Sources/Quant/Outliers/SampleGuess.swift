import CVector

/// What a small sample says of a tensor before its first pass: never the result, only what makes one pass enough.
struct SampleGuess: Sendable {
  /// About the mean: moments are summed about it.
  var mean = 0.0
  /// Where the median |a| is: bins of the upper 16 bits of a Float, whose lower bits the pass counts.
  var bins: Range<Int> = 0..<0

  /// Looks at up to 16 pieces of 8192 elements, evenly spread.
  init(_ source: some ElementSource) throws {
    let count = source.count
    let (length, pieces) = (8192, 16)
    let step = max(length, count / pieces / length * length)
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: min(length, count))
    defer { buffer.deallocate() }
    var magnitudes: [UInt32] = []
    var sum = 0.0
    for start in stride(from: 0, to: count, by: step) {
      let part = UnsafeMutableBufferPointer(rebasing: buffer[..<min(length, count - start)])
      try source.read(start..<start + part.count, into: part)
      for x in part where x.isFinite {
        sum += Double(x)
        magnitudes.append(x.magnitude.bitPattern)
      }
    }
    guard !magnitudes.isEmpty else { return }
    mean = sum / Double(magnitudes.count)
    let median = Selection.select(&magnitudes, rank: magnitudes.count / 2)
    let bin = Int(median >> 16)
    // Near an edge of its bin the true one may lie beyond it.
    let place = Double(median & 0xffff) / 65536
    bins = max(bin - (place < 0.25 ? 1 : 0), 0)..<min(bin + (place > 0.75 ? 2 : 1), 0x7f80)
  }
}
