import NumKitNumbers

/// Something to be done for a compute format C and an accumulator format A, once both are types.
package protocol FormatPairVisitor {
  associatedtype Result
  /// Does it; nil where it cannot be done.
  func visit<C: Scalar, A: Scalar>(_: C.Type, _: A.Type) -> Result?
}

/// From a format known at run time to code compiled for it: one line a format.
package enum ScalarDispatch {
  /// Compute and accumulator formats that are the same, or an accumulator of f32, run specialised code; other pairs
  /// run generic code, with the same answer.
  package static func visit<V: FormatPairVisitor>(_ configuration: KernelConfiguration, _ visitor: V) -> V
    .Result?
  {
    guard let accumulator = type(configuration.accumulator, configuration.overflow) else { return nil }
    let saturates = configuration.overflow == .saturate
    switch configuration.compute {
    case .f64: return pair(Double.self, accumulator, visitor)
    case .f32: return pair(Float.self, accumulator, visitor)
    case .tf32: return pair(TensorFloat32.self, accumulator, visitor)
    case .f16: return pair(Float16.self, accumulator, visitor)
    case .bf16: return pair(BFloat16.self, accumulator, visitor)
    case .f8e4m3fn where !saturates: return pair(Float8E4M3FN.self, accumulator, visitor)
    case .f8e5m2 where !saturates: return pair(Float8E5M2.self, accumulator, visitor)
    default:
      guard let compute = type(configuration.compute, configuration.overflow) else { return nil }
      return open(compute, accumulator, visitor)
    }
  }

  static func type(_ format: NumberFormat, _ overflow: Overflow) -> (any Scalar.Type)? {
    guard let entry = FormatRegistry.all.first(where: { $0.dtype == .float(format) }) else { return nil }
    return overflow == .saturate ? entry.saturating ?? entry.scalar : entry.scalar
  }

  private static func pair<C: Scalar, V: FormatPairVisitor>(
    _: C.Type, _ accumulator: any Scalar.Type, _ visitor: V
  ) -> V.Result? {
    if accumulator == C.self { return visitor.visit(C.self, C.self) }
    if accumulator == Float.self { return visitor.visit(C.self, Float.self) }
    return open(C.self, accumulator, visitor)
  }

  private static func open<V: FormatPairVisitor>(
    _ compute: any Scalar.Type, _ accumulator: any Scalar.Type, _ visitor: V
  ) -> V.Result? {
    func first<C: Scalar>(_: C.Type) -> V.Result? {
      func second<A: Scalar>(_: A.Type) -> V.Result? { visitor.visit(C.self, A.self) }
      return second(accumulator)
    }
    return first(compute)
  }
}
