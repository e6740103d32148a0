import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Answers a question with numbers, and may be wrong: a kernel of ours, of a client, or results that somebody else computed.
public protocol Candidate<Q>: Sendable {
  associatedtype Q: Question
  /// What reports call it.
  var name: String { get }
  /// An instance for one thread, with buffers of its own; throws where it cannot run.
  func prepared() throws -> Self
  /// Answers for an item as it was stored: all its results, in the order of the question's layout.
  mutating func answer(
    _ item: Q.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace) throws
  /// How large its errors can be, for one thread; nil where nothing is derived. Nobody else's is taken instead.
  func errorModel() -> (any ErrorModel<Q>)?
  /// What its errors are counted in where that is not an ulp of the experiment's format: a grid's step, a wider format.
  func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit?
  /// Whether an infinity or a NaN was born inside it on the item that it answered last.
  func wentWrong(_ item: Q.Item, _ trace: StageTrace) -> Bool
  /// Adds what another thread's instance has gathered beside results.
  mutating func merge(_ other: Self)
}

extension Candidate {
  /// Itself: it has no buffers.
  public func prepared() throws -> Self { self }
  /// None.
  public func errorModel() -> (any ErrorModel<Q>)? { nil }
  /// Ulps.
  public func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? { nil }
  /// What was seen between its stages.
  public func wentWrong(_ item: Q.Item, _ trace: StageTrace) -> Bool { trace.wentWrong }
  /// Nothing is gathered.
  public mutating func merge(_ other: Self) {}
}

/// Looks on while an experiment runs, for what a question has beside errors. One instance serves one thread; what is gathered must
/// not depend on the order of items.
public protocol Observer<Q> {
  associatedtype Q: Question
  /// Whether it looks at profiles, which cost time.
  var wantsProfiles: Bool { get }
  /// Whether it looks at the profiles of items as given, which cost as much again.
  var wantsGivenProfiles: Bool { get }
  /// An item has been answered, as stored and as given; the two are one where storing changed nothing.
  mutating func see(stored: Answered<Q>, given: Answered<Q>)
  /// A candidate has answered it.
  mutating func see(
    candidate: Int, _ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth], flat: [FlatTruth])
  /// A row of a candidate's results has been held against its truth, and some of it is wrong.
  mutating func see(_ row: JudgedRow)
  /// Adds what another thread saw.
  mutating func merge(_ other: Self)
}

/// An item and its proven answer.
public struct Answered<Q: Question> {
  /// What was asked about.
  public let item: Q.Item
  /// What bounds know of it; of an item as given, only for an observer that wants it.
  public let profile: Q.Profile
  /// The answer, a row of results each.
  public let truths: [Truth]
}

extension Observer {
  /// It does.
  public var wantsProfiles: Bool { true }
  /// It does not.
  public var wantsGivenProfiles: Bool { false }
  /// Nothing of note.
  public mutating func see(stored: Answered<Q>, given: Answered<Q>) {}
  /// Nothing of note.
  public mutating func see(
    candidate: Int, _ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth], flat: [FlatTruth]
  ) {}
  /// Nothing of note.
  public mutating func see(_ row: JudgedRow) {}
}
