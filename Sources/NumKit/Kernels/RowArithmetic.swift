/// How a kernel of rows computes, in the choices that its errors depend on: the error model that a bound on them follows
/// (Documentation/Bounds.md). A kernel that computes otherwise says none, and has no bound.
public struct RowArithmetic: Sendable, Hashable {
  /// What exponents are taken relative to.
  public enum Shift: Sendable {
    /// Nothing: e^x as it is.
    case none
    /// The row's largest, found first.
    case maximum
    /// The largest so far; sums are rescaled where it grows.
    case runningMaximum
  }

  /// How exponentials e, their sum s and the shift m become results.
  public enum Ending: Sendable {
    /// Probabilities e/s, and what is made of them by one more operation each.
    case quotient
    /// pᵢ Σ_{k≠i} pₖ on the diagonal of a Jacobian, else as `quotient`.
    case productWithOthers
    /// m + log s.
    case logarithmOfSum
    /// m + log1p of the sum without the largest term.
    case logarithmOfOnePlus
    /// log(e/s).
    case logarithmOfProbability
    /// (x − m) − log s.
    case difference
    /// e^(x − (m + log s)).
    case exponentialOfDifference
    /// p·(v − Σ pv).
    case productOfDifference
    /// pv − p·Σ pv.
    case differenceOfProducts
    /// 1/(1 + e^−x).
    case reciprocal
    /// 1/(1 + e^−x), or e^x/(1 + e^x) below 0.
    case reciprocalOfSmaller
    /// ½ + ½ tanh(x/2).
    case hyperbolicTangent
  }

  /// What exponents are relative to.
  public var shift: Shift
  /// Whether exponentials are powers of two of exponents times log₂ e.
  public var isBase2: Bool
  /// From exponentials to results.
  public var ending: Ending
  /// How exponentials are made where no function of the format makes them.
  public var exponential: ExponentialAccuracy?

  /// Natural exponentials unless said otherwise.
  public init(shift: Shift, isBase2: Bool = false, ending: Ending) {
    self.shift = shift
    self.isBase2 = isBase2
    self.ending = ending
  }
}

/// How near a short way to make exponentials comes.
public struct ExponentialAccuracy: Sendable, Hashable {
  /// At most this relative error of 2^fraction in exact arithmetic.
  public var error: Double
  /// What evaluating it adds, in unit roundoffs of the format.
  public var roundings: Double
  /// The relative error of its log₂ e, beside that of rounding it.
  public var constant: Double
  /// Whether 2^z itself is the format's own function.
  public var usesLibrary: Bool
  /// Whether e^0 is 1.
  public var isExactAtZero: Bool

  /// All parts.
  public init(
    error: Double, roundings: Double, constant: Double = 0, usesLibrary: Bool = false,
    isExactAtZero: Bool = true
  ) {
    (self.error, self.roundings, self.constant) = (error, roundings, constant)
    (self.usesLibrary, self.isExactAtZero) = (usesLibrary, isExactAtZero)
  }
}
