import RealModule

/// One thread's share of an attention experiment.
final class AttentionWorker {
  private struct Sights {
    var mass = ExactSum()
    var entropy = ExactSum()
    var computedMass = ExactSum()
    var computedEntropy = ExactSum()
    var rows = 0
    var computedRows = 0
  }

  private let experiment: AttentionExperiment
  private let stored: AttentionInputs
  private let reference: AttentionReference
  /// For the inputs as given, where they are others.
  private let given: AttentionReference?
  private let baseline: AttentionRunner
  private var errors: [AttentionErrors?]
  private var entries: [AttentionMeasurement.Entry]
  private var baselineSums = ErrorSums()
  private var slack = 0.0
  private var certificate = Certificate()
  private var inherent = 0.0
  private var heads: [Sights]
  private var regular = 0
  private var saturated = 0
  private var truth = Truth()
  private var lse = Truth()
  private var truthOfGiven = Truth()
  private var lseOfGiven = Truth()
  private var exact: [Double]
  private var bounds: [Double]

  /// All runners have the storage format of `first`.
  init(_ experiment: AttentionExperiment, _ first: AttentionRunner, _ stored: AttentionInputs) throws {
    let (tensors, parameters) = (experiment.tensors, experiment.parameters)
    let format = first.outputFormat
    self.experiment = experiment
    self.stored = stored
    reference = try AttentionReference(stored, parameters, format: format, lseFormat: .f64)
    given =
      stored.isSame(as: tensors)
      ? nil : try AttentionReference(tensors, parameters, format: format, lseFormat: .f64)
    baseline = AttentionExperiment.baseline(first)
    errors = experiment.runners.map { AttentionErrors($0, stored, parameters) }
    entries = experiment.runners.map { AttentionMeasurement.Entry($0) }
    heads = Array(repeating: Sights(), count: tensors.shape.heads)
    exact = Array(repeating: 0, count: tensors.shape.valueSize)
    bounds = exact
  }

  func measure(_ rows: Range<Int>) throws {
    let shape = stored.shape
    let results = try experiment.runners.map { runner in
      guard let result = runner.run(stored, experiment.parameters, rows: rows) else {
        throw AttentionError.cannotRun(runner)
      }
      return result
    }
    let base = baseline.run(stored, experiment.parameters, rows: rows) { row, firstKey, p in
      self.see(row / shape.queries, firstKey, p)
    }
    for (k, result) in results.enumerated() { entries[k].sights.mergeSights(result) }
    for row in rows {
      let (h, i) = (row / shape.queries, row % shape.queries)
      reference.answer(head: h, query: i, into: &truth, logSumExp: &lse)
      certificate.merge(truth.certificate)
      certificate.merge(lse.certificate)
      for c in exact.indices { exact[c] = truth.error(of: 0, at: c).exact }
      if let given {
        given.answer(head: h, query: i, into: &truthOfGiven, logSumExp: &lseOfGiven)
        certificate.merge(truthOfGiven.certificate)
        certificate.merge(lseOfGiven.certificate)
        compareTruths()
        look(h, given.profile)
      } else {
        look(h, reference.profile)
      }
      let place = (row - rows.lowerBound) * shape.valueSize
      for k in results.indices {
        measure(k, row, results[k], at: place, row - rows.lowerBound, kv: shape.keyHead(of: h))
      }
      if let base {
        base.output[place..<place + shape.valueSize].withUnsafeBufferPointer { baselineSums.add($0, truth) }
        for t in truth.rounded where t.isFinite {
          let f = baseline.outputFormat
          slack = Swift.max(slack, (f.round(f.round(t + 0.3) - 0.3) - t).magnitude)
        }
      }
    }
  }

  private func measure(
    _ k: Int, _ row: Int, _ result: AttentionResult, at place: Int, _ index: Int, kv: Int
  ) {
    let runner = entries[k].runner
    let width = stored.shape.valueSize
    let unit = ErrorUnit.ulp(runner.outputFormat)
    var kind = RowBound.none
    stored.v.withUnsafeBufferPointer { v in
      if let values = v.baseAddress.map({ $0 + kv * stored.shape.keys * width }),
        let made = errors[k]?.bound(reference.profile, values: values, truth: exact, into: &bounds)
      {
        kind = made
      }
    }
    let isSound = kind == .sound || kind == .vacuous
    if reference.profile.isRegular { entries[k].bound = entries[k].bound.worse(kind) }
    if isSound {
      for c in exact.indices where exact[c].isFinite {
        entries[k].boundUlp = Swift.max(entries[k].boundUlp, bounds[c] / unit.size(at: exact[c]))
      }
    }
    result.output[place..<place + width].withUnsafeBufferPointer { y in
      bounds.withUnsafeBufferPointer {
        entries[k].kernel.add(
          row: row, computed: y, truth: truth, unit: unit, bounds: isSound ? $0 : nil,
          overflowed: result.wentWrong[index])
      }
      entries[k].sums.add(y, truth)
      let other = given == nil ? truth : truthOfGiven
      entries[k].total.add(row: row, computed: y, truth: other, unit: unit, bounds: nil)
      entries[k].totalSums.add(y, other)
    }
    withUnsafePointer(to: result.logSumExp[index]) {
      entries[k].logSumExp.add(
        row: row, computed: UnsafeBufferPointer(start: $0, count: 1), truth: lse,
        unit: .ulp(runner.lseFormat), bounds: nil)
    }
  }

  private func compareTruths() {
    var change = 0.0
    var size = 0.0
    for c in exact.indices {
      let t = truthOfGiven.error(of: 0, at: c).exact
      guard t.isFinite, exact[c].isFinite else { continue }
      change = Swift.max(change, (t - exact[c]).magnitude)
      size = Swift.max(size, t.magnitude)
    }
    if size > 0 { inherent = Swift.max(inherent, change / size) }
  }

  /// Gathers what the truth says of a row's softmax.
  private func look(_ head: Int, _ profile: AttentionProfile) {
    guard profile.isRegular else { return }
    // One key alone has no gradient whatever its score.
    if profile.keys.count > 1 || profile.sink != nil {
      regular += 1
      if profile.jacobianNorm < experiment.gradientThreshold { saturated += 1 }
    }
    var mass = 0.0
    for (place, j) in profile.keys.enumerated() where j < experiment.sinkTokens {
      mass += profile.probabilities[place]
    }
    heads[head].mass.add(mass)
    heads[head].entropy.add(profile.entropy)
    heads[head].rows += 1
  }

  /// Gathers the same of what the baseline computed.
  private func see(_ head: Int, _ firstKey: Int, _ p: UnsafeBufferPointer<Double>) {
    var mass = 0.0
    var entropy = 0.0
    for (i, x) in p.enumerated() {
      if firstKey + i < experiment.sinkTokens { mass += x }
      if x > 0 { entropy -= x * Double.log(x) }
    }
    guard mass.isFinite, entropy.isFinite else { return }
    heads[head].computedMass.add(mass)
    heads[head].computedEntropy.add(entropy)
    heads[head].computedRows += 1
  }

  func merge(_ other: AttentionWorker) {
    for k in entries.indices {
      let theirs = other.entries[k]
      entries[k].kernel.merge(theirs.kernel)
      entries[k].total.merge(theirs.total)
      entries[k].logSumExp.merge(theirs.logSumExp)
      entries[k].sums.merge(theirs.sums)
      entries[k].totalSums.merge(theirs.totalSums)
      entries[k].bound = entries[k].bound.worse(theirs.bound)
      entries[k].boundUlp = Swift.max(entries[k].boundUlp, theirs.boundUlp)
      entries[k].sights.mergeSights(theirs.sights)
    }
    baselineSums.merge(other.baselineSums)
    slack = Swift.max(slack, other.slack)
    certificate.merge(other.certificate)
    inherent = Swift.max(inherent, other.inherent)
    for h in heads.indices {
      heads[h].mass.merge(other.heads[h].mass)
      heads[h].entropy.merge(other.heads[h].entropy)
      heads[h].computedMass.merge(other.heads[h].computedMass)
      heads[h].computedEntropy.merge(other.heads[h].computedEntropy)
      heads[h].rows += other.heads[h].rows
      heads[h].computedRows += other.heads[h].computedRows
    }
    regular += other.regular
    saturated += other.saturated
  }

  func measurement(rows: Int, overflowedInputs: Int) -> AttentionMeasurement {
    let judged = entries.map { entry in
      var e = entry
      e.verdict = Verdict(
        e.kernel, inherent: inherent, bound: e.bound, unit: .ulp(e.runner.outputFormat))
      return e
    }
    let heads = heads.map { h in
      func mean(_ sum: ExactSum, _ n: Int) -> Double { n == 0 ? .nan : sum.value / Double(n) }
      return AttentionMeasurement.Head(
        sinkMass: mean(h.mass, h.rows), computedSinkMass: mean(h.computedMass, h.computedRows),
        entropy: mean(h.entropy, h.rows), computedEntropy: mean(h.computedEntropy, h.computedRows))
    }
    return AttentionMeasurement(
      entries: judged, baselineError: baselineSums.largest,
      baselineLimit: 2 * baselineSums.largest + 2 * slack, inputsRounded: given != nil,
      overflowedInputs: overflowedInputs, inherent: inherent,
      certificate: certificate, heads: heads, regularRows: regular, saturatedRows: saturated, rows: rows)
  }
}
