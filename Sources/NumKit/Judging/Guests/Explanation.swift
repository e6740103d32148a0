import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// What a kernel may have got wrong: other questions, alone and in pairs, and signs.
public struct Suspects<Q: Question>: Sendable {
  /// Other questions, family by family; made when they are needed, for they may hold copies of all tensors.
  public var alternatives: [@Sendable () -> [Alternative<Q>]] = []
  /// Calls `body` with two of them at once, one pair after the other, for each may hold copies of all tensors; where none fits alone.
  public var forEachPair: @Sendable (_ body: (Alternative<Q>) throws -> Void) throws -> Void = { _ in }
  /// What shows in the numbers.
  public var signs: @Sendable () -> [any Sign<Q>] = { [] }
  /// What shows in the numbers and says less, where results are wrong and nothing else has a name for it.
  public var lastSigns: @Sendable () -> [any Sign<Q>] = { [] }
  /// The mean error in ulps beyond which it is asked what is wrong where nothing is above its bound.
  public var leastMeanUlp = 1.0

  /// None.
  public init() {}
}

extension Verification {
  /// Names what the kernel got wrong.
  ///
  /// Other questions are tried on a few of the wrong items, and those that fit there on all wrong ones; where nothing is above its
  /// bound, on items all over, and then one counts only if it explains nearly all of the error in at least two of them: a bound is
  /// for the worst case, and a defect may hide below it.
  func explain<S: ItemSource<Q>>(
    _ findings: GuestFindings<Q>, on source: S, _ suspects: Suspects<Q>
  ) throws -> [HypothesisFit] {
    let wrong = findings.wrongItems(item)
    let found = try named(findings, wrong, on: source, suspects)
    return found.isEmpty && !wrong.isEmpty
      ? try signs(on: source, wrong: wrong, suspects.lastSigns()) : found
  }

  private func named<S: ItemSource<Q>>(
    _ findings: GuestFindings<Q>, _ wrong: [Int], on source: S, _ suspects: Suspects<Q>
  ) throws -> [HypothesisFit] {
    let first = Array(Set(findings.worstItems(item).prefix(4) + wrong.prefix(2) + wrong.suffix(2))).sorted()
    let few = Array(first.prefix(6)) + (wrong.isEmpty ? spreadItems(source.itemCount, 6, []) : [])
    let screen = Sample(source, Set(few).sorted())
    let found = try signs(on: source, wrong: wrong, suspects.signs())
    let asked = try hold(
      Alternative("as asked", plans: promised, prover: prover), on: screen)
    guard asked.aboveBound > 0 || asked.meanUlp > suspects.leastMeanUlp else { return found }
    var fitting: [(Alternative<Q>, HypothesisFit)] = []
    for family in suspects.alternatives {
      fitting += try family().compactMap { try screened($0, on: screen, asked) }
    }
    // Thousands of pairs take minutes on long rows: only where nothing else has a name for it.
    if fitting.isEmpty && found.isEmpty && asked.aboveBound > 0 {
      let two = Sample(source, Array(Set(few).sorted().prefix(2)))
      let askedOfTwo = try hold(Alternative("as asked", plans: promised, prover: prover), on: two)
      try suspects.forEachPair { pair in
        if let fit = try screened(pair, on: two, askedOfTwo) { fitting.append(fit) }
      }
    }
    if fitting.isEmpty { return found }
    // What explains a few by chance, through a bound that is wide, may hide what explains all.
    let all = Sample(source, confirming(source, wrong, findings))
    for _ in 0..<4 where !fitting.isEmpty {
      let near = nearest(fitting)
      let fits = try confirmed(near, on: all, of: source, wrong)
      if !fits.isEmpty { return found + fits }
      fitting.removeAll { other in near.contains { $0.1.name == other.1.name } }
    }
    return found
  }

  /// Those that explain all that is wrong: what explains what is right as well before what explains the wrong alone.
  private func confirmed<S: ItemSource<Q>>(
    _ near: [(Alternative<Q>, HypothesisFit)], on all: Sample<S>, of source: S, _ wrong: [Int]
  ) throws -> [HypothesisFit] {
    let askedOfAll = try hold(Alternative("as asked", plans: promised, prover: prover), on: all)
    let right = Array(spreadItems(source.itemCount, 8, []).filter { !wrong.contains($0) }.prefix(4))
    var fits: [(fit: HypothesisFit, isEverywhere: Bool)] = []
    for (alternative, _) in near {
      var fit = try hold(alternative, on: all)
      guard explains(fit, askedOfAll, isSameQuestion: alternative.isSameQuestion) else { continue }
      if wrong.isEmpty && all.itemCount < 2 { continue }
      fit.askedAboveBound = askedOfAll.aboveBound
      fit.askedMeanUlp = askedOfAll.meanUlp
      let others = right.isEmpty ? nil : try hold(alternative, on: Sample(source, right))
      fits.append((fit, others.map { $0.aboveBound == 0 } ?? true))
    }
    let isSome = fits.contains(where: \.isEverywhere)
    return fits.filter { $0.isEverywhere || !isSome }.map(\.fit)
  }

  /// The three that explain most; of wider bounds for the same answers, those whose examples err by about as much.
  private func nearest(_ fitting: [(Alternative<Q>, HypothesisFit)]) -> [(Alternative<Q>, HypothesisFit)] {
    let order = fitting.sorted { ($0.1.meanUlp, $0.1.unlikeness) < ($1.1.meanUlp, $1.1.unlikeness) }
    guard let first = order.first?.1 else { return [] }
    return Array(
      order.prefix(3).filter { alternative, fit in
        fit.meanUlp <= 1.5 * first.meanUlp + 0.25
          && (!alternative.isSameQuestion || fit.unlikeness <= first.unlikeness + 1)
      })
  }

  /// Whether a wrong question's answer, or a wider bound of the same, explains what that of the right one does not.
  private func explains(
    _ fit: HypothesisFit, _ asked: HypothesisFit, isSameQuestion: Bool
  ) -> Bool {
    guard fit.fits else { return false }
    // A bound that is wide enough takes anything: what errs by as much as before explains nothing. Beside a NaN any number is nearer.
    if asked.aboveBound > 0 {
      // Nor does what is off by a quarter of itself in the mean.
      return isSameQuestion || asked.isSpecial
        || fit.meanUlp < Swift.min(0.75 * asked.meanUlp, Double.exp2(Double(formats[0].precision) - 2))
    }
    return Self.share(ofItems: fit.items) * fit.meanUlp < asked.meanUlp
  }

  /// How much less a mean error must be to explain one. Of few items more must be explained: two may be off by as much by chance.
  private static func share(ofItems count: Int) -> Double { count < 6 ? 64 : 16 }

  /// How an alternative goes with all items of `screen`, where it explains them. Most fail at the first.
  private func screened<S: ItemSource<Q>>(
    _ alternative: Alternative<Q>, on screen: Sample<S>, _ asked: HypothesisFit
  ) throws -> (Alternative<Q>, HypothesisFit)? {
    if try isFar(alternative, on: screen, asked) { return nil }
    if screen.itemCount > 1 {
      let one = try hold(alternative, on: Sample(screen, [0]))
      if one.aboveBound > 0 { return nil }
      // Errors of the others only add to the sum.
      let least = one.finite == 0 ? 0 : one.meanUlp * Double(one.finite) / Double(asked.results)
      let share = Self.share(ofItems: screen.itemCount)
      if asked.aboveBound == 0 && share * least >= asked.meanUlp { return nil }
    }
    var fit = try hold(alternative, on: screen)
    guard explains(fit, asked, isSameQuestion: alternative.isSameQuestion) else { return nil }
    if let example = alternative.example {
      var typical = alternative
      typical.results = example
      // At the peak's scale: means are those of the few results that cancel.
      let ratio = fit.peakUlp / (try hold(typical, on: screen)).peakUlp
      guard ratio <= 4 else { return nil }
      fit.unlikeness = Double.log2(ratio).magnitude
    }
    return (alternative, fit)
  }

  /// Whether results are so far from the alternative's that it cannot explain them, whatever its bound.
  private func isFar<S: ItemSource<Q>>(
    _ alternative: Alternative<Q>, on screen: Sample<S>, _ asked: HypothesisFit
  ) throws -> Bool {
    guard let estimate = alternative.estimate, asked.meanUlp.isFinite, !asked.isSpecial,
      !alternative.isSameQuestion
    else { return false }
    var sum = 0.0
    var (given, stored) = (screen.makeItem(), screen.makeItem())
    for index in 0..<screen.itemCount {
      _ = try screen.read(index, given: &given, stored: &stored)
      guard let expected = try estimate(stored) else { return false }
      try withUnsafeTemporaryAllocation(of: Double.self, capacity: expected.count) { y in
        y.initialize(repeating: 0)
        try (alternative.results ?? results).results(of: stored, into: y)
        for i in expected.indices where y[i].isFinite && expected[i].isFinite {
          sum += (y[i] - expected[i]).magnitude / formats[0].ulp(of: expected[i])
        }
      }
      // Those of other items only add to it.
      if sum / Double(asked.results) > 0.8 * asked.meanUlp + 1 { return true }
    }
    return false
  }

  /// The items that an explanation must hold for: all, where more than half are wrong or none is; else the wrong ones.
  private func confirming<S: ItemSource<Q>>(
    _ source: S, _ wrong: [Int], _ findings: GuestFindings<Q>
  ) -> [Int] {
    let limit = 4096
    let rows = findings.wrong.reduce(0) { Swift.max($0, $1.rowCount) }
    if wrong.isEmpty { return spreadItems(source.itemCount, 64, []) }
    if 2 * rows > source.itemCount { return spreadItems(source.itemCount, limit, []) }
    return Array(wrong.prefix(limit))
  }

  /// Holds results against another question.
  func hold<S: ItemSource<Q>>(_ alternative: Alternative<Q>, on source: S) throws -> HypothesisFit {
    var trial = self.trial([Guest(name, alternative.results ?? results, plans: alternative.plans)])
    trial.prover = alternative.prover
    trial.chunk = 1
    if source.itemCount < 8 { trial.threads = 1 }
    let found = try trial.run(on: ChangedItems(source: source, change: alternative.change))
    var fit = HypothesisFit(alternative.name)
    fit.items = source.itemCount
    var sum = 0.0
    var finite = 0
    for part in found.entries[0].parts {
      fit.results += part.kernel.count
      fit.aboveBound += part.kernel.wrong
      fit.isSpecial = fit.isSpecial || part.kernel.wrongSpecials > 0
      sum += part.kernel.meanUlp * Double(part.kernel.finiteCount)
      finite += part.kernel.finiteCount
      fit.maxUlp = fit.maxUlp.isNaN ? part.kernel.maxUlp : Swift.max(fit.maxUlp, part.kernel.maxUlp)
    }
    fit.peakUlp = found.entries[0].parts.reduce(0) { Swift.max($0, $1.kernel.maxUlpAtPeak) }
    fit.finite = finite
    fit.meanUlp = finite == 0 ? (fit.aboveBound > 0 ? .infinity : 0) : sum / Double(finite)
    return fit
  }

  /// What shows in some of the wrong items and in some all over.
  private func signs<S: ItemSource<Q>>(
    on source: S, wrong: [Int], _ signs: [any Sign<Q>]
  ) throws -> [HypothesisFit] {
    guard !signs.isEmpty else { return [] }
    let items = spreadItems(source.itemCount, 32, Array(wrong.prefix(32)))
    var trial = self.trial([Guest(name, results, plans: [])])
    trial.threads = 1
    let (_, sights) = try trial.run(on: Sample(source, items), observer: SignObserver(signs: signs))
    return sights.signs.flatMap(\.findings)
  }
}

extension GuestFindings {
  /// Items with wrong results, of the first that there are.
  func wrongItems(_ item: (_ part: Int, _ row: Int) -> Int) -> [Int] {
    Set(wrong.enumerated().flatMap { part, wrong in wrong.knownRows.prefix(4096).map { item(part, $0) } })
      .sorted()
  }
}
