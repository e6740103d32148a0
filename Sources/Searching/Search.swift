import Guests
import NumKit
import StabilityTesting

/// How a search is made.
package struct SearchSettings: Sendable {
  /// What is made as large as it can be.
  package var aim: SearchAim
  /// Which rows may be asked about.
  package var limits: RowLimits
  /// How many rows are tried at most.
  package var tries: Int
  /// How long it goes on at most; what is found then depends on the machine.
  package var seconds: Double?
  /// On how many threads; what is found does not depend on it.
  package var threads = 1
  /// What makes it this search and no other.
  package var seed: UInt64 = 1
  /// Whether it ends with the first failure.
  package var endsAtFirst = false
  /// How many rows are tried to shrink a failure.
  package var shrinks = 3000
  /// Whether rows are drawn without looking at what came of those before: what a search is measured against.
  package var isRandom = false

  package init(_ aim: SearchAim, _ limits: RowLimits, tries: Int = 20_000) {
    self.aim = aim
    self.limits = limits
    self.tries = tries
  }
}

/// A search for the worst row: structured starts, then a walk along the numbers of the worst, and children of them, bits and structure
/// changed. Same seed, same answer, whatever the threads.
package struct Search {
  private let subject: SearchSubject
  private let settings: SearchSettings
  private let start = ContinuousClock.now

  package init(_ subject: SearchSubject, _ settings: SearchSettings) {
    self.subject = subject
    self.settings = settings
  }

  /// Rows of one generation: enough that every thread has some, few enough that the next one learns.
  private static let generation = 192

  /// What is known while it goes on.
  private struct State {
    var outcome = SearchOutcome()
    var archive = Archive()
    var seen: Set<UInt64> = []
    var starts: ArraySlice<[Double]> = []
  }

  /// Searches; `witnesses` are tried first, in their order.
  ///
  /// - Throws: `SearchError` where the kernel answers none of the rows, and what starting it throws.
  package func run(
    witnesses: [[Double]] = [], progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> SearchOutcome {
    if let fault = ArithmeticFault.here { throw fault }
    var workers: [SearchWorker] = []
    defer { for worker in workers { worker.close() } }
    for _ in 0..<max(1, settings.threads) { workers.append(try subject.makeWorker()) }
    let lanes = Lanes(workers)
    var state = State()
    let known = witnesses.filter(settings.limits.allows)
    state.outcome.unfitWitnesses = witnesses.count - known.count
    if !known.isEmpty {
      // Each by itself, as it was kept.
      let evaluations = known.map { lanes.first.evaluate($0, settings.aim, subject.format) }
      state.outcome.replayed = known.count
      state.outcome.replayedWrong = evaluations.count { $0.kind != nil }
      note(evaluations, &state, areTries: false)
    }
    var random = RandomSource(seed: settings.seed, row: -2)
    if !settings.isRandom { state.starts = settings.limits.starts(&random)[...] }
    var number = 0
    while state.outcome.tried < settings.tries && !isLate && !state.outcome.isHung
      && !(settings.endsAtFirst && !state.outcome.finds.isEmpty)
    {
      var random = RandomSource(seed: settings.seed, row: number)
      let rows = generation(&state, &random)
      if rows.isEmpty { break }
      note(try lanes.evaluate(rows, settings.aim, subject.format), &state, areTries: true)
      number += 1
      progress?(state.outcome.tried)
    }
    if state.outcome.tried > 0 && state.outcome.declined == state.outcome.tried {
      throw SearchError.declined(subject.name)
    }
    shrink(&state.outcome, lanes.first)
    return state.outcome
  }

  private var isLate: Bool { settings.seconds.map { ContinuousClock.now - start > .seconds($0) } ?? false }

  // MARK: Rows

  private func generation(_ state: inout State, _ random: inout RandomSource) -> [[Double]] {
    let wanted = min(Self.generation, settings.tries - state.outcome.tried)
    var rows: [[Double]] = []
    func add(_ row: [Double]?) {
      guard let row, rows.count < wanted, state.seen.insert(Self.mark(row)).inserted else { return }
      rows.append(row)
    }
    if settings.isRandom {
      for _ in 0..<wanted { rows.append(randomRow(&random)) }
      return rows
    }
    // Long rows cost as much as thousands of short ones.
    var elements = 0
    while rows.count < wanted * 2 / 3 && elements < 1 << 18, let next = state.starts.popFirst() {
      elements += next.count
      add(next)
    }
    let mutation = Mutation(limits: settings.limits)
    if let best = state.archive.ranked.first, random.chance(0.5) {
      let from = random.chance(0.6) ? best : state.archive.parent(&random) ?? best
      let isWorst = random.chance(0.5) && settings.limits.width == 1
      let place = isWorst ? from.judgement.worst?.index ?? 0 : random.integer(in: 0...from.row.count - 1)
      for row in mutation.walk(from: from.row, at: min(place, from.row.count - 1), &random) { add(row) }
    }
    var attempts = 0
    while rows.count < wanted && attempts < 8 * wanted {
      attempts += 1
      guard !random.chance(0.12), let parent = state.archive.parent(&random) else {
        add(settings.limits.fresh(&random))
        continue
      }
      let other = state.archive.parent(&random)?.row ?? []
      let place = settings.limits.width == 1 ? parent.judgement.worst?.index : nil
      add(mutation.child(of: parent.row, worst: place, other: other, &random))
    }
    return rows
  }

  private func randomRow(_ random: inout RandomSource) -> [Double] {
    let size = min(settings.limits.range, 10)
    return (0..<settings.limits.lengths.upperBound * settings.limits.width).map { _ in
      settings.limits.format.round(size * (2 * random.uniform() - 1))
    }
  }

  private static func mark(_ row: [Double]) -> UInt64 {
    row.reduce(0xcbf2_9ce4_8422_2325) { mark, x in
      let next = (mark ^ x.bitPattern) &* 0x9e37_79b9_7f4a_7c15
      return next ^ next >> 29
    }
  }

  // MARK: Findings

  private func note(_ evaluations: [Evaluation], _ state: inout State, areTries: Bool) {
    for evaluation in evaluations {
      if areTries { state.outcome.tried += 1 }
      let tried = areTries ? state.outcome.tried : 0
      if evaluation.isDeclined { state.outcome.declined += areTries ? 1 : 0 }
      if evaluation.fault?.kind == .hang { state.outcome.isHung = true }
      state.outcome.enter(evaluation, at: tried)
    }
    // What fails altogether leads nowhere: the rest climbs on.
    state.archive.add(evaluations.filter { $0.score.isFinite })
  }

  private func shrink(_ outcome: inout SearchOutcome, _ worker: SearchWorker) {
    for k in outcome.finds.indices.prefix(4) {
      let find = outcome.finds[k]
      outcome.finds[k].shrunk = shrunk(find.evaluation, worker, isKept: find.firstAt == 0 && find.count == 1)
    }
    if outcome.finds.isEmpty, let worst = outcome.worst { outcome.worstShrunk = shrunk(worst, worker) }
    outcome.takeShrunk()
  }

  /// The simplest row found that fails in the same way, or, where nothing fails, whose score is nine tenths of it.
  private func shrunk(_ evaluation: Evaluation, _ worker: SearchWorker, isKept: Bool = false) -> ShrunkRow {
    var shrunk = simplest(evaluation, worker, isKept: isKept)
    let (row, results) = (shrunk.evaluation.row, shrunk.evaluation.results)
    if !results.isEmpty { shrunk.proven = worker.proven(row, results) }
    return shrunk
  }

  private func simplest(_ evaluation: Evaluation, _ worker: SearchWorker, isKept: Bool) -> ShrunkRow {
    let alone = worker.evaluate(evaluation.row, settings.aim, subject.format)
    var shrunk = ShrunkRow(evaluation: evaluation.fault?.kind == .hang ? evaluation : alone)
    guard isSame(alone, as: evaluation) else {
      shrunk.isReproduced = false
      shrunk.evaluation = evaluation
      return shrunk
    }
    // A call that hangs costs its whole time.
    if evaluation.fault?.kind == .hang { return shrunk }
    let end = settings.seconds.map { start + .seconds(2 * $0 + 1) }
    // What was kept from before was shrunk when it was found; long rows take long.
    let isLong = isKept && evaluation.row.count > 1 << 12
    var shrinker = Shrinker(limit: isLong ? min(settings.shrinks, 64) : settings.shrinks)
    shrinker.isLate = { end.map { ContinuousClock.now > $0 } ?? false }
    let width = settings.limits.width
    let first = plain(evaluation, worker) ?? evaluation.row
    let choices = try? shrinker.shrink(Self.choices(first, width: width)) { choices in
      guard let row = Self.row(choices, width: width), settings.limits.allows(row) else {
        return false
      }
      return isSame(worker.evaluate(row, settings.aim, subject.format), as: evaluation)
    }
    if let row = choices.flatMap({ Self.row($0, width: width) }) {
      shrunk.evaluation = worker.evaluate(row, settings.aim, subject.format)
    }
    (shrunk.steps, shrunk.attempts) = (shrinker.steps, shrinker.attempts)
    shrunk.isCutShort = shrinker.isCutShort
    return shrunk
  }

  /// The plainest row that fails alike, of those that are no longer.
  private func plain(_ given: Evaluation, _ worker: SearchWorker) -> [Double]? {
    guard given.kind != nil, given.fault == nil, settings.aim != .batch else { return nil }
    let width = settings.limits.width
    for rows in PlainRows.all(upTo: given.row.count / width, width: width) {
      let allowed = rows.filter(settings.limits.allows)
      if allowed.isEmpty { continue }
      let found = worker.evaluate(allowed, settings.aim, subject.format)
      for (row, one) in zip(allowed, found) where isSame(one, as: given) {
        // Among others it may fail for their sake.
        if isSame(worker.evaluate(row, settings.aim, subject.format), as: given) { return row }
      }
    }
    return nil
  }

  private func isSame(_ other: Evaluation, as given: Evaluation) -> Bool {
    guard other.kind == given.kind else { return false }
    if given.kind == nil { return other.score >= 0.9 * given.score }
    // A large failure is not to become one at the edge of the bound.
    guard given.fault == nil, given.judgement.fault == .aboveBound, other.batchSteps ?? 0 == 0 else {
      return true
    }
    return given.judgement.share < 4 || other.judgement.share >= 4
  }

  /// A row as the choices that shrinking works on, and that files keep: a list of numbers, or of lists of `width` of them.
  package static func choices(_ row: [Double], width: Int = 1) -> [Choice] {
    if width == 1 { return [.open] + row.map { .float($0) } + [.close] }
    var choices: [Choice] = [.open]
    for start in stride(from: 0, to: row.count, by: width) {
      choices += [.open] + row[start..<min(start + width, row.count)].map { .float($0) } + [.close]
    }
    return choices + [.close]
  }

  /// The row of such choices; nil where they are no such list.
  package static func row(_ choices: [Choice], width: Int = 1) -> [Double]? {
    guard choices.first == .open, choices.last == .close, choices.count > 1 else { return nil }
    let inner = choices[1..<choices.count - 1]
    let each = width == 1 ? 1 : width + 2
    guard inner.count % each == 0 else { return nil }
    var row: [Double] = []
    for (k, choice) in inner.enumerated() {
      switch (choice, each > 1 && k % each == 0, each > 1 && k % each == each - 1) {
      case (.open, true, false), (.close, false, true): break
      case (.float(let x), false, false): row.append(x)
      default: return nil
      }
    }
    return row
  }
}

/// Why a search finds nothing out.
package enum SearchError: Error, CustomStringConvertible {
  case declined(String)

  package var description: String {
    switch self {
    case .declined(let name): "\(name): answers none of the rows that were tried"
    }
  }
}

/// The threads' workers, and work for them.
private final class Lanes {
  private final class Lane {
    let worker: SearchWorker
    var done: [(group: Int, evaluations: [Evaluation])] = []
    init(_ worker: SearchWorker) { self.worker = worker }
  }

  private let lanes: [Lane]

  init(_ workers: [SearchWorker]) { lanes = workers.map { Lane($0) } }

  var first: SearchWorker { lanes[0].worker }

  /// Most rows of a call, and most numbers.
  private static let rows = 32
  private static let elements = 1 << 17

  /// Evaluates rows, in calls of rows that are as long; what is in which call does not depend on threads.
  func evaluate(_ rows: [[Double]], _ aim: SearchAim, _ format: NumberFormat) throws -> [Evaluation] {
    var groups: [[Int]] = []
    var open: [Int: Int] = [:]
    for (k, row) in rows.enumerated() {
      if let group = open[row.count], groups[group].count < Self.rows,
        (groups[group].count + 1) * row.count <= Self.elements
      {
        groups[group].append(k)
      } else {
        open[row.count] = groups.count
        groups.append([k])
      }
    }
    var next = 0
    let lanes = lanes
    let fixed = groups
    let first = try ParallelRows(threads: lanes.count, chunk: 1).reduce(
      count: groups.count, progress: nil,
      make: {
        next += 1
        lanes[next - 1].done = []
        return lanes[next - 1]
      },
      body: { lane, group in
        lane.done.append((group, lane.worker.evaluate(fixed[group].map { rows[$0] }, aim, format)))
      },
      merge: { $0.done += $1.done })
    var all = [Evaluation?](repeating: nil, count: rows.count)
    for (group, evaluations) in first.done {
      for (k, evaluation) in zip(groups[group], evaluations) { all[k] = evaluation }
    }
    return all.compactMap(\.self)
  }
}
