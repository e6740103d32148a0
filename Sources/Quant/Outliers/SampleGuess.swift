import CSchemes

/// What a sample says of a tensor before its first pass: never the result, only what makes one pass enough.
package struct SampleGuess: Sendable {
  /// About the mean: moments are summed about it.
  var mean: Float = 0
  /// Where the median |a| is, as bits of Floats: the pass counts the magnitudes there.
  var window: Range<Int32> = 0..<0

  /// Elements of a piece of the sample.
  package static let pieceLength = 2048

  /// Looks at some 256 pieces, spread evenly but for a shift, or at all.
  init(_ source: some ElementSource) throws {
    let (count, length) = (source.count, Self.pieceLength)
    let step = max(length, count / 256)
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: min(length, count))
    defer { buffer.deallocate() }
    var bins = MagnitudeBins()
    var spread = Spread()
    var sum = 0.0
    var numbers = 0
    var shift = 0
    for start in stride(from: 0, to: count, by: step) {
      // So that pieces do not all hold the same columns.
      shift = (shift + 1_299_709) % (step - length + 1)
      let first = min(start + shift, max(count - length, start))
      let part = UnsafeMutableBufferPointer(rebasing: buffer[..<min(length, count - first)])
      try source.read(first..<first + part.count, into: part)
      let sums = nc_sum(part.baseAddress, part.count, 0)
      sum += sums.first
      numbers += sums.numbers
      bins.add(UnsafeBufferPointer(part))
      if numbers >= 16 * length {
        let limit = spread.limit ?? bins.span(rank: UInt64(numbers / 2)).lowerBound
        spread.limit = limit
        spread.add(Double(nc_count_from(part.baseAddress, part.count, limit)) / Double(part.count))
      }
    }
    guard numbers > 0 else { return }
    mean = Float(sum / Double(numbers))
    let error = max(spread.standardError, 0.5 / Double(numbers).squareRoot())
    let margin = step > length ? Int(min(4 * error, 0.5) * Double(numbers)) : 0
    // Whole bins, as data of few digits may have a single value in each.
    let low = bins.span(rank: UInt64(max((numbers - 1) / 2 - margin, 0)))
    let high = bins.span(rank: UInt64(min(numbers / 2 + margin, numbers - 1)))
    window = low.lowerBound..<high.upperBound
  }

  /// How far the share of elements from some limit on differs between pieces: what follows from them all is sure to
  /// `standardError`.
  private struct Spread {
    var limit: Int32?
    private var count = 0.0
    private var sum = 0.0
    private var squares = 0.0

    mutating func add(_ share: Double) {
      count += 1
      sum += share
      squares += share * share
    }

    var standardError: Double {
      if count < 2 { return 0.5 }
      return (max(squares - sum * sum / count, 0) / (count - 1) / count).squareRoot()
    }
  }
}
