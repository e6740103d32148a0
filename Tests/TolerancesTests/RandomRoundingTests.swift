import NumKit
import Testing

@testable import Tolerances

/// Bounds that may fail, and how often they do.
@Suite struct RandomRoundingTests {
  private static func configuration(_ accumulator: NumberFormat) -> KernelConfiguration {
    KernelConfiguration(storage: .float(.f32), compute: .f32, accumulator: accumulator)
  }

  private static func algorithm(_ name: String) throws -> Algorithm {
    try #require(
      Algorithm.all(for: .logSumExp, dtype: .float(.f32)).first { $0.description == name })
  }

  /// The largest errors of the rows beside their bounds, sound and random.
  private static func rows(
    _ name: String, _ accumulator: NumberFormat, count: Int, length: Int, probability: Double
  ) throws -> [(error: Double, sound: Double, random: Double)] {
    let algorithm = try algorithm(name)
    let model = try #require(ErrorBounds(algorithm, configuration(accumulator), parameters: .init()))
    let random = model.exceeded(withProbability: probability)
    let runner = try #require(KernelRunner(algorithm, configuration(accumulator), parameters: .init()))
    let source = GeneratedRows(.normal, range: 1, rows: count, length: length, seed: 5)
    let reference = Reference(.logSumExp, format: .f64)
    var (trace, truth, profile) = (StageTrace(), Truth(), RowProfile())
    return try (0..<count).map { row in
      var x = [Double](repeating: 0, count: length)
      x.withUnsafeMutableBufferPointer { source.read(row, into: $0) }
      x = x.map { NumberFormat.f32.round($0) }
      var (y, sound, probable) = ([0.0], [0.0], [0.0])
      try x.withUnsafeBufferPointer { x in
        y.withUnsafeMutableBufferPointer { runner.run(x, target: 0, into: $0, trace: &trace) }
        reference.answer(x, parameters: .init(), into: &truth)
        profile.update(x, temperature: 1)
        let exact = truth.rounded
        exact.withUnsafeBufferPointer { e in
          sound.withUnsafeMutableBufferPointer { _ = model.bound(profile, target: 0, truth: e, into: $0) }
          probable.withUnsafeMutableBufferPointer { _ = random.bound(profile, target: 0, truth: e, into: $0) }
        }
        _ = try #require(exact.first)
      }
      return ((y[0] - truth.rounded[0]).magnitude, sound[0], probable[0])
    }
  }

  /// Errors exceed it no more often than it says, it is never above the sound one, and long sums gain by it.
  @Test(arguments: ["shifted", "shifted:pairwise"])
  func rarelyExceeded(_ name: String) throws {
    for probability in [0.5, 0.01] {
      let rows = try Self.rows(name, .f32, count: 400, length: 3000, probability: probability)
      let exceeded = rows.count { $0.error > $0.random }
      #expect(Double(exceeded) <= 400 * probability, "\(name) \(probability): \(exceeded)")
      #expect(rows.allSatisfy { $0.random <= $0.sound && $0.error <= $0.sound })
      if name == "shifted" { #expect(rows.allSatisfy { $0.random < 0.2 * $0.sound }) }
    }
  }

  /// A sum of bf16 over a long row stalls: its roundings have a direction, and the bound that takes them to be random fails.
  @Test func stallingSumsAreNotRandom() throws {
    let rows = try Self.rows("shifted", .bf16, count: 20, length: 6000, probability: 0.01)
    #expect(rows.allSatisfy { $0.error > $0.random && $0.error <= $0.sound })
    let study = ToleranceStudy(
      Trial(
        RowQuestion(.logSumExp),
        candidates: [
          try KernelCandidate(Self.algorithm("shifted"), Self.configuration(.bf16), parameters: .init())
        ], format: .f32, threads: 1
      ) { _ in RowProver(.logSumExp, format: .f32) })
    let found = try study.run(
      on: StoredRows(
        GeneratedRows(.normal, range: 1, rows: 4, length: 6000, seed: 5), parameters: .init(), targets: nil,
        configuration: Self.configuration(.bf16))
    ).tolerances[0]
    let random = try #require(found.random(.absolute))
    #expect(found.measured(.absolute) > random && random < (found.sound(.absolute) ?? 0))
  }
}
