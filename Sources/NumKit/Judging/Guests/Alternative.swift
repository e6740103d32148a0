import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Another question that a kernel may have answered: rightly, to within what that question's bound allows.
public struct Alternative<Q: Question>: Sendable {
  /// What the kernel got wrong: `base 2 instead of e`.
  public var name: String
  /// Makes a prover of what is answered, for one thread.
  public var prover: @Sendable (Trial<Q>.Side) throws -> any Prover<Q>
  /// What a kernel that answers it may err by: the widest of these.
  public var plans: [GuestPlan<Q>]
  /// Whether the same is asked, of a kernel that may err by more: its errors are those as asked.
  public var isSameQuestion = false
  /// What a kernel of ours that errs so answers: results of another that errs much more are not explained by a bound that allows them.
  public var example: (any ResultSource<Q>)?
  /// What a kernel that answers it gives of an item that was asked, in plain Double: what is far from that needs no proof. nil where there
  /// is no such formula.
  public var estimate: (@Sendable (Q.Item) throws -> [Double]?)?
  /// Makes of what was asked what is answered; the item's number stays.
  public var change: (@Sendable (inout Q.Item) throws -> Void)?
  /// The results, where they are read in another way.
  public var results: (any ResultSource<Q>)?

  /// A prover and plans, unless said otherwise of the same items.
  public init(
    _ name: String, plans: [GuestPlan<Q>], change: (@Sendable (inout Q.Item) throws -> Void)? = nil,
    results: (any ResultSource<Q>)? = nil,
    prover: @escaping @Sendable (Trial<Q>.Side) throws -> any Prover<Q>
  ) {
    self.name = name
    self.plans = plans
    self.change = change
    self.results = results
    self.prover = prover
  }
}

/// How results go with what a kernel may have got wrong.
public struct HypothesisFit: Sendable, Hashable {
  /// Its name.
  public let name: String
  /// How many items were held against it.
  public var items = 0
  /// How many results.
  public var results = 0
  /// How many of them are above its bound.
  public var aboveBound = 0
  /// Whether one is special, or finite, where it must not be.
  var isSpecial = false
  /// How many have a finite error.
  var finite = 0
  /// The largest error against it, in ulps; NaN where nothing was measured.
  public var maxUlp = Double.nan
  /// The mean error.
  public var meanUlp = Double.nan
  /// The largest error in ulps of its row's largest result.
  var peakUlp = 0.0
  /// How far that is, in octaves, from the error of a kernel of ours that errs so.
  var unlikeness = 0.0
  /// How many of the same results are above the bound as asked, and their mean error.
  public var asked: (aboveBound: Int, meanUlp: Double) { (askedAboveBound, askedMeanUlp) }
  var askedAboveBound = 0
  var askedMeanUlp = Double.nan
  /// Why it is held to be so, where no other question's answer says it: what the numbers show.
  public var evidence = ""

  init(_ name: String, evidence: String = "") {
    self.name = name
    self.evidence = evidence
  }

  /// Whether every result is within its bound.
  public var fits: Bool { aboveBound == 0 && !maxUlp.isNaN }
  /// Whether it says how numbers were computed, not what.
  public var isSign: Bool { !evidence.isEmpty }
}

/// Items as another question has them.
struct ChangedItems<S: ItemSource>: ItemSource {
  typealias Q = S.Q
  let source: S
  let change: (@Sendable (inout S.Q.Item) throws -> Void)?

  var itemCount: Int { source.itemCount }
  func makeItem() -> Q.Item { source.makeItem() }
  func read(_ index: Int, given: inout Q.Item, stored: inout Q.Item) throws -> InputChange {
    _ = try source.read(index, given: &given, stored: &stored)
    try change?(&stored)
    given = stored
    return InputChange()
  }
}

/// What shows in results themselves, beside what was asked. Sees some items, one after another.
public protocol Sign<Q> {
  associatedtype Q: Question
  /// Looks at an item's results and at what they should be, row by row of its layout.
  mutating func see(_ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth])
  /// What they show, if anything.
  var findings: [HypothesisFit] { get }
}

/// Shows signs what a trial on one thread sees.
struct SignObserver<Q: Question>: Observer {
  var signs: [any Sign<Q>]

  mutating func see(
    candidate: Int, _ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth], flat: [FlatTruth]
  ) {
    for k in signs.indices { signs[k].see(item, results: results, truths: truths) }
  }

  /// There is one thread.
  mutating func merge(_ other: SignObserver) {}
}
