import NumKit
import Testing

/// Infinite keys and queries, whose scores are infinite.
@Suite struct InfiniteKeyTests {
  /// Three queries of one number, seven keys, of which two are −∞: seen by queries that are not 0 as −∞ or +∞.
  private static let tensors = AttentionInputs(
    q: [-9.5, 10, 0.8125], k: [-.infinity, 0.015625, -1.5, 0, -1.1875, 0, -.infinity],
    v: [-0.015625, 0.015625, 0.046875, -0.09375, 0.71875, -5.25, -0.015625],
    shape: AttentionShape(queries: 3, keys: 7, headSize: 1))

  private static func errors(_ algorithm: AttentionAlgorithm, _ accumulator: NumberFormat) -> AttentionErrors?
  {
    let configuration = KernelConfiguration(storage: .float(.f16), compute: .f64, accumulator: accumulator)
    return tensors.flatMap {
      AttentionErrors(AttentionRunner(algorithm, configuration), $0, AttentionParameters(scale: 1))
    }
  }

  /// An accumulator without an infinity cannot say such a score: there is no bound. With one there is.
  @Test(arguments: AttentionAlgorithm.allCases) func accumulatorsMustSayInfinity(
    _ algorithm: AttentionAlgorithm
  ) {
    for format in [NumberFormat.f8e4m3fn, .f8e4m3fnuz, .f6e2m3, .f4e2m1] {
      #expect(Self.errors(algorithm, format) == nil, "\(algorithm) \(format.name)")
    }
    for format in [NumberFormat.f16, .f32, .f64] {
      #expect(Self.errors(algorithm, format) != nil, "\(algorithm) \(format.name)")
    }
  }
}
