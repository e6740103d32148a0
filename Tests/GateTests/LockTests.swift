import Testing

import Gate
import Reports

@Suite struct LockTests {
  private typealias S = GateSamples

  private static func file() throws -> GateFile {
    try S.read("checks:\n  - name: \"c \\\"d\\\"\"\n    run: softmax\n    limit: ulp.max <= 100")
  }

  private static func result(_ rows: [S.Row]) throws -> CheckResult {
    S.run(try file()) { _ in S.report(rows) }[0]
  }

  private static func lock(_ rows: [S.Row], over old: Lockfile = Lockfile(), rebasing: Bool = false) throws
    -> Lockfile
  {
    let result = try result(rows)
    return old.updated([result], all: [result.name], unpinned: [], rebasing: rebasing)
  }

  private static func judged(_ lock: Lockfile, _ rows: [S.Row], slack: Double = 0) throws -> LockFindings {
    LockJudge(lock, slack: slack, file: "numcheck.lock").judged(try result(rows), pinned: nil, slack: nil)
  }

  @Test func textIsReadBack() throws {
    let lock = try Self.lock([
      .init(), .init(name: "na\"i\nve", ulp: 99, sqnr: -0.1, bound: nil),
      .init(name: "exact", sqnr: .infinity, bound: nil),
    ])
    #expect(try Lockfile(parsing: lock.text, file: "l") == lock)
    #expect(lock.text.contains("  \"shifted\" ulp.max 0.5 first 0.5 lower \"ulp\"\n"))
    #expect(lock.text.contains("check \"c \\\"d\\\"\"\n"))
    // A vacuous bound is no figure.
    #expect(!lock.text.contains("1000000000"))
  }

  /// Nothing is held to what is wrong: a check that fails keeps what was pinned before.
  @Test func whatFailsIsNotPinned() throws {
    let old = try Self.lock([.init()])
    #expect(!old.text.isEmpty && old.text != Lockfile().text)
    #expect(try Self.lock([.init(ulp: 1000)]).text == Lockfile().text)
    #expect(try Self.lock([.init(ulp: 1000)], over: old) == old)
  }

  @Test(arguments: [
    ("", ":1"), ("x", ":1"), ("numcheck-lock 2", ":1"), ("numcheck-lock 1\ncheck a", ":2"),
    ("numcheck-lock 1\n\"a\" b 1 first 1 lower", ":2"), ("numcheck-lock 1\ncheck \"a\"\ncheck \"a\"", ":3"),
    ("numcheck-lock 1\ncheck \"a\"\n\"s\" ulp.max one first 1 lower", ":3"),
    ("numcheck-lock 1\ncheck \"a\"\n\"s\" ulp.max 1 first 1 sideways", ":3"),
    ("numcheck-lock 1\ncheck \"a\"\n\"s ulp.max 1 first 1 lower", ":3"),
    ("numcheck-lock 1\ncheck \"a\"\n\"s\" ulp.max 1 first nan lower", ":3"),
    ("numcheck-lock 1\ncheck \"\\u12\"", ":2"),
  ]) func otherTextIsRefusedAtItsLine(_ text: String, _ at: String) {
    do {
      _ = try Lockfile(parsing: text, file: "l")
      Issue.record("it was read: \(text)")
    } catch { #expect("\(error)".hasPrefix("l\(at):"), "\(error)") }
  }

  @Test func worseFailsBetterIsTold() throws {
    let lock = try Self.lock([.init()])
    #expect(try Self.judged(lock, [.init()]).checks.allSatisfy(\.passed))
    #expect(try Self.judged(lock, [.init()]).findings.isEmpty)
    let worse = try Self.judged(lock, [.init(ulp: 1.5)])
    let failed = try #require(worse.checks.first { !$0.passed })
    #expect(failed.name == "lock:ulp.max")
    #expect(
      failed.message.hasPrefix(
        "shifted: regression: ulp.max was 0.500, is 1.50, 200.0 % worse; at least 1 bit of a result moved, within the bound of 2.00 ulp"
      ))
    #expect(failed.message.contains("not wrong") && failed.message.contains("the worst is now row 0"))
    let wrong = try Self.judged(lock, [.init(ulp: 8)])
    #expect(
      wrong.checks.contains {
        $0.message.contains("at least 4 bits") && $0.message.contains("beyond the bound of 2.00 ulp: wrong")
      })
    // Higher is better for what is better higher.
    #expect(try Self.judged(lock, [.init(sqnr: 29)]).checks.contains { $0.name == "lock:sqnr" && !$0.passed })
    let better = try Self.judged(lock, [.init(ulp: 0.25, sqnr: 31)])
    #expect(better.checks.allSatisfy(\.passed) && better.findings.map(\.kind) == ["improved", "improved"])
  }

  @Test func slackAllowsAShare() throws {
    let lock = try Self.lock([.init()])
    let within = try Self.judged(lock, [.init(ulp: 0.54)], slack: 0.1)
    #expect(within.checks.allSatisfy(\.passed) && within.findings.map(\.kind) == ["moved"])
    #expect(try !Self.judged(lock, [.init(ulp: 0.56)], slack: 0.1).checks.allSatisfy(\.passed))
    // What was 0 has no share to grow by.
    let zero = try Self.lock([.init(ulp: 0)])
    #expect(try !Self.judged(zero, [.init(ulp: 1e-9)], slack: 100).checks.allSatisfy(\.passed))
  }

  /// Ten steps of 5 %, each pinned: within a slack of 10 % one by one, and seen together.
  @Test func driftIsSeenAgainstTheFirst() throws {
    var lock = try Self.lock([.init(ulp: 1)])
    var ulp = 1.0
    var found: Int?
    for step in 1...10 {
      ulp *= 1.05
      let judged = try Self.judged(lock, [.init(ulp: ulp)], slack: 0.1)
      if found == nil, let failed = judged.checks.first(where: { !$0.passed }) {
        found = step
        #expect(failed.message.contains("drift") && failed.message.contains("first pinned (1.00)"))
      }
      lock = try Self.lock([.init(ulp: ulp)], over: lock)
    }
    #expect(found == 2)
    // Whoever means it says so.
    lock = try Self.lock([.init(ulp: ulp)], over: lock, rebasing: true)
    #expect(try Self.judged(lock, [.init(ulp: ulp)], slack: 0.1).checks.allSatisfy(\.passed))
  }

  @Test func whatIsGoneFailsWhatIsNewIsTold() throws {
    let lock = try Self.lock([.init(), .init(name: "online")])
    let gone = try Self.judged(lock, [.init()])
    #expect(
      gone.checks.contains { !$0.passed && $0.message == "online: ulp.max was 0.5 and has no value now" })
    let new = try Self.judged(lock, [.init(), .init(name: "online"), .init(name: "third")])
    #expect(new.checks.allSatisfy(\.passed) && new.findings.map(\.kind) == ["not-pinned"])
    #expect(try Self.judged(Lockfile(), [.init()]).findings.map(\.kind) == ["not-pinned"])
  }

  @Test func updatesKeepWhatDidNotRun() throws {
    var old = try Self.lock([.init()])
    old.checks.append(.init(name: "other"))
    old.checks.append(.init(name: "deleted"))
    let result = try Self.result([.init(ulp: 0.75)])
    let next = old.updated([result], all: [result.name, "other"], unpinned: [], rebasing: false)
    #expect(next.checks.map(\.name) == [result.name, "other"])
    let entry = try #require(next.checks[0].entries.first { $0.path == "ulp.max" })
    #expect(entry.value == 0.75 && entry.first == 0.5)
    #expect(
      old.updated([result], all: [result.name], unpinned: [result.name], rebasing: false).checks.isEmpty)
  }

  /// Words that say what a kernel is, and results of fixed inputs.
  @Test func whatChangedIsToldAndNotFailed() throws {
    let trait = Column("trait", "trait", .decides, "a trait", align: .left, key: true)
    let value = Column("value", "value", .decides, "what it is", align: .left, pinned: true)
    func result(_ order: String, _ codes: [UInt64], beyond: Int? = 0) throws -> CheckResult {
      S.run(try Self.file()) { _ in
        var table = Table(rows: 1)
        table.add(trait) { _ in .text("order") }
        table.add(value) { _ in .text(order) }
        table.add(S.ulp) { _ in .number(1) }
        var report = Report(command: "fingerprint", version: "1")
        report.add(table)
        report.answers = Answers(bitWidth: 32, codes: codes, beyondBound: beyond)
        return report
      }[0]
    }
    let first = try result("lanes:16", [0x3f80_0000, 0xbf80_0000])
    let lock = Lockfile().updated([first], all: [first.name], unpinned: [], rebasing: false)
    #expect(try Lockfile(parsing: lock.text, file: "l") == lock)
    #expect(lock.text.contains("  \"order\" value is \"lanes:16\"\n  answers 32 \"3f800000 bf800000\"\n"))
    func judged(_ result: CheckResult) -> LockFindings {
      LockJudge(lock, slack: 0, file: "numcheck.lock").judged(result, pinned: nil, slack: nil)
    }
    #expect(judged(first).findings.isEmpty)
    let moved = judged(try result("lanes:32", [0x3f80_0005, 0xbf80_0000]))
    #expect(!moved.checks.contains { !$0.passed })
    #expect(
      moved.findings.map(\.message)
        == [
          "order changed from lanes:16 to lanes:32, 3 bits moved in 1 of 2 results, within the bound: not wrong"
        ])
    #expect(moved.findings.first?.kind == "changed")
    let wrong = judged(try result("lanes:16", [0x3f90_0000, 0xbf80_0000], beyond: 1))
    #expect(wrong.findings.first?.message.hasSuffix("1 of them beyond the bound: wrong") == true)
    #expect(wrong.checks.contains { $0.name == "lock:answers" && !$0.passed })
    for line in ["answers 32", "answers x \"1\"", "answers 32 \"g\"", "answers 99 \"1\"", "answers 32 1 2"] {
      #expect(throws: GateError.self, "\(line)") {
        try Lockfile(parsing: "numcheck-lock 1\ncheck \"a\"\n\(line)", file: "l")
      }
    }
  }
}
