import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Results from outside, held against the proven answers of one question: whether each is within what a right kernel may do, which are
/// not, and which plans the figures fit.
public struct Verification<Q: Question>: Sendable {
  /// The question.
  public var question: Q
  /// What the results are called.
  public var name: String
  /// The results.
  public var results: any ResultSource<Q>
  /// The format of each part's results.
  public var formats: [NumberFormat]
  /// Makes a prover for one thread.
  public var prover: @Sendable (Trial<Q>.Side) throws -> any Prover<Q>
  /// The plans that the candidate may have: its bound is the widest of theirs.
  public var promised: [GuestPlan<Q>]
  /// The plans that figures are tried on, to say which they fit.
  public var known: [GuestPlan<Q>] = []
  /// What the kernel may have got wrong.
  public var suspects = Suspects<Q>()
  /// What becomes of results too large for the format.
  public var overflow = Overflow.special
  /// The item that a part's row is of; where an item has one row of each part they are numbered alike.
  var item: @Sendable (_ part: Int, _ row: Int) -> Int = { $1 }
  /// How many items a thread takes at a time.
  public var chunk = 8
  /// On how many threads; what is found does not depend on it.
  public var threads = 1
  /// What a share of all items is called where several processes hold results against the truth: see `Trial`.
  package var sharedAs: String?

  /// All that there must be.
  public init(
    _ question: Q, _ name: String, results: any ResultSource<Q>, formats: [NumberFormat],
    promised: [GuestPlan<Q>],
    prover: @escaping @Sendable (Trial<Q>.Side) throws -> any Prover<Q>
  ) {
    self.question = question
    self.name = name
    self.results = results
    self.formats = formats
    self.promised = promised
    self.prover = prover
  }

  func trial(_ candidates: [any Candidate<Q>]) -> Trial<Q> {
    var trial = Trial(
      question, candidates: candidates, format: formats[0], threads: threads, prover: prover)
    trial.formats = formats
    trial.overflow = overflow
    trial.chunk = chunk
    return trial
  }

  /// Holds all results against the truth, or those of `items` alone, watched by `observer`. Where all are shared what follows from them
  /// is of who puts shares together: others throw `SharedElsewhere`.
  public func run<S: ItemSource<Q>, O: Observer<Q>>(
    on source: S, only items: [Int]? = nil, observer: @autoclosure () -> O,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> (findings: GuestFindings<Q>, observer: O) {
    var asked = trial([Guest(name, results, plans: promised)])
    if items == nil { asked.sharedAs = sharedAs }
    let judged = asked
    func measured(_ source: some ItemSource<Q>) throws -> (Measurement<Q>, BothObservers<WrongSights<Q>, O>) {
      let (found, sights) = try judged.run(
        on: source, observer: BothObservers(first: WrongSights(question), second: observer()),
        progress: progress)
      return (found, sights)
    }
    let (found, sights) = try items.map { try measured(Sample(source, $0)) } ?? measured(source)
    if judged.sharedAs != nil && Sharing.isPartial { throw SharedElsewhere() }
    var findings = GuestFindings(measurement: found, wrong: sights.first.parts)
    findings.fits = try fits(on: source, worst: findings)
    findings.hypotheses = try explain(findings, on: source, suspects)
    return (findings, sights.second)
  }

  /// The most items that plans are tried on: fewer where each has many results.
  private static func sampleItems(resultsPerItem: Int) -> Int {
    Swift.max(16, Swift.min(64, (1 << 16) / Swift.max(1, resultsPerItem)))
  }

  /// Which plans the figures fit, tried on items all over and on the worst.
  private func fits<S: ItemSource<Q>>(on source: S, worst: GuestFindings<Q>) throws -> [PlanFit] {
    guard !known.isEmpty else { return [] }
    let limit = Self.sampleItems(
      resultsPerItem: worst.parts.reduce(0) { $0 + $1.kernel.count } / Swift.max(1, worst.measurement.items))
    let sample = Sample(source, spreadItems(source.itemCount, limit, worst.worstItems(item)))
    var all = trial(known.map { Guest($0.name, results, plans: [$0]) })
    all.chunk = 1
    let found = try all.run(on: sample)
    return found.entries.enumerated().map { k, entry in
      PlanFit(
        name: known[k].name, claims: known[k].claims, items: sample.itemCount,
        results: entry.parts.reduce(0) { $0 + $1.kernel.count },
        wrong: entry.parts.reduce(0) { $0 + $1.kernel.wrong },
        bound: entry.parts[0].bound,
        boundUlp: entry.parts[0].boundUlp)
    }
  }
}

/// Some of a source's items.
struct Sample<S: ItemSource>: ItemSource {
  typealias Q = S.Q
  private let source: S
  private let items: [Int]

  init(_ source: S, _ items: [Int]) {
    self.source = source
    self.items = items
  }

  var itemCount: Int { items.count }
  func makeItem() -> Q.Item { source.makeItem() }
  func read(_ index: Int, given: inout Q.Item, stored: inout Q.Item) throws -> InputChange {
    try source.read(items[index], given: &given, stored: &stored)
  }
}

/// At most `limit` of `count` numbers, evenly apart, and `more` of them.
func spreadItems(_ count: Int, _ limit: Int, _ more: [Int]) -> [Int] {
  let n = Swift.min(count, limit)
  let even = (0..<n).map { n < 2 ? 0 : $0 * (count - 1) / (n - 1) }
  return Set(even + more.filter { (0..<count).contains($0) }).sorted()
}

/// What was found of a guest's results.
public struct GuestFindings<Q: Question>: Sendable {
  /// Errors, bound and verdict, of the one candidate.
  public let measurement: Measurement<Q>
  /// Which results are wrong, part by part.
  public let wrong: [WrongResults]
  /// How the figures go with plans that kernels usually have.
  public internal(set) var fits: [PlanFit] = []
  /// What the kernel got wrong, the likeliest first.
  public internal(set) var hypotheses: [HypothesisFit] = []

  /// Each part's errors.
  public var parts: [PartErrors] { measurement.entries[0].parts }

  /// What to make of a part: a bug, too, where no result is above its bound and yet they show what the kernel got wrong.
  public func verdict(ofPart part: Int) -> Verdict {
    part == 0 && !hypotheses.isEmpty ? .bug : parts[part].verdict
  }

  /// The gravest fault of a part whose verdict is `bug`.
  public func fault(ofPart part: Int) -> Fault? {
    parts[part].verdict == .bug ? Fault(parts[part].kernel, StageTrace()) : nil
  }

  /// Items in which errors are largest; `item` is the one that a part's row is of.
  func worstItems(_ item: (_ part: Int, _ row: Int) -> Int) -> [Int] {
    parts.enumerated().compactMap { part, errors in errors.kernel.witness.map { item(part, $0.row) } }
      + wrong.enumerated().flatMap { part, wrong in wrong.worst.map { item(part, $0.row) } }
  }
}

/// How figures go with one plan.
public struct PlanFit: Sendable, Hashable {
  /// The plan's, and what a kernel claims that has it.
  public let name: String
  public let claims: String
  /// The items that were looked at.
  public let items: Int
  /// Their results.
  public let results: Int
  /// Results that a kernel of this plan cannot give.
  public let wrong: Int
  /// What its bound is worth.
  public let bound: RowBound
  /// The largest bound, in ulps.
  public let boundUlp: Double

  /// Whether all results are within a bound that says something.
  public var fits: Bool { wrong == 0 && bound == .sound }
}
