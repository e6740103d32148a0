import NumKitQuestions

/// What kernels over rows get wrong: one line a family.
public enum RowHypothesisRegistry {
  /// Other questions.
  public static let families: [any RowHypotheses.Type] = [
    ScaleHypotheses.self,
    SumHypotheses.self,
    RescaleHypotheses.self,
    OrderHypotheses.self,
    OperationHypotheses.self,
    ParameterHypotheses.self,
    NarrowInputs.self,
  ]

  /// What shows in numbers.
  static let signs: [@Sendable (RowContext) -> any Sign<RowQuestion>] = [
    { CheatSign($0) },
    { DivisionSign($0) },
    { OverflowSign($0) },
    { FlushSign($0) },
    { ThresholdSign($0) },
    { AccumulatorSign($0) },
    { ExponentialSign($0) },
    { NarrowResultSign($0.format) },
    { RoundingSign($0) },
  ]

  /// What shows in numbers and says less.
  static let lastSigns: [@Sendable (RowContext) -> any Sign<RowQuestion>] = [
    { ExponentCurveSign($0) }
  ]

  /// All that may be wrong where this was asked.
  static func suspects(_ context: RowContext) -> Suspects<RowQuestion> {
    let changes = families.flatMap { $0.changes(context) }
    var suspects = Suspects<RowQuestion>()
    suspects.alternatives = [{ changes.map { $0.alternative(context) } }]
    suspects.forEachPair = { body in
      for i in changes.indices {
        for other in changes[(i + 1)...] {
          if let both = changes[i].and(other) { try body(both.alternative(context)) }
        }
      }
    }
    suspects.signs = { RowHypothesisRegistry.signs.map { $0(context) } }
    suspects.lastSigns = { RowHypothesisRegistry.lastSigns.map { $0(context) } }
    return suspects
  }
}
