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

  /// The same of attention's weights and weighted sums: of standard and flash in bf16, where P is rounded, and of short accumulators.
  @Test(arguments: [AttentionAlgorithm.standard, .flash], [NumberFormat.f32, .bf16])
  func attentionRarelyExceeds(_ algorithm: AttentionAlgorithm, _ compute: NumberFormat) throws {
    let shape = AttentionShape(heads: 2, queries: 64, keys: 512, headSize: 8, valueSize: 4)
    var source = RandomSource(seed: 4, row: 0)
    func normal(_ n: Int) -> [Double] { (0..<n).map { _ in NumberFormat.bf16.round(0.3 * source.normal()) } }
    let tensors = try #require(
      AttentionInputs(q: normal(2 * 64 * 8), k: normal(2 * 512 * 8), v: normal(2 * 512 * 4), shape: shape))
    let runner = AttentionRunner(
      algorithm,
      KernelConfiguration(
        storage: .float(.f32), compute: .f32, accumulator: compute == .f32 ? .f16 : .f32),
      probabilities: compute == .f32 ? nil : .bf16)
    let parameters = AttentionParameters()
    let stored = runner.stored(tensors)
    let trial = Trial(
      AttentionForward(parameters, logSumExp: false),
      candidates: [AttentionCandidate(runner, parameters, on: stored, given: tensors)], format: .f32,
      threads: 2
    ) { try AttentionProver($0 == .given ? tensors : stored, parameters, format: .f32) }
    for probability in [0.5, 0.01] {
      let found = try trial.run(
        on: AttentionQueries(tensors, stored: stored, block: trial.chunk),
        observer: Excesses(trial.candidates[0], probability)
      ).1
      #expect(found.rows == 128)
      #expect(Double(found.exceeded) <= 128 * probability, "\(found)")
      #expect(found.aboveSound == 0 && found.largestGain > 2.5, "\(found)")
    }
  }

  /// And of products of matrices, in every order.
  @Test(arguments: ["sequential", "pairwise", "blocked:32", "split-k:4"])
  func productsRarelyExceed(_ name: String) throws {
    var source = RandomSource(seed: 6, row: 0)
    let (rows, columns, inner) = (200, 8, 1024)
    func normal(_ n: Int) -> [Double] { (0..<n).map { _ in NumberFormat.f16.round(source.normal()) } }
    let given = try #require(
      MatmulInputs(rows: normal(rows * inner), columns: normal(columns * inner), inner: inner))
    let configuration = try MatmulConfiguration(
      storage: .float(.f16), accumulator: .float(.f32), result: .f32)
    let stored = given.stored(as: configuration.storage, configuration.scaling)
    let order = try #require(MatmulOrder(name))
    let trial = Trial(
      MatmulQuestion(), candidates: [try MatmulCandidate(order, configuration, stored)], format: .f32,
      threads: 2
    ) { MatmulProver($0 == .stored ? stored : given, format: .f32, block: 8) }
    for probability in [0.5, 0.01] {
      let found = try trial.run(
        on: MatmulRows(given, stored: stored, dtype: configuration.storage),
        observer: Excesses(trial.candidates[0], probability)
      ).1
      #expect(found.rows == rows)
      #expect(Double(found.exceeded) <= Double(rows) * probability, "\(found)")
      #expect(found.aboveSound == 0, "\(found)")
      if name == "sequential" { #expect(found.largestGain > 5, "\(found)") }
    }
  }
}

/// How often one candidate's rows exceed a bound that may fail, and what that gains.
private struct Excesses<Q: Question>: Observer {
  private var sound: (any ErrorModel<Q>)?
  private var random: (any ErrorModel<Q>)?
  private var profile: Q.Profile?
  private var layout: [ResultRow] = []
  private(set) var rows = 0
  private(set) var exceeded = 0
  private(set) var aboveSound = 0
  /// The largest ratio of the sound bound to the other.
  private(set) var largestGain = 0.0

  init(_ candidate: any Candidate<Q>, _ probability: Double) {
    sound = candidate.errorModel()
    random = (sound as? any ProbabilisticErrorModel<Q>).map { $0.exceeded(withProbability: probability) }
  }

  mutating func see(stored: Answered<Q>, given: Answered<Q>) { profile = stored.profile }

  mutating func see(
    candidate: Int, _ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth], flat: [FlatTruth]
  ) {
    let exact = flat[0].value
    let row = ResultRow(row: 0, count: exact.count)
    guard let profile, let most = row.bounds(by: &sound, of: item, profile, exact: exact),
      let usual = row.bounds(by: &random, of: item, profile, exact: exact)
    else { return }
    rows += 1
    if exact.indices.contains(where: { (results[$0] - exact[$0]).magnitude > usual[$0] }) { exceeded += 1 }
    if zip(usual, most).contains(where: { $0 > $1 }) { aboveSound += 1 }
    largestGain = Swift.max(largestGain, zip(most, usual).map { $0 / $1 }.max() ?? 0)
  }

  mutating func merge(_ other: Self) {
    rows += other.rows
    exceeded += other.exceeded
    aboveSound += other.aboveSound
    largestGain = Swift.max(largestGain, other.largestGain)
  }
}
