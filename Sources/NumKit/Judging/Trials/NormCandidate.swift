import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// One of our kernels of a normalisation, in one configuration.
public struct NormCandidate: Candidate {
  public typealias Q = NormQuestion

  /// The algorithm.
  public let algorithm: NormAlgorithm
  /// Its precisions.
  public let configuration: KernelConfiguration
  private let parameters: NormParameters
  // A thread's own: `prepared` makes it anew.
  nonisolated(unsafe) private let runner: NormRunner

  /// `parameters` are those of every row as stored (`NormParameters.rounded(to:)`).
  ///
  /// - Throws: `NormError` where a format cannot be computed in.
  public init(
    _ algorithm: NormAlgorithm, _ configuration: KernelConfiguration, parameters: NormParameters
  ) throws {
    guard let runner = NormRunner(algorithm, configuration, parameters: parameters) else {
      throw NormError.cannotCompute(algorithm.description, configuration)
    }
    self.algorithm = algorithm
    self.configuration = configuration
    self.parameters = parameters
    self.runner = runner
  }

  public var name: String { algorithm.description }

  public func prepared() throws -> NormCandidate {
    try NormCandidate(algorithm, configuration, parameters: parameters)
  }

  public func answer(
    _ item: NormQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) {
    item.values.withUnsafeBufferPointer { runner.run($0, into: results, trace: &trace) }
  }

  public func errorModel() -> (any ErrorModel<NormQuestion>)? {
    NormErrors(algorithm, configuration, parameters: parameters)
  }

  public func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? {
    guard case .integer(let format) = configuration.storage else { return nil }
    var grid = IntegerGrid(format)
    grid.fit(count: results.count) { results[$0] }
    return .step(Double(grid.scale))
  }
}

/// Why a normalisation cannot run.
public enum NormError: Error, Hashable, CustomStringConvertible {
  /// A format cannot be computed in.
  case cannotCompute(String, KernelConfiguration)

  public var description: String {
    switch self {
    case .cannotCompute(let algorithm, let c):
      "'\(algorithm)' cannot run with dtype \(c.storage), compute \(c.compute.name), accumulate \(c.accumulator.name)"
    }
  }
}

extension NormErrors: ErrorModel {
  typealias Q = NormQuestion

  mutating func bound(
    _ row: ResultRow, of item: NormQuestion.Item, _ profile: NormProfile, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    bound(item.values, profile, truth: exact, into: bounds)
  }
}

/// Rows as given, and as a kernel of one configuration gets them.
public struct NormRows<Rows: RowSource>: ItemSource {
  public typealias Q = NormQuestion

  private let rows: Rows
  private let parameters: NormParameters
  private let configuration: KernelConfiguration
  /// The parameters as a kernel gets them.
  public let kernelParameters: NormParameters

  /// Rows normalised with `parameters`, stored as `configuration` says.
  ///
  /// - Throws: `UnfitNorm` where the parameters do not fit the rows.
  public init(
    _ rows: Rows, _ operation: Normalization, parameters: NormParameters, configuration: KernelConfiguration
  ) throws {
    try parameters.check(operation, length: rows.length)
    self.rows = rows
    self.parameters = parameters
    self.configuration = configuration
    kernelParameters = parameters.rounded(to: configuration)
  }

  public var itemCount: Int { rows.length > 0 ? rows.rowCount : 0 }

  public func makeItem() -> NormQuestion.Item {
    NormQuestion.Item(values: Array(repeating: 0, count: rows.length), parameters: parameters)
  }

  public func read(
    _ index: Int, given: inout NormQuestion.Item, stored: inout NormQuestion.Item
  ) throws -> InputChange {
    given.row = index
    stored.row = index
    stored.parameters = kernelParameters
    try given.values.withUnsafeMutableBufferPointer { try rows.read(index, into: $0) }
    let changed = configuration.roundInputs(given.values, into: &stored.values)
    guard changed || kernelParameters != parameters else { return InputChange() }
    return InputChange(
      changed: true, overflowed: zip(given.values, stored.values).count { $0.isFinite && !$1.isFinite })
  }
}

extension Trial where Q == NormQuestion {
  /// `algorithms` of `operation` on rows stored as `configuration` says, held against the proven answer.
  ///
  /// - Throws: `NormError` where a format cannot be computed in.
  public init(
    _ operation: Normalization, algorithms: [NormAlgorithm], configuration: KernelConfiguration,
    storedParameters: NormParameters, threads: Int = 1
  ) throws {
    let format = configuration.storage.numberFormat ?? .f64
    self.init(
      NormQuestion(operation),
      candidates: try algorithms.map { try NormCandidate($0, configuration, parameters: storedParameters) },
      format: format, threads: threads
    ) { _ in NormProver(operation, format: format) }
    overflow = configuration.overflow
  }
}

/// Rows of a normalisation that have no answer in the reals: NaN or infinite, or without variance at ε = 0.
public struct NormSights: Observer {
  public typealias Q = NormQuestion

  private let operation: Normalization
  /// How many, as given.
  public private(set) var rowsWithoutAnswer = 0
  /// The first of them.
  public private(set) var firstRow = Int.max

  /// None yet.
  public init(_ operation: Normalization) { self.operation = operation }

  public mutating func see(stored: Answered<NormQuestion>, given: Answered<NormQuestion>) {
    let item = given.item
    guard let first = item.values.first else { return }
    // Only numbers that are equal to the first vary by nothing; of the RMS norm, zeros.
    let level = operation.isCentered ? first : 0
    let isLevel = item.parameters.epsilon == 0 && item.values.allSatisfy { $0 == level }
    guard isLevel || !item.values.allSatisfy(\.isFinite) else { return }
    rowsWithoutAnswer += 1
    firstRow = Swift.min(firstRow, item.row)
  }

  public mutating func merge(_ other: NormSights) {
    rowsWithoutAnswer += other.rowsWithoutAnswer
    firstRow = Swift.min(firstRow, other.firstRow)
  }
}

extension NormSights: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(count: &rowsWithoutAnswer)
    try c.carry(&firstRow)
  }
}
