import StabilityTesting
import Testing

/// Our kernels and formats, as the library sees anybody's.
@Suite struct OwnKernelTests {
  /// Runs an algorithm in the format of `S`, throughout.
  private static func kernel<S: Scalar>(_ algorithm: Algorithm, _: S.Type) throws -> ([S]) -> [S] {
    let configuration = KernelConfiguration(storage: .float(S.format))
    let runner = try #require(KernelRunner(algorithm, configuration, parameters: .init()))
    return { row in
      var results = [Double](repeating: 0, count: algorithm.operation.resultCount(length: row.count))
      var trace = StageTrace()
      trace.startRow(0)
      row.map(\.exact).withUnsafeBufferPointer { x in
        results.withUnsafeMutableBufferPointer { runner.run(x, target: 0, into: $0, trace: &trace) }
      }
      return results.map { S(rounding: $0) }
    }
  }

  private static func isWithinItsBound<S: Scalar>(_: S.Type) throws {
    var claims = Claims()
    (claims.compute, claims.accumulate) = (S.format, S.format)
    for operation in [RowOperation.softmax, .logSoftmax, .logSumExp, .sigmoid] {
      for algorithm in Algorithm.all(for: operation, dtype: .float(S.format)) {
        // Without a shift, in base 2 and by tanh there are rows without a bound: their special values are their own.
        guard ["shifted", "online", "stable"].contains(algorithm.kernel) else { continue }
        claims.algorithm = algorithm.description
        let rows: Generator<[S]> = .logits(1...40)
        try checkProperty(
          rows, .accurate(operation, within: .bound(claims), kernel(algorithm, S.self)), runs: 60,
          name: "\(algorithm) \(operation) \(S.format.name)")
      }
    }
  }

  @Test func kernelsKeepTheirBounds() throws {
    try Self.isWithinItsBound(Double.self)
    try Self.isWithinItsBound(Float.self)
    try Self.isWithinItsBound(Float16.self)
    try Self.isWithinItsBound(BFloat16.self)
    try Self.isWithinItsBound(Float8E5M2.self)
  }

  @Test func kernelsKnowSpecialValues() throws {
    let shifted = try #require(
      Algorithm.all(for: .softmax, dtype: .float(.f32)).first { $0.kernel == "shifted" })
    try checkProperty(.logits(1...20), .specialValues(.softmax, Self.kernel(shifted, Float.self)), runs: 30)
    try checkProperty(
      .logits(1...20), .specialValues(.softmax, Self.kernel(shifted, BFloat16.self)), runs: 30)
  }

  /// Rounding is monotone, leaves numbers of the format alone, and of a midpoint goes to the even neighbour.
  @Test(arguments: [NumberFormat.f16, .bf16, .f8e4m3fn, .f8e5m2, .f6e3m2, .f4e2m1]) func rounding(
    _ format: NumberFormat
  ) throws {
    let pairs = Generator.pair(
      Floats(.f64).near(format.thresholds, ulps: 3), Floats(.f64).finite(in: -100...100))
    try checkProperty(pairs, runs: 400) { x, y in
      let (a, b) = (format.round(x, overflow: .saturate), format.round(y, overflow: .saturate))
      return format.round(a) == a && (x <= y ? a <= b : a >= b)
    }
    try checkProperty(
      Floats(.f64).midpoints(of: format, ulps: 0).filter { abs($0) < format.largestFinite }, runs: 400
    ) { x in
      let (below, above) = (format.round(x.nextDown), format.round(x.nextUp))
      return below < above && [below, above].contains(format.round(x))
        && format.encode(format.round(x)) & 1 == 0
    }
  }

  /// A code's number has that code.
  @Test func codes() throws {
    for entry in FormatRegistry.all {
      guard let format = entry.dtype.numberFormat, format.hasZero else { continue }
      try checkProperty(Floats(format).any, runs: 200, name: "codes of \(format.name)") { x in
        let again = format.decode(format.encode(x))
        return again.bitPattern == x.bitPattern || again.isNaN && x.isNaN
      }
    }
  }
}
