/// A treatment that does not fit a tensor, and why.
public struct SkippedTreatment: Hashable, Sendable {
  /// The treatment's name.
  public let name: String
  /// Why, in one line.
  public let reason: String

  /// What `error`, thrown by `treatment`, says; nil where it is no matter of fitting.
  public init?(_ treatment: Treatment, _ error: any Error) {
    guard error is CureError || error is SchemeError else { return nil }
    name = treatment.name
    reason = "\(error)"
  }
}
