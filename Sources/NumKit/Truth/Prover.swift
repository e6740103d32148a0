import NumKitQuestions

/// Answers a question with proofs: every result rounded correctly, and known closely enough to measure errors against. It shares no
/// code with any candidate. One instance serves one thread.
public protocol Prover<Q> {
  associatedtype Q: Question
  /// Answers for an item: one `Truth` for each of its rows of results, in the order of the question's layout; `truths` comes with
  /// as many, whose storage may be used again.
  mutating func answer(_ item: Q.Item, into truths: inout [Truth])
  /// What bounds need to know of the item that was answered last.
  mutating func profile(of item: Q.Item, into profile: inout Q.Profile)
  /// A profile to fill.
  func makeProfile() -> Q.Profile
}

extension Prover where Q.Profile == Void {
  /// Nothing.
  public func profile(of item: Q.Item, into profile: inout Void) {}
  /// Nothing.
  public func makeProfile() {}
}
