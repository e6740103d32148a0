import NumKit
import RealModule
import Testing

/// Rows as they are written down.
struct WrittenRows: RowSource {
  let rows: [[Double]]
  var rowCount: Int { rows.count }
  var length: Int { rows[0].count }
  func read(_ row: Int, into x: UnsafeMutableBufferPointer<Double>) {
    _ = x.update(fromContentsOf: rows[row])
  }
}

/// Single questions on which a bound was once false or an honest kernel a bug.
@Suite struct BoundCaseTests {
  private func entries(
    _ operation: RowOperation, _ rows: [[Double]], _ storage: NumberFormat, _ compute: NumberFormat? = nil,
    _ accumulator: NumberFormat? = nil, overflow: Overflow = .special, temperature: Double = 1
  ) throws -> [ExperimentResult.Entry] {
    let length = rows[0].count
    return try Experiment(
      operation, algorithms: algorithms(operation),
      configuration: KernelConfiguration(
        storage: .float(storage), compute: compute, accumulator: accumulator, overflow: overflow),
      parameters: OperationParameters(
        temperature: temperature, target: length - 1, cotangent: Array(repeating: 0.5, count: length))
    ).run(on: WrittenRows(rows: rows)).entries
  }

  private func massive(_ count: Int, length: Int, peak: Double, spread: Double) -> [[Double]] {
    (0..<count).map { row in
      var random = RandomSource(seed: 21, row: row)
      var x = (0..<length).map { _ in spread * random.normal() }
      x[Int(random.next() % UInt64(length))] += peak
      return x
    }
  }

  /// The running maximum's own error is in the sum as it is in the terms: with a temperature, and where compute holds less than
  /// storage.
  @Test func onlineSumsHaveOneAccounting() throws {
    let rows = massive(12, length: 600, peak: 21, spread: 2)
    for operation in [RowOperation.softmax, .logSumExp] {
      for (compute, temperature) in [
        (NumberFormat.f32, 1.7), (.f32, 0.3), (.bf16, 1), (.f16, 1), (.tf32, 0.6),
      ] {
        for e in try entries(operation, rows, .f32, compute, temperature: temperature) {
          let name = "\(operation) \(e.algorithm) in \(compute.name) at \(temperature)"
          #expect(e.kernel.aboveBound == 0, "\(name): \(String(describing: e.kernel.boundWitness))")
          if e.algorithm.kernel != "naive" { #expect(e.verdict != .bug, "\(name)") }
          if e.algorithm.kernel == "online" { #expect(e.bound == .sound, "\(name)") }
        }
      }
    }
  }

  /// What is stored as the largest number for want of a larger one is no error of the kernel's.
  @Test func boundsKnowThatStoringSaturates() throws {
    for e in try entries(.logSoftmax, [[1, -4, -6, -4, 6], [2, 2, -6, 3, 4]], .f4e2m1, .f32) {
      #expect(e.verdict == .ok && e.bound == .sound, "\(e.algorithm): \(e.verdict), \(e.bound)")
      // −10.006… as −6.
      #expect(e.kernel.maxAbsolute > 4, "\(e.algorithm)")
    }
    for (format, x, temperature) in [
      (NumberFormat.f8e4m3fn, [300.0, 192, 256], 0.25), (.f8e5m2, [49152, 57344, 8], 0.5),
      (.f8e4m3fnuz, [224, 240, -32], 0.5), (.f16, [65504, 60000, 1], 0.5),
    ] {
      for operation in [RowOperation.logSumExp, .logSoftmax, .crossEntropy] {
        for compute in [format, .f32] {
          let all = try entries(
            operation, [x], format, compute, .f32, overflow: .saturate, temperature: temperature)
          for e in all where compute == .f32 && e.algorithm.kernel != "naive" {
            let name = "\(operation) \(e.algorithm) in \(format.name)"
            #expect(e.bound == .sound && e.verdict != .bug, "\(name): \(e.verdict), \(e.bound)")
            #expect(e.kernel.overflow == 0 && e.kernel.specialMismatches == 0, "\(name)")
            if operation == .logSumExp { #expect(e.kernel.maxAbsolute > 30, "\(name)") }
          }
          for e in all { #expect(e.kernel.aboveBound == 0, "\(e.algorithm) in \(format.name)") }
        }
      }
    }
  }

  /// An accumulator of more digits and less range loses small terms, and what is beyond its largest number.
  @Test func boundsKnowTheRangeOfEveryFormat() throws {
    // e^−17.4 is a number of bf16 and none of f16.
    let low = [0, -17.4, -18, -17.6, -17.9]
    for e in try entries(.logSumExp, [low.map { NumberFormat.bf16.round($0) }], .bf16, .bf16, .f16) {
      #expect(e.kernel.aboveBound == 0 && e.verdict != .bug, "\(e.algorithm)")
      if e.algorithm.kernel == "shifted-log1p" { #expect(e.kernel.underflow == 1 && e.bound == .vacuous) }
    }
    // Σ e^x is 2·10⁵: a number of tf32, infinite on its way back to f16. All results become 0.
    for e in try entries(.softmax, [[10.5, 10.75, 10.875, 10.25, 10]], .f32, .f16, .tf32) {
      if e.algorithm.kernel == "naive" {
        #expect(e.bound == .none && e.kernel.underflow == 5, "\(e.algorithm)")
      } else {
        #expect(e.bound == .sound && e.verdict == .ok, "\(e.algorithm)")
      }
    }
    // A maximum that is infinite in the accumulator's range.
    for e in try entries(.logSumExp, [[1e6, 1e6, 3]], .bf16, .bf16, .f16) where e.algorithm.kernel != "naive"
    {
      #expect(e.bound == .none, "\(e.algorithm)")
    }
  }

  /// What the conversion to compute loses is divided by the temperature, and counts the more the colder it is.
  @Test func whatUnderflowsIsDividedByTheTemperature() throws {
    // A tenth of the smallest number of f16, at τ = 2⁻²⁰: 0 for 0.00625·n.
    let x = (1...6).map { Double($0) * 0.1 * 0x1p-24 }
    for operation in [RowOperation.sigmoid, .softmax, .logSumExp] {
      for e in try entries(operation, [x], .f32, .f16, temperature: 0x1p-20) {
        #expect(e.kernel.aboveBound == 0 && e.verdict != .bug, "\(operation) \(e.algorithm)")
      }
    }
  }

  /// −∞ becomes a number where the compute format has no infinity.
  @Test func minusInfinityNeedsAnInfinity() throws {
    for compute in [NumberFormat.f4e2m1, .f6e2m3, .f6e3m2] {
      for operation in [RowOperation.sigmoid, .softmax, .logSumExp] {
        for e in try entries(operation, [[0.5, -.infinity, 1.5]], .f16, compute) {
          #expect(
            e.bound == .none && e.kernel.aboveBound == 0, "\(operation) \(e.algorithm) in \(compute.name)")
        }
      }
    }
    for e in try entries(.softmax, [[0.5, -.infinity, 1.5]], .f16, .f32) { #expect(e.bound == .sound) }
    // On its way through an accumulator without one.
    for e in try entries(.logSoftmax, [[0.5, -.infinity, 1.5]], .f8e5m2, .f8e5m2, .f6e2m3) {
      #expect(e.bound == (e.algorithm.kernel == "naive" ? .vacuous : .none), "\(e.algorithm)")
    }
  }

  /// Results that came by an overflow and are right all the same are not lost to it.
  @Test func aRightResultIsNotLostToAnOverflow() throws {
    // e^13 and more overflow f16; 1/(1 + ∞) = 0 is what e5m2 has for it.
    let right = try entries(.sigmoid, [[-13, -14, -40], [-13, -20, 3]], .f8e5m2, .f16)
    let naive = try #require(right.first { $0.algorithm.kernel == "naive" })
    #expect(naive.trace.firstOverflow != nil && naive.bound == .none)
    #expect(naive.kernel.underflow == 0 && naive.kernel.maxNormwise == 1 && naive.verdict == .illConditioned)
    // In f16 it has other numbers.
    let wrong = try entries(.sigmoid, [[-13, -14, -40], [-13, -20, 3]], .f16)
    #expect(wrong.first { $0.algorithm.kernel == "naive" }?.verdict == .bug)
    // An overflow in one row does not make a bug of the rounding in another: 2⁻¹⁷ is a tie between 0 and e5m2's smallest.
    let apart = try entries(.sigmoid, [[-40, -13], [-11.75, -11.75]], .f8e5m2, .f16)
    #expect(apart.first { $0.algorithm.kernel == "naive" }?.kernel.lostRows == 0)
  }

  /// Where the exact result is nearer to overflow than the kernel need be to it, an infinity is nobody's fault.
  @Test func roundingDecidesAtTheThreshold() throws {
    // log-softmax of (m, 0) is (≈ 0, −m): −65519.99 rounds to −65504, and a computed −65520 to −∞.
    let x = [NumberFormat.f32.round(65519.996), 0]
    for e in try entries(.logSoftmax, [x], .f16, .f32) where e.algorithm.kernel == "shifted" {
      #expect(e.verdict != .bug)
    }
    let truth = Truth.of(.logSumExp, [65519.99, 0], .f16)
    var s = ErrorStatistics()
    for (y, bound) in [(Double.infinity, 17.0), (.infinity, 0.5), (-.infinity, 40), (.nan, 40), (65504, 20)] {
      s = ErrorStatistics()
      withUnsafePointer(to: y) { y in
        withUnsafePointer(to: bound) {
          s.add(
            row: 0, computed: UnsafeBufferPointer(start: y, count: 1), truth: truth, unit: .ulp(.f16),
            bounds: UnsafeBufferPointer(start: $0, count: 1))
        }
      }
      let isExplained = y.isFinite || (bound > 1 && y != -.infinity)
      let verdict = Verdict(s, inherent: 0, bound: .sound, unit: .ulp(.f16))
      #expect(verdict == (y.isFinite ? .ok : isExplained ? .illConditioned : .bug), "\(y) with \(bound)")
      #expect(s.borderlineSpecials + s.wrongSpecials == (y.isFinite ? 0 : 1))
    }
  }

  /// τ = ∞ is a limit in formats that have no infinity to write it with.
  @Test func theHotLimitNeedsNoInfinity() throws {
    for format in [NumberFormat.f8e4m3fn, .f4e2m1, .f16] {
      for e in try entries(.softmax, [[0.5, 4, -2, 1]], format, temperature: .infinity)
      where e.algorithm.kernel != "two-pass-log" {
        #expect(e.kernel.maxAbsolute <= format.ulp(of: 0.25), "\(e.algorithm) in \(format.name)")
      }
    }
  }
}

extension Truth {
  /// The truth of one row at τ = 1.
  static func of(_ operation: RowOperation, _ row: [Double], _ format: NumberFormat) -> Truth {
    var truth = Truth()
    row.withUnsafeBufferPointer {
      Reference(operation, format: format).answer($0, parameters: .init(), into: &truth)
    }
    return truth
  }
}
