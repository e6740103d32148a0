import NumKitNumbers
import RealModule

/// Angles that grow with the position, one for each pair of dimensions: θᵢ = base^(−2i/d), i = 0 … d/2 − 1, scaled for longer contexts
/// than a model was trained on.
public struct Frequencies: Sendable, Hashable {
  /// How they are scaled by a factor s.
  public enum Scaling: Sendable, Hashable {
    /// Not at all.
    case none
    /// θ/s: position interpolation (Chen et al., arXiv 2306.15595).
    case linear(Double)
    /// The base times s^(d/(d − 2)), so that the slowest pair is interpolated by s and the fastest not at all.
    case ntk(Double)
    /// θ/s for slow pairs, θ for fast ones, a ramp between (Peng et al., "YaRN", arXiv 2309.00071); sines and cosines are multiplied
    /// by 0.1 log s + 1. `original` is the context trained on; pairs that turn more than 32 times in it are fast, less than once slow.
    case yarn(Double, original: Int)

    /// s; 1 without one.
    public var factor: Double {
      switch self {
      case .none: 1
      case .linear(let s), .ntk(let s), .yarn(let s, _): s
      }
    }
  }

  /// 10000 in the papers.
  public var base: Double
  /// Scaling.
  public var scaling: Scaling

  /// Unscaled unless said otherwise.
  public init(base: Double = 10000, scaling: Scaling = .none) {
    self.base = base
    self.scaling = scaling
  }

  /// Throws where they say nothing about `dimensions`.
  public func check(dimensions: Int) throws {
    if dimensions % 2 != 0 || dimensions < 2 {
      throw UnfitFormula("\(dimensions) dimensions: they are turned in pairs")
    }
    if !(base > 1 && base < 0x1p100) {
      throw UnfitFormula("a base of \(base): it must be above 1 and below 2^100")
    }
    if !(scaling.factor >= 1 && scaling.factor < 0x1p50) {
      throw UnfitFormula("a factor of \(scaling.factor): it must be 1 or more and below 2^50")
    }
    if case .ntk = scaling, dimensions < 4 { throw UnfitFormula("NTK scaling needs 4 dimensions or more") }
    if case .yarn(_, let original) = scaling, !(1...(1 << 40)).contains(original) {
      throw UnfitFormula("an original context of \(original): it must be 1 or more")
    }
  }

  /// Where YaRN's ramp begins and ends, as pair numbers: what a pair that turns 32 times, and once, in the original context comes
  /// to, rounded outwards in Double.
  public func ramp(dimensions d: Int) -> (low: Int, high: Int)? {
    guard case .yarn(_, let original) = scaling else { return nil }
    func pair(turns: Double) -> Double {
      Double(d) * Double.log(Double(original) / (turns * 2 * .pi)) / (2 * Double.log(base))
    }
    return (
      Swift.max(0, Int(pair(turns: 32).rounded(.down))), Swift.min(d - 1, Int(pair(turns: 1).rounded(.up)))
    )
  }

  /// What is left of YaRN's ramp at a pair: steps done, of steps in all.
  public func rampShare(_ pair: Int, dimensions: Int) -> (done: Int, of: Int)? {
    guard let (low, high) = ramp(dimensions: dimensions) else { return nil }
    if high <= low { return pair <= low ? (0, 1) : (1, 1) }
    return (Swift.min(Swift.max(pair - low, 0), high - low), high - low)
  }
}

/// Which numbers form a pair.
public enum RotaryPairing: String, Sendable, CaseIterable {
  /// i and i + d/2, as in GPT-NeoX and Transformers.
  case half
  /// 2i and 2i + 1, as in RoFormer and llama.cpp's first.
  case interleaved

  /// The two numbers of a pair.
  @inlinable
  public func places(_ pair: Int, dimensions d: Int) -> (Int, Int) {
    self == .half ? (pair, pair + d / 2) : (2 * pair, 2 * pair + 1)
  }
}

/// The position of each row.
public struct RowPositions: Sendable, Hashable {
  private var listed: [Int]
  private var start: Int
  private var period: Int
  private var sign = 1
  private var offset = 0
  private var movedRow = -1
  private var movedTo = 0

  /// One for each row.
  public init(_ positions: [Int]) { (listed, start, period) = (positions, 0, 0) }

  /// `start` and what follows, over again after each `period` rows.
  public init(from start: Int, period: Int) { (listed, self.start, self.period) = ([], start, period) }

  /// That of row `row`.
  public subscript(row: Int) -> Int {
    row == movedRow ? movedTo : sign * (period > 0 ? start + row % period : listed[row]) + offset
  }

  /// The same, row `row` where row `other` stands.
  public func placing(row: Int, at other: Int) -> RowPositions {
    var copy = self
    (copy.movedRow, copy.movedTo) = (row, self[other])
    return copy
  }

  /// The same times 1, 0 or −1, and `offset` further on.
  public func times(_ sign: Int, plus offset: Int = 0) -> RowPositions {
    var copy = self
    (copy.sign, copy.offset) = (sign * self.sign, sign * self.offset + offset)
    copy.movedTo = sign * movedTo + offset
    return copy
  }
}

/// Rotary positions: each pair (a, b) of a row at position m is turned by mθᵢ, to (a cos − b sin, b cos + a sin) (Su et al.,
/// "RoFormer", arXiv 2104.09864).
public struct RotaryFormula: Formula {
  /// By how much.
  public var frequencies: Frequencies
  /// Which numbers are turned together.
  public var pairing: RotaryPairing
  /// Each row's position, 0 or more.
  public var positions: RowPositions
  /// The format that positions come in; nil where they are whole numbers.
  public var ids: NumberFormat?

  /// All parts.
  public init(
    _ frequencies: Frequencies, pairing: RotaryPairing = .half, positions: RowPositions,
    ids: NumberFormat? = nil
  ) {
    (self.frequencies, self.pairing, self.positions, self.ids) = (frequencies, pairing, positions, ids)
  }

  public var name: String { "rope" }
  public func check(length: Int) throws { try frequencies.check(dimensions: length) }
}

/// Sinusoidal positions: sin mθᵢ and cos mθᵢ side by side (Vaswani et al., arXiv 1706.03762). Rows only say how long they are.
public struct SinusoidalFormula: Formula {
  /// By how much.
  public var frequencies: Frequencies
  /// Each row's position, 0 or more.
  public var positions: RowPositions
  /// The format that positions come in; nil where they are whole numbers.
  public var ids: NumberFormat?

  /// All parts.
  public init(_ frequencies: Frequencies, positions: RowPositions, ids: NumberFormat? = nil) {
    (self.frequencies, self.positions, self.ids) = (frequencies, positions, ids)
  }

  public var name: String { "sinusoidal" }
  public func check(length: Int) throws { try frequencies.check(dimensions: length) }
  public func hasAnswer(_ row: Int, _ x: [Double]) -> Bool { true }
}

/// Attention with linear biases (Press, Smith, Lewis, arXiv 2108.12409): head h of n adds −slope·distance to a score. The slopes of
/// 2^k heads are 2^(−8/n), its square, and so on; other numbers of heads take every other slope of twice as many for the rest. A row
/// is a distance, its results are the heads'; its numbers only say how many heads there are.
public struct AlibiFormula: Formula {
  /// Each row's distance, 0 or more.
  public var distances: RowPositions
  /// The format that distances come in; nil where they are whole numbers.
  public var ids: NumberFormat?
  /// Which slopes.
  public var slopes: Slopes

  /// How slopes come from the number of heads.
  public enum Slopes: Sendable, Hashable {
    /// As published.
    case published
    /// 2^(−8(h + 1)/n) for any n, which is as published for powers of two alone.
    case ratio
    /// The first ones of that many heads, as published.
    case ofHeads(Int)
  }

  /// All parts.
  public init(distances: RowPositions, ids: NumberFormat? = nil, slopes: Slopes = .published) {
    (self.distances, self.ids, self.slopes) = (distances, ids, slopes)
  }

  public var name: String { "alibi" }
  public func check(length: Int) throws {
    if length < 1 || length > 1 << 16 { throw UnfitFormula("\(length) heads: 1 to 65536") }
    if case .ofHeads(let n) = slopes, !(length...(1 << 17)).contains(n) {
      throw UnfitFormula("slopes of \(n) heads for \(length)")
    }
  }
  public func hasAnswer(_ row: Int, _ x: [Double]) -> Bool { true }

  /// The slope of head `h` of `n` is 2^−(a/b).
  public func exponent(head h: Int, of n: Int) -> (a: Int, b: Int) {
    var n = n
    switch slopes {
    case .published: break
    case .ratio: return (8 * (h + 1), n)
    case .ofHeads(let other): n = other
    }
    let whole = 1 << (Int.bitWidth - 1 - n.leadingZeroBitCount)
    return h < whole ? (8 * (h + 1), whole) : (8 * (2 * (h - whole) + 1), 2 * whole)
  }

  /// The heads whose slopes are no products of those before: the first, and the first of the rest; by what the others go on.
  public func startsAnew(head h: Int, of n: Int) -> Bool {
    var n = n
    switch slopes {
    case .published: break
    case .ratio: return h == 0
    case .ofHeads(let other): n = other
    }
    return h == 0 || h == 1 << (Int.bitWidth - 1 - n.leadingZeroBitCount)
  }
}
