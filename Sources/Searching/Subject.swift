import Guests
import NumKit
import StabilityTesting

/// What a kernel made of one row.
package enum KernelAnswer: Sendable {
  /// Its results.
  case results([Double])
  /// It crashed, hung, failed, touched memory that is not its own.
  case fault(GuestFault)
  /// It says that this row is none for it.
  case declined
}

/// A kernel that is searched: how threads get one each, and what it is.
package struct SearchSubject: Sendable {
  /// What reports call it.
  package var name: String
  /// What rows are numbers of, and results.
  package var inputs: NumberFormat
  package var format: NumberFormat
  /// Whether rows stand beside others in a call, so that they can change one another.
  package var hasBatches: Bool
  /// Makes what one thread works with; throws where the kernel cannot be started.
  package var makeWorker: @Sendable () throws -> SearchWorker

  package init(
    name: String, inputs: NumberFormat, format: NumberFormat, hasBatches: Bool,
    makeWorker: @escaping @Sendable () throws -> SearchWorker
  ) {
    self.name = name
    self.inputs = inputs
    self.format = format
    self.hasBatches = hasBatches
    self.makeWorker = makeWorker
  }
}

/// What one thread works with: a kernel of its own, and a judge.
package final class SearchWorker {
  /// Answers rows that are all as long, in one call.
  package let answer: ([[Double]]) -> [KernelAnswer]
  /// Ends the kernel.
  let close: () -> Void
  private let judgement: ([Double], [Double]) throws -> Judgement
  private let proof: () -> ProvenRow

  /// `judge` holds a row's results against the truth; `item` makes the question of a row.
  package init<Q: Question>(
    _ judge: Judge<Q>, item: @escaping ([Double]) -> Q.Item, close: @escaping () -> Void = {},
    answer: @escaping ([[Double]]) -> [KernelAnswer]
  ) {
    self.close = close
    self.answer = answer
    judgement = { row, results in judge.judge(item(row), results) }
    proof = { ProvenRow(exact: judge.exact, rounded: judge.rounded, allowed: judge.allowed) }
  }

  /// The same where each row is a question with a judge of its own.
  package init(
    judging: @escaping ([Double], [Double]) throws -> (Judgement, ProvenRow),
    close: @escaping () -> Void = {},
    answer: @escaping ([[Double]]) -> [KernelAnswer]
  ) {
    self.close = close
    self.answer = answer
    var proven = ProvenRow(exact: [], rounded: [], allowed: [])
    judgement = {
      let (judgement, found) = try judging($0, $1)
      proven = found
      return judgement
    }
    proof = { proven }
  }

  /// Throws where the results are none of that row.
  func judge(_ row: [Double], _ results: [Double]) throws -> Judgement { try judgement(row, results) }

  /// What is proven of a row for which something was computed.
  package func proven(_ row: [Double], _ results: [Double]) -> ProvenRow {
    // What could not be judged when it was found was not kept.
    _ = try? judgement(row, results)
    return proof()
  }
}

/// What is proven of a row.
package struct ProvenRow: Sendable {
  /// The exact results in Double, and rounded to the format.
  package let exact: [Double]
  package let rounded: [Double]
  /// What a right kernel may err by; NaN where there is no bound.
  package let allowed: [Double]
}

extension SearchSubject {
  /// A kernel of ours, held to its own error model.
  package init<C: Candidate>(
    _ candidate: C, inputs: NumberFormat, format: NumberFormat,
    prover: @escaping @Sendable () -> any Prover<C.Q>, question: C.Q, overflow: Overflow = .special,
    item: @escaping @Sendable ([Double]) -> C.Q.Item
  ) {
    self.init(name: candidate.name, inputs: inputs, format: format, hasBatches: false) {
      var own = try candidate.prepared()
      let judge = Judge(
        question, formats: [format], prover: prover(), model: own.errorModel(), overflow: overflow)
      return SearchWorker(judge, item: item) { rows in
        rows.map { row in
          let item = item(row)
          do { return .results(try own.results(item, count: judge.resultCount(item))) } catch {
            return .fault(GuestFault(.failure, "\(error)"))
          }
        }
      }
    }
  }
}

extension Candidate {
  /// What it makes of an item that has so many results.
  mutating func results(_ item: Q.Item, count: Int) throws -> [Double] {
    var results = [Double](repeating: 0, count: count)
    var trace = StageTrace()
    trace.startRow(0)
    try results.withUnsafeMutableBufferPointer { try answer(item, into: $0, trace: &trace) }
    return results
  }
}
