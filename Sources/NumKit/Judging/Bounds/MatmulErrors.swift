import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import Synchronization

/// A sound bound on the errors of one order of summation in one configuration, result by result; derived in
/// Documentation/Bounds.md, "Products of matrices".
///
/// M = Σ|aₖ||bₖ| is what all of it grows with: M·F for the roundings of a sum, F from the order and the accumulator alone.
struct MatmulErrors: ProbabilisticErrorModel {
  typealias Q = MatmulQuestion

  /// What is known of a vector of codes.
  private struct Vector {
    let largest: Double
    let grain: Double
    let scales: ClosedRange<Double>
    let isFinite: Bool
  }

  private let configuration: MatmulConfiguration
  private let order: MatmulOrder
  private let sums: NumberFormat?
  private let rows: [Vector]
  private let columns: [Vector]
  private let inner: Int
  private let block: Int
  private let isBlocked: Bool
  private let hasScales: Bool
  /// Conversions of codes to the accumulator.
  private let loading: Rounding
  /// F of a block (or of all), and of the scaled blocks.
  private let growth: Double
  private let blockGrowth: Double
  /// The same of roundings that are random, where the bound may fail: what errors are bounded by; nothing overflows by that.
  private var usual: (within: Double, across: Double)
  private let found: MatmulGaps?

  init(_ runner: MatmulRunner, _ inputs: MatmulInputs, found: MatmulGaps? = nil) {
    configuration = runner.configuration
    order = runner.order
    self.found = found
    inner = inputs.a.inner
    block = inputs.a.block
    hasScales = !inputs.a.scales.isEmpty
    if case .block = configuration.scaling { isBlocked = true } else { isBlocked = false }
    if case .float(let format) = configuration.accumulator { sums = format } else { sums = nil }
    rows = Self.vectors(inputs.a)
    columns = Self.vectors(inputs.b)
    loading = Rounding.loading(configuration.storage, into: sums)
    let blocks = inputs.a.blocks
    let u = sums?.unitRoundoff ?? 0
    let within = isBlocked ? order.withinBlocks(of: block) : order
    growth = within.growth(Swift.min(block, inner), u)
    blockGrowth =
      isBlocked ? order.acrossBlocks(of: block).growth(blocks, configuration.scaleFormat.unitRoundoff) : 0
    usual = (growth, blockGrowth)
  }

  func exceeded(withProbability probability: Double) -> MatmulErrors {
    var other = self
    let blocks = (inner + block - 1) / Swift.max(block, 1)
    // Each result may fail, in each of its blocks and in their sum.
    let failures = Double(columns.count) * Double(isBlocked ? blocks + 1 : 1)
    let confidence = (2 * Double.log(2 * failures / probability)).squareRoot()
    func random(_ order: MatmulOrder, _ count: Int, _ u: Double, _ sound: Double) -> Double {
      Swift.min(sound, confidence * Double(order.roundings(count)).squareRoot() * u * (1 + sound))
    }
    let within = isBlocked ? order.withinBlocks(of: block) : order
    other.usual.within = random(within, Swift.min(block, inner), sums?.unitRoundoff ?? 0, growth)
    if isBlocked {
      other.usual.across = random(
        order.acrossBlocks(of: block), blocks, configuration.scaleFormat.unitRoundoff, blockGrowth)
    }
    return other
  }

  private static func vectors(_ operand: MatmulOperand) -> [Vector] {
    let grains = operand.grains(operand.codes)
    return (0..<operand.count).map { v in
      let codes = operand.codes[v * operand.inner..<(v + 1) * operand.inner]
      let scales =
        operand.scales.isEmpty ? [1] : operand.scales[v * operand.blocks..<(v + 1) * operand.blocks]
      return Vector(
        largest: codes.reduce(0) { Swift.max($0, $1.magnitude) }, grain: grains[v],
        scales: (scales.min() ?? 1)...(scales.max() ?? 1), isFinite: codes.allSatisfy(\.isFinite))
    }
  }

  mutating func bound(
    _ row: ResultRow, of item: MatmulQuestion.Item, _ profile: MatmulQuestion.Profile,
    exact: UnsafeBufferPointer<Double>, into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    let a = rows[item.row]
    guard a.isFinite else { return nil }
    var worst = 0.0
    var size = 0.0
    for j in columns.indices {
      bounds[j] = 0
      guard columns[j].isFinite else { continue }
      switch error(a, columns[j], profile.magnitudes[j], exact[j].magnitude) {
      case .success(let e): bounds[j] = e
      case .failure(let gap):
        found?.note(gap, row: item.row)
        return RowBound.none
      }
      worst = Swift.max(worst, bounds[j])
      size = Swift.max(size, exact[j].magnitude)
    }
    return worst >= size && size > 0 ? .vacuous : .sound
  }

  /// The bound on one result c = a·b, M = Σ|aₖ||bₖ|.
  private func error(_ a: Vector, _ b: Vector, _ magnitude: Double, _ c: Double) -> Result<Double, MatmulGap>
  {
    let n = Double(Swift.min(block, inner))
    let blocks = ((Double(inner) / n).rounded(.up))
    let least = a.scales.lowerBound * b.scales.lowerBound
    let most = a.scales.upperBound * b.scales.upperBound
    // Products that underflow in Double are not in M.
    let m = magnitude + Double(inner) * 0x1p-1074
    // Σ|codes| of any block.
    let s = Swift.min(m / least, n * a.largest * b.largest) * (1 + 0x1p-50)
    guard a.largest.isFinite, s < .infinity else { return .failure(.sums) }
    let grain = a.grain * b.grain

    // The sum of a block: relative to its Σ|codes|, and absolute.
    var relative = 0.0
    var absolute = 0.0
    if let sums {
      let margin = loading.isExact ? 1 : 1 + sums.unitRoundoff
      guard Swift.max(a.largest, b.largest) * margin <= sums.largestFinite else { return .failure(.inputs) }
      let loaded = loading.relative * (2 + loading.relative)
      let lost =
        n * loading.absolute * ((a.largest + b.largest) * (1 + loading.relative) + loading.absolute)
      let isGrained = loading.isExact && grain >= sums.smallestPositive
      let isExact = isGrained && s <= grain / sums.unitRoundoff
      let f = isExact ? 0 : growth
      let tiny = isGrained ? 0 : n * sums.halfSmallest
      let made = isExact ? 0 : usual.within
      relative = loaded + made * (1 + loaded)
      absolute = lost + f * (lost + tiny) + tiny
      guard (s * (1 + loaded) + lost + tiny) * (1 + f) <= sums.largestFinite else { return .failure(.sums) }
    } else if s > 0x1p31 - 1 {
      return .failure(.wraps)
    }

    var e: Double
    if !hasScales {
      e = relative * m + absolute
    } else {
      let t = configuration.scaleFormat
      let u = t.unitRoundoff
      // The sum on its way to T: rounded where int32 has more digits.
      let converted = sums == nil && s > 1 / u ? u : 0
      let tiny = t.halfSmallest
      let own = relative * m + blocks * absolute * most
      if isBlocked {
        let scaling = converted + u * (1 + converted)
        let underflow =
          least >= t.smallestNormal ? 0 : tiny * (1 + converted) * blocks * ((1 + relative) * s + absolute)
        let part = own + scaling * (m + own) + underflow
        e = part + usual.across * (m + part + blocks * tiny) + blocks * tiny
        guard most * (1 + u) <= t.largestFinite, (m + e) * (1 + blockGrowth) <= t.largestFinite else {
          return .failure(.scales)
        }
      } else {
        let twice = u * (2 + u)
        let scaling = converted + twice * (1 + converted)
        e = own + scaling * (c + own) + tiny * (a.scales.upperBound * (1 + u) + 1)
        let first = ((1 + relative) * s + absolute) * b.scales.upperBound * (1 + 3 * u) + tiny
        guard Swift.max(first, (c + e) * (1 + u)) <= t.largestFinite else { return .failure(.scales) }
      }
    }

    let storing: Rounding
    if let last = hasScales ? configuration.scaleFormat : sums {
      storing = Rounding(to: configuration.result, from: last)
    } else {
      storing = Rounding(ofIntegersTo: configuration.result, s)
    }
    e += storing.relative * (c + e) + storing.absolute
    // Where storing saturates, the largest number may stand for one beyond it; elsewhere the bound is on the result as it would be
    // with an unbounded exponent, and the statistics know which overflows that explains.
    let result = configuration.result
    if result.saturates(.special) { e = Swift.max(e, c - result.largestFinite) }
    return .success(e.isFinite ? e * (1 + 0x1p-30) + 0x1p-1072 : .infinity)
  }
}

/// What rounding to nearest in one format does to any number of another that does not overflow: off by at most the larger of a
/// relative and an absolute error, both 0 where the one holds the other.
private struct Rounding {
  var relative = 0.0
  var absolute = 0.0
  var isExact: Bool { relative == 0 && absolute == 0 }
}

extension Rounding {
  init(to format: NumberFormat, from other: NumberFormat) {
    self.init()
    if format.precision < other.precision { relative = format.unitRoundoff }
    // Multiples of the smallest number are exact below the normal ones.
    if format.smallestPositive > other.smallestPositive { absolute = format.halfSmallest }
  }

  /// Of integers of that size.
  init(ofIntegersTo format: NumberFormat, _ size: Double) {
    self.init()
    if size > 1 / format.unitRoundoff { relative = format.unitRoundoff }
    if format.smallestPositive > 1 { absolute = format.halfSmallest }
  }

  /// Of codes on their way to the accumulator; nil for int32.
  static func loading(_ storage: DType, into sums: NumberFormat?) -> Rounding {
    guard let sums else { return Rounding() }
    switch storage {
    case .float(let format): return Rounding(to: sums, from: format)
    case .integer(let grid): return Rounding(ofIntegersTo: sums, -Double(grid.min))
    }
  }
}

extension NumberFormat {
  /// The largest error of rounding below the normal numbers, for f64 all of the smallest: its half is no Double.
  fileprivate var halfSmallest: Double { Swift.max(smallestPositive / 2, .leastNonzeroMagnitude) }
}

extension MatmulOrder {
  /// F: a computed sum of `count` products is off by at most F times the sum of their magnitudes.
  ///
  /// A run of n fused multiply-adds has F ≤ min(nu, 1) (Jeannerod, Rump, "Improved error bounds for inner products in floating-point
  /// arithmetic", SIAM J. Matrix Anal. Appl. 34(2), 2013, whose proof holds for them); an addition of two sums makes F + u(1 + F) of
  /// the larger F, a run of m sums F + min((m − 1)u, 1)(1 + F).
  func growth(_ count: Int, _ u: Double) -> Double {
    guard let run = run(count) else {
      let half = growth(count - count / 2, u)
      return half + u * (1 + half)
    }
    let first = Swift.min(Double(Swift.min(run, count)) * u, 1)
    let others = Double((count + run - 1) / run - 1)
    return first + Swift.min(others * u, 1) * (1 + first)
  }

  /// How many additions a product goes through at most: R. With M = Σ|aₖ||bₖ| the squares of what additions round add up to no more than
  /// R·(uM)², for those that are made of different products round parts of M.
  func roundings(_ count: Int) -> Int {
    guard let run = run(count) else { return roundings(count - count / 2) + 1 }
    return Swift.min(run, count) + (count + run - 1) / run - 1
  }
}

/// Why a row of a product has no bound.
public enum MatmulGap: String, Error, Sendable {
  /// An input is too large for the accumulator.
  case inputs = "inputs may overflow the accumulator"
  /// A partial sum may be.
  case sums = "sums may overflow the accumulator"
  /// A sum of integers may be.
  case wraps = "sums may wrap around in int32"
  /// A scaled sum may be too large.
  case scales = "scaled sums may overflow"
}

/// The first row without a bound, and why: what the threads of a trial found.
final class MatmulGaps: Sendable {
  private let first = Mutex<(row: Int, gap: MatmulGap)?>(nil)

  var gap: MatmulGap? { first.withLock { $0?.gap } }

  func note(_ gap: MatmulGap, row: Int) {
    first.withLock { if row < $0?.row ?? .max { $0 = (row, gap) } }
  }
}
