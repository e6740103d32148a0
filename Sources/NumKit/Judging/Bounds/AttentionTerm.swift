/// A part of the bounds on attention, as tests leave it out to see that it is needed: some kernel then exceeds what remains.
package enum AttentionTerm: String, CaseIterable, Sendable {
  /// Inputs that compute does not hold; queries and keys on their way into products, their norms, and the additions of these.
  case loading, operands, norm, products
  /// A score on its way back to compute, its scale's rounded constant and the product with it.
  case scores, scale, scaling
  /// The cap's rounded constant, quotient and product; its function; what is added.
  case cap, hyperbolicTangent, bias
  /// The rounding of s − m̂, and in it the errors of both and the way back from a lazy maximum.
  case shift, maximum, laziness
  /// The function, and what underflows in compute and accumulator.
  case exponential, underflow
  /// Exponentials on their way into their sum, and additions there.
  case widening, additions
  /// The division, and clipping.
  case quotient, clipping
  /// The cast to P, the power of two before it, the way from P into the accumulator.
  case casting, spreading, using
  /// Values on their way into sums, additions there, what rescaling adds.
  case values, weighing, rescaling
  /// The log-sum-exp of a share, the weights of merging, its products, sum and quotient, the log-sum-exp of what is merged.
  case logSumExp, merging, blending, mergedLogSumExp
  /// Outputs on their way back, and storing.
  case outputs, storing
}
