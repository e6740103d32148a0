/// What a measured error means.
public enum Verdict: String, Sendable, CaseIterable {
  /// Within a sound bound, or, where none was derived, without a wrong special value.
  case ok
  /// A wrong special value (a NaN or an infinity where the truth is finite, or the reverse), results lost to an overflow
  /// inside the kernel, or an error above a sound bound: the kernel's fault.
  case bug
  /// The kernel is within its bound, and yet a row's answer is off by more than an eighth of itself, because of the
  /// rounded inputs or the conditioning of the row: the question's fault.
  case illConditioned = "ill-conditioned"
  /// The bound says nothing in this format at this length; never a pass.
  case vacuous

  /// Judges one algorithm.
  ///
  /// - Parameters:
  ///   - statistics: errors against the truth of the inputs as rounded.
  ///   - inherent: the largest normwise relative change that rounding the inputs alone made to a row's truth.
  ///   - bound: the worst of the rows' bounds.
  ///   - overflowed: whether an infinity was born inside the kernel.
  ///   - unitRoundoff: u of the result format: no answer in it need be better.
  public init(
    _ statistics: ErrorStatistics, inherent: Double, bound: RowBound, overflowed: Bool, unitRoundoff: Double
  ) {
    let tolerance = Swift.max(0.125, 4 * unitRoundoff)
    if statistics.nanRows > 0 || statistics.overflow > 0 || statistics.specialMismatches > 0
      || statistics.aboveBound > 0
      || overflowed && (statistics.underflow > 0 || statistics.maxNormwise > tolerance)
    {
      self = .bug
    } else if bound == .vacuous {
      self = .vacuous
    } else if statistics.maxNormwise > tolerance || inherent > tolerance {
      self = .illConditioned
    } else {
      self = .ok
    }
  }
}
