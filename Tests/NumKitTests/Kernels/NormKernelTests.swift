import NumKit
import RealModule
import TestSupport
import Testing

@Suite struct NormKernelTests {
  private func run(
    _ algorithm: NormAlgorithm, _ x: [Double], _ parameters: NormParameters,
    _ configuration: KernelConfiguration
  ) throws -> ([Double], StageTrace) {
    let runner = try #require(NormRunner(algorithm, configuration, parameters: parameters))
    var y = [Double](repeating: .nan, count: x.count)
    var trace = StageTrace()
    trace.startRow(0)
    x.withUnsafeBufferPointer { x in
      y.withUnsafeMutableBufferPointer { runner.run(x, into: $0, trace: &trace) }
    }
    return (y, trace)
  }

  private func algorithm(_ operation: Normalization, _ name: String) throws -> NormAlgorithm {
    try #require(NormAlgorithm.all(for: operation).first { $0.description == name })
  }

  private func expect(
    _ operation: Normalization, _ name: String, _ x: [Double], _ parameters: NormParameters,
    _ configuration: KernelConfiguration, _ expected: [Double]
  ) throws {
    let y = try run(algorithm(operation, name), x, parameters, configuration).0
    #expect(y == expected, "\(name)")
  }

  @Test func everyChoiceHasAName() {
    #expect(
      NormAlgorithm.all(for: .rmsNorm).map(\.description) == [
        "naive", "naive:pairwise", "naive:divide", "naive:pairwise:divide", "scaled", "scaled:pairwise",
        "scaled:divide", "scaled:pairwise:divide",
      ])
    #expect(
      NormAlgorithm.all(for: .layerNorm).map(\.description) == [
        "naive", "naive:pairwise", "naive:divide", "naive:pairwise:divide", "two-pass", "two-pass:pairwise",
        "two-pass:divide", "two-pass:pairwise:divide", "welford", "welford:divide", "welford:folded",
      ])
  }

  /// Where nothing rounds, every algorithm gives the formula's numbers.
  @Test func allAgreeWhereNothingIsRounded() throws {
    let x = [-7.0, -1, 1, 7]
    let c = KernelConfiguration(storage: .float(.f64))
    for a in NormAlgorithm.all(for: .layerNorm) {
      // Σx² = 100, the variance 25 and with ε 64: a root of 8.
      let p = NormParameters(epsilon: 39, weight: [8, 8, 16, 16], bias: [1, 2, 3, 4])
      let y = try run(a, x, p, c).0
      #expect(y == [-6, 1, 5, 18], "\(a)")
    }
    for a in NormAlgorithm.all(for: .rmsNorm) {
      // 4 times each element over the root of 4: powers of two, so that dividing by the largest is exact.
      let p = NormParameters(epsilon: 0, weight: [4, 4, 4, 8])
      let y = try run(a, [2, -2, 2, 2], p, c).0
      #expect(y == [4, -4, 4, 8], "\(a)")
    }
  }

  /// Each step rounded in its own format: by hand for one row.
  @Test func stepsRoundInTheirFormats() throws {
    let x: [Float16] = [1.1, 2.3, -0.7]
    let p = NormParameters(epsilon: 0)
    let row = x.map(Double.init)
    let f16 = KernelConfiguration(storage: .float(.f16))
    let s: Float16 = (x[0] * x[0] + x[1] * x[1]) + x[2] * x[2]
    let root = (s / 3).squareRoot()
    try expect(.rmsNorm, "naive", row, p, f16, x.map { Double($0 * (1 / root)) })
    try expect(.rmsNorm, "naive:divide", row, p, f16, x.map { Double($0 / root) })
    let mixed = KernelConfiguration(storage: .float(.f16), accumulator: .f32)
    let wide = (Float(x[0] * x[0]) + Float(x[1] * x[1])) + Float(x[2] * x[2])
    let r = 1 / Float16(wide / 3).squareRoot()
    try expect(.rmsNorm, "naive", row, p, mixed, x.map { Double($0 * r) })
    let mean = ((Float(x[0]) + Float(x[1])) + Float(x[2])) / 3
    let d = x.map { Float16(Float($0) - mean) }
    let squares = (Float(d[0] * d[0]) + Float(d[1] * d[1])) + Float(d[2] * d[2])
    let t = 1 / Float16(squares / 3).squareRoot()
    try expect(.layerNorm, "two-pass", row, p, mixed, d.map { Double($0 * t) })
    var m: Float = 0
    var sum: Float = 0
    for (i, v) in x.enumerated() {
      let old = Float(v) - m
      m += old / Float(i + 1)
      sum += old * (Float(v) - m)
    }
    let u = 1 / Float16(sum / 3).squareRoot()
    let shift = -(Float16(m) * u)
    try expect(.layerNorm, "welford:folded", row, p, mixed, x.map { Double($0 * u + shift) })
    let q: Float = wide / 3 - mean * mean
    let n = 1 / Float16(q).squareRoot()
    try expect(.layerNorm, "naive", row, p, mixed, d.map { Double($0 * n) })
    let scale: Float16 = 2.3
    let z = x.map { $0 / scale }
    let zs: Float16 = (z[0] * z[0] + z[1] * z[1]) + z[2] * z[2]
    let zr = (zs / 3).squareRoot()
    try expect(.rmsNorm, "scaled:divide", row, p, f16, z.map { Double($0 / zr) })
  }

  /// Kernels answer special rows as the truth does, under both policies; and rows without variance.
  @Test func specialRowsAnswerByPolicy() throws {
    let rows: [[Double]] = [
      [1, .nan, 2], [1, .infinity, 2], [-.infinity, 3, .infinity], [.infinity, .infinity, .infinity],
      [0, 0, 0], [4, 4, 4],
      [.nan, .infinity, 0],
    ]
    let c = KernelConfiguration(storage: .float(.f32))
    var truth = Truth()
    for operation in Normalization.allCases {
      let reference = NormReference(operation, format: .f32)
      for policy in DegenerateRows.allCases {
        for epsilon in [0, 1e-5] {
          let p = NormParameters(epsilon: epsilon, weight: [1, 2, -3], degenerate: policy).rounded(to: c)
          for row in rows {
            row.withUnsafeBufferPointer { reference.answer($0, parameters: p, into: &truth) }
            for a in NormAlgorithm.all(for: operation) {
              let y = try run(a, row, p, c).0
              for i in y.indices {
                let t = truth.rounded[i]
                #expect(
                  y[i].isNaN == t.isNaN && (t.isNaN || (y[i] - t).magnitude <= 1e-6 * t.magnitude),
                  "\(operation) \(a) \(policy) epsilon \(epsilon) of \(row): \(y), not \(truth.rounded)")
              }
            }
          }
        }
      }
    }
  }

  /// A count that the accumulator does not hold is an overflow with a place; integer grids run, and have no bound.
  @Test func countsAndGrids() throws {
    let long = [Double](repeating: 0.5, count: 600)
    let e4m3 = KernelConfiguration(storage: .float(.f8e4m3fn))
    let (_, trace) = try run(algorithm(.rmsNorm, "naive:pairwise"), long, NormParameters(epsilon: 0), e4m3)
    #expect(trace.firstNaN?.stage == .mean)
    let int8 = KernelConfiguration(storage: .integer(.int8))
    var stored = [Double](repeating: 0, count: 64)
    _ = int8.roundInputs((0..<64).map { Double.sin(Double($0)) }, into: &stored)
    for operation in Normalization.allCases {
      for a in NormAlgorithm.all(for: operation) {
        let p = NormParameters(epsilon: 1e-5).rounded(to: int8)
        let y = try run(a, stored, p, int8).0
        let exact = try run(a, stored, p, KernelConfiguration(storage: .float(.f64))).0
        let farthest = zip(y, exact).map { ($0 - $1).magnitude }.max() ?? 1
        #expect(farthest < 0.1, "\(a)")
        #expect(Set(y).count > 16)
        let candidate = try NormCandidate(a, int8, parameters: p)
        #expect(candidate.errorModel() == nil)
      }
    }
  }
}
