import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// One thread's share of a trial.
final class TrialWorker<Q: Question, O: Observer> where O.Q == Q {
  private let trial: Trial<Q>
  private var prover: any Prover<Q>
  private var proverOfGiven: any Prover<Q>
  private var candidates: [any Candidate<Q>]
  private var traces: [StageTrace]
  private var parts: [[PartErrors]]
  private var models: [(any ErrorModel<Q>)?]
  private let needsProfiles: Bool
  private(set) var observer: O
  private var given: Q.Item
  private var stored: Q.Item
  private var profile: Q.Profile
  private var profileOfGiven: Q.Profile
  private var layout: [ResultRow] = []
  private var truths: [Truth] = []
  private var truthsOfGiven: [Truth] = []
  private var flat: [FlatTruth] = []
  private var flatOfGiven: [FlatTruth] = []
  private var results: [Double] = []
  private var bounds: [Double] = []
  private var certificate = Certificate()
  private var inherent: [InherentChange]
  private var inputsRounded = false
  private var overflowedInputs = 0
  private var overflowedItems = 0

  init(_ trial: Trial<Q>, _ makeItem: () -> Q.Item, _ observer: O) throws {
    self.trial = trial
    self.observer = observer
    prover = try trial.prover(.stored)
    proverOfGiven = try trial.prover(.given)
    given = makeItem()
    stored = makeItem()
    profile = prover.makeProfile()
    profileOfGiven = prover.makeProfile()
    let parts = trial.question.parts.count
    candidates = try trial.candidates.map { candidate in
      func prepare<C: Candidate<Q>>(_ c: C) throws -> any Candidate<Q> { try c.prepared() }
      return try prepare(candidate)
    }
    let models = candidates.map { $0.errorModel() }
    self.models = models
    needsProfiles = observer.wantsProfiles || models.contains { $0 != nil }
    traces = Array(repeating: StageTrace(), count: candidates.count)
    self.parts = Array(
      repeating: Array(repeating: .init(trial.overflow), count: parts), count: candidates.count)
    inherent = Array(repeating: InherentChange(), count: parts)
  }

  func measure(_ index: Int, of source: some ItemSource<Q>) throws {
    let change = try source.read(index, given: &given, stored: &stored)
    inputsRounded = inputsRounded || change.changed
    overflowedInputs += change.overflowed
    if change.overflowed > 0 { overflowedItems += 1 }
    layout.removeAll(keepingCapacity: true)
    trial.question.layout(of: stored, into: &layout)
    makeRoom()
    prover.answer(stored, into: &truths)
    note(truths, in: &flat)
    if needsProfiles { prover.profile(of: stored, into: &profile) }
    if change.changed {
      proverOfGiven.answer(given, into: &truthsOfGiven)
      note(truthsOfGiven, in: &flatOfGiven)
      compareTruths()
      if observer.wantsGivenProfiles { proverOfGiven.profile(of: given, into: &profileOfGiven) }
    }
    let own = Answered<Q>(item: stored, profile: profile, truths: truths)
    observer.see(
      stored: own,
      given: change.changed ? Answered(item: given, profile: profileOfGiven, truths: truthsOfGiven) : own)
    for k in candidates.indices { try measure(k, changed: change.changed) }
  }

  private func makeRoom() {
    let count = layout.reduce(0) { $0 + $1.count }
    if results.count != count {
      results = Array(repeating: 0, count: count)
      bounds = results
    }
    while truths.count < layout.count {
      truths.append(Truth())
      truthsOfGiven.append(Truth())
      flat.append(FlatTruth())
      flatOfGiven.append(FlatTruth())
    }
    truths.removeLast(truths.count - layout.count)
    truthsOfGiven.removeLast(truthsOfGiven.count - layout.count)
  }

  private func note(_ truths: [Truth], in flat: inout [FlatTruth]) {
    for (r, truth) in truths.enumerated() {
      certificate.merge(truth.certificate)
      flat[r].update(truth)
    }
  }

  private func measure(_ k: Int, changed: Bool) throws {
    let first = layout.first?.row ?? 0
    traces[k].startRow(first)
    try results.withUnsafeMutableBufferPointer {
      try candidates[k].answer(stored, into: $0, trace: &traces[k])
    }
    var start = 0
    for (r, row) in layout.enumerated() {
      measure(k, r, row, start..<start + row.count, changed: changed)
      start += row.count
    }
    results.withUnsafeBufferPointer {
      observer.see(candidate: k, stored, results: $0, truths: truths, flat: flat)
    }
  }

  private func measure(_ k: Int, _ r: Int, _ row: ResultRow, _ range: Range<Int>, changed: Bool) {
    let unit = results.withUnsafeMutableBufferPointer { all in
      candidates[k].unit(of: row.part, results: UnsafeMutableBufferPointer(rebasing: all[range]))
        ?? .ulp(trial.formats[row.part])
    }
    var kind: RowBound?
    bounds.withUnsafeMutableBufferPointer { all in
      flat[r].value.withUnsafeBufferPointer { exact in
        kind =
          models[k] == nil
          ? RowBound.none
          : models[k]?.bound(
            row, of: stored, profile, exact: exact, into: UnsafeMutableBufferPointer(rebasing: all[range]))
      }
    }
    results.withUnsafeBufferPointer { all in
      let y = UnsafeBufferPointer(rebasing: all[range])
      bounds.withUnsafeBufferPointer { allBounds in
        let isBound = kind == .some(.sound) || kind == .some(.vacuous)
        let bounds = !isBound ? nil : UnsafeBufferPointer(rebasing: allBounds[range])
        let isFurtherWrong = parts[k][row.part].add(
          row.row, y, (truths[r], flat[r]), changed ? (truthsOfGiven[r], flatOfGiven[r]) : nil, unit, kind,
          bounds, overflowed: candidates[k].wentWrong(stored, traces[k]), results: trial.measuresResults,
          sums: trial.measuresSums)
        if isFurtherWrong {
          observer.see(
            JudgedRow(
              candidate: k, row: row, results: y, bounds: bounds, truth: truths[r], flat: flat[r], unit: unit,
              statistics: parts[k][row.part].kernel))
        }
      }
    }
  }

  private func compareTruths() {
    for (r, row) in layout.enumerated() {
      inherent[row.part].compare(
        given: flatOfGiven[r], stored: flat[r], count: row.count, trial.formats[row.part])
    }
  }

  func merge(_ other: TrialWorker) {
    for k in candidates.indices {
      traces[k].merge(other.traces[k])
      for p in parts[k].indices { parts[k][p].merge(other.parts[k][p]) }
      func merge<C: Candidate<Q>>(_ mine: C) -> any Candidate<Q> {
        var mine = mine
        if let theirs = other.candidates[k] as? C { mine.merge(theirs) }
        return mine
      }
      candidates[k] = merge(candidates[k])
    }
    observer.merge(other.observer)
    certificate.merge(other.certificate)
    for p in inherent.indices { inherent[p].merge(other.inherent[p]) }
    inputsRounded = inputsRounded || other.inputsRounded
    overflowedInputs += other.overflowedInputs
    overflowedItems += other.overflowedItems
  }

  func measurement(items: Int) -> Measurement<Q> {
    let judged = candidates.indices.map { k in
      var e = Measurement<Q>.Entry(candidate: candidates[k], parts: parts[k], trace: traces[k])
      for p in e.parts.indices {
        e.parts[p].verdict = Verdict(
          e.parts[p].kernel, inherent: inherent[p].normwise, inherentShare: inherent[p].share,
          bound: e.parts[p].bound, unit: .ulp(trial.formats[p]))
      }
      return e
    }
    return Measurement(
      entries: judged, certificate: certificate, inherent: inherent.map(\.normwise),
      inherentUlp: inherent.map(\.ulp), inherentShare: inherent.map(\.share), inputsRounded: inputsRounded,
      overflowedInputs: overflowedInputs, overflowedItems: overflowedItems,
      items: items)
  }
}

extension TrialWorker: Portable {
  func carry(_ c: inout Carrier) throws {
    for k in candidates.indices {
      try c.carry(&traces[k])
      for p in parts[k].indices { try c.carry(&parts[k][p]) }
      // Others gather nothing.
      if var candidate = candidates[k] as? any Candidate<Q> & Portable {
        try candidate.carry(&c)
        candidates[k] = candidate
      }
    }
    guard var seen = observer as? any Portable else { throw CarrierError() }
    try seen.carry(&c)
    if let seen = seen as? O { observer = seen }
    try c.carry(&certificate)
    try c.carry(fixed: &inherent) { try $0.carry(&$1) }
    try c.carry(&inputsRounded)
    try c.carry(count: &overflowedInputs)
    try c.carry(count: &overflowedItems)
  }
}

extension PartErrors: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&kernel)
    try c.carry(&total)
    try c.carry(&sums)
    try c.carry(&totalSums)
    try c.carry(&bound)
    try c.carry(&boundUlp)
  }
}

extension PartErrors {
  /// Adds a row of results, held against the truth of the inputs as stored and as given (nil where that is the same), and says
  /// whether any of them is wrong.
  fileprivate mutating func add(
    _ row: Int, _ y: UnsafeBufferPointer<Double>, _ own: (truth: Truth, flat: FlatTruth),
    _ given: (truth: Truth, flat: FlatTruth)?, _ unit: ErrorUnit, _ kind: RowBound?,
    _ bounds: UnsafeBufferPointer<Double>?, overflowed: Bool, results measuresResults: Bool,
    sums measuresSums: Bool
  ) -> Bool {
    let before = kernel.wrong
    let given = given ?? own
    if let kind { bound = bound.worse(kind) }
    if measuresResults {
      kernel.add(
        row: row, computed: y, truth: own.truth, flat: own.flat, unit: unit, bounds: bounds,
        overflowed: overflowed)
      boundUlp = Swift.max(boundUlp, kernel.maxBoundUlp)
      total.add(row: row, computed: y, truth: given.truth, flat: given.flat, unit: unit, bounds: nil)
    }
    if measuresSums {
      sums.add(y, own.truth)
      totalSums.add(y, given.truth)
    }
    return kernel.wrong > before
  }

  fileprivate mutating func merge(_ other: Self) {
    kernel.merge(other.kernel)
    total.merge(other.total)
    sums.merge(other.sums)
    totalSums.merge(other.totalSums)
    bound = bound.worse(other.bound)
    boundUlp = Swift.max(boundUlp, other.boundUlp)
  }
}
