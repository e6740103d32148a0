import Guests
import NumKit
import StabilityTesting
import Testing

@testable import Searching

/// Kernels of softmax in f32, right and with a fault, as a search has them.
enum Planted {
  typealias Kernel = @Sendable ([Float]) -> [Float]

  static func subject(_ kernel: @escaping Kernel, hasBatches: Bool = false) -> SearchSubject {
    batched { rows in rows.map(kernel) }
  }

  static func batched(_ kernel: @escaping @Sendable ([[Float]]) -> [[Float]]) -> SearchSubject {
    SearchSubject(name: "planted", inputs: .f32, format: .f32, hasBatches: true) {
      let judge = try Judge(.softmax, format: .f32)
      return SearchWorker(judge, item: { RowQuestion.Item(values: $0) }) { rows in
        kernel(rows.map { $0.map { Float($0) } }).map { .results($0.map { Double($0) }) }
      }
    }
  }

  @Sendable static func right(_ x: [Float]) -> [Float] { softmax(x, top: x.max() ?? 0) }

  static func softmax(_ x: [Float], top: Float) -> [Float] {
    let e = x.map { Float.exp($0 - top) }
    var sum: Float = 0
    for v in e { sum += v }
    return e.map { $0 / sum }
  }

  /// A finite sentinel in place of −∞, and the running maximum begins there.
  @Sendable static func sentinel(_ x: [Float]) -> [Float] {
    let masked = x.map { $0 == -.infinity ? -5e4 : $0 }
    let e = masked.map { Float.exp($0 - max(-5e4, masked.max() ?? 0)) }
    var sum: Float = 0
    for v in e { sum += v }
    return e.map { sum == 0 ? 0 : $0 / sum }
  }

  /// What is past 256 is lost.
  @Sendable static func lostTail(_ x: [Float]) -> [Float] {
    right(Array(x.prefix(256))) + x.dropFirst(256).map { _ in 0 }
  }

  /// A block's maximum leaves out its last element, which is clamped.
  @Sendable static func stale(_ x: [Float]) -> [Float] {
    var top = -Float.infinity
    for (i, v) in x.enumerated() where i % 16 != 15 || i == x.count - 1 { top = max(top, v) }
    return softmax(x.map { min($0, top) }, top: top)
  }

  /// Adds in f16.
  @Sendable static func narrow(_ x: [Float]) -> [Float] {
    let top = x.max() ?? 0
    let e = x.map { Float.exp($0 - top) }
    var sum: Float16 = 0
    for v in e { sum += Float16(v) }
    return e.map { $0 / Float(sum) }
  }
}

@Suite struct SearchTests {
  private func search(
    _ subject: SearchSubject, _ aim: SearchAim = .bound, longest: Int = 300, tries: Int = 1500,
    seed: UInt64 = 1,
    threads: Int = 2, format: NumberFormat = .f32, change: (inout SearchSettings) -> Void = { _ in }
  ) throws -> SearchOutcome {
    var settings = SearchSettings(aim, RowLimits(format, lengths: 1...longest), tries: tries)
    (settings.seed, settings.threads) = (seed, threads)
    change(&settings)
    return try Search(subject, settings).run()
  }

  @Test func aRightKernelHolds() throws {
    let outcome = try search(Planted.subject(Planted.right), longest: 64)
    #expect(outcome.finds.isEmpty && outcome.tried == 1500 && outcome.declined == 0)
    let worst = try #require(outcome.worst)
    #expect(worst.score > 0.1 && worst.score <= 1, "\(worst.row) \(worst.judgement)")
    let shrunk = try #require(outcome.worstShrunk)
    #expect(shrunk.evaluation.score >= 0.9 * worst.score && shrunk.evaluation.row.count <= worst.row.count)
  }

  @Test func aSentinelThatYieldsZeros() throws {
    let find = try #require(
      search(Planted.subject(Planted.sentinel), longest: 64).finds.first { $0.kind == "zero" })
    let row = try #require(find.shrunk).evaluation.row
    // One number does, far enough below.
    #expect(row.count == 1 && row[0] < -50_000 && row[0] > -66_000, "\(row)")
  }

  @Test func aTailThatIsLost() throws {
    let find = try #require(
      search(Planted.subject(Planted.lostTail), tries: 600).finds.first { $0.kind == "zero" })
    let row = try #require(find.shrunk).evaluation.row
    #expect(row == Array(repeating: 0, count: 257))
  }

  @Test func aStaleMaximumAtABlockEdge() throws {
    let find = try #require(
      search(Planted.subject(Planted.stale), longest: 64).finds.first { $0.kind == "above-bound" })
    let row = try #require(find.shrunk).evaluation.row
    #expect(row.count == 17 && row[15] > 0 && row.filter { $0 == 0 }.count == 16, "\(row)")
  }

  @Test func anAccumulatorThatStalls() throws {
    let outcome = try search(Planted.subject(Planted.narrow), longest: 2100, tries: 400) { $0.shrinks = 400 }
    let find = try #require(outcome.finds.first { $0.kind == "above-bound" })
    let shrunk = try #require(find.shrunk)
    // Two terms whose sum is none of f16's show it as well as 2,049 that stall.
    #expect(shrunk.isReproduced && shrunk.evaluation.row.count <= 3, "\(shrunk.evaluation.row)")
  }

  /// The same from one thread and three, and from the same seed again; another seed tries other rows.
  @Test func theSeedDecidesAndNothingElse() throws {
    func text(_ outcome: SearchOutcome) -> String {
      outcome.finds.map { find in
        "\(find.kind) \(find.firstAt) \(find.count) \(ChoiceText.text(Search.choices(find.evaluation.row))) "
          + ChoiceText.text(Search.choices(find.shrunk?.evaluation.row ?? []))
      }.joined(separator: "\n")
        + " \(outcome.worstAt) \(ChoiceText.text(Search.choices(outcome.worst?.row ?? [])))"
    }
    let subject = Planted.subject(Planted.stale)
    let one = try text(search(subject, longest: 40, tries: 700, threads: 1))
    #expect(try text(search(subject, longest: 40, tries: 700, threads: 3)) == one)
    #expect(try text(search(subject, longest: 40, tries: 700, seed: 2, threads: 3)) != one)
  }

  @Test func ourOwnKernels() throws {
    // Without a shift half precision overflows from 12 on; it is told with one number.
    let configuration = KernelConfiguration(storage: .float(.f16))
    let naive = try #require(Algorithm.all(for: .softmax, dtype: .float(.f16)).first { $0.kernel == "naive" })
    let subject = SearchSubject(
      try KernelCandidate(naive, configuration, parameters: .init()), inputs: .f16, format: .f16,
      prover: { RowProver(.softmax, format: .f16) }, question: RowQuestion(.softmax)
    ) { RowQuestion.Item(values: $0) }
    let outcome = try search(subject, .ulp, longest: 40, format: .f16)
    let nan = try #require(outcome.finds.first { $0.kind == "nan" })
    #expect(nan.shrunk?.evaluation.row == [12])
  }

  @Test func neighboursThatChangeARow() throws {
    // The maximum of all rows of a call in place of the row's: right to within the bound, and other bits.
    let subject = Planted.batched { rows in
      let top = rows.joined().filter(\.isFinite).max() ?? 0
      return rows.map { row in
        let own = row.max() ?? 0
        return Planted.softmax(row, top: top - own < 20 ? top : own)
      }
    }
    let outcome = try search(subject, .batch, longest: 16, tries: 600) { $0.limits.range = 10 }
    let find = try #require(outcome.finds.first { $0.kind == "batch" })
    #expect(find.evaluation.batchSteps ?? 0 >= 1)
    #expect(try search(Planted.subject(Planted.right), .batch, longest: 16, tries: 300).finds.isEmpty)
  }

  @Test func kernelsThatDoNotAnswer() throws {
    func failing(_ kind: GuestFault.Kind, when fails: @escaping @Sendable ([Double]) -> Bool) -> SearchSubject
    {
      SearchSubject(name: "failing", inputs: .f32, format: .f32, hasBatches: true) {
        let judge = try Judge(.softmax, format: .f32)
        return SearchWorker(judge, item: { RowQuestion.Item(values: $0) }) { rows in
          rows.map { row in
            if fails(row) { return kind == .unsupported ? .declined : .fault(GuestFault(kind, "it did")) }
            return .results(Planted.right(row.map { Float($0) }).map { Double($0) })
          }
        }
      }
    }
    let crash = try search(failing(.crash) { $0.count > 7 }, longest: 20, tries: 300)
    #expect(
      crash.finds.map(\.kind) == ["crash"]
        && crash.finds[0].shrunk?.evaluation.row == Array(repeating: 0, count: 8))
    let hang = try search(failing(.hang) { $0.count > 7 }, longest: 20, tries: 5000)
    #expect(hang.isHung && hang.tried < 5000 && hang.finds[0].kind == "time-out")
    let some = try search(failing(.unsupported) { $0.count > 7 }, longest: 20, tries: 300)
    #expect(some.declined > 0 && some.finds.isEmpty && some.worst?.row.count ?? 9 <= 7)
    #expect(throws: SearchError.self) { try search(failing(.unsupported) { _ in true }, tries: 200) }
  }

  @Test func limitsAreKept() throws {
    let limits = RowLimits(.f16, lengths: 3...9, range: 50, allowsMasks: false)
    let kernel = SearchSubject(name: "k", inputs: .f16, format: .f16, hasBatches: true) {
      let judge = try Judge(.softmax, format: .f16)
      return SearchWorker(judge, item: { RowQuestion.Item(values: $0) }) { rows in
        rows.map { row in
          #expect(limits.allows(row))
          #expect(
            (3...9).contains(row.count)
              && row.allSatisfy { $0.magnitude <= 50 && NumberFormat.f16.round($0) == $0 })
          return .results(Planted.right(row.map { Float($0) }).map { Double(Float16($0)) })
        }
      }
    }
    var settings = SearchSettings(.bound, limits, tries: 1000)
    settings.threads = 2
    #expect(try Search(kernel, settings).run(witnesses: [[1, 2, 3], [1e3, 0, 0], [1]]).unfitWitnesses == 2)
  }

  @Test func failuresOfBeforeComeFirst() throws {
    var settings = SearchSettings(.bound, RowLimits(.f32, lengths: 1...20), tries: 10)
    settings.isRandom = true
    let outcome = try Search(Planted.subject(Planted.sentinel), settings).run(witnesses: [[-60_000], [1, 2]])
    #expect(outcome.replayed == 2 && outcome.replayedWrong == 1 && outcome.finds[0].firstAt == 0)
  }

  @Test func timeEndsIt() throws {
    let clock = ContinuousClock()
    let start = clock.now
    let outcome = try search(Planted.subject(Planted.right), longest: 32, tries: 1 << 40) { $0.seconds = 0.5 }
    #expect(outcome.tried > 0 && clock.now - start < .seconds(20))
  }
}
