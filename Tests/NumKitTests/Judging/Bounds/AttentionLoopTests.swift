import CJudging
import NumKit
import TestSupport
import Testing

/// The loops of attention's bounds against what they say, number for number.
@Suite struct AttentionLoopTests {
  private static let lanes = Int(nc_judged_lanes)

  /// Numbers of many sizes, some 0, some infinite where `isWild`.
  private static func numbers(_ count: Int, _ random: inout RandomSource, isWild: Bool = false) -> [Double] {
    (0..<count).map { _ in
      let x =
        random.normal()
        * Double(sign: .plus, exponent: Int.random(in: -20...20, using: &random), significand: 1)
      if isWild && Int.random(in: 0..<50, using: &random) == 0 { return x < 0 ? -.infinity : .infinity }
      return Int.random(in: 0..<9, using: &random) == 0 ? 0 : x
    }
  }

  @Test(arguments: [(1, 1), (2, 3), (5, 8), (64, 17), (33, 128)])
  func partialSumsAreThoseOfEachQueryAndKey(keys n: Int, headSize d: Int) {
    for seed in 0..<8 {
      var random = RandomSource(seed: 7, row: seed)
      let q = Self.numbers(Self.lanes * d, &random, isWild: seed > 5)
      let k = Self.numbers(n * d, &random, isWild: seed > 5)
      var (partial, whole) = ([Double](repeating: 0, count: n * Self.lanes), [Double]())
      whole = partial
      let skips = seed % 2 == 0
      nc_partial_sums(q, k, n, d, skips ? 1 : 0, &partial, &whole)
      for j in 0..<n {
        for lane in 0..<Self.lanes {
          var (s, p, w) = (0.0, 0.0, 0.0)
          for i in 0..<d {
            let product = q[i * Self.lanes + lane] * k[j * d + i]
            s += product
            w += product.magnitude
            p += (skips && i == 0 ? 0 : 1) * s.magnitude
          }
          #expect(partial[j * Self.lanes + lane].isSame(as: p), "\(j), \(lane)")
          #expect(whole[j * Self.lanes + lane].isSame(as: w), "\(j), \(lane)")
        }
      }
    }
  }

  @Test(arguments: [(1, 1), (3, 7), (40, 8), (70, 20), (100, 33), (65, 128)])
  func outputErrorsFollowTheirSumsKeyAfterKey(keys n: Int, width: Int) {
    for seed in 0..<8 {
      var random = RandomSource(seed: 11, row: seed)
      let values = Self.numbers(2 * n * width, &random)
      let o = Self.numbers(width, &random)
      let keys = (0..<n).map { 2 * $0 + Int.random(in: 0...1, using: &random) }
      let starts = (0..<n).map { _ in UInt8(Int.random(in: 0..<10, using: &random) == 0 ? 1 : 0) }
      let weights = (0..<n).map { _ in
        let x = Self.numbers(5, &random).map(\.magnitude)
        return nc_weight(exact: x[0], upper: x[0] + x[1], shared: x[2], own: x[3], total: x[4])
      }
      let u = 0x1p-9
      var parts = [[Double]](repeating: [Double](repeating: 0, count: width), count: 3)
      var scratch = [Double](repeating: 0, count: 2 * width)
      let isNarrow = seed % 2 == 0
      let narrow = values.map { Float($0) }
      let exact = isNarrow ? narrow.map { Double($0) } : values
      values.withUnsafeBufferPointer { wide in
        narrow.withUnsafeBufferPointer { narrow in
          for (place, part) in [nc_shared, nc_squares, nc_all].enumerated() {
            scratch = scratch.map { _ in 0 }
            nc_output_errors(
              weights, starts, keys, n,
              isNarrow
                ? nc_values(wide: nil, narrow: narrow.baseAddress)
                : nc_values(wide: wide.baseAddress, narrow: nil), o, width, u, part, &parts[place], &scratch)
          }
        }
      }
      for c in 0..<width {
        var (sum, error, bound) = (0.0, 0.0, 0.0)
        var (shared, squares) = (0.0, 0.0)
        for j in 0..<n {
          let (x, v) = (weights[j], exact[keys[j] * width + c])
          if starts[j] != 0 { (sum, error) = (0, 0) }
          let e = error + x.total * v.magnitude
          sum += x.exact * v
          let rounding = Swift.min(u * (sum.magnitude + e), x.upper * v.magnitude)
          error = e + rounding
          let distance = (v - o[c]).magnitude + 0x1p-52 * o[c].magnitude
          let own = x.own * v.magnitude + rounding
          bound += x.shared * distance + own
          shared += x.shared * distance
          squares += own * own
        }
        #expect(parts[2][c] == bound && scratch[c] == sum && scratch[width + c] == error, "column \(c)")
        #expect(parts[0][c] == shared && parts[1][c] == squares, "column \(c)")
      }
    }
  }

  /// Inputs may be held as Floats: neither truth nor kernel nor bound can tell.
  @Test(
    arguments: [NumberFormat.f32, .bf16, .f8e4m3fn], [QueryKeyNorm?.none, QueryKeyNorm(.rms, epsilon: 1e-6)])
  func inputsHeldAsFloatsAreTheSame(format: NumberFormat, norm: QueryKeyNorm?) throws {
    for seed in 0..<4 {
      var random = RandomSource(seed: 5, row: seed)
      let shape = AttentionShape(
        heads: 4, keyHeads: 2, queries: 9, keys: 96 * (seed / 2) + 11, headSize: 12, valueSize: 23)
      // Now and then values cancel, so that pairs and MPFR have something to do.
      func fill(_ n: Int) -> [Double] { (0..<n).map { _ in Double(Float(random.normal())) } }
      var v = fill(shape.keyHeads * shape.keys * shape.valueSize)
      if seed % 2 == 1 { for i in v.indices { v[i] = i / shape.valueSize % 2 == 0 ? 1 : -1 } }
      let wide = try #require(
        AttentionInputs(
          q: fill(shape.heads * shape.queries * shape.headSize),
          k: fill(shape.keyHeads * shape.keys * shape.headSize), v: v, shape: shape))
      let narrow = wide.narrowed()
      #expect(!narrow.numbers.k.narrow.isEmpty && narrow.k == wide.k && narrow.isSame(as: wide))
      let parameters = AttentionParameters(norm: norm, mask: AttentionMask(causal: seed > 1))
      let runners = AttentionAlgorithm.allCases.map {
        AttentionRunner(
          $0, KernelConfiguration(storage: .float(format), compute: .f32, accumulator: .f32), blockKeys: 32)
      }
      let stored = runners[0].stored(wide, narrowing: true)
      // What does not change is held as it is.
      #expect(
        stored.numbers.k.narrow.isEmpty == (format == .f32) && stored.isSame(as: runners[0].stored(wide)))
      for first in [true, false] {
        let references = try [wide, narrow].map {
          try AttentionReference($0, parameters, format: format, usesFirstTier: first)
        }
        for row in 0..<shape.heads * shape.queries {
          let (a, b) = (Self.answer(references[0], row), Self.answer(references[1], row))
          #expect(a.truth.rounded.elementsEqual(b.truth.rounded) { $0.isSame(as: $1) })
          #expect(a.truth.certificate == b.truth.certificate && a.log.rounded == b.log.rounded)
          for runner in runners where first {
            var bounds = [[Double](), []]
            for (i, tensors) in [runner.stored(wide), runner.stored(wide, narrowing: true)].enumerated() {
              guard var errors = AttentionErrors(runner, tensors, parameters) else { continue }
              bounds[i] = FlatTruth(a.truth).value
              _ = errors.bound(references[0].profile, row: row, truth: bounds[i], into: &bounds[i])
            }
            #expect(bounds[0] == bounds[1], "\(runner.algorithm), row \(row)")
          }
        }
      }
      for runner in runners {
        let rows = 0..<shape.heads * shape.queries
        let (a, b) = (
          runner.run(wide, parameters, rows: rows), runner.run(narrow, parameters, rows: rows)
        )
        #expect(a?.output == b?.output && a?.logSumExp == b?.logSumExp)
      }
    }
  }

  private static func answer(_ reference: AttentionReference, _ row: Int) -> (truth: Truth, log: Truth) {
    var (truth, log) = (Truth(), Truth())
    let queries = reference.tensors.shape.queries
    reference.answer(head: row / queries, query: row % queries, into: &truth, logSumExp: &log)
    return (truth, log)
  }

  /// Queries are followed side by side; what is found of one does not depend on which were asked before.
  @Test(arguments: [
    AttentionMask(), AttentionMask(causal: true), AttentionMask(causal: true, left: 5, sinks: 3),
    AttentionMask(left: 2, right: 4),
  ])
  func boundsDoNotDependOnTheOrderOfQueries(mask: AttentionMask) throws {
    for shape in [
      AttentionShape(heads: 4, keyHeads: 2, queries: 13, keys: 29, headSize: 6, valueSize: 19),
      AttentionShape(heads: 6, keyHeads: 2, queries: 1, keys: 40, headSize: 16),
      AttentionShape(heads: 3, queries: 19, keys: 70, headSize: 8),
    ] {
      var random = RandomSource(seed: 3, row: shape.queries)
      func fill(_ n: Int) -> [Double] { (0..<n).map { _ in NumberFormat.bf16.round(random.normal()) } }
      let tensors = try #require(
        AttentionInputs(
          q: fill(shape.heads * shape.queries * shape.headSize),
          k: fill(shape.keyHeads * shape.keys * shape.headSize),
          v: fill(shape.keyHeads * shape.keys * shape.valueSize), shape: shape))
      let parameters = AttentionParameters(mask: mask)
      let runner = AttentionRunner(
        .flash, KernelConfiguration(storage: .float(.bf16), compute: .f32, accumulator: .f32), blockKeys: 16)
      let reference = try AttentionReference(tensors, parameters, format: .bf16)
      let rows = Array(0..<shape.heads * shape.queries)
      var all = try #require(AttentionErrors(runner, tensors, parameters))
      func bounds(_ row: Int, _ errors: inout AttentionErrors) -> [Double] {
        var truth = Truth()
        reference.answer(head: row / shape.queries, query: row % shape.queries, into: &truth)
        var limits = FlatTruth(truth).value
        #expect(errors.bound(reference.profile, row: row, truth: limits, into: &limits) == .sound)
        return limits
      }
      let found = rows.map { bounds($0, &all) }
      for row in rows.shuffled(using: &random) {
        var alone = try #require(AttentionErrors(runner, tensors, parameters))
        #expect(bounds(row, &all) == found[row] && bounds(row, &alone) == found[row], "row \(row)")
      }
    }
  }
}

extension Double {
  fileprivate func isSame(as other: Double) -> Bool { self == other || isNaN && other.isNaN }
}
