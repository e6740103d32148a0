import NumKitNumbers
import NumKitQuestions

/// The precisions and policies that a kernel is run with.
public struct KernelConfiguration: Sendable, Hashable {
  /// What inputs and results are stored in.
  public var storage: DType
  /// What element-wise operations round to.
  public var compute: NumberFormat
  /// What sums round to.
  public var accumulator: NumberFormat
  /// What becomes of results too large, in formats that can do either.
  public var overflow: Overflow

  /// Compute and accumulator default to the storage format; for integer storage, to f32.
  public init(
    storage: DType, compute: NumberFormat? = nil, accumulator: NumberFormat? = nil,
    overflow: Overflow = .special
  ) {
    self.storage = storage
    self.compute = compute ?? storage.numberFormat ?? .f32
    self.accumulator = accumulator ?? compute ?? storage.numberFormat ?? .f32
    self.overflow = overflow
  }
}

/// One algorithm, ready to answer for row after row in one configuration. One instance serves one thread.
public struct KernelRunner {
  /// The algorithm.
  public let algorithm: Algorithm
  /// Its precisions.
  public let configuration: KernelConfiguration
  private let body: RunnerRequest.Body

  /// Answers for `row`, numbers of the storage format; `results` has `operation.resultCount(length: row.count)`
  /// places and receives numbers of the storage format. The row must not be empty; `target` is one of its indices. Call
  /// `trace.startRow` before.
  public func run(
    _ row: UnsafeBufferPointer<Double>, target: Int, into results: UnsafeMutableBufferPointer<Double>,
    trace: inout StageTrace
  ) {
    body(row, target, results, &trace)
  }

  /// Prepares `algorithm`; nil where there is no such algorithm or a format cannot be computed in.
  public init?(
    _ algorithm: Algorithm, _ configuration: KernelConfiguration, parameters: OperationParameters
  ) {
    self.algorithm = algorithm
    self.configuration = configuration
    if algorithm.isInteger {
      guard let body = integerBody(algorithm, configuration, parameters) else { return nil }
      self.body = body
      return
    }
    let request = RunnerRequest(algorithm: algorithm, configuration: configuration, parameters: parameters)
    guard let body = ScalarDispatch.visit(configuration, request) else { return nil }
    self.body = body
  }
}

/// Makes the body of a runner for a pair of formats.
struct RunnerRequest: FormatPairVisitor {
  let algorithm: Algorithm
  let configuration: KernelConfiguration
  let parameters: OperationParameters

  typealias Body = (
    _ row: UnsafeBufferPointer<Double>, _ target: Int, _ results: UnsafeMutableBufferPointer<Double>,
    _ trace: inout StageTrace
  ) -> Void

  func visit<C: Scalar, A: Scalar>(_: C.Type, _: A.Type) -> Body? {
    KernelRegistry.visit(algorithm, RunnerBody<C, A>(request: self))
  }
}

/// Makes it for a kernel.
private struct RunnerBody<C: Scalar, A: Scalar>: KernelVisitor {
  let request: RunnerRequest

  func visit<K: Kernel>(_: K.Type) -> RunnerRequest.Body {
    let workspace = KernelWorkspace<C>(
      parameters: request.parameters, summation: request.algorithm.summation)
    let configuration = request.configuration
    let storage = configuration.storage
    let overflow = configuration.overflow
    return { row, target, results, trace in
      workspace.load(row, target: target, resultCount: results.count)
      switch workspace.prepare(K.operation, &trace) {
      case .run:
        if case .integer(let format) = storage {
          var stages = OnIntegerGrid(format, trace: trace)
          K.run(workspace.x, into: workspace.y, workspace.setting, accumulator: A.self, stages: &stages)
          trace = stages.trace
        } else {
          var stages = Observed(trace: trace)
          K.run(workspace.x, into: workspace.y, workspace.setting, accumulator: A.self, stages: &stages)
          trace = stages.trace
        }
      case .fill(let value):
        workspace.y.update(repeating: C(rounding: value))
        if K.operation == .crossEntropyGradient { workspace.y[workspace.setting.target] = -C.one }
      }
      // Arithmetic in the wider formats does not saturate, storing does.
      if let format = storage.numberFormat, format != C.format || overflow == .saturate {
        for i in results.indices { results[i] = format.round(workspace.y[i].exact, overflow: overflow) }
      } else {
        for i in results.indices { results[i] = workspace.y[i].exact }
      }
    }
  }
}

/// Integer-only kernels: the row's own grid in, probabilities of a fixed scale out.
private func integerBody(
  _ algorithm: Algorithm, _ configuration: KernelConfiguration, _ parameters: OperationParameters
) -> RunnerRequest.Body? {
  guard case .integer(let format) = configuration.storage,
    let kernel = KernelRegistry.integer.first(where: {
      $0.operation == algorithm.operation && $0.name == algorithm.kernel
    }), let denominator = algorithm.variant.flatMap({ Int($0) })
  else { return nil }
  let workspace = KernelWorkspace<Double>(parameters: parameters, summation: .sequential)
  return { row, target, results, trace in
    workspace.load(row, target: target, resultCount: results.count)
    if case .fill(let value) = workspace.prepare(algorithm.operation, &trace) {
      return results.update(repeating: value)
    }
    var grid = IntegerGrid(format)
    let x = workspace.x
    grid.fit(count: x.count) { x[$0] }
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: x.count * 2) { codes in
      withUnsafeTemporaryAllocation(of: Int64.self, capacity: x.count) { scratch in
        let q = UnsafeMutableBufferPointer(rebasing: codes[..<x.count])
        let p = UnsafeMutableBufferPointer(rebasing: codes[x.count...])
        for i in q.indices { q[i] = grid.code(x[i]) }
        kernel.run(
          UnsafeBufferPointer(q), scale: Double(grid.scale), denominator: denominator, into: p,
          scratch: scratch)
        for i in p.indices { results[i] = Double(p[i]) / Double(denominator) }
      }
    }
  }
}
