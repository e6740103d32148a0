import Foundation
import NumKit
import Synchronization
import Testing

/// Two invariants, over every operation, algorithm and triple of formats, temperatures, both ways to overflow, hostile rows:
/// no kernel exceeds its sound bound, and what equals the correctly rounded truth is never a bug.
///
/// `NUMCHECK_SOUNDNESS=1000000 swift test -c release --filter SoundnessTests` asks that many rows of rows and of attention each,
/// `NUMCHECK_SEED` from another seed, and prints how many of what.
@Suite struct SoundnessTests {
  static let environment = ProcessInfo.processInfo.environment
  static let setting = environment["NUMCHECK_SOUNDNESS"].flatMap { Int($0) }
  static let seed = environment["NUMCHECK_SEED"].flatMap { UInt64($0) } ?? 1

  @Test func rowsKeepBothInvariants() throws {
    let each = 4
    let worker = try ParallelRows(threads: 2, chunk: 16).reduce(
      count: (Self.setting ?? 40_000) / each, progress: nil, make: { RowInvariants() },
      body: { $0.check(HostileQuestion(seed: Self.seed, number: $1, count: each)) },
      merge: { $0.tally.merge($1.tally) })
    worker.tally.report("rows", seed: Self.seed, isLong: Self.setting != nil)
    #expect(worker.tally.violations.isEmpty, "\(worker.tally.listed)")
    // Bounds that are nowhere would hold everywhere.
    #expect(worker.tally.sound * 4 > worker.tally.runs)
  }

  /// Inputs of f32 with results in bf16 and the like: kernels round them when they load them.
  @Test func rowsWiderThanResultsKeepBothInvariants() throws {
    let each = 4
    let worker = try ParallelRows(threads: 2, chunk: 16).reduce(
      count: (Self.setting ?? 20_000) / each, progress: nil, make: { RowInvariants() },
      body: { $0.check(HostileQuestion(seed: Self.seed, number: $1, count: each, isWide: true)) },
      merge: { $0.tally.merge($1.tally) })
    worker.tally.report("wider rows", seed: Self.seed, isLong: Self.setting != nil)
    #expect(worker.tally.violations.isEmpty, "\(worker.tally.listed)")
    #expect(worker.tally.sound * 4 > worker.tally.runs)
  }
}

extension SoundnessTests {
  /// Rows are changed, number by number, into such as bring a kernel's error nearer to its bound.
  @Test func climbersFindNothingEither() throws {
    let worker = try ParallelRows(threads: 2, chunk: 1).reduce(
      count: (Self.setting ?? 20_000) / 50, progress: nil, make: { RowInvariants() },
      body: { $0.climb(HostileQuestion(seed: ~Self.seed, number: $1, count: 1), steps: 49) },
      merge: { $0.tally.merge($1.tally) })
    worker.tally.report("climbers", seed: Self.seed, isLong: Self.setting != nil)
    #expect(worker.tally.violations.isEmpty, "\(worker.tally.listed)")
  }

  @Test func attentionKeepsBothInvariants() throws {
    let worker = try ParallelRows(threads: 2, chunk: 16).reduce(
      count: (Self.setting ?? 12_000) / 2, progress: nil, make: { AttentionInvariants() },
      body: { try $0.check(HostileAttention(seed: Self.seed, number: $1)) },
      merge: { $0.tally.merge($1.tally) })
    worker.tally.report("attention", seed: Self.seed, isLong: Self.setting != nil)
    #expect(worker.tally.violations.isEmpty, "\(worker.tally.listed)")
    #expect(worker.tally.sound * 5 > worker.tally.runs)
  }

  @Test func attentionOfWiderInputsKeepsBothInvariants() throws {
    let worker = try ParallelRows(threads: 2, chunk: 16).reduce(
      count: (Self.setting ?? 8_000) / 2, progress: nil, make: { AttentionInvariants() },
      body: { try $0.check(HostileAttention(seed: Self.seed, number: $1, isWide: true)) },
      merge: { $0.tally.merge($1.tally) })
    worker.tally.report("attention of wider inputs", seed: Self.seed, isLong: Self.setting != nil)
    #expect(worker.tally.violations.isEmpty, "\(worker.tally.listed)")
    #expect(worker.tally.sound * 8 > worker.tally.runs)
  }
}

/// One thread's share of attention.
final class AttentionInvariants {
  var tally = Tally()
  private var truth = Truth()
  private var lse = Truth()

  func check(_ question: HostileAttention?) throws {
    guard let q = question else { return }
    let shape = q.tensors.shape
    let reference = try AttentionReference(q.tensors, q.parameters, format: q.format, lseFormat: .f64)
    var errors = q.plans.map { AttentionErrors($0, q.tensors, q.parameters, inputs: q.inputs) }
    let results = q.runners.map {
      $0.run(q.given, q.parameters, rows: 0..<shape.heads * shape.queries)
    }
    tally.triples.insert(q.triple)
    for row in 0..<shape.heads * shape.queries {
      tally.rows += 1
      reference.answer(head: row / shape.queries, query: row % shape.queries, into: &truth, logSumExp: &lse)
      let judge = Judge(truth, q.format, q.overflow)
      for (k, result) in results.enumerated() {
        guard let result else { continue }
        var limits = judge.right
        let bound =
          errors[k]?.bound(reference.profile, row: row, truth: judge.flat.value, into: &limits)
          ?? RowBound.none
        let y = result.output[row * shape.valueSize..<(row + 1) * shape.valueSize].map {
          q.format.round($0, overflow: q.overflow)
        }
        judge.check(
          "\(q.runners[k].algorithm)", y, bound, limits, wentWrong: result.wentWrong[row],
          "row \(row), \(q.description(k))", &tally)
      }
    }
  }
}

/// What was asked and what was found.
struct Tally {
  var rows = 0
  var runs = 0
  var sound = 0
  var vacuous = 0
  var results = 0
  var bugs = 0
  var triples: Set<String> = []
  /// The first of each kind.
  var violations: [String: (count: Int, first: String)] = [:]
  /// Verdicts of bug where there is no bound: overflows by design, to be looked at.
  var unbounded: [String: (count: Int, first: String)] = [:]

  mutating func note(_ kind: String, _ first: @autoclosure () -> String) {
    if let seen = violations[kind] {
      violations[kind] = (seen.count + 1, seen.first)
    } else {
      violations[kind] = (1, first())
    }
  }

  mutating func look(_ kind: String, _ first: @autoclosure () -> String) {
    if let seen = unbounded[kind] {
      unbounded[kind] = (seen.count + 1, seen.first)
    } else {
      unbounded[kind] = (1, first())
    }
  }

  mutating func merge(_ other: Tally) {
    rows += other.rows
    runs += other.runs
    sound += other.sound
    vacuous += other.vacuous
    results += other.results
    bugs += other.bugs
    triples.formUnion(other.triples)
    violations.merge(other.violations) { ($0.count + $1.count, $0.first) }
    unbounded.merge(other.unbounded) { ($0.count + $1.count, $0.first) }
  }

  var listed: String { Self.list(violations) }

  private static func list(_ kinds: [String: (count: Int, first: String)]) -> String {
    kinds.sorted { $0.value.count > $1.value.count }.prefix(40).map {
      "\n\($0.value.count) × \($0.key): \($0.value.first)"
    }.joined()
  }

  func report(_ what: String, seed: UInt64, isLong: Bool) {
    guard isLong else { return }
    print(
      """
      \(what): seed \(seed), \(rows) rows, \(runs) runs of kernels, \(results) results, \(triples.count) triples; \
      bounds \(sound) sound, \(vacuous) vacuous, \(runs - sound - vacuous) none
      without a bound and a bug: \(Self.list(unbounded))
      """)
  }
}

/// One thread's share.
final class RowInvariants {
  var tally = Tally()
  private var truth = Truth()
  private var profile = RowProfile()

  private func runners(_ q: HostileQuestion) -> [(KernelRunner, ErrorBounds?)] {
    Algorithm.all(for: q.operation, dtype: q.configuration.storage).compactMap { algorithm in
      KernelRunner(algorithm, q.configuration, parameters: q.parameters).map {
        ($0, ErrorBounds(algorithm, q.configuration, parameters: q.parameters, inputs: q.inputs))
      }
    }
  }

  /// Changes the question's row in `steps` steps, each kept that brings one of its algorithms nearer to its bound.
  func climb(_ q: HostileQuestion, steps: Int) {
    var random = RandomSource(seed: 7, row: q.number)
    guard let (runner, bounds) = runners(q).randomElement(using: &random), var best = q.rows.first else {
      return
    }
    let reference = Reference(q.operation, format: q.storage)
    tally.triples.insert(q.triple)
    var height = -1.0
    for step in 0...steps {
      var row = best
      if step > 0 { q.change(&row, &random) }
      tally.rows += 1
      row.withUnsafeBufferPointer {
        reference.answer($0, parameters: q.parameters, into: &truth)
        profile.update($0, temperature: q.parameters.temperature)
      }
      let reached = Judge(truth, q.storage, q.configuration.overflow).check(
        "\(q.operation.rawValue) \(runner.algorithm)", q, row, runner, bounds, profile, &tally)
      if reached >= height { (best, height) = (row, reached) }
    }
  }

  func check(_ q: HostileQuestion) {
    let runners = runners(q)
    let reference = Reference(q.operation, format: q.storage)
    tally.triples.insert(q.triple)
    for row in q.rows {
      tally.rows += 1
      row.withUnsafeBufferPointer {
        reference.answer($0, parameters: q.parameters, into: &truth)
        profile.update($0, temperature: q.parameters.temperature)
      }
      let judge = Judge(truth, q.storage, q.configuration.overflow)
      for (runner, bounds) in runners {
        let kind = "\(q.operation.rawValue) \(runner.algorithm)"
        judge.check(kind, q, row, runner, bounds, profile, &tally)
      }
    }
  }
}

/// Holds outputs against one row's truth.
struct Judge {
  let truth: Truth
  let flat: FlatTruth
  let storage: NumberFormat
  let overflow: Overflow
  /// The truth as stored.
  let right: [Double]

  init(_ truth: Truth, _ storage: NumberFormat, _ overflow: Overflow) {
    self.truth = truth
    self.storage = storage
    self.overflow = overflow
    let flat = FlatTruth(truth)
    self.flat = flat
    right = truth.rounded.indices.map {
      let (t, exact) = (truth.rounded[$0], flat.value[$0])
      return overflow == .saturate && !t.isFinite && !exact.isNaN
        ? storage.round(exact, overflow: .saturate) : t
    }
  }

  /// Runs a kernel on a row, holds what comes out against the invariants, and returns the largest part of a bound that an
  /// error took.
  @discardableResult
  func check(
    _ kind: String, _ q: HostileQuestion, _ row: [Double], _ runner: KernelRunner, _ bounds: ErrorBounds?,
    _ profile: RowProfile, _ tally: inout Tally
  ) -> Double {
    var y = [Double](repeating: .nan, count: right.count)
    var limits = y
    var trace = StageTrace()
    trace.startRow(0)
    row.withUnsafeBufferPointer { x in
      y.withUnsafeMutableBufferPointer {
        runner.run(x, target: q.parameters.target, into: $0, trace: &trace)
      }
    }
    let bound = flat.value.withUnsafeBufferPointer { t in
      limits.withUnsafeMutableBufferPointer {
        bounds?.bound(profile, target: q.parameters.target, truth: t, into: $0) ?? .none
      }
    }
    check(
      kind, y, bound, limits, wentWrong: trace.wentWrong, "\(q.description), row \(row)", &tally)
    guard bound != .none else { return 0 }
    return y.indices.reduce(0) {
      let error = ((y[$1] - flat.value[$1]) - flat.remainder[$1]).magnitude
      return limits[$1] > 0 && error.isFinite ? Swift.max($0, error / limits[$1]) : $0
    }
  }

  /// The invariants, for what a kernel computed and the bound on it.
  func check(
    _ kind: String, _ y: [Double], _ bound: RowBound, _ limits: [Double], wentWrong: Bool,
    _ question: @autoclosure () -> String, _ tally: inout Tally
  ) {
    tally.runs += 1
    tally.results += y.count
    if bound == .sound { tally.sound += 1 }
    if bound == .vacuous { tally.vacuous += 1 }
    let isBounded = bound != .none
    if isBounded {
      for i in y.indices where flat.value[i].isFinite {
        for (who, result) in [("kernel", y[i]), ("truth", right[i])] where result.isFinite {
          let error = ((result - flat.value[i]) - flat.remainder[i]).magnitude
          if !(error <= limits[i] + truth.relativeError * flat.value[i].magnitude) {
            tally.note(
              "\(kind): \(who) above its bound",
              "at \(i): \(result) for \(flat.value[i]), error \(error), bound \(limits[i]), \(question())")
          }
        }
      }
    }
    let verdict = verdict(y, bound, limits, wentWrong)
    if verdict == .bug {
      // What the naive formulas give where a probability underflows is theirs: an infinite bound does not explain it.
      if isBounded && !(kind.contains("naive") && limits.contains(.infinity)) {
        tally.note("\(kind): a bug within its bound", "\(y) for \(right), bounds \(limits), \(question())")
      } else if !kind.contains("naive") {
        tally.look(kind, "\(y) for \(right), \(question())")
      }
    }
    if self.verdict(right, bound, limits, true) == .bug {
      tally.note("\(kind): the truth itself a bug", "\(right), bounds \(limits), \(bound), \(question())")
    }
  }

  private func verdict(_ y: [Double], _ bound: RowBound, _ limits: [Double], _ wentWrong: Bool) -> Verdict {
    var statistics = ErrorStatistics(overflow: overflow)
    y.withUnsafeBufferPointer { y in
      limits.withUnsafeBufferPointer {
        statistics.add(
          row: 0, computed: y, truth: truth, flat: flat, unit: .ulp(storage),
          bounds: bound == .none ? nil : $0, overflowed: wentWrong)
      }
    }
    return Verdict(statistics, inherent: 0, bound: bound, unit: .ulp(storage))
  }
}
