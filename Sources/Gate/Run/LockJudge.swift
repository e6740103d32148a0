#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

import Reports

/// What a lock has to say of a check.
package struct LockFindings: Sendable {
  package var checks: [Check] = []
  package var findings: [Finding] = []
}

/// Holds results to what a lock has pinned.
package struct LockJudge {
  private let lock: Lockfile
  private let slack: Double
  /// The lock's name in messages.
  private let file: String

  /// The slack where none is said: another order of summation moves a mean by less.
  package static let usualSlack = 0.01

  /// - Parameter slack: by which share a figure may be worse.
  package init(_ lock: Lockfile, slack: Double, file: String) {
    (self.lock, self.slack, self.file) = (lock, slack, file)
  }

  /// What is worse than pinned fails; what moved within the slack, or is better, is told.
  package func judged(_ result: CheckResult, pinned: [String]?, slack own: Double?) -> LockFindings {
    var out = LockFindings()
    // What did not run has no figures, and failed for that.
    guard [.passed, .failed, .vacuous].contains(result.outcome), pinned?.isEmpty != true else { return out }
    guard let entries = lock[result.name] else {
      if !result.figures.isEmpty || !result.words.isEmpty {
        out.findings.append(
          Finding("not-pinned", "", "'numcheck gate --update' pins its figures in \(file)", leads: false))
      }
      return out
    }
    let slack = own ?? slack
    for entry in entries.entries {
      let found = result.figures.first { $0.label == entry.label && $0.path == entry.path }
      judge(entry, found, entries, result, slack, &out)
    }
    if let (words, isWrong) = Self.changed(entries, result) {
      out.findings.append(Finding("changed", "", words, warns: true))
      if isWrong {
        out.checks.append(
          Check("lock:answers", "", .failed, value: .none, limit: .none, message: words))
      }
    }
    let new = result.figures.filter { figure in
      figure.sense != .bound
        && !entries.entries.contains { $0.label == figure.label && $0.path == figure.path }
    }
    if let first = new.first {
      let more = new.count > 1 ? " and \(new.count - 1) more" : ""
      out.findings.append(
        Finding(
          "not-pinned", first.label, "\(first.path)\(more) is new: 'numcheck gate --update' pins it",
          leads: false))
    }
    return out
  }

  /// What results are now and were not, by how many bits that moves what fixed inputs give, and whether that is still right; nil where
  /// nothing is other. Another order of summation is not wrong: it is told, and fails only where results leave their bound.
  private static func changed(_ pinned: Lockfile.Pinned, _ result: CheckResult) -> (String, isWrong: Bool)? {
    var parts: [String] = []
    for word in pinned.words {
      let now = result.words.first { $0.label == word.label && $0.path == word.path }?.text
      guard now != word.text else { continue }
      parts.append("\(word.label) changed from \(word.text) to \(now ?? "nothing")")
    }
    for word in result.words
    where !pinned.words.isEmpty
      && !pinned.words.contains(where: { $0.label == word.label && $0.path == word.path })
    {
      parts.append("\(word.label) is new: \(word.text)")
    }
    guard let before = pinned.answers, let now = result.answers, before.bitWidth == now.bitWidth,
      before.codes.count == now.codes.count
    else {
      return parts.isEmpty ? nil : (parts.joined(separator: ", "), false)
    }
    let (bits, count) = now.moved(from: before.codes)
    guard bits > 0 || !parts.isEmpty else { return nil }
    parts.append(
      bits == 0
        ? "no bit of \(now.codes.count) results moved"
        : "\(bits) \(bits == 1 ? "bit" : "bits") moved in \(count) of \(now.codes.count) results")
    if let beyond = now.beyondBound {
      parts.append(beyond == 0 ? "within the bound: not wrong" : "\(beyond) of them beyond the bound: wrong")
    }
    return (parts.joined(separator: ", "), bits > 0 && (now.beyondBound ?? 0) > 0)
  }

  private func judge(
    _ entry: Lockfile.Entry, _ found: PinnedFigure?, _ pinned: Lockfile.Pinned, _ result: CheckResult,
    _ slack: Double, _ out: inout LockFindings
  ) {
    let name = "lock:\(entry.path)"
    func check(_ outcome: Check.Outcome, _ message: String, limit: Double) {
      let start = entry.label.isEmpty ? "" : entry.label + ": "
      out.checks.append(
        Check(
          name, entry.label, outcome, value: found.map { .number($0.value) } ?? .none, limit: .number(limit),
          message: outcome == .passed ? "" : start + message))
    }
    guard let found else {
      if entry.sense == .bound { return }
      return check(
        .failed, "\(entry.path) was \(Figures.number(entry.value)) and has no value now", limit: entry.value)
    }
    if entry.sense == .bound {
      if found.value != entry.value {
        out.findings.append(
          Finding(
            "moved", entry.label,
            "its bound \(Self.change(entry.value, found.value)) \(entry.unit)",
            leads: false))
      }
      return
    }
    let words = "\(entry.path) \(Self.change(entry.value, found.value))"
    let worse = Self.worse(found.value, than: entry.value, entry.sense)
    let drift = Self.worse(found.value, than: entry.first, entry.sense)
    let why = explanation(entry, found, pinned, result)
    if worse > slack {
      check(
        .failed, "regression: \(words), \(Self.percent(worse)) worse\(allowance(slack))\(why)",
        limit: entry.value)
    } else if drift > slack {
      check(
        .failed,
        "drift: \(entry.path) is \(Figures.short(found.value)), \(Self.percent(drift)) worse than when it was first "
          + "pinned (\(Figures.short(entry.first)))\(allowance(slack)), by steps that were each within it\(why)",
        limit: entry.first)
    } else {
      check(.passed, "", limit: entry.value)
      if worse > 0 {
        out.findings.append(
          Finding(
            "moved", entry.label, "\(words), within the slack of \(Self.percent(slack))\(why)", leads: false))
      } else if found.value != entry.value {
        out.findings.append(Finding("improved", entry.label, words + why, leads: false))
      }
    }
  }

  /// Both numbers in few digits, or in all where few show no difference.
  private static func change(_ old: Double, _ new: Double) -> String {
    let (a, b) = (Figures.short(old), Figures.short(new))
    return a == b ? "was \(Figures.number(old)), is \(Figures.number(new))" : "was \(a), is \(b)"
  }

  private func allowance(_ slack: Double) -> String {
    slack == 0 ? "" : " (slack \(Self.percent(slack)))"
  }

  /// By which share `value` is worse than `old`; 0 where it is not. A figure that was 0 has no share: any worse is infinitely so. What
  /// grows by less than its own last digits did not change.
  static func worse(_ value: Double, than old: Double, _ sense: Column.Sense) -> Double {
    if value == old { return 0 }
    let difference = sense == .higherIsBetter ? old - value : value - old
    guard difference > 0 else { return 0 }
    return old == 0 || !difference.isFinite ? .infinity : difference / old.magnitude
  }

  private static func percent(_ share: Double) -> String {
    share.isInfinite ? "infinitely" : "\(Figures.short(100 * share)) %"
  }

  /// What a moved figure means: how far results moved, whether that is within the bound, and where.
  private func explanation(
    _ entry: Lockfile.Entry, _ found: PinnedFigure, _ pinned: Lockfile.Pinned, _ result: CheckResult
  ) -> String {
    var parts: [String] = []
    if entry.unit == "ulp", entry.path.hasSuffix("ulp.max") {
      // As many as a number has, where it became infinite or was.
      let moved = log2((found.value - entry.value).magnitude + 1)
      let bits = moved < 64 ? max(1, Int(moved.rounded(.up))) : 64
      var part = "at least \(bits) \(bits == 1 ? "bit" : "bits") of a result moved"
      if let bound = result.figures.first(where: { $0.label == entry.label && $0.sense == .bound })?.value {
        part +=
          found.value <= bound
          ? ", within the bound of \(Figures.short(bound)) ulp: as an order of summation may move it, not wrong"
          : ", beyond the bound of \(Figures.short(bound)) ulp: wrong"
      }
      parts.append(part)
      let old = pinned.witnesses.first { $0.label == entry.label }?.text ?? ""
      if !found.witness.isEmpty && old != found.witness { parts.append("the worst is now " + found.witness) }
    }
    return parts.map { "; " + $0 }.joined()
  }
}

extension Lockfile {
  /// The lock after an update: what ran is pinned anew, what did not run stays, what the file no longer has goes. What a figure first
  /// was is kept, unless `rebasing` forgets it.
  package func updated(
    _ results: [CheckResult], all names: [String], unpinned: Set<String>, rebasing: Bool
  ) -> Lockfile {
    var next = Lockfile()
    for name in names where !unpinned.contains(name) {
      guard let result = results.first(where: { $0.name == name }) else {
        if let old = self[name] { next.checks.append(old) }
        continue
      }
      // What could not be measured, or fails, keeps what is known of it: nothing is held to what is wrong.
      guard [.passed, .vacuous].contains(result.outcome),
        !result.figures.isEmpty || !result.words.isEmpty
      else {
        if let old = self[name] { next.checks.append(old) }
        continue
      }
      var pinned = Pinned(name: name)
      pinned.words = result.words
      pinned.answers = result.answers.map {
        Answers(bitWidth: $0.bitWidth, codes: $0.codes, beyondBound: nil)
      }
      for figure in result.figures {
        let old = self[name]?.entries.first { $0.label == figure.label && $0.path == figure.path }
        pinned.entries.append(
          Entry(
            label: figure.label, path: figure.path, value: figure.value,
            first: rebasing ? figure.value : old?.first ?? figure.value, sense: figure.sense,
            unit: figure.unit))
        if !figure.witness.isEmpty, !pinned.witnesses.contains(where: { $0.label == figure.label }) {
          pinned.witnesses.append(Witness(label: figure.label, text: figure.witness))
        }
      }
      next.checks.append(pinned)
    }
    return next
  }
}
