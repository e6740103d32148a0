/// How far the exponents of a row may be off: Eᵢ, and what the shift adds.
struct Exponents {
  private let input: InputError
  private let c: Precision
  private let base2: Bool
  private let maximum: Double?
  private let omitted: BoundTerm?
  /// Eₘ; 0 without a shift.
  private(set) var shift = 0.0

  /// `maximum` is what is subtracted; nil without a shift.
  init(_ bounds: ErrorBounds, base2: Bool, maximum: Double?) {
    input = bounds.inputError
    c = bounds.precisions.compute
    self.base2 = base2
    self.maximum = maximum
    omitted = bounds.omitted
    shift = maximum.map(own) ?? 0
  }

  /// Eᵢ: the error of z as computed, from conversion and division, and from the product with log₂e.
  func own(_ z: Double) -> Double {
    let e = input.error(z)
    // The constant log₂e is off by u, the product by u; each relative to the exponent.
    return base2 && omitted != .base2 ? e + (2 * c.u + c.u * c.u) * (z.magnitude + e) + c.tiny : e
  }

  /// The error, in nats, of the exponent z − m (or of z, without a shift) beside z − m̂.
  func error(_ z: Double) -> Double {
    let own = own(z)
    guard let maximum else { return own }
    if omitted == .shift { return own }
    return own + c.u * (maximum - z + own + (omitted == .maximum ? 0 : shift))
  }

  /// Whether a stage before the exponential of z may overflow.
  func overflows(_ z: Double) -> Bool {
    let scale = base2 ? 1.4426950408889636 * (1 + c.u) : 1
    let own = own(z)
    let difference = maximum.map { $0 - z + own + shift } ?? 0
    return input.overflows(z) || c.overflows(Swift.max(z.magnitude + own, difference) * scale)
  }
}
