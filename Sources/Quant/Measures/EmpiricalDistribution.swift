import CSchemes

/// How a tensor's numbers are spread: counts, sums and sums of squares in bins of relative width 2^−11.
public struct EmpiricalDistribution: Sendable {
  // A bin: count, Σx, Σx²; ascending, those with something in them.
  private(set) var means: [Double] = []
  private(set) var counts: [Double] = []
  // Running sums up to each bin, one more than there are bins.
  private var countsBelow: [Double] = [0]
  private var sumsBelow: [Double] = [0]
  private var squaresBelow: [Double] = [0]
  private(set) var withinBins = 0.0

  /// Numbers in it.
  public var count: Double { countsBelow[countsBelow.count - 1] }
  /// Bins with something in them: at most this many different numbers can be told apart.
  public var binCount: Int { means.count }

  /// The distribution of the finite numbers of some buffers.
  public init(_ parts: [UnsafeBufferPointer<Float>]) {
    var counter = Counter()
    for part in parts { counter.add(part) }
    self.init(counter)
  }

  /// A distribution in the making, from a tensor's parts in order.
  public struct Counter: Sendable {
    /// Count, Σx and Σx² of each bin. Bins of one sign and exponent are a page; there are those that have something in them, in the order
    /// in which they were met: few, while all would be 24 MiB.
    private var bins: [Double] = []
    /// Where the bins of each page begin, in the order of numbers; −1 where there are none.
    private var pages = [Int32](repeating: -1, count: 512)

    public init() {}

    /// Adds numbers.
    public mutating func add(_ values: UnsafeBufferPointer<Float>) {
      guard let x = values.baseAddress else { return }
      var done = 0
      while true {
        done += nc_fill_bins(x + done, values.count - done, pages, &bins)
        guard done < values.count else { return }
        // The next number is the first of its page.
        pages[Self.page(x[done])] = Int32(bins.count)
        bins += repeatElement(0, count: 3 * 2048)
      }
    }

    private static func page(_ x: Float) -> Int {
      let bits = x.bitPattern
      return Int((x.sign == .minus ? ~bits : bits | 0x8000_0000) >> 23)
    }

    /// Calls `body` with what each bin holds, ascending, where it holds anything.
    fileprivate func forEachBin(_ body: (_ count: Double, _ sum: Double, _ squares: Double) -> Void) {
      for first in pages where first >= 0 {
        for bin in stride(from: Int(first), to: Int(first) + 3 * 2048, by: 3) where bins[bin] > 0 {
          body(bins[bin], bins[bin + 1], bins[bin + 2])
        }
      }
    }
  }

  /// The distribution of what was counted.
  public init(_ counter: Counter) {
    counter.forEachBin { n, sum, squares in
      means.append(sum / n)
      counts.append(n)
      countsBelow.append(count + n)
      sumsBelow.append(sumsBelow[sumsBelow.count - 1] + sum)
      squaresBelow.append(squaresBelow[squaresBelow.count - 1] + sum * sum / n)
      withinBins += max(squares - sum * sum / n, 0)
    }
  }

  /// The distribution of the finite numbers of one buffer.
  public init(_ values: UnsafeBufferPointer<Float>) { self.init([values]) }

  /// The centroid of bins.
  func centroid(_ bins: Range<Int>) -> Double {
    (sumsBelow[bins.upperBound] - sumsBelow[bins.lowerBound])
      / (countsBelow[bins.upperBound] - countsBelow[bins.lowerBound])
  }

  /// Σ n (mean − centroid)² over bins, from running sums: quick, with rounding of the order of all squares.
  func roughScatter(_ bins: Range<Int>) -> Double {
    let sum = sumsBelow[bins.upperBound] - sumsBelow[bins.lowerBound]
    let n = countsBelow[bins.upperBound] - countsBelow[bins.lowerBound]
    return max(squaresBelow[bins.upperBound] - squaresBelow[bins.lowerBound] - sum * sum / n, 0)
  }

  /// Where the bins whose mean is at least `x` begin.
  func bin(from x: Double) -> Int {
    var (low, high) = (0, means.count)
    while low < high {
      let middle = (low + high) / 2
      if means[middle] < x { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Σ n (mean − level)² over bins.
  func scatter(_ bins: Range<Int>, about level: Double) -> Double {
    var sum = 0.0
    for bin in bins {
      let d = means[bin] - level
      sum += counts[bin] * d * d
    }
    return sum
  }

  /// (∫ p^⅓)³ for the density p: what many levels make of the error, times 12 L².
  var manyLevelError: Double {
    var integral = 0.0
    for bin in means.indices {
      let below = means[max(bin - 1, 0)]
      let width = (means[min(bin + 1, means.count - 1)] - below) / 2
      if width > 0 { integral += nc_cbrt(counts[bin] / count / width) * width }
    }
    return integral * integral * integral
  }
}
