import NumKit

/// Something that a kernel does and must not do, by its name.
package struct GuestFinding: Sendable, Equatable {
  /// `unwritten`, `stale-results`, `strides`.
  package let kind: String
  /// In one line.
  package let message: String

  package init(_ kind: String, _ message: String) {
    self.kind = kind
    self.message = message
  }
}

/// How the results of one call stand against the truth.
package struct CallJudgement: Sendable, Equatable {
  /// Results that no right kernel gives.
  package var wrong: Int
  package var count: Int

  package init(wrong: Int, of count: Int) {
    self.wrong = wrong
    self.count = count
  }
}

/// Holds the results of a call against the truth.
package typealias CallJudge = (GuestCall, [GuestArray]) throws -> CallJudgement

/// Whether a kernel keeps to its own memory, answers what it was asked and not what it was asked before, and does so whatever the memory,
/// the shape, the strides and the number of calls. NaN is never taken for whatever is wanted: results are filled with NaN beforehand,
/// and what is still there was not written.
package struct Hygiene {
  private let kernel: any GuestKernel
  private let problem: GuestProblem
  private let plan: HygieneCalls
  private let judge: CallJudge
  /// How many calls were made, and how many of them gave results.
  package private(set) var callCount = 0
  package private(set) var answerCount = 0

  private struct Outcome {
    let index: Int
    let planned: PlannedCall
    let call: GuestCall
    var answer: GuestAnswer?
    var fault: GuestFault?
    var judgement: CallJudgement?
    var isWrong: Bool { judgement.map { $0.wrong > 0 } ?? (fault != nil && fault?.kind != .unsupported) }
  }

  package init(_ kernel: any GuestKernel, _ problem: GuestProblem, seed: UInt64, judge: @escaping CallJudge) {
    self.kernel = kernel
    self.problem = problem
    self.judge = judge
    plan = HygieneCalls(
      problem, gaps: kernel.gapDescription != nil, staysLoaded: kernel.staysLoaded, seed: seed)
  }

  /// Makes the calls. Throws what the judge throws.
  package mutating func run() throws -> [GuestFinding] {
    var outcomes: [Outcome] = []
    for (index, planned) in plan.calls.enumerated() {
      let call = planned.call(of: problem)
      var outcome = Outcome(index: index, planned: planned, call: call)
      callCount += 1
      do throws(GuestFault) {
        outcome.answer = try kernel.call(call, planned.conditions)
      } catch {
        outcome.fault = error
      }
      if let answer = outcome.answer {
        answerCount += 1
        outcome.judgement = try judge(call, answer.results)
      }
      outcomes.append(outcome)
      // What cannot be started, or never ends, is not tried a dozen times.
      if let kind = outcome.fault?.kind, kind == .start || kind == .hang { break }
    }
    let old = staleCalls(outcomes)
    return breaches(outcomes) + faults(outcomes) + stale(old, of: outcomes)
      + conditional(outcomes.filter { outcome in !old.contains { $0.index == outcome.index } })
  }

  // MARK: What memory shows

  private func breaches(_ outcomes: [Outcome]) -> [GuestFinding] {
    var findings: [GuestFinding] = []
    func first(_ kind: String, _ match: (Breach) -> String?) {
      let hits = outcomes.compactMap { outcome in
        outcome.answer?.breaches.lazy.compactMap(match).first.map { (outcome, $0) }
      }
      guard let (outcome, text) = hits.first else { return }
      findings.append(
        GuestFinding(kind, "\(text), in \(share(hits.count, outcomes)); first in call \(outcome.index + 1)"))
    }
    first("unwritten") {
      guard case .unwritten(let name, let count, let place) = $0 else { return nil }
      return
        "\(count == 1 ? "1 element" : "\(count) elements") of \(name) \(count == 1 ? "is" : "are") never written, the first at \(place)"
    }
    for side in [Breach.Side.before, .after, .between] {
      first("out-of-bounds") {
        guard case .outside(let name, side, let bytes, let reach) = $0 else { return nil }
        let place =
          side == .between
          ? "between the rows of \(name)"
          : "\(side == .before ? "before" : "after the end of") \(name), up to \(reach) bytes away"
        return "writes \(bytes == 1 ? "1 byte" : "\(bytes) bytes") \(place)"
      }
    }
    first("input-changed") {
      guard case .input(let name, let place) = $0 else { return nil }
      return "changes its input \(name), the first element at \(place)"
    }
    return findings + narrowUnwritten(outcomes)
  }

  /// For formats whose NaN has but one code: what still is what was there before, whatever that was.
  private func narrowUnwritten(_ outcomes: [Outcome]) -> [GuestFinding] {
    for fills in [false, true] {
      // With the largest number there beforehand no right result is it but by chance.
      let hits = outcomes.filter {
        $0.planned.conditions.fillsOtherwise == fills
          && ($0.answer?.untouched.contains { !$0.isEmpty } ?? false)
      }
      if hits.isEmpty { return [] }
      if fills, let hit = hits.first, let answer = hit.answer,
        let part = answer.untouched.firstIndex(where: { !$0.isEmpty })
      {
        let left = answer.untouched[part]
        let place = multiIndex(left[0], in: answer.results[part].shape)
        return [
          GuestFinding(
            "unwritten",
            "\(left.count) elements of \(answer.results[part].name) keep what was there before the call, the first at \(place), "
              + "in \(share(hits.count, outcomes))")
        ]
      }
    }
    return []
  }

  // MARK: What does not come back

  private func faults(_ outcomes: [Outcome]) -> [GuestFinding] {
    var findings: [GuestFinding] = []
    for kind in [GuestFault.Kind.start, .crash, .outOfBounds, .hang, .failure, .results, .unsupported] {
      let hits = outcomes.filter { $0.fault?.kind == kind }
      guard let first = hits.first, let fault = first.fault else { continue }
      let traits = kind == .unsupported ? "" : trait(of: hits, in: outcomes).map { ": in calls \($0)" } ?? ""
      findings.append(
        GuestFinding(kind.rawValue, "\(fault.description) (\(share(hits.count, outcomes))\(traits))"))
    }
    return findings
  }

  // MARK: What is wrong only sometimes

  /// Results that are those of an earlier call, bit by bit.
  private func staleCalls(_ outcomes: [Outcome]) -> [Outcome] {
    outcomes.filter { now in
      now.isWrong && outcomes.prefix(now.index).contains { isStale(now, after: $0) }
    }
  }

  private func isStale(_ now: Outcome, after before: Outcome) -> Bool {
    // Of the same shapes: a part of what was asked before may well be answered alike.
    guard let old = before.answer, let new = now.answer, before.call.inputs != now.call.inputs,
      before.call.inputs.map(\.shape) == now.call.inputs.map(\.shape)
    else { return false }
    let isSame = old.results == new.results
    // Constants, NaN of any bits among them, say nothing of where they come from.
    return isSame
      && new.results.contains { array in
        (1..<max(array.count, 1)).contains {
          array.code($0) != array.code(0) && !(array.value($0).isNaN && array.value(0).isNaN)
        }
      }
  }

  private func stale(_ hits: [Outcome], of outcomes: [Outcome]) -> [GuestFinding] {
    guard let first = hits.first else { return [] }
    return [
      GuestFinding(
        "stale-results",
        "call \(first.index + 1) gives the results of an earlier call, whose inputs were others (\(share(hits.count, outcomes)))"
      )
    ]
  }

  /// Results that are wrong under one condition and right without it.
  private func conditional(_ outcomes: [Outcome]) -> [GuestFinding] {
    let judged = outcomes.filter { $0.judgement != nil }
    let wrong = judged.filter(\.isWrong)
    // Where the first, plain call is wrong too, its results say what is.
    guard let plain = judged.first, !plain.isWrong, !wrong.isEmpty else { return [] }
    let first = wrong[0]
    let amount = first.judgement.map { "\($0.wrong) of \($0.count) results" } ?? "results"
    guard let (trait, words) = traitAndWords(of: wrong, in: judged) else {
      return [
        GuestFinding(
          "changing-results",
          "results are wrong in \(wrong.count) of \(judged.count) calls, first in call \(first.index + 1): \(amount) of "
            + LibraryGuest.shapes(first.call))
      ]
    }
    return [
      GuestFinding(
        trait.rawValue,
        "results are wrong in calls \(words) (\(wrong.count) of \(judged.count) calls; first call \(first.index + 1), \(amount) of "
          + "\(LibraryGuest.shapes(first.call))) and right in the others")
    ]
  }

  private func trait(of hits: [Outcome], in all: [Outcome]) -> String? {
    hits.count < all.count ? traitAndWords(of: hits, in: all)?.words : nil
  }

  /// The narrowest trait that all `hits` have and few others do; nil where there is none that explains more than half of its calls.
  private func traitAndWords(of hits: [Outcome], in all: [Outcome]) -> (trait: CallTrait, words: String)? {
    let common = CallTrait.allCases.filter { trait in hits.allSatisfy { $0.planned.traits.contains(trait) } }
    let fitting = common.map { trait in
      (trait, all.count { $0.planned.traits.contains(trait) })
    }.filter { 2 * hits.count > $0.1 && $0.1 < all.count }
    guard let best = fitting.min(by: { $0.1 < $1.1 }) else { return nil }
    return (best.0, best.0.words(hits[0].planned, gaps: kernel.gapDescription ?? "gaps"))
  }

  private func share(_ count: Int, _ outcomes: [Outcome]) -> String {
    "\(count) of \(outcomes.count) calls"
  }
}
