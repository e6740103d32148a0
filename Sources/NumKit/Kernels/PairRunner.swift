import NumKitNumbers

/// A softmax kernel over `Scalar`, run on one pair of logits after another.
package struct PairRunner: Sendable {
  /// Runs it on (x, values[i]) for the first `count` values.
  package typealias Body =
    @Sendable (
      _ x: Double, _ values: [Double], _ count: Int, _ larger: inout [Double], _ smaller: inout [Double]
    ) -> Void

  package let run: Body

  /// nil where the kernel is no softmax over `Scalar`, or a format cannot be computed in.
  package init?(_ algorithm: Algorithm, _ configuration: KernelConfiguration) {
    guard algorithm.operation == .softmax, let storage = configuration.storage.numberFormat else {
      return nil
    }
    let request = PairRequest(algorithm: algorithm, storage: storage, overflow: configuration.overflow)
    guard let body = ScalarDispatch.visit(configuration, request) else { return nil }
    run = body
  }
}

/// Makes the body of a sweep for a pair of formats.
private struct PairRequest: FormatPairVisitor {
  let algorithm: Algorithm
  let storage: NumberFormat
  let overflow: Overflow

  func visit<C: Scalar, A: Scalar>(_: C.Type, _: A.Type) -> PairRunner.Body? {
    KernelRegistry.visit(algorithm, PairBody<C, A>(request: self))
  }
}

private struct PairBody<C: Scalar, A: Scalar>: KernelVisitor {
  let request: PairRequest

  func visit<K: Kernel>(_: K.Type) -> PairRunner.Body {
    let summation = request.algorithm.summation
    let (storage, overflow) = (request.storage, request.overflow)
    let stores = storage != C.format
    return { x, values, count, larger, smaller in
      withUnsafeTemporaryAllocation(of: C.self, capacity: 6) { memory in
        memory.initialize(repeating: .zero)
        let logits = UnsafeMutableBufferPointer(rebasing: memory[0..<2])
        let results = UnsafeMutableBufferPointer(rebasing: memory[2..<4])
        let setting = KernelSetting(
          summation: summation, target: 0, cotangent: UnsafeMutableBufferPointer(rebasing: memory[4..<4]),
          scratch: UnsafeMutableBufferPointer(rebasing: memory[4..<6]))
        let first = C(rounding: x)
        var stages = Unobserved()
        for i in 0..<count {
          logits[0] = first
          logits[1] = C(rounding: values[i])
          K.run(logits, into: results, setting, accumulator: A.self, stages: &stages)
          larger[i] = stores ? storage.round(results[0].exact, overflow: overflow) : results[0].exact
          smaller[i] = stores ? storage.round(results[1].exact, overflow: overflow) : results[1].exact
        }
      }
    }
  }
}
