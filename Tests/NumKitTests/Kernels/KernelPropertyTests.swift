import NumKit
import Testing

/// Formats that kernels are tried in, with the range of logits that suits each.
let kernelFormats: [(format: NumberFormat, range: Double)] = [
  (.f64, 30), (.f32, 20), (.tf32, 20), (.f16, 8), (.bf16, 20), (.f8e4m3fn, 6), (.f8e5m2, 8), (.f8e4m3fnuz, 6),
  (.f8e5m2fnuz, 8), (.f6e3m2, 5), (.f6e2m3, 3), (.f4e2m1, 3),
]

/// Runs `algorithm` on `row` in `format`.
func run(
  _ algorithm: Algorithm, _ row: [Double], _ configuration: KernelConfiguration,
  parameters: OperationParameters = .init()
) throws -> [Double] {
  let runner = try #require(KernelRunner(algorithm, configuration, parameters: parameters))
  var results = [Double](repeating: .nan, count: algorithm.operation.resultCount(length: row.count))
  var trace = StageTrace()
  row.withUnsafeBufferPointer { x in
    results.withUnsafeMutableBufferPointer {
      runner.run(x, target: parameters.target, into: $0, trace: &trace)
    }
  }
  return results
}

func algorithms(_ operation: RowOperation) -> [Algorithm] {
  Algorithm.all(for: operation, dtype: .float(.f32))
}

func rows(_ count: Int, length: Int, range: Double, in format: NumberFormat, seed: UInt64 = 11) -> [[Double]]
{
  (0..<count).map { row in
    var random = RandomSource(seed: seed, row: row)
    return (0..<length).map { _ in format.round(range * (2 * random.uniform() - 1)) }
  }
}

@Suite struct KernelPropertyTests {
  /// A shift by an amount that rounds nothing changes no bit of a shifted kernel's answer.
  @Test(arguments: kernelFormats.map(\.format))
  func shiftInvariance(_ format: NumberFormat) throws {
    // Multiples of 1/2 below 2, shifted by 1: exact in every format of 2 or more fraction bits.
    let step = format.precision >= 3 ? 0.5 : 1
    for seed in 0..<20 {
      var random = RandomSource(seed: 5, row: seed)
      let x = (0..<9).map { _ in -Double(random.next() % 3) * step }
      let shifted = x.map { $0 + 1 }
      for a in algorithms(.softmax) where ["shifted", "online"].contains(a.kernel) {
        let configuration = KernelConfiguration(storage: .float(format))
        #expect(
          try run(a, x, configuration) == run(a, shifted, configuration), "\(a) in \(format.name): \(x)")
      }
    }
  }

  /// Larger logits never get smaller probabilities, whatever the format.
  @Test(arguments: kernelFormats.map(\.format))
  func monotonicity(_ format: NumberFormat) throws {
    for x in rows(30, length: 17, range: 5, in: format) {
      for a in algorithms(.softmax) {
        let p = try run(a, x, KernelConfiguration(storage: .float(format)))
        for i in x.indices {
          for j in x.indices where x[i] < x[j] {
            #expect(p[i] <= p[j] || p[i].isNaN || p[j].isNaN, "\(a) in \(format.name): \(x[i]) < \(x[j])")
          }
        }
      }
    }
  }

  /// Pairwise sums, and kernels that see the row as a set, do not depend on where the maximum stands; every kernel's answer
  /// for a permuted row stays within twice its bound of the permuted answer (`BoundTests` holds each to its bound).
  @Test(arguments: kernelFormats.map(\.format))
  func reversalPermutesTwoTerms(_ format: NumberFormat) throws {
    for x in rows(40, length: 2, range: 4, in: format) {
      for a in algorithms(.softmax) {
        let configuration = KernelConfiguration(storage: .float(format))
        let forwards = try run(a, x, configuration)
        let backwards = try run(a, x.reversed(), configuration)
        if a.kernel == "online" { continue }
        #expect(forwards == Array(backwards.reversed()), "\(a) in \(format.name): \(x)")
      }
    }
  }

  @Test(arguments: kernelFormats.map(\.format))
  func logSumExpIsAtLeastTheMaximum(_ format: NumberFormat) throws {
    for x in rows(40, length: 13, range: 6, in: format) {
      let m = try #require(x.max())
      for a in algorithms(.logSumExp) where a.kernel != "naive" {
        let y = try run(a, x, KernelConfiguration(storage: .float(format)))
        #expect(y[0] >= m, "\(a) in \(format.name): \(x)")
      }
    }
  }

  /// With two terms, both halves equal: every algorithm gives one half in every format.
  @Test(arguments: kernelFormats.map(\.format))
  func equalLogitsShareEqually(_ format: NumberFormat) throws {
    for a in algorithms(.softmax) where a.kernel != "naive" {
      let p = try run(a, [1, 1], KernelConfiguration(storage: .float(format)))
      if a.kernel == "two-pass-log" {
        // e^(x - LSE) may round its exponent: half of an ulp of log 2 in each direction.
        #expect((p[0] - 0.5).magnitude <= 2 * format.epsilon, "\(a) in \(format.name)")
      } else {
        #expect(p == [0.5, 0.5], "\(a) in \(format.name)")
      }
    }
  }

  @Test func temperatureIsADivision() throws {
    for a in algorithms(.softmax) {
      let configuration = KernelConfiguration(storage: .float(.f64))
      let cold = try run(a, [1, 2, 3], configuration, parameters: .init(temperature: 0.5))
      let scaled = try run(a, [2, 4, 6], configuration)
      #expect(cold == scaled)
    }
  }

  @Test(arguments: [SpecialValues.ieee, .safe, .uniform])
  func limitsOfTheTemperature(_ policy: SpecialValues) throws {
    let configuration = KernelConfiguration(storage: .float(.f32))
    for a in algorithms(.softmax) {
      let cold = try run(
        a, [1, 3, 3, 2], configuration, parameters: .init(temperature: 0, specialValues: policy))
      #expect(zip(cold, [0, 0.5, 0.5, 0]).allSatisfy { ($0 - $1).magnitude < 1e-6 }, "\(a): \(cold)")
      let hot = try run(
        a, [1, 3, 3, 2], configuration, parameters: .init(temperature: .infinity, specialValues: policy))
      #expect(hot.allSatisfy { ($0 - 0.25).magnitude < 1e-6 }, "\(a): \(hot)")
    }
  }
}
