import CVector

/// What a sample says of a tensor before its first pass: never the result, only what makes one pass enough.
struct SampleGuess: Sendable {
  /// About the mean: moments are summed about it.
  var mean: Float = 0
  /// Where the median |a| is: bins of the upper 16 bits of a Float, whose lower bits the pass counts.
  var bins: Range<Int> = 0..<0

  /// Looks at 64 to 128 pieces of 8192 elements, or at all, evenly spread.
  init(_ source: some ElementSource) throws {
    let count = source.count
    let (length, pieces) = (8192, 64)
    let step = max(length, count / pieces / length * length)
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: min(length, count))
    defer { buffer.deallocate() }
    var tables = [UInt32](repeating: 0, count: 1 << 17)
    var powers = [UInt64](repeating: 0, count: 256)
    var sum = 0.0
    var numbers = 0
    for start in stride(from: 0, to: count, by: step) {
      let part = UnsafeMutableBufferPointer(rebasing: buffer[..<min(length, count - start)])
      try source.read(start..<start + part.count, into: part)
      let found = nc_scan(part.baseAddress, part.count, 0, &tables, &powers)
      sum += found.first
      numbers += found.numbers
    }
    guard numbers > 0 else { return }
    mean = Float(sum / Double(numbers))
    var below = 0
    let bin = (0..<0x7f80).first {
      for half in stride(from: $0, to: tables.count, by: 0x8000) { below += Int(tables[half]) }
      return below > numbers / 2
    }
    // A sample of 2^19 finds the median's rank to 0.07 % of all (one standard deviation), half of what a bin of a normal
    // distribution holds there.
    let margin = step > length ? 2 : 0
    bins = max((bin ?? 0) - margin, 0)..<min((bin ?? 0) + margin + 1, 0x7f80)
  }
}
