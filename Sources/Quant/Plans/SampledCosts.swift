import CSchemes
import NumKitNumbers

/// By what the errors of a weight are judged.
public enum CostJudge: Sendable {
  /// ‖ŵ − w‖²/‖w‖².
  case weights
  /// Σ h(ŵ − w)²/Σ h w² with the mean square h of what each column is multiplied with: an importance matrix.
  case importance([Float])
  /// ‖X(ŵ − w)ᵀ‖²/‖Xwᵀ‖² with activations X, tokens × inputs.
  case activations(TensorMatrix)

  /// What reports call those that are not the weights themselves.
  public static let importanceName = "importance"
  public static let activationsName = "activations"

  /// What reports call it.
  public var name: String {
    switch self {
    case .weights: "weights"
    case .importance: Self.importanceName
    case .activations: Self.activationsName
    }
  }
}

/// What one scheme costs one tensor.
public struct SampledCost: Sendable {
  /// The scheme's name.
  public let scheme: String
  /// Bytes of the whole tensor, scales and all.
  public let bytes: Int
  /// The energy of the error over that of the tensor, or of their products; NaN for a tensor of zeros.
  public let noise: Double
  /// The standard error of `noise` relative to it, by which rows are in the sample; 0 where all are.
  public let uncertainty: Double
  /// Finite numbers of the sample that became NaN or infinite, and blocks whose scales did, or vanished.
  public let faults: Int

  public init(scheme: String, bytes: Int, noise: Double, uncertainty: Double = 0, faults: Int = 0) {
    (self.scheme, self.bytes, self.noise) = (scheme, bytes, noise)
    (self.uncertainty, self.faults) = (uncertainty, faults)
  }

  /// 10·log10 of signal over noise, in dB; ∞ without error.
  public var sqnr: Double { Self.decibels(noise) }

  /// −10·log10(noise).
  public static func decibels(_ noise: Double) -> Double {
    noise.isNaN ? .nan : noise <= 0 ? .infinity : -10 * nc_log10(noise)
  }
}

/// What several schemes cost one tensor, measured on a sample of its rows in one pass, piece by piece: memory is bounded by some
/// rows, or by a run of rows where schemes have blocks of several.
public struct SampledCosts: Sendable {
  /// Rows and columns of the tensor.
  public internal(set) var rows: Int
  public internal(set) var columns: Int
  /// Rows measured.
  public internal(set) var measuredRows: Int
  /// Elements of these that are NaN or infinite; no figure is of them.
  public internal(set) var nonFinite: Int
  /// By what errors are judged.
  public internal(set) var judge: String
  /// The schemes that fit, in the order given.
  public internal(set) var costs: [SampledCost]
  /// Those that do not, and why.
  public internal(set) var skipped: [SkippedScheme]

  /// About how many elements are in a sample.
  public static let usualSample = 1 << 18
  /// About how many rows with the largest numbers are in every sample.
  private static let certain = 16
  /// About how many elements are coded at a time.
  private static let piece = 1 << 14

  /// Measures. `sample` is about how many elements; nil for all. What schemes must know of the whole a `profile` of it tells, if it
  /// can. Throws what reading throws, and `CureError` for activations that do not fit.
  public init(
    _ source: some BandSource, schemes: [any Scheme], judge: CostJudge = .weights, sample: Int? = usualSample,
    profile: TensorProfile? = nil, threads: Int = 1
  ) throws {
    let (rows, columns) = (source.rows, source.columns)
    (self.rows, self.columns, self.judge) = (rows, columns, judge.name)
    try judge.check(columns)
    var fitting: [any Scheme] = []
    var skipped: [SkippedScheme] = []
    for scheme in schemes {
      do {
        _ = try scheme.byteCount(rows: rows, columns: columns)
        fitting.append(scheme)
      } catch let error as SchemeError {
        skipped.append(SkippedScheme(name: scheme.name, reason: error.description))
      }
    }
    self.skipped = skipped
    let isSampled = RowSample.leavesOut(rows: rows, columns: columns, elements: sample, unit: 1)
    var peaks = isSampled && profile == nil ? RowPeaks(rows: rows, columns: columns) : nil
    let known = profile.flatMap { TensorSurvey($0, for: fitting) }
    let survey = try known ?? Self.survey(source, fitting, &peaks)
    let meters = try fitting.map { try Meter($0, rows: rows, columns: columns, survey: survey) }
    // Runs that are whole blocks for all.
    let unit = min(rows, meters.map(\.staged.rowUnit).reduce(1, leastCommonMultiple))
    let largest = Set((profile?.largestPlaces ?? []).map { $0.row / unit }).sorted()
    let rowSample = RowSample(
      rows: rows, columns: columns, elements: sample, unit: unit,
      certain: isSampled ? peaks?.largest(max(1, Self.certain / unit), unit: unit) ?? largest : [])
    measuredRows = rowSample.count
    // Each thread has some of the schemes, and reads the rows for itself.
    let teams = max(1, min(threads, meters.count))
    nonFinite = try ParallelRows(threads: teams, chunk: 1).reduce(
      count: teams, progress: nil, make: { SampleCounter() },
      body: { worker, team in
        let own = stride(from: team, to: meters.count, by: teams).map { meters[$0] }
        let found = try Self.measure(own, source, rowSample, unit: unit, judge)
        if team == 0 { worker.nonFinite = found }
      }, merge: { $0.nonFinite += $1.nonFinite }
    ).nonFinite
    costs = try meters.map { try $0.cost(rows: rows, columns: columns) }
  }

  /// Takes the sample through some schemes; returns how many of its elements are no numbers.
  private static func measure(
    _ meters: [Meter], _ source: some BandSource, _ sample: RowSample, unit: Int, _ judge: CostJudge
  ) throws -> Int {
    let columns = source.columns
    let height = max(unit, piece / max(1, columns) / unit * unit)
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: height * columns)
    defer { values.deallocate() }
    let scratch = MeasurementScratch()
    var difference = [Float](repeating: 0, count: columns)
    var nonFinite = 0
    // Neighbouring runs are read together, as many as fit.
    var next = 0
    while next < sample.runs.count {
      var filled = 0
      var isCertain: [Bool] = []
      while next < sample.runs.count, filled + sample.runs[next].count <= height {
        let run = sample.runs[next]
        try source.read(
          run, into: .init(rebasing: values[filled * columns..<(filled + run.count) * columns]))
        filled += run.count
        isCertain += Array(repeating: sample.isCertain[next], count: run.count)
        next += 1
        // A run that is cut short is the tensor's last.
        if run.count < unit { break }
      }
      let part = UnsafeBufferPointer(rebasing: values[..<(filled * columns)])
      for x in part where !x.isFinite { nonFinite += 1 }
      let energies = (0..<filled).map { row in
        judge.energy(UnsafeBufferPointer(rebasing: part[row * columns..<(row + 1) * columns]))
      }
      for meter in meters {
        try meter.add(part, isCertain, columns: columns, judge, energies, scratch, &difference)
      }
    }
    return nonFinite
  }

  /// Costs that are known from elsewhere, of all rows.
  package init(rows: Int, columns: Int, judge: String, costs: [SampledCost]) {
    (self.rows, self.columns, measuredRows) = (rows, columns, rows)
    (nonFinite, self.judge, self.costs, skipped) = (0, judge, costs, [])
  }

  /// What schemes must know of the whole, and how large its rows are, where that is asked, in one pass.
  private static func survey(
    _ source: some BandSource, _ schemes: [any Scheme], _ peaks: inout RowPeaks?
  ) throws -> TensorSurvey? {
    var survey =
      schemes.contains(where: \.needsSurvey) ? TensorSurvey(columns: source.columns, for: schemes) : nil
    if survey == nil && peaks == nil { return nil }
    try BandReader(source, elements: 1 << 18).forEach(unit: 1) { row, band in
      survey?.add(band)
      peaks?.add(row, band)
    }
    return survey
  }
}

extension CostJudge {
  fileprivate func check(_ columns: Int) throws {
    switch self {
    case .weights: return
    case .importance(let h):
      guard h.count == columns else { throw CureError.activations(columns: h.count, needed: columns) }
    case .activations(let x):
      guard x.columns == columns else { throw CureError.activations(columns: x.columns, needed: columns) }
    }
  }

  /// The energy of a row, or of its products.
  fileprivate func energy(_ x: UnsafeBufferPointer<Float>) -> Double {
    guard case .activations(let a) = self, let start = x.baseAddress else { return 0 }
    if x.allSatisfy(\.isFinite) {
      return a.values.withUnsafeBufferPointer { nc_product_energy(start, x.count, $0.baseAddress, a.rows) }
    }
    let clean = x.map { $0.isFinite ? $0 : 0 }
    return a.values.withUnsafeBufferPointer { nc_product_energy(clean, clean.count, $0.baseAddress, a.rows) }
  }
}

/// What a thread counts of the sample.
private final class SampleCounter {
  var nonFinite = 0
}

/// One scheme's way through the sample.
private final class Meter {
  let staged: StagedScheme
  /// Of the rows that are drawn: sums of errors and energies, of their squares and products.
  private var (energy, error, energy2, error2, both) = (0.0, 0.0, 0.0, 0.0, 0.0)
  private var drawn = 0
  /// Of those that stand for themselves.
  private var certain = (energy: 0.0, error: 0.0, rows: 0)
  private var faults = 0

  init(_ scheme: any Scheme, rows: Int, columns: Int, survey: TensorSurvey?) throws {
    staged = try StagedScheme(scheme, rows: rows, columns: columns, survey: survey)
    if let blocks = staged.bands as? StagedBlocks { faults = blocks.sharedFaults.count }
  }

  func add(
    _ values: UnsafeBufferPointer<Float>, _ isCertain: [Bool], columns: Int, _ judge: CostJudge,
    _ energies: [Double], _ scratch: MeasurementScratch, _ difference: inout [Float]
  ) throws {
    let (scheme, rows) = (staged.bands, isCertain.count)
    scratch.reserve(values.count)
    let bytes = scratch.bytes(try scheme.byteCount(rows: rows, columns: columns))
    try scheme.encode(values, rows: rows, columns: columns, into: bytes)
    try scheme.decode(UnsafeRawBufferPointer(bytes), rows: rows, columns: columns, into: scratch[0])
    let decoded = UnsafeBufferPointer(scratch[0])
    if let scaled = scheme as? any ScaledScheme {
      faults += try scaled.scaleFaults(
        UnsafeRawBufferPointer(bytes), values, decoded: decoded, rows: rows, columns: columns
      ).count
    }
    guard let x = values.baseAddress, let y = decoded.baseAddress else { return }
    for row in 0..<rows {
      let (a, b) = (x + row * columns, y + row * columns)
      var sums: nc_weighted_sums
      switch judge {
      case .weights: sums = nc_weighted_errors(a, b, nil, columns)
      case .importance(let h): sums = nc_weighted_errors(a, b, h, columns)
      case .activations(let given):
        sums = given.values.withUnsafeBufferPointer {
          nc_product_errors(a, b, columns, $0.baseAddress, given.rows, &difference)
        }
        sums.energy = energies[row]
      }
      faults += Int(sums.lost)
      if isCertain[row] {
        certain.energy += sums.energy
        certain.error += sums.error
        certain.rows += 1
        continue
      }
      drawn += 1
      energy += sums.energy
      error += sums.error
      energy2 += sums.energy * sums.energy
      error2 += sums.error * sums.error
      both += sums.energy * sums.error
    }
  }

  /// The ratio of two sums, each of the rows that are certain and of all others, for which those drawn stand; and its standard error by
  /// linearization (Cochran, Sampling Techniques, 3rd ed., §6.4, and §5.3 for strata), with the correction for a finite number of rows.
  func cost(rows: Int, columns: Int) throws -> SampledCost {
    let (n, others) = (Double(drawn), Double(rows - certain.rows))
    let weight = drawn > 0 ? others / n : 0
    let total = (energy: certain.energy + weight * energy, error: certain.error + weight * error)
    let noise =
      total.error == 0 && total.energy == 0
      ? Double.nan : total.energy == 0 ? .infinity : total.error / total.energy
    var uncertainty = 0.0
    if drawn < rows - certain.rows, drawn > 1, noise > 0, noise.isFinite {
      let mean = error - noise * energy
      let spread = max(0, error2 - 2 * noise * both + noise * noise * energy2 - mean * mean / n)
      uncertainty = weight * ((1 - n / others) * spread * n / (n - 1)).squareRoot() / total.error
    }
    return SampledCost(
      scheme: staged.scheme.name, bytes: try staged.scheme.byteCount(rows: rows, columns: columns),
      noise: noise,
      uncertainty: uncertainty, faults: faults)
  }
}
