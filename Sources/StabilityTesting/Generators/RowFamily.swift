import NumKit
import RealModule

/// Kinds of rows that kernels over rows go wrong on, each by chance.
public enum RowFamily: String, Sendable, CaseIterable {
  /// Normal, of a spread by chance; uniform; numbers of every size.
  case gaussian, uniform, anySize = "any-size"
  /// All the same; the largest several times; few different numbers.
  case level, ties, steps
  /// One towers above all: at the beginning, anywhere, at the edge of a block, at the end.
  case sink, spike, blockEdge = "block-edge", last
  /// In order, which moves a running maximum at every step, or never.
  case ascending, descending
  /// −∞ behind a place, in whole blocks, at random places.
  case maskedTail = "masked-tail", maskedBlocks = "masked-blocks", maskedSome = "masked-some"
  /// Differences from the largest at thresholds of the exponential, or all numbers near one.
  case thresholds, nearThreshold = "near-threshold"
  /// Differences half way between multiples of ln 2, where an exponential's argument is reduced the one way or the other.
  case reduction
  /// All numbers far below 0, or far above.
  case farBelow = "far-below", farAbove = "far-above"
  /// Pairs of ±M and small numbers; the smallest numbers there are.
  case cancelling, subnormal
  /// Differences half way between numbers of fewer bits.
  case midpoints
  /// A large term, then many that each are too small to count.
  case tail

  /// Whether there must be an infinity.
  public var isMasked: Bool { self == .maskedTail || self == .maskedBlocks || self == .maskedSome }

  /// Fills a row with numbers of `format`, finite ones at most `range` in magnitude.
  public func fill(
    _ row: inout [Double], _ format: NumberFormat, range: Double, _ random: inout RandomSource
  ) {
    guard !row.isEmpty else { return }
    draw(&row, format, range: range, &random)
    let limit = format.largest(upTo: range)
    for i in row.indices {
      let x = row[i]
      if x == -.infinity && format.hasInfinity { continue }
      row[i] = format.round(x.isNaN ? 0 : max(-limit, min(limit, x)), overflow: .saturate)
    }
  }

  private func draw(
    _ row: inout [Double], _ format: NumberFormat, range: Double, _ random: inout RandomSource
  ) {
    let n = row.count
    let spread = random.one(of: [0.5, 1, 3, 10, 30])
    func normal(_ random: inout RandomSource) { for i in 0..<n { row[i] = spread * random.normal() } }
    switch self {
    case .gaussian: normal(&random)
    case .uniform: for i in 0..<n { row[i] = spread * (2 * random.uniform() - 1) }
    case .anySize: for i in 0..<n { row[i] = format.anyFinite(&random) }
    case .level:
      let x =
        random.chance(0.5) ? 0 : random.chance(0.5) ? spread * random.normal() : format.anyFinite(&random)
      for i in 0..<n { row[i] = x }
    case .ties:
      normal(&random)
      let top = row.max() ?? 0
      for _ in 0..<random.integer(in: 1...max(1, min(n - 1, 8))) { row[random.integer(in: 0...n - 1)] = top }
    case .steps:
      let values = (0..<random.integer(in: 2...4)).map { _ in spread * random.normal() }
      for i in 0..<n { row[i] = random.one(of: values) }
    case .sink, .spike, .blockEdge, .last:
      normal(&random)
      let block = 1 << random.integer(in: 0...10)
      let edge = random.integer(in: 1...max(1, n / block)) * block - random.integer(in: 0...1)
      let places = [RowFamily.sink: 0, .last: n - 1, .blockEdge: edge % n]
      row[places[self] ?? random.integer(in: 0...n - 1)] =
        (row.max() ?? 0) + random.one(of: [0.5, 5, 20, 80, 1000])
    case .ascending, .descending:
      for i in 0..<n {
        row[i] = (2 * Double(i) / Double(max(n - 1, 1)) - 1) * spread * (self == .ascending ? 1 : -1)
      }
    case .maskedTail, .maskedBlocks, .maskedSome:
      normal(&random)
      mask(&row, &random)
    case .thresholds:
      let top = random.one(of: [0, spread * random.normal()])
      for i in 0..<n {
        row[i] =
          top - format.stepped(random.one(of: format.thresholds).magnitude, by: random.integer(in: -2...2))
      }
      row[random.integer(in: 0...n - 1)] = top
    case .reduction:
      let top = random.one(of: [0, 0, Double(random.integer(in: -4...4))])
      let most = random.one(of: [2, 20, 120])
      for i in 0..<n {
        let turns =
          Double(random.integer(in: 0...most))
          + (random.chance(0.8) ? 0.5 : Double(random.integer(in: 0...63)) / 64)
        row[i] = top + format.stepped(-turns * 0.6931471805599453, by: random.integer(in: -2...2))
      }
      row[random.integer(in: 0...n - 1)] = top
    case .nearThreshold:
      let x = random.one(of: format.thresholds)
      for i in 0..<n { row[i] = format.stepped(x, by: random.integer(in: -3...3)) }
    case .farBelow, .farAbove:
      let far = range.isFinite ? min(range, format.largestFinite) : format.largestFinite
      // Beside the largest, and beside what people take for minus infinity.
      let usual = [1e4, 5e4, 65504, 1e5, 1e9].filter { $0 < far }
      let size = random.one(of: [1, 0.9375, 0.5, 1e-2].map { far * $0 } + usual)
      for i in 0..<n { row[i] = (self == .farBelow ? -1 : 1) * (size - spread * random.uniform()) }
    case .cancelling:
      let size = random.one(of: [1e2, 1e4, format.largestFinite / 4])
      for i in 0..<n { row[i] = i % 4 == 0 ? size : i % 4 == 2 ? -size : random.normal() }
    case .subnormal:
      for i in 0..<n { row[i] = Double(random.integer(in: -40...40)) * format.smallestPositive }
    case .midpoints:
      let top = Double(random.integer(in: 0...8))
      let step = Double.powerOfTwo(-random.integer(in: 3...12))
      for i in 0..<n { row[i] = top - (Double(random.integer(in: 0...40)) + 0.5) * step }
      row[random.integer(in: 0...n - 1)] = top
    case .tail:
      let drop =
        0.6931471805599453 * Double(random.integer(in: 1...format.precision + 2)) + 0.2876820724517809
      for i in 0..<n { row[i] = -drop }
      row[random.chance(0.5) ? 0 : random.integer(in: 0...n - 1)] = 0
    }
  }

  /// Hides some, never all.
  private func mask(_ row: inout [Double], _ random: inout RandomSource) {
    let n = row.count
    let kept = random.integer(in: 0...n - 1)
    let value = row[kept]
    let block = 1 << random.integer(in: 0...7)
    let odd = random.integer(in: 0...1)
    for i in 0..<n {
      switch self {
      case .maskedTail: if i > kept { row[i] = -.infinity }
      case .maskedBlocks: if i / block % 2 == odd { row[i] = -.infinity }
      default: if random.chance(0.5) { row[i] = -.infinity }
      }
    }
    row[kept] = value
  }
}
