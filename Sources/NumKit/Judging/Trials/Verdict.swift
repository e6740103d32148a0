/// What a measured error means.
public enum Verdict: String, Sendable, CaseIterable {
  /// Within a sound bound, or, where none was derived, without a wrong special value.
  case ok
  /// A special value (a NaN or an infinity where the truth is finite, or the reverse) that no rounding error within a
  /// sound bound explains, a row whose results are lost to an overflow inside the kernel, or an error above a sound bound:
  /// the kernel's fault. What equals the correctly rounded truth never is.
  case bug
  /// The kernel is within its bound, and yet an answer is off by more than an eighth of itself, because of the rounded inputs or
  /// the conditioning of the row, or has a special value as near to overflow as the bound is wide: the question's fault. An answer
  /// is a row, by its largest error beside its largest result, and each result that carries at least `ErrorStatistics.leastShare` of its row.
  case illConditioned = "ill-conditioned"
  /// The bound says nothing in this format at this length; never a pass.
  case vacuous

  /// Judges one algorithm.
  ///
  /// - Parameters:
  ///   - statistics: errors against the truth of the inputs as rounded.
  ///   - inherent: the largest normwise relative change that rounding the inputs alone made to a row's truth.
  ///   - inherentShare: the largest relative change that it made to a result that carries at least `ErrorStatistics.leastShare` of its row.
  ///   - bound: the worst of the rows' bounds.
  ///   - unit: the unit of the results.
  public init(
    _ statistics: ErrorStatistics, inherent: Double, inherentShare: Double = 0, bound: RowBound,
    unit: ErrorUnit
  ) {
    let tolerance = unit.tolerance
    if statistics.wrongSpecials > 0 || statistics.aboveBound > 0 || statistics.lostRows > 0 {
      self = .bug
    } else if bound == .vacuous {
      self = .vacuous
    } else if [statistics.maxNormwise, statistics.maxShare, inherent, inherentShare].contains(where: {
      $0 > tolerance
    })
      || statistics.borderlineSpecials > 0
    {
      self = .illConditioned
    } else {
      self = .ok
    }
  }
}
