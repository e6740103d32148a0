import NumKitNumbers
import NumKitQuestions

/// One algorithm of a normalisation, written once and run in any number format.
public protocol NormKernel: Sendable {
  /// The question it answers.
  static var operation: Normalization { get }
  /// Its name on the command line.
  static var name: String { get }
  /// One line on how it works.
  static var summary: String { get }
  /// The orders of summation it can be run with, the default first.
  static var summations: [Summation] { get }
  /// The ways from the root to the results it can be run with, the default first.
  static var finishes: [NormFinish] { get }
  /// How it finds the variance, which is what a bound on its errors goes by; nil, the default, for a way that none is derived for.
  static var method: VarianceMethod? { get }

  /// Answers for the row `x`; `y` has as many places.
  ///
  /// `C` is the format of every element-wise operation, the root's too, `A` that of sums, means and variances. What is computed
  /// from both is computed in the wider of the two and rounded to `C`.
  static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: NormSetting<C>, accumulator: A.Type, stages: inout S
  )
}

extension NormKernel {
  /// No bound.
  public static var method: VarianceMethod? { nil }
}

/// How a kernel finds the variance, or mean square, of a row.
public enum VarianceMethod: Sendable, Hashable {
  /// E[x²].
  case squares
  /// E[(x/s)²], s = max(max |x|, √ε).
  case scaledSquares
  /// E[x²] − E[x]².
  case differenceOfSquares
  /// E[(x − E[x])²].
  case deviations
  /// Welford's recurrence.
  case running
}

/// How elements meet the root of the variance.
public enum NormFinish: String, Sendable, CaseIterable {
  /// (d·(1/√v))·w + b: one division a row, as in most kernels.
  case multiply
  /// (d/√v)·w + b.
  case divide
  /// (x·r + (−μ·r))·w + b with r = 1/√v: one multiplication and addition an element, as in PyTorch's for CPUs.
  case folded

  /// What is added to the summary of a kernel that ends like this.
  var summary: String {
    switch self {
    case .multiply: ""
    case .divide: ", divided by the root"
    case .folded: ", as x r + (-mean r)"
    }
  }
}

/// What a kernel is run with beside its row.
public struct NormSetting<C: Scalar> {
  /// How sums are ordered.
  public var summation: Summation
  /// How elements meet the root.
  public var finish: NormFinish
  /// ε.
  public var epsilon: C
  /// w, empty for none.
  public var weight: UnsafeMutableBufferPointer<C>
  /// b, empty for none.
  public var bias: UnsafeMutableBufferPointer<C>
  /// As many places as the row has elements, for the kernel's own use.
  public var scratch: UnsafeMutableBufferPointer<C>
}

/// Every kernel of a normalisation: one line each.
public enum NormKernels {
  static let all: [NormKernelEntry] = [
    NormKernelEntry(NaiveRMSNorm.self),
    NormKernelEntry(ScaledRMSNorm.self),
    NormKernelEntry(NaiveLayerNorm.self),
    NormKernelEntry(TwoPassLayerNorm.self),
    NormKernelEntry(WelfordLayerNorm.self),
  ]
}

/// A kernel's choices, and how it is made ready: the type is known where the line stands, so that its code is specialised.
struct NormKernelEntry: Sendable {
  let operation: Normalization
  let name: String
  let summary: String
  let summations: [Summation]
  let finishes: [NormFinish]
  let method: VarianceMethod?
  let make: @Sendable (NormRequest) -> NormRequest.Body?

  init<K: NormKernel>(_: K.Type) {
    (operation, name, summary) = (K.operation, K.name, K.summary)
    (summations, finishes, method) = (K.summations, K.finishes, K.method)
    make = { ScalarDispatch.visit($0.configuration, NormVisitor<K>(request: $0)) }
  }
}

/// A kernel with the choices that its name spells: `two-pass`, `two-pass:pairwise`, `naive:pairwise:divide`.
public struct NormAlgorithm: Sendable, Hashable, CustomStringConvertible {
  /// The question it answers.
  public let operation: Normalization
  /// The kernel's own name.
  public let kernel: String
  /// The order of summation.
  public let summation: Summation
  /// How elements meet the root.
  public let finish: NormFinish
  /// How it finds the variance, where it says so.
  public let method: VarianceMethod?
  /// One line on how it works.
  public let summary: String

  public var description: String {
    kernel + (summation == .sequential ? "" : ":\(summation)") + (finish == .multiply ? "" : ":\(finish)")
  }

  /// Every algorithm for `operation`, naive ones first.
  public static func all(for operation: Normalization) -> [NormAlgorithm] {
    NormKernels.all.filter { $0.operation == operation }.flatMap { entry in
      entry.finishes.flatMap { finish in
        entry.summations.map { order in
          NormAlgorithm(
            operation: operation, kernel: entry.name, summation: order, finish: finish,
            method: entry.method,
            summary: entry.summary + (order == .pairwise ? ", summed pairwise" : "") + finish.summary)
        }
      }
    }
  }
}

extension NormParameters {
  /// As a kernel of this configuration is given them: ε rounded to the compute format, weight and bias stored as rows are, or in
  /// the compute format where those are on a grid.
  public func rounded(to configuration: KernelConfiguration) -> NormParameters {
    var copy = self
    copy.epsilon = configuration.compute.round(epsilon)
    if !copy.epsilon.isFinite { copy.epsilon = configuration.compute.largestFinite }
    let format = configuration.storage.numberFormat ?? configuration.compute
    copy.weight = weight.map { format.round($0, overflow: configuration.overflow) }
    copy.bias = bias.map { format.round($0, overflow: configuration.overflow) }
    return copy
  }
}

/// One algorithm, ready to answer for row after row in one configuration. One instance serves one thread.
public struct NormRunner {
  /// The algorithm.
  public let algorithm: NormAlgorithm
  /// Its precisions.
  public let configuration: KernelConfiguration
  private let body: NormRequest.Body

  /// Prepares `algorithm`; nil where a format cannot be computed in. `parameters` are those of every row, as stored.
  public init?(
    _ algorithm: NormAlgorithm, _ configuration: KernelConfiguration, parameters: NormParameters
  ) {
    self.algorithm = algorithm
    self.configuration = configuration
    let request = NormRequest(algorithm: algorithm, configuration: configuration, parameters: parameters)
    guard
      let entry = NormKernels.all.first(where: {
        $0.operation == algorithm.operation && $0.name == algorithm.kernel
      }), let body = entry.make(request)
    else { return nil }
    self.body = body
  }

  /// Answers for `row`, numbers of the storage format; `results` has as many places and receives numbers of the storage format.
  /// The row must not be empty. Call `trace.startRow` before.
  public func run(
    _ row: UnsafeBufferPointer<Double>, into results: UnsafeMutableBufferPointer<Double>,
    trace: inout StageTrace
  ) {
    body(row, results, &trace)
  }
}

/// What a runner is made of.
struct NormRequest: Sendable {
  let algorithm: NormAlgorithm
  let configuration: KernelConfiguration
  let parameters: NormParameters

  typealias Body = (
    _ row: UnsafeBufferPointer<Double>, _ results: UnsafeMutableBufferPointer<Double>,
    _ trace: inout StageTrace
  ) -> Void
}

/// Makes the body of a runner for a kernel and a pair of formats.
private struct NormVisitor<K: NormKernel>: FormatPairVisitor {
  let request: NormRequest

  func visit<C: Scalar, A: Scalar>(_: C.Type, _: A.Type) -> NormRequest.Body? {
    let workspace = NormWorkspace<C>(request)
    let (storage, overflow) = (request.configuration.storage, request.configuration.overflow)
    return { row, results, trace in
      workspace.load(row)
      if workspace.prepare(K.operation) {
        if case .integer(let format) = storage {
          var stages = OnIntegerGrid(format, trace: trace)
          stages.trace.observe(workspace.x, .input)
          K.run(workspace.x, into: workspace.y, workspace.setting, accumulator: A.self, stages: &stages)
          trace = stages.trace
        } else {
          var stages = Observed(trace: trace)
          stages.trace.observe(workspace.x, .input)
          K.run(workspace.x, into: workspace.y, workspace.setting, accumulator: A.self, stages: &stages)
          trace = stages.trace
        }
      }
      for i in results.indices {
        let y = workspace.y[i].exact
        results[i] = storage.numberFormat.map { $0.round(y, overflow: overflow) } ?? y
      }
    }
  }
}

/// The buffers of one runner, and what is done to a row before any kernel sees it: conversion and policy.
final class NormWorkspace<C: Scalar> {
  private(set) var x = UnsafeMutableBufferPointer<C>.allocate(capacity: 0)
  private(set) var y = UnsafeMutableBufferPointer<C>.allocate(capacity: 0)
  private(set) var setting: NormSetting<C>
  private let parameters: NormParameters

  init(_ request: NormRequest) {
    parameters = request.parameters
    func buffer(_ values: [Double]) -> UnsafeMutableBufferPointer<C> {
      let b = UnsafeMutableBufferPointer<C>.allocate(capacity: values.count)
      _ = b.initialize(fromContentsOf: values.map { C(rounding: $0) })
      return b
    }
    setting = NormSetting(
      summation: request.algorithm.summation, finish: request.algorithm.finish,
      epsilon: C(rounding: parameters.epsilon), weight: buffer(parameters.weight),
      bias: buffer(parameters.bias), scratch: .allocate(capacity: 0))
  }

  deinit {
    for buffer in [x, y, setting.weight, setting.bias, setting.scratch] { buffer.deallocate() }
  }

  func load(_ row: UnsafeBufferPointer<Double>) {
    precondition(setting.weight.isEmpty || setting.weight.count == row.count, "a weight for each element")
    precondition(setting.bias.isEmpty || setting.bias.count == row.count, "a bias for each element")
    setting.epsilon = C(rounding: parameters.epsilon)
    Self.resize(&x, row.count)
    Self.resize(&y, row.count)
    Self.resize(&setting.scratch, row.count)
    for i in row.indices { x[i] = C(rounding: row[i]) }
  }

  private static func resize(_ buffer: inout UnsafeMutableBufferPointer<C>, _ count: Int) {
    guard buffer.count != count else { return }
    buffer.deallocate()
    buffer = .allocate(capacity: count)
    buffer.initialize(repeating: .zero)
  }

  /// Applies the policy; false where it has answered, in `y`.
  func prepare(_ operation: Normalization) -> Bool {
    guard parameters.degenerate == .safe, !x.contains(where: \.isNaN) else { return true }
    if x.contains(where: \.isInfinite) {
      for i in x.indices { x[i] = !x[i].isInfinite ? .zero : x[i] > .zero ? .one : -C.one }
      setting.epsilon = .zero
    }
    let level = operation.isCentered ? x[0] : .zero
    guard setting.epsilon == .zero, x.allSatisfy({ $0 == level }) else { return true }
    for i in y.indices { y[i] = setting.bias.isEmpty ? .zero : setting.bias[i] }
    return false
  }
}
