/// One thread's share of an experiment.
final class ExperimentWorker {
  private struct Candidate {
    let runner: KernelRunner
    let bounds: ErrorBounds?
    let fixedStep: Double?
    var kernel: ErrorStatistics
    var total: ErrorStatistics
    var distribution = DistributionStatistics()
    var bound = RowBound.sound
    var trace = StageTrace()
  }

  private let experiment: Experiment
  /// The parameters as given and as the kernels get them, with the row's own target.
  private var parameters: OperationParameters
  private var kernelParameters: OperationParameters
  private let reference: Reference
  private var candidates: [Candidate]
  private var given: [Double]
  private var rounded: [Double]
  private var results: [Double]
  private var bounds: [Double]
  private var truth = Truth()
  private var truthOfGiven = Truth()
  private var flat = FlatTruth()
  private var flatOfGiven = FlatTruth()
  private var profile = RowProfile()
  private var certificate = Certificate()
  private var conditioning = Double.nan
  private var inherent = 0.0
  private var inherentUlp = 0.0
  private var inputsRounded = false
  private var overflowedInputs = 0
  private var overflowedRows = 0

  init(_ experiment: Experiment, length: Int) {
    self.experiment = experiment
    parameters = experiment.parameters
    kernelParameters = experiment.parameters.rounded(to: experiment.configuration)
    let format = experiment.configuration.storage.numberFormat ?? .f64
    reference = Reference(experiment.operation, format: format)
    let forKernels = kernelParameters
    candidates = experiment.algorithms.compactMap { algorithm in
      KernelRunner(algorithm, experiment.configuration, parameters: forKernels).map {
        Candidate(
          runner: $0, bounds: ErrorBounds(algorithm, experiment.configuration, parameters: forKernels),
          fixedStep: algorithm.isInteger ? algorithm.variant.flatMap(Double.init).map { 1 / $0 } : nil,
          kernel: ErrorStatistics(overflow: experiment.configuration.overflow),
          total: ErrorStatistics(overflow: experiment.configuration.overflow))
      }
    }
    given = Array(repeating: 0, count: length)
    rounded = given
    results = Array(repeating: 0, count: experiment.operation.resultCount(length: length))
    bounds = results
  }

  func measure(_ row: Int, of rows: some RowSource) throws {
    try given.withUnsafeMutableBufferPointer { try rows.read(row, into: $0) }
    if let targets = experiment.targets {
      parameters.target = targets[row]
      kernelParameters.target = targets[row]
    }
    let changed = experiment.configuration.roundInputs(given, into: &rounded)
    rounded.withUnsafeBufferPointer {
      reference.answer($0, parameters: kernelParameters, into: &truth)
      profile.update($0, temperature: kernelParameters.temperature)
    }
    certificate.merge(truth.certificate)
    flat.update(truth)
    let sameQuestion = !changed && kernelParameters == parameters
    if !sameQuestion {
      inputsRounded = true
      let lost = zip(given, rounded).count { $0.isFinite && !$1.isFinite }
      overflowedInputs += lost
      if lost > 0 { overflowedRows += 1 }
      given.withUnsafeBufferPointer {
        reference.answer($0, parameters: parameters, into: &truthOfGiven)
      }
      certificate.merge(truthOfGiven.certificate)
      flatOfGiven.update(truthOfGiven)
      compareTruths()
    }
    let condition = profile.conditioning(experiment.operation, target: kernelParameters.target)
    if !condition.isNaN { conditioning = conditioning.isNaN ? condition : Swift.max(conditioning, condition) }
    for k in candidates.indices { measure(&candidates[k], row, sameQuestion: sameQuestion) }
  }

  private func measure(_ c: inout Candidate, _ row: Int, sameQuestion: Bool) {
    c.trace.startRow(row)
    rounded.withUnsafeBufferPointer { x in
      results.withUnsafeMutableBufferPointer {
        c.runner.run(x, target: kernelParameters.target, into: $0, trace: &c.trace)
      }
    }
    let unit = unit(c)
    var rowBound = RowBound.none
    if let errorBounds = c.bounds {
      rowBound = flat.value.withUnsafeBufferPointer { t in
        bounds.withUnsafeMutableBufferPointer {
          errorBounds.bound(profile, target: kernelParameters.target, truth: t, into: $0)
        }
      }
    }
    c.bound = c.bound.worse(rowBound)
    results.withUnsafeBufferPointer { y in
      if rowBound == .none {
        c.kernel.add(
          row: row, computed: y, truth: truth, flat: flat, unit: unit, bounds: nil, overflowed: c.trace.wentWrong)
      } else {
        bounds.withUnsafeBufferPointer {
          c.kernel.add(row: row, computed: y, truth: truth, flat: flat, unit: unit, bounds: $0)
        }
      }
      c.total.add(
        row: row, computed: y, truth: sameQuestion ? truth : truthOfGiven,
        flat: sameQuestion ? flat : flatOfGiven, unit: unit, bounds: nil)
      if experiment.operation == .softmax { c.distribution.add(computed: y, truth: truth, flat: flat) }
    }
  }

  private func unit(_ c: Candidate) -> ErrorUnit {
    if let format = experiment.configuration.storage.numberFormat { return .ulp(format) }
    if let step = c.fixedStep { return .step(step) }
    guard case .integer(let format) = experiment.configuration.storage else { return .step(1) }
    var grid = IntegerGrid(format)
    grid.fit(count: results.count) { results[$0] }
    return .step(Double(grid.scale))
  }

  private func compareTruths() {
    let format = experiment.configuration.storage.numberFormat ?? .f64
    var worst = 0.0
    var scale = 0.0
    for i in results.indices {
      let t = flatOfGiven.value[i]
      let other = flat.value[i]
      guard t.isFinite, other.isFinite else { continue }
      worst = Swift.max(worst, (t - other).magnitude)
      scale = Swift.max(scale, t.magnitude)
      inherentUlp = Swift.max(inherentUlp, (t - other).magnitude / format.ulp(of: t))
    }
    if scale > 0 { inherent = Swift.max(inherent, worst / scale) }
  }

  func merge(_ other: ExperimentWorker) {
    for k in candidates.indices {
      candidates[k].kernel.merge(other.candidates[k].kernel)
      candidates[k].total.merge(other.candidates[k].total)
      candidates[k].distribution.merge(other.candidates[k].distribution)
      candidates[k].bound = candidates[k].bound.worse(other.candidates[k].bound)
      candidates[k].trace.merge(other.candidates[k].trace)
    }
    certificate.merge(other.certificate)
    if conditioning.isNaN {
      conditioning = other.conditioning
    } else if !other.conditioning.isNaN {
      conditioning = Swift.max(conditioning, other.conditioning)
    }
    inherent = Swift.max(inherent, other.inherent)
    inherentUlp = Swift.max(inherentUlp, other.inherentUlp)
    inputsRounded = inputsRounded || other.inputsRounded
    overflowedInputs += other.overflowedInputs
    overflowedRows += other.overflowedRows
  }

  func result(_ experiment: Experiment, rows: Int, length: Int) -> ExperimentResult {
    // An integer grid's steps are each row's own; what is judged is relative to the row.
    let unit = experiment.configuration.storage.numberFormat.map { ErrorUnit.ulp($0) } ?? .step(1)
    return ExperimentResult(
      entries: candidates.map { c in
        ExperimentResult.Entry(
          algorithm: c.runner.algorithm, kernel: c.kernel, total: c.total,
          distribution: experiment.operation == .softmax ? c.distribution : nil, bound: c.bound,
          boundUlp: c.kernel.maxBoundUlp, trace: c.trace,
          verdict: Verdict(c.kernel, inherent: inherent, bound: c.bound, unit: unit))
      },
      certificate: certificate, conditioning: conditioning, inherent: inherent, inherentUlp: inherentUlp,
      inputsRounded: inputsRounded, overflowedInputs: overflowedInputs, overflowedRows: overflowedRows,
      rows: rows, length: length)
  }
}

extension RowBound {
  /// The less telling of two.
  func worse(_ other: RowBound) -> RowBound {
    func rank(_ b: RowBound) -> Int { b == .sound ? 0 : b == .vacuous ? 1 : 2 }
    return rank(other) > rank(self) ? other : self
  }
}

extension KernelConfiguration {
  /// Rounds a row to the storage dtype, integer grids with a scale of the row's own; returns whether anything changed.
  public func roundInputs(_ row: [Double], into rounded: inout [Double]) -> Bool {
    var changed = false
    switch storage {
    case .float(let format):
      for i in row.indices {
        let r = format.round(row[i], overflow: overflow)
        rounded[i] = r
        changed = changed || !(r == row[i] || r.isNaN && row[i].isNaN)
      }
    case .integer(let format):
      var grid = IntegerGrid(format)
      grid.fit(count: row.count) { row[$0] }
      for i in row.indices {
        rounded[i] = grid.value(grid.code(row[i]))
        changed = changed || rounded[i] != row[i]
      }
    }
    return changed
  }
}

extension OperationParameters {
  /// As a kernel of this configuration is given them: temperature and cotangent rounded to the compute format.
  public func rounded(to configuration: KernelConfiguration) -> OperationParameters {
    var copy = self
    // The limit τ → ∞ is no number that a format would have to hold.
    if temperature.isFinite { copy.temperature = configuration.compute.round(temperature, overflow: .saturate) }
    copy.cotangent = cotangent.map { configuration.compute.round($0) }
    return copy
  }
}
