import NumKit
import Testing

/// Overflows of attention that are planted by its inputs: in scores, scale, mask, exponentials, sums and values, of either sign, with
/// and without keys that are hidden.
@Suite struct AttentionCauseTests {
  /// One query and five keys of one number, the plant at key 3; `hides` hides key 1.
  private struct Plant {
    let stage: Stage
    let isNegative: Bool
    var q = 1.0
    var k = [0.5, 0.25, 0.75, 0.5, 0.125]
    var v = [1.0, 2, 3, 4, 5]
    var parameters = AttentionParameters(scale: 1)
    var algorithms = AttentionAlgorithm.allCases
    var index = 3
  }

  /// In a format whose largest number is `top`.
  private func plants(_ top: Double) -> [Plant] {
    let big = Double.exp2((Double.log2(top) / 2).rounded(.up) + 1)
    var list: [Plant] = []
    for sign in [1.0, -1] {
      let isNegative = sign < 0
      var scores = Plant(stage: .scores, isNegative: isNegative, q: big)
      scores.k[3] = sign * big
      list.append(scores)
      var scale = Plant(stage: .scale, isNegative: isNegative, q: big / 8)
      scale.k[3] = sign * big / 8
      scale.parameters.scale = 256
      scale.k = scale.k.map { $0.magnitude < 1 ? 0 : $0 }
      list.append(scale)
      var mask = Plant(stage: .mask, isNegative: isNegative, q: 1)
      mask.k[3] = sign * top / 2
      mask.parameters.mask.additive = [0, 0, 0, sign * top, 0]
      list.append(mask)
      var query = Plant(stage: .scale, isNegative: isNegative, q: sign * top / 2, index: 0)
      query.parameters = AttentionParameters(scale: 4, placement: .before)
      query.k = query.k.map { _ in 0 }
      list.append(query)
      var values = Plant(stage: .weighted, isNegative: isNegative, q: 0, index: 0)
      values.v = values.v.map { _ in sign * top }
      // Divided first, nothing is larger than a value.
      values.algorithms = [.flash, .splitKV]
      list.append(values)
    }
    var naive = Plant(stage: .exponential, isNegative: false, q: 1, algorithms: [.naive])
    naive.k[3] = Double.log(top) + 2
    list.append(naive)
    return list
  }

  @Test(arguments: [NumberFormat.f16, .f32, .bf16, .f8e5m2], [false, true])
  func isFoundWhereItWasPlanted(_ format: NumberFormat, _ hides: Bool) throws {
    for plant in plants(format.largestFinite) {
      var p = plant.parameters
      if p.mask.additive.isEmpty { p.mask.additive = [Double](repeating: 0, count: 5) }
      if hides { p.mask.additive[1] = -.infinity }
      let inputs = try #require(
        AttentionInputs(
          q: [plant.q], k: plant.k, v: plant.v, shape: AttentionShape(queries: 1, keys: 5, headSize: 1)))
      for algorithm in plant.algorithms {
        let runner = AttentionRunner(algorithm, KernelConfiguration(storage: .float(format)), blockKeys: 5)
        let result = try #require(runner.run(inputs, p, rows: 0..<1))
        let birth = result.trace.firstOverflow
        #expect(
          birth?.stage == plant.stage && birth?.index == plant.index && birth?.isNegative == plant.isNegative,
          "\(algorithm) in \(format.name), \(plant): \(String(describing: birth))")
        #expect(result.trace.headroom == 0 && result.overflowRows(plant.stage) == 1)
      }
    }
  }

  /// Formats without infinities overflow to NaN: that is then what is found.
  @Test func formatsWithoutInfinities() throws {
    for sign in [1.0, -1] {
      let inputs = try #require(
        AttentionInputs(
          q: [32], k: [0, sign * 32], v: [1, 2], shape: AttentionShape(queries: 1, keys: 2, headSize: 1)))
      let runner = AttentionRunner(.standard, KernelConfiguration(storage: .float(.f8e4m3fn)))
      let result = try #require(runner.run(inputs, AttentionParameters(scale: 1), rows: 0..<1))
      #expect(result.trace.firstNaN?.stage == .scores && result.trace.firstNaN?.index == 1)
    }
  }

  /// What is wrong with a hidden key excuses nothing and spoils nothing: the result is right, every algorithm has the bound that it has
  /// without it, and an overflow elsewhere is found.
  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func hiddenKeysAreNoInputs(_ wild: Double) throws {
    let shape = AttentionShape(queries: 3, keys: 7, headSize: 2)
    var random = RandomSource(seed: 31, row: 0)
    func numbers(_ n: Int) -> [Double] { (0..<n).map { _ in random.normal() } }
    let (q, k, v) = (numbers(6), numbers(14), numbers(14))
    var mask = [Double](repeating: 0, count: 21)
    for i in 0..<3 { mask[i * 7 + 4] = -.infinity }
    let p = AttentionParameters(mask: AttentionMask(additive: mask))
    let runners = AttentionAlgorithm.allCases.map {
      AttentionRunner($0, KernelConfiguration(storage: .float(.f32)), blockKeys: 3)
    }
    let clean = try AttentionExperiment(
      #require(AttentionInputs(q: q, k: k, v: v, shape: shape)), p, runners
    ).run()
    for where_ in 0..<3 {
      var (k, v) = (k, v)
      if where_ != 1 { v[9] = wild }
      if where_ != 0 { k[8] = wild }
      let inputs = try #require(AttentionInputs(q: q, k: k, v: v, shape: shape))
      let found = try AttentionExperiment(inputs, p, runners).run()
      for (a, b) in zip(found.entries, clean.entries) {
        #expect(a.verdict == .ok && a.bound == .sound, "\(a.runner.algorithm): \(a.bound)")
        #expect(a.boundUlp == b.boundUlp && a.kernel.maxUlp == b.kernel.maxUlp, "\(a.runner.algorithm)")
        #expect(a.sights.trace.firstNaN == nil && a.sights.trace.firstOverflow == nil)
      }
      // Asked to multiply what is hidden by 0, they spoil every row, and the NaN is named.
      let multiplying = runners.map { runner -> AttentionRunner in
        var runner = runner
        runner.multipliesHidden = true
        return runner
      }
      let spoiled = try AttentionExperiment(inputs, p, multiplying).run()
      for e in spoiled.entries {
        let isHit = where_ != 1
        #expect((e.verdict == .bug) == isHit, "\(e.runner.algorithm) \(where_)")
        if isHit { #expect(e.kernel.nanRows == 3 && e.sights.trace.firstNaN?.stage == .weighted) }
        if !isHit { #expect(e.bound == .sound) }
      }
    }
  }

  /// Queries are placed by a count of earlier keys, whatever the number of keys.
  @Test func pastPlacesQueries() {
    func seen(_ mask: AttentionMask, _ queries: Int, _ keys: Int) -> [[Int]] {
      (0..<queries).map { i in
        (0..<keys).filter { mask.bias(query: i, key: $0, queries: queries, keys: keys) == 0 }
      }
    }
    // Two earlier keys, three queries, of which the last keys are padding or the next ones: 2 + i, not keys − queries + i.
    for keys in [5, 6, 9] {
      #expect(
        seen(AttentionMask(causal: true, past: 2), 3, keys) == [[0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]])
    }
    #expect(
      seen(AttentionMask(causal: true, past: 0), 2, 4)
        == seen(AttentionMask(causal: true, alignment: .topLeft), 2, 4))
    #expect(seen(AttentionMask(causal: true, past: 2), 2, 4) == seen(AttentionMask(causal: true), 2, 4))
    #expect(seen(AttentionMask(past: 1, left: 1, right: 0), 2, 4) == [[0, 1], [1, 2]])
  }

  /// Queries that see nothing are counted, whatever hides.
  @Test func blindQueriesAreCounted() {
    let shape = AttentionShape(heads: 2, queries: 3, keys: 2, headSize: 1)
    func count(_ mask: AttentionMask, _ softmax: AttentionSoftmax = .plain) -> Int {
      AttentionParameters(softmax: softmax, mask: mask).blindQueries(shape)
    }
    #expect(count(AttentionMask()) == 0)
    // More queries than keys, the last sees the last: the first sees none.
    #expect(count(AttentionMask(causal: true)) == 2)
    #expect(count(AttentionMask(causal: true), .sink([0])) == 0)
    #expect(count(AttentionMask(length: 0)) == 6)
    #expect(count(AttentionMask(additive: [0, 0, -.infinity, -.infinity, 0, -.infinity])) == 2)
    #expect(count(AttentionMask(past: 9, left: 2)) == 6)
  }
}
