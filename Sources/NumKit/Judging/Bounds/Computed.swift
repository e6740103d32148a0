/// A number that was computed: its exact value, and a bound on the absolute error of the computed one.
struct Computed {
  var exact: Double
  var error: Double

  /// No magnitude that was computed is larger.
  var upper: Double { exact.magnitude + error }

  /// Nothing is known: what is made of it has no bound.
  static let unknown = Computed(exact: 0, error: .nan)

  /// The same with `more` error.
  func erring(by more: Double) -> Computed { Computed(exact: exact, error: error + more) }

  /// The quotient of two numbers that are not negative, before it is rounded; ∞ where the divisor may be 0.
  ///
  /// (n + a)/(d − b) − n/d = (a + b·n/d)/(d − b), written so that nothing cancels.
  func quotient(by divisor: Computed) -> Computed {
    let q = exact / divisor.exact
    guard divisor.error < divisor.exact else {
      return Computed(exact: q, error: divisor.error.isNaN ? .nan : .infinity)
    }
    return Computed(exact: q, error: (error + q * divisor.error) / (divisor.exact - divisor.error))
  }

  /// The error of a product, before it is rounded.
  func product(_ other: Computed) -> Computed {
    let (a, b) = (exact.magnitude, other.exact.magnitude)
    return Computed(exact: exact * other.exact, error: error * (b + other.error) + a * other.error)
  }
}

/// Bounds on products of 1 + a, 1 + b, less 1, without cancellation.
func compounded(_ a: Double, _ b: Double) -> Double { a + b + a * b }

extension Precision {
  /// The absolute error of rounding any number of at most this magnitude: u relative to it, below the normal range half
  /// a step; and never more than the number, for 0 is a candidate. (In f64 all of a step, which also covers what the
  /// bound's own arithmetic loses there.)
  ///
  /// Where 1 in the kernel's units is worth `lift` at most in those of `upper`, so is the smallest number.
  func rounding(_ upper: Double, lift: Double = 1) -> Double {
    let step = tiny * lift
    return Swift.max(u * upper, format.significandBits == 52 ? step : Swift.min(step, upper))
  }

  /// The same of a number in the kernel's own units, not in others that are no power of two apart: half an ulp of the largest.
  func ownRounding(_ upper: Double) -> Double {
    Swift.max(u * upper.powerBelow, format.significandBits == 52 ? tiny : Swift.min(tiny, upper))
  }

  /// Whether a number of at most this magnitude may overflow when it is rounded.
  func overflows(_ upper: Double) -> Bool { !(upper < limit) }

  /// The least Double that overflows.
  private var limit: Double { Swift.min(format.overflowThreshold, .greatestFiniteMagnitude) }

  /// A product, quotient or function's value rounded to this format; unknown where it may overflow.
  func rounded(_ x: Computed) -> Computed {
    overflows(x.upper) ? .unknown : x.erring(by: rounding(x.upper))
  }

  /// A sum or difference of two numbers of this format, which rounds nothing below the normal range.
  func roundedSum(_ x: Computed) -> Computed {
    overflows(x.upper) ? .unknown : x.erring(by: u * x.upper)
  }

  /// Whether every finite number of `other` is one of this format.
  func holds(_ other: Precision) -> Bool {
    format.holdsNumbers(of: other.format)
  }
}

/// What a number of one format suffers on the way to another: lost digits, underflow, overflow, each where the other
/// format has less of precision or of range.
struct Conversion {
  /// u of the target where it has fewer digits, else 0.
  private(set) var relative: Double
  /// Half the target's smallest number where the source has smaller ones, else 0.
  private(set) var absolute: Double
  /// From here on numbers of the source overflow; ∞ where none does.
  private(set) var limit: Double

  /// Nothing is lost.
  static let exact = Conversion()

  private init() { (relative, absolute, limit) = (0, 0, .infinity) }

  init(to target: Precision, from source: Precision) {
    relative = target.format.precision < source.format.precision ? target.u : 0
    absolute = target.format.smallestPositive > source.format.smallestPositive ? target.tiny : 0
    limit =
      target.format.largestFinite < source.format.largestFinite ? target.format.overflowThreshold : .infinity
  }

  /// This one, and then another.
  func followed(by other: Conversion) -> Conversion {
    var both = self
    both.relative = compounded(relative, other.relative)
    both.absolute = absolute * (1 + other.relative) + other.absolute
    both.limit = Swift.min(limit, other.limit)
    return both
  }

  /// The same for numbers that are not below the target's smallest one.
  var withoutUnderflow: Conversion {
    var other = self
    other.absolute = 0
    return other
  }

  /// Whether nothing is lost.
  var isExact: Bool { relative == 0 && absolute == 0 && limit == .infinity }

  /// The error made of a number of at most this magnitude. Where one is worth `lift` at most in the unit that `upper` is
  /// given in, so is the smallest number.
  func error(_ upper: Double, lift: Double = 1) -> Double {
    // Where nothing bounds the number, nothing is added to its error.
    upper == .infinity ? 0 : Swift.max(relative * upper, Swift.min(absolute * lift, upper))
  }

  /// The same of a number in the kernel's own units: half an ulp of the largest.
  func ownError(_ upper: Double) -> Double {
    upper == .infinity ? 0 : Swift.max(relative * upper.powerBelow, Swift.min(absolute, upper))
  }

  /// Whether a number of at most this magnitude may overflow.
  func overflows(_ upper: Double) -> Bool { limit < .infinity && !(upper < limit) }

  /// The number after conversion; unknown where it may overflow.
  func callAsFunction(_ x: Computed, lift: Double = 1) -> Computed {
    overflows(x.upper * lift) ? .unknown : x.erring(by: error(x.upper, lift: lift))
  }
}

extension Double {
  /// The largest power of two that is not above this number, or what this number may be off by as a Double; NaN and ∞ as they are.
  var powerBelow: Double {
    let x = self * (1 + 0x1p-30)
    return x.isFinite ? Double(bitPattern: x.bitPattern & (0x7ff << 52)) : x
  }
}
