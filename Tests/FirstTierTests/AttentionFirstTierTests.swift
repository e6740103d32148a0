import Foundation
import NumKit
@testable import NumKitTruth
import TestSupport
import Testing

/// Attention's first tier against pairs and MPFR: no rounding that it claims is wrong, no value is farther off than it says.
///
/// `NUMCHECK_ATTENTION=20000000 swift test -c release --filter FirstTier` attacks as many outputs; 30 000 otherwise.
@Suite struct AttentionFirstTierTests {
  private static let outputs =
    ProcessInfo.processInfo.environment["NUMCHECK_ATTENTION"].flatMap { Int($0) } ?? 30_000

  private static func attack(_ index: Int, seed: UInt64) throws -> Tally {
    var tally = Tally()
    guard let subject = AttentionSubject(index, seed: seed) else { return tally }
    let format = [NumberFormat.f32, .f16, .bf16, .f8e4m3fn, .f8e5m2, .f32][index / 13 % 6]
    let (tensors, parameters) = (subject.tensors, subject.parameters)
    let reference = try AttentionReference(tensors, parameters, format: format, usesFirstTier: true)
    let pairs = try AttentionReference(tensors, parameters, format: format, usesFirstTier: false)
    let shape = tensors.shape
    var (truth, lse) = (Truth(), Truth())
    let rows = shape.heads * shape.queries
    var output = [Double](repeating: .nan, count: rows * shape.valueSize)
    var logs = [Double](repeating: .nan, count: rows)
    output.withUnsafeMutableBufferPointer { output in
      logs.withUnsafeMutableBufferPointer { logs in
        _ = reference.round(rows: 0..<rows, into: output, logSumExp: logs)
      }
    }
    for row in 0..<rows {
      pairs.answer(head: row / shape.queries, query: row % shape.queries, into: &truth, logSumExp: &lse)
      let found = reference.firstTier(row: row)
      let place = "\(subject.name), problem \(index), \(format.name), row \(row)"
      tally.compare(logs[row], lse.rounded[0], "\(place), lse")
      for c in 0..<shape.valueSize {
        tally.compare(output[row * shape.valueSize + c], truth.rounded[c], "\(place), column \(c)")
        guard let found, truth.exponent[c] == 0 else { continue }
        if found[c].isOpen { tally.open += 1 }
        // The pair is known to 2⁻³⁶ or better.
        let exact = truth.high[c] + truth.low[c]
        guard found[c].error.isFinite, exact != 0, exact.isFinite else { continue }
        tally.compare(
          error: ((found[c].value - truth.high[c]) - truth.low[c]).magnitude / exact.magnitude,
          bound: found[c].error * 1.001 + truth.relativeError + 0x1p-60, "\(place), column \(c)")
      }
    }
    return tally
  }

  @Test func noRoundingIsWrong() async throws {
    let all = try await Tally.of(Self.outputs) { try Self.attack($0, seed: 5) }
    print(
      "first tier of attention: \(all.answers) answers, \(all.wrong) wrong,",
      "\(all.outside) of \(all.compared) outside the bound,",
      "\(all.open) left open, largest error \(all.worst) of its bound")
    #expect(all.wrong == 0 && all.outside == 0, "\(all.first)")
    #expect(all.worst > 1e-4 && all.open * 2 < all.answers)
  }

  /// The factor 1/√d may err by one rounding, whatever d. One key's log-sum-exp is its score; products of whole numbers are exact, so that
  /// nothing hides the factor's error: with 1/√d in two roundings d = 48, 96, 192 and 1017 exceed the bound.
  @Test(arguments: [2, 3, 5, 17, 48, 80, 96, 112, 192, 1017])
  func theFactorIsWithinItsBound(_ d: Int) throws {
    let shape = AttentionShape(queries: 1, keys: 1, headSize: d, valueSize: 1)
    for product in [3.0, 1001, 65_537, 8_388_607] {
      var (q, k) = ([Double](repeating: 0, count: d), [Double](repeating: 0, count: d))
      (q[0], k[0]) = (product, 1)
      let tensors = try #require(AttentionInputs(q: q, k: k, v: [1], shape: shape))
      let tier = try #require(AttentionTier0(tensors, AttentionParameters()))
      #expect(tier.compute(0..<1))
      let (mine, error) = try #require(tier.logSumExp(0))
      let pairs = try AttentionReference(tensors, AttentionParameters(), format: .f64, usesFirstTier: false)
      var (truth, lse) = (Truth(), Truth())
      pairs.answer(head: 0, query: 0, into: &truth, logSumExp: &lse)
      let off = ((mine.high - lse.high[0]) + (mine.low - lse.low[0])).magnitude
      #expect(off <= error, "head size \(d), product \(product): off by \(off / error) of the bound")
    }
  }

  /// What is open in normal problems is a handful, in bf16 nothing.
  @Test func littleIsLeftOpen() throws {
    let shape = AttentionShape(queries: 64, keys: 256, headSize: 64)
    for (format, limit) in [(NumberFormat.f32, 4), (.bf16, 0), (.f16, 1)] {
      let tensors = try drawnTensors(shape)
      let parameters = AttentionParameters(mask: AttentionMask(causal: true))
      let truths = try AttentionTruths(tensors, parameters, format: format)
      #expect(truths.certificate.total == 64 * 65)
      #expect(truths.certificate.total - truths.certificate.double <= limit)
      let pairs = try AttentionReference(tensors, parameters, format: format, usesFirstTier: false)
      var (truth, lse) = (Truth(), Truth())
      pairs.answer(head: 0, query: 63, into: &truth, logSumExp: &lse)
      #expect(Array(truths.output[63 * 64..<64 * 64]) == truth.rounded)
      #expect(truths.logSumExp[63] == lse.rounded[0])
    }
  }

  /// Neither threads nor blocks change an answer.
  @Test func blocksChangeNothing() throws {
    let tensors = try drawnTensors(AttentionShape(heads: 4, keyHeads: 2, queries: 37, keys: 150, headSize: 8))
    let parameters = AttentionParameters(mask: AttentionMask(causal: true, left: 60, sinks: 2))
    let one = try AttentionTruths(tensors, parameters, format: .f32, threads: 1)
    let three = try AttentionTruths(tensors, parameters, format: .f32, threads: 3)
    #expect(one.output == three.output && one.logSumExp == three.logSumExp)
    #expect(one.certificate == three.certificate)
  }

  /// The profile that comes with an answer of the first tier is that of the pairs, to 2⁻⁴⁰ or so.
  @Test func profilesAgree() throws {
    let shape = AttentionShape(heads: 2, keyHeads: 1, queries: 11, keys: 130, headSize: 24)
    let tensors = try drawnTensors(shape)
    var parameters = AttentionParameters(mask: AttentionMask(causal: true, left: 90, sinks: 3))
    parameters.softmax = .sink([0.5])
    let first = try AttentionReference(tensors, parameters, format: .bf16, usesFirstTier: true)
    let pairs = try AttentionReference(tensors, parameters, format: .bf16, usesFirstTier: false)
    var (truth, lse) = (Truth(), Truth())
    for row in 0..<22 {
      first.answer(head: row / 11, query: row % 11, into: &truth, logSumExp: &lse)
      #expect(truth.certificate.double == 24)
      let a = first.profile
      pairs.answer(head: row / 11, query: row % 11, into: &truth, logSumExp: &lse)
      let b = pairs.profile
      func near(_ x: [Double], _ y: [Double]) -> Bool {
        x.count == y.count && zip(x, y).allSatisfy { ($0 - $1).magnitude <= 0x1p-38 * (1 + $1.magnitude) }
      }
      #expect(a.keys == b.keys && a.biases == b.biases && a.sink == b.sink)
      #expect(near(a.scores, b.scores) && near(a.probabilities, b.probabilities))
      #expect(near(a.magnitudes, b.magnitudes) && near([a.logSumExp], [b.logSumExp]))
    }
  }

  /// What place alone hides is what the mask says, key by key.
  @Test func sightsAreWhatMasksSay() {
    var random = RandomSource(seed: 8, row: 0)
    func draw(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
    for _ in 0..<4000 {
      let (queries, keys) = (1 + draw(9), 1 + draw(12))
      let mask = AttentionMask(
        causal: draw(2) == 0, alignment: draw(2) == 0 ? .topLeft : .bottomRight,
        past: draw(3) == 0 ? draw(20) : nil, left: draw(2) == 0 ? draw(14) : nil,
        right: draw(2) == 0 ? draw(14) : nil,
        sinks: draw(2) == 0 ? draw(14) : 0, length: draw(3) == 0 ? draw(14) : nil)
      for i in 0..<queries {
        let sight = mask.sight(query: i, queries: queries, keys: keys)
        let (first, window) = sight.ranges
        for j in 0..<keys {
          let isSeen = mask.bias(query: i, key: j, queries: queries, keys: keys) == 0
          #expect(sight.sees(j) == isSeen && (first.contains(j) || window.contains(j)) == isSeen)
        }
        #expect(sight.isBlind == (first.isEmpty && window.isEmpty))
      }
    }
    let endless = AttentionMask(causal: false, left: .max, right: .max)
    #expect(endless.sight(query: 3, queries: 5, keys: 4) == AttentionSight(first: 0, low: 0, high: 4))
  }
}
