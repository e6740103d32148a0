/// A part of the bounds on rows, as tests leave it out to see that it is needed: some kernel then exceeds what remains.
package enum BoundTerm: String, CaseIterable, Sendable {
  /// Inputs on their way to compute, and the quotient by the temperature.
  case loading, temperature
  /// The rounding of zᵢ − m̂, and in it the maximum's own error.
  case shift, maximum
  /// log₂e and the product with it.
  case base2
  /// The functions, and what underflows.
  case exponential, logarithm, underflow
  /// Exponentials on their way into a sum, additions there, the sum on its way back.
  case widening, additions, narrowing
  /// What rescaling a running sum adds to that of a plain one.
  case rescaling
  /// The division, and storing.
  case quotient, storing
}

extension Precisions {
  mutating func leaveOut(_ term: BoundTerm) {
    switch term {
    case .loading: loading = .exact
    case .widening: widening = .exact
    case .narrowing: narrowing = .exact
    case .storing: storing = .exact
    case .exponential: compute.exp = 0
    case .underflow: compute.tiny = 0
    case .logarithm:
      (compute.log, compute.log1p) = (0, 0)
      (accumulator.log, accumulator.log1p) = (0, 0)
    case .temperature, .shift, .maximum, .base2, .additions, .rescaling, .quotient: break
    }
  }

  mutating func leaveOutUnderflow() {
    compute.tiny = 0
    accumulator.tiny = 0
  }
}
