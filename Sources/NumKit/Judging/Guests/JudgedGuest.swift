import NumKitNumbers
import NumKitQuestions

/// What was found of a guest, and what it was held to.
public struct JudgedGuest<Q: Question>: Sendable {
  /// Errors, wrong results, plans, hypotheses.
  public let findings: GuestFindings<Q>
  /// The plans whose widest bound counts.
  public let promised: [String]
}
