import NumKit
import StabilityTesting

/// What a search found.
package struct SearchOutcome: Sendable {
  /// A kind of failure, with the worst row of it.
  package struct Find: Sendable {
    /// `nan`, `above-bound`, `crash`.
    package let kind: String
    /// The first row of the kind: after how many tries; 0 for one that was kept from before.
    package let firstAt: Int
    /// How many rows failed so.
    package fileprivate(set) var count: Int
    /// The worst: the largest error, or where there is none to compare, the shortest.
    package fileprivate(set) var evaluation: Evaluation
    /// The same, as simple as it gets.
    package internal(set) var shrunk: ShrunkRow?
  }

  /// Rows that were tried, of these those that the kernel says are none for it, and failures.
  package internal(set) var tried = 0
  package internal(set) var declined = 0
  package private(set) var wrongRows = 0
  /// Rows from before that were tried first, those that still fail, and those that may not be asked about here.
  package internal(set) var replayed = 0
  package internal(set) var replayedWrong = 0
  package internal(set) var unfitWitnesses = 0
  /// Failures, in the order in which they were found.
  package internal(set) var finds: [Find] = []
  /// The row with the largest score that does not fail; after how many tries it was found; and the same as simple as it gets, where
  /// nothing fails.
  package private(set) var worst: Evaluation?
  package private(set) var worstAt = 0
  package internal(set) var worstShrunk: ShrunkRow?
  /// Whether it ended because a call did not.
  package internal(set) var isHung = false

  package init() {}

  /// Takes what shrinking found for the worst where it is worse still.
  mutating func takeShrunk() {
    if let simple = worstShrunk?.evaluation, let old = worst, simple.score > old.score { worst = simple }
    for k in finds.indices {
      guard let simple = finds[k].shrunk?.evaluation, simple.kind == finds[k].kind,
        simple.judgement.maxUlp > finds[k].evaluation.judgement.maxUlp
      else { continue }
      finds[k].evaluation = simple
    }
  }

  mutating func enter(_ evaluation: Evaluation, at tried: Int) {
    guard let kind = evaluation.kind else {
      if evaluation.score > worst?.score ?? -.infinity { (worst, worstAt) = (evaluation, tried) }
      return
    }
    wrongRows += 1
    guard let k = finds.firstIndex(where: { $0.kind == kind }) else {
      finds.append(Find(kind: kind, firstAt: tried, count: 1, evaluation: evaluation))
      return
    }
    finds[k].count += 1
    let held = finds[k].evaluation
    let isWorse =
      evaluation.score == held.score
      ? evaluation.row.count < held.row.count : evaluation.score > held.score
    if isWorse { finds[k].evaluation = evaluation }
  }
}

/// A row as simple as it got.
package struct ShrunkRow: Sendable {
  /// It, and what becomes of it alone.
  package var evaluation: Evaluation
  /// What is proven of it; nil where nothing was computed.
  package var proven: ProvenRow?
  /// Steps taken, and rows tried for them.
  package var steps = 0
  package var attempts = 0
  /// Whether the limit of rows or time ended it.
  package var isCutShort = false
  /// Whether the row failed by itself as it did among others.
  package var isReproduced = true
}
