import Foundation
import NumKit
import NumKitTruth
import TestSupport
import Testing

/// The backward pass's first tier against pairs and MPFR: no rounding that it claims is wrong, no value is farther off than it says.
///
/// `NUMCHECK_ATTENTION=20000000 swift test -c release --filter BackwardFirstTier` attacks as many gradients; 15 000 otherwise.
@Suite struct BackwardFirstTierTests {
  private static let gradients =
    ProcessInfo.processInfo.environment["NUMCHECK_ATTENTION"].flatMap { Int($0) } ?? 15_000

  /// dO for a subject, itself of several kinds.
  private static func gradient(_ shape: AttentionShape, _ index: Int, seed: UInt64) -> [Double] {
    var random = RandomSource(seed: seed ^ 0xd0, row: index)
    let kind = index % 5
    return (0..<shape.heads * shape.queries * shape.valueSize).map { i in
      let x = Double(Float(random.normal()))
      switch kind {
      case 0: return (3 * x).rounded()
      // Whole queries without a gradient.
      case 1: return i / shape.valueSize % 3 == 0 ? 0 : x
      case 2: return Double(Float(x * 0x1p-40))
      default: return x
      }
    }
  }

  private static func attack(_ index: Int, seed: UInt64) throws -> Tally {
    var tally = Tally()
    guard let subject = AttentionSubject(index, seed: seed) else { return tally }
    let format = [NumberFormat.f32, .f16, .bf16, .f8e4m3fn, .f8e5m2, .f32][index / 13 % 6]
    let (tensors, parameters) = (subject.tensors, subject.parameters)
    let shape = tensors.shape
    let gradient = gradient(shape, index, seed: seed)
    let reference = try BackwardReference(
      tensors, gradient: gradient, parameters, format: format, usesFirstTier: true,
      roundsOnly: index % 3 != 0)
    let pairs = try BackwardReference(
      tensors, gradient: gradient, parameters, format: format, usesFirstTier: false)
    final class Seen {
      var values: [(AttentionGradient, Int, Double, Double)] = []
    }
    let seen = Seen()
    _ = reference.watchFirstTier { seen.values.append(($0, $1, $2, $3)) }
    var (mine, exact) = (BackwardTruth(), BackwardTruth())
    for head in 0..<shape.keyHeads {
      seen.values.removeAll()
      reference.answer(keyHead: head, into: &mine)
      pairs.answer(keyHead: head, into: &exact)
      let place = "\(subject.name), problem \(index), \(format.name), head \(head)"
      for part in AttentionGradient.allCases {
        for (row, (a, b)) in zip(mine[part], exact[part]).enumerated() {
          for c in a.rounded.indices {
            tally.compare(a.rounded[c], b.rounded[c], "\(place), \(part.rawValue) \(row), column \(c)")
          }
          tally.open += a.certificate.total - a.certificate.double
        }
      }
      for (part, index, value, error) in seen.values {
        let width = part == .dv ? shape.valueSize : shape.headSize
        let (row, c) = (index / width, index % width)
        let t = exact[part][row]
        let x = t.high[c] + t.low[c]
        guard error.isFinite, t.exponent[c] == 0, x != 0, x.isFinite, value != 0 else { continue }
        // The bound is relative to the computed value.
        tally.compare(
          error: ((value - t.high[c]) - t.low[c]).magnitude,
          bound: error * 1.001 * value.magnitude + (t.relativeError + 0x1p-60) * x.magnitude,
          "\(place), \(part.rawValue) \(row), column \(c)")
      }
    }
    return tally
  }

  @Test func noRoundingIsWrong() async throws {
    let all = try await Tally.of(Self.gradients) { try Self.attack($0, seed: 6) }
    print(
      "first tier of the backward pass: \(all.answers) gradients, \(all.wrong) wrong,",
      "\(all.outside) of \(all.compared) outside the bound, \(all.open) left open,",
      "largest error \(all.worst) of its bound")
    #expect(all.wrong == 0 && all.outside == 0, "\(all.first)")
    #expect(all.compared * 2 > all.answers && all.worst > 1e-4)
  }

  /// In normal problems bf16 leaves nothing open, and f32 little enough.
  @Test func littleIsLeftOpen() throws {
    let shape = AttentionShape(heads: 2, keyHeads: 1, queries: 70, keys: 200, headSize: 32, valueSize: 24)
    var random = RandomSource(seed: 3, row: 0)
    let gradient = (0..<2 * 70 * 24).map { _ in Double(Float(random.normal())) }
    let tensors = try drawnTensors(shape)
    for (format, limit) in [(NumberFormat.bf16, 0), (.f16, 2), (.f32, 30)] {
      let truths = try BackwardTruths(tensors, gradient: gradient, AttentionParameters(), format: format)
      #expect(truths.certificate.total == 2 * 70 * 32 + 200 * 56)
      #expect(truths.certificate.total - truths.certificate.double <= limit)
      let pairs = try BackwardReference(
        tensors, gradient: gradient, AttentionParameters(), format: format, usesFirstTier: false)
      var exact = BackwardTruth()
      pairs.answer(keyHead: 0, into: &exact)
      #expect(truths.k == exact.k.flatMap(\.rounded) && truths.v == exact.v.flatMap(\.rounded))
    }
  }

  /// Queries that see nothing, sinks and policies: what has no gradient, and what spoils everything.
  @Test(arguments: [SpecialValues.safe, .uniform, .ieee])
  func blindQueriesAnswerByPolicy(_ policy: SpecialValues) throws {
    let shape = AttentionShape(queries: 9, keys: 20, headSize: 4)
    var random = RandomSource(seed: 4, row: 0)
    let gradient = (0..<36).map { _ in Double(Float(random.normal())) }
    let tensors = try drawnTensors(shape)
    var parameters = AttentionParameters(mask: AttentionMask(causal: true, past: -4))
    parameters.specialValues = policy
    for sink in [false, true] {
      parameters.softmax = sink ? .sink([1]) : .plain
      func answers(_ first: Bool) throws -> BackwardTruth {
        let reference = try BackwardReference(
          tensors, gradient: gradient, parameters, format: .bf16, usesFirstTier: first, roundsOnly: first)
        var truth = BackwardTruth()
        reference.answer(keyHead: 0, into: &truth)
        return truth
      }
      let (a, b) = (try answers(true), try answers(false))
      for part in AttentionGradient.allCases {
        let x = a[part].flatMap { $0.rounded.map(\.bitPattern) }
        #expect(x == b[part].flatMap { $0.rounded.map(\.bitPattern) })
      }
      #expect(a.certificate.double > 0 || policy != .safe && !sink)
    }
  }
}
