import NumKit
import RealModule
import TestSupport
import Testing

/// What is measured of attention: bounds that hold, figures that do not depend on threads, orderings that the literature reports.
@Suite struct AttentionExperimentTests {
  private func runners(
    _ storage: NumberFormat, compute: NumberFormat? = nil, accumulator: NumberFormat? = nil,
    p: NumberFormat? = nil,
    pScale: Double = 1, laziness: Double = 0
  ) -> [AttentionRunner] {
    AttentionAlgorithm.allCases.map {
      AttentionRunner(
        $0, KernelConfiguration(storage: .float(storage), compute: compute, accumulator: accumulator),
        probabilities: p, probabilityScale: pScale, blockKeys: 8, splits: $0 == .splitKV ? 3 : nil,
        laziness: laziness)
    }
  }

  /// No kernel exceeds its bound, whatever the formats, the question and the length; and bounds say something.
  @Test func boundsHold() throws {
    var sound = 0
    var total = 0
    for keys in [1, 2, 3, 7, 33] {
      for (number, range) in [0.3, 1, 4].enumerated() {
        let shape = AttentionShape(heads: 2, queries: 4, keys: keys, headSize: 6, valueSize: 5)
        let t = try drawnTensors(shape, number == 1 ? .studentT : .normal, range: range, seed: UInt64(keys))
        let bias = (0..<4 * keys).map { Double($0 % 7) - 3.3 }
        let questions = [
          AttentionParameters(), AttentionParameters(placement: .before, softmax: .sink([0.4])),
          AttentionParameters(softcap: 3, mask: AttentionMask(causal: keys >= 4)),
          AttentionParameters(scale: 0.37, mask: AttentionMask(additive: bias)),
        ]
        let kernels =
          [
            runners(.f32), runners(.f16), runners(.f16, accumulator: .f32),
            runners(.bf16, accumulator: .f32), runners(.f32, p: .bf16),
            runners(.f16, compute: .f32, p: .f8e4m3fn, pScale: 256),
            runners(.f32, compute: .f32, accumulator: .f64, p: .f16, laziness: 3),
            runners(.f8e4m3fn, compute: .f16, accumulator: .f32), runners(.f64),
          ]
        for p in questions {
          for list in kernels {
            let result = try AttentionExperiment(t, p, list).run()
            for e in result.entries {
              total += 1
              if e.bound == .sound { sound += 1 }
              let where_ =
                "\(e.runner.algorithm) \(e.runner.configuration.compute.name), \(keys) keys, R \(range)"
              #expect(e.kernel.aboveBound == 0, "\(where_): \(e.kernel.maxUlp) ulp, bound \(e.boundUlp)")
              if e.bound == .sound { #expect(e.boundUlp >= e.kernel.maxUlp) }
            }
            #expect(result.certificate.undecided == 0)
          }
        }
      }
    }
    #expect(sound * 2 > total, "\(sound) of \(total)")
  }

  /// A bound is not idle: with one key the output is the value, rounded once.
  @Test func boundsAreTightWhereThereIsLittleToDo() throws {
    let shape = AttentionShape(queries: 1, keys: 1, headSize: 2)
    let result = try AttentionExperiment(
      try drawnTensors(shape), AttentionParameters(), runners(.f16, accumulator: .f32)
    ).run()
    for e in result.entries {
      #expect(e.bound == .sound && e.kernel.maxUlp == 0, "\(e.runner.algorithm)")
      #expect(e.boundUlp < 16, "\(e.runner.algorithm): \(e.boundUlp)")
    }
  }

  @Test func figuresDoNotDependOnThreads() throws {
    let shape = AttentionShape(heads: 4, keyHeads: 2, queries: 21, keys: 21, headSize: 8)
    let t = try drawnTensors(shape, .outlier, range: 10)
    let p = AttentionParameters(mask: AttentionMask(causal: true))
    var seen: [String] = []
    for threads in [1, 2, 5] {
      let r = try AttentionExperiment(t, p, runners(.bf16, accumulator: .f32), threads: threads).run()
      let figures = r.entries.map {
        [
          $0.kernel.maxUlp, $0.kernel.meanUlp, $0.sums.rmse, $0.totalSums.cosine, $0.totalSums.relativeL1,
          $0.logSumExp.maxUlp, $0.boundUlp, $0.sights.trace.headroom,
        ]
      }
      seen.append(
        "\(figures) \(r.heads) \(r.certificate) \(r.baselineLimit) \(r.saturatedRows) \(r.inherent)")
    }
    #expect(seen[1] == seen[0] && seen[2] == seen[0])
  }

  /// One query whose answer is known: 1/4 and 3/4 of two values, computed in f16 as 0.25 and 0.75.
  @Test func figuresAreWhatTheyAreCalled() throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 1, valueSize: 2)
    let log3 = Double.log3
    let t = try #require(AttentionInputs(q: [1], k: [0, log3], v: [1, -4, 5, 12], shape: shape))
    let standard = AttentionRunner(.standard, KernelConfiguration(storage: .float(.f16)))
    let r = try AttentionExperiment(t, AttentionParameters(scale: 1), [standard]).run()
    let o = try #require(standard.run(standard.stored(t), AttentionParameters(scale: 1), rows: 0..<1)).output
    let e = [o[0] - 4, o[1] - 8]
    let entry = r.entries[0]
    let rmse: Double = ((e[0] * e[0] + e[1] * e[1]) / 2).squareRoot()
    let l1: Double = (e[0].magnitude + e[1].magnitude) / 12
    #expect((entry.totalSums.rmse - rmse).magnitude < 1e-12)
    #expect((entry.totalSums.relativeL1 - l1).magnitude < 1e-12)
    let size: Double = (80 * (o[0] * o[0] + o[1] * o[1])).squareRoot()
    let cosine: Double = (4 * o[0] + 8 * o[1]) / size
    #expect((entry.totalSums.cosine - cosine).magnitude < 1e-12)
    #expect((r.heads[0].sinkMass - 0.25).magnitude < 1e-12)
    #expect((r.heads[0].computedSinkMass - 0.25).magnitude < 1e-3)
    #expect(r.inputsRounded && r.regularRows == 1 && r.saturatedRows == 0)
    // What FlashAttention's tests allow is more than the baseline's own error.
    #expect(r.baselineLimit > 2 * r.baselineError && r.entries[0].sums.maxAbsoluteError <= r.baselineLimit)
  }

  /// The score overflow at |q| = |k| = 256, d = 128 in f16: seen where it is born, in every row, and judged.
  @Test func anOverflowIsCountedWhereItIsBorn() throws {
    let shape = AttentionShape(queries: 3, keys: 4, headSize: 128)
    let large = [Double](repeating: 256, count: 4 * 128)
    let t = try #require(
      AttentionInputs(q: Array(large[..<(3 * 128)]), k: large, v: large.map { $0 / 256 }, shape: shape))
    let r = try AttentionExperiment(t, AttentionParameters(), runners(.f16, accumulator: .f32)).run()
    for e in r.entries {
      #expect(e.sights.overflowRows(.scores) == 3 && e.sights.trace.firstOverflow?.stage == .scores)
      #expect(e.kernel.nanRows == 3 && e.verdict == .bug && e.bound == .none, "\(e.runner.algorithm)")
    }
    // Twelve times smaller queries leave room: the bound is back, the headroom is told.
    let small = try #require(AttentionInputs(q: t.q.map { $0 / 512 }, k: t.k, v: t.v, shape: shape))
    let s = try AttentionExperiment(small, AttentionParameters(), runners(.f16, accumulator: .f32)).run()
    let standard = try #require(s.entries.first { $0.runner.algorithm == .standard })
    #expect(standard.verdict == .ok && standard.sights.trace.headroom(.scores) == -Double.log2(16384 / 65504))
  }

  /// Without 1/√d softmax saturates as d grows; with it it does not.
  @Test func theScalePreventsSaturation() throws {
    var none: [Double] = []
    var scaled: [Double] = []
    for d in [16, 256, 1024] {
      let t = try drawnTensors(AttentionShape(queries: 32, keys: 32, headSize: d))
      none.append(try AttentionSaturation(t, AttentionParameters(scale: 1), threshold: 1e-3).share)
      scaled.append(try AttentionSaturation(t, AttentionParameters(), threshold: 1e-3, threads: 2).share)
    }
    #expect(none[0] < none[1] && none[1] < none[2] && none[2] > 0.3)
    #expect(scaled == [0, 0, 0])
  }
}

extension Double {
  fileprivate static var log3: Double { 1.0986122886681098 }
}
