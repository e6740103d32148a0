/// From a format known at run time to code compiled for it: one line a format.
enum ScalarDispatch {
  /// Compute and accumulator formats that are the same, or an accumulator of f32, run specialised code; other pairs
  /// run generic code, with the same answer.
  static func withFormats(_ configuration: KernelConfiguration, _ request: RunnerRequest) -> RunnerRequest
    .Body?
  {
    guard let accumulator = type(configuration.accumulator, configuration.overflow) else { return nil }
    let saturates = configuration.overflow == .saturate
    switch configuration.compute {
    case .f64: return pair(Double.self, accumulator, request)
    case .f32: return pair(Float.self, accumulator, request)
    case .tf32: return pair(TensorFloat32.self, accumulator, request)
    case .f16: return pair(Float16.self, accumulator, request)
    case .bf16: return pair(BFloat16.self, accumulator, request)
    case .f8e4m3fn where !saturates: return pair(Float8E4M3FN.self, accumulator, request)
    case .f8e5m2 where !saturates: return pair(Float8E5M2.self, accumulator, request)
    default:
      guard let compute = type(configuration.compute, configuration.overflow) else { return nil }
      return open(compute, accumulator, request)
    }
  }

  static func type(_ format: NumberFormat, _ overflow: Overflow) -> (any Scalar.Type)? {
    guard let entry = FormatRegistry.all.first(where: { $0.dtype == .float(format) }) else { return nil }
    return overflow == .saturate ? entry.saturating ?? entry.scalar : entry.scalar
  }

  private static func pair<C: Scalar>(
    _: C.Type, _ accumulator: any Scalar.Type, _ request: RunnerRequest
  ) -> RunnerRequest.Body? {
    if accumulator == C.self { return request.body(C.self, C.self) }
    if accumulator == Float.self { return request.body(C.self, Float.self) }
    return open(C.self, accumulator, request)
  }

  private static func open(
    _ compute: any Scalar.Type, _ accumulator: any Scalar.Type, _ request: RunnerRequest
  ) -> RunnerRequest.Body? {
    func first<C: Scalar>(_: C.Type) -> RunnerRequest.Body? {
      func second<A: Scalar>(_: A.Type) -> RunnerRequest.Body? { request.body(C.self, A.self) }
      return second(accumulator)
    }
    return first(compute)
  }
}
