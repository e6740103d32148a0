import Foundation
import NumKit
import Testing

/// Each term of attention's bound is needed: without it a right kernel exceeds what remains on some row.
///
/// `NUMCHECK_TERMS=1 swift test -c release --filter AttentionTermTests` prints a witness of each.
@Suite struct AttentionTermTests {
  @Test func withoutATermSomeKernelExceedsTheRest() throws {
    let search = try ParallelRows(threads: 2, chunk: 16).reduce(
      count: 60_000, progress: nil, make: { TermSearch() },
      body: {
        try $0.look(HostileAttention(seed: 0x7e4d, number: $1, isSparse: true, isWide: $1 % 8 == 0))
        for seed in 0..<3 as Range<UInt64> { try $0.look(HostileAttention(pointed: $1, seed: seed)) }
      },
      merge: { $0.found.merge($1.found) { mine, _ in mine } })
    search.sought = [.maximum]
    for number in 0..<64 { try search.look(HostileAttention(cancelled: number)) }
    if ProcessInfo.processInfo.environment["NUMCHECK_TERMS"] != nil {
      for (term, witness) in search.found.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        print("\(term): \(witness)")
      }
    }
    for term in AttentionTerm.allCases {
      #expect(search.found[term] != nil, "no kernel needs \(term)")
    }
  }
}

/// One thread's share, and what it found.
private final class TermSearch {
  var found: [AttentionTerm: String] = [:]
  /// The maximum's own error shows where a sum is of more keys than questions at random have.
  var sought = AttentionTerm.allCases.filter { $0 != .maximum }
  private var truth = Truth()
  private var lse = Truth()

  func look(_ question: HostileAttention?) throws {
    let open = sought.filter { found[$0] == nil }
    guard let q = question, !open.isEmpty else { return }
    let shape = q.tensors.shape
    let reference = try AttentionReference(q.tensors, q.parameters, format: q.format, lseFormat: .f64)
    for (k, runner) in q.runners.enumerated() {
      guard var whole = AttentionErrors(q.plans[k], q.tensors, q.parameters, inputs: q.inputs),
        let result = runner.run(q.given, q.parameters, rows: 0..<shape.heads * shape.queries)
      else { continue }
      for row in 0..<shape.heads * shape.queries {
        reference.answer(
          head: row / shape.queries, query: row % shape.queries, into: &truth, logSumExp: &lse)
        let flat = FlatTruth(truth)
        let width = shape.valueSize
        var (limits, less) = (flat.value, flat.value)
        let kind = whole.bound(reference.profile, row: row, truth: flat.value, into: &limits)
        guard kind == .sound || kind == .vacuous else { continue }
        // By more than what Doubles lose, and not by storing what was right.
        let seen = (0..<width).compactMap { i -> (Int, Double)? in
          let y = q.format.round(result.output[row * width + i], overflow: q.overflow)
          let error = ((y - flat.value[i]) - flat.remainder[i]).magnitude
          return y.isFinite && y != truth.rounded[i] && error <= limits[i] && error > 0x1p-5 * limits[i]
            ? (i, error) : nil
        }
        if seen.isEmpty { continue }
        for term in open where found[term] == nil {
          var errors = AttentionErrors(q.plans[k], q.tensors, q.parameters, inputs: q.inputs, without: term)
          guard
            let kind = errors?.bound(reference.profile, row: row, truth: flat.value, into: &less),
            kind != .none
          else { continue }
          for (i, error) in seen
          where error > less[i] * (1 + 0x1p-18) + 2 * truth.relativeError * flat.value[i].magnitude {
            found[term] =
              "\(runner.algorithm), result \(i) of row \(row): error \(error) of \(limits[i]), without \(less[i]), \(q.description(k))"
          }
        }
      }
    }
  }
}
