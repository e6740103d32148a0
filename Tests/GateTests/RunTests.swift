import Foundation
import Synchronization
import Testing

import Gate
import Reports
import Shards

/// Running and judging checks.
@Suite struct RunTests {
  private typealias S = GateSamples

  private static func file(_ limit: String, _ more: String = "") throws -> GateFile {
    try S.read("checks:\n  - name: c\n    run: softmax\n    limit: \(limit)\n\(more)")
  }

  @Test func limitsHoldOrFailAtTheirLine() throws {
    let file = try Self.file("[ulp.max <= 1, 'sqnr >= 40']")
    let results = S.run(file) { _ in S.report([.init()]) }
    #expect(results[0].outcome == .failed && results[0].checks.map(\.passed) == [true, false])
    let report = S.report(file, results)
    #expect(report.status == .failed)
    #expect(report.checks[1].location == Location(file: "dir/numcheck.yml", line: 4, column: 27))
    #expect(report.checks[1].message == "c: shifted: sqnr is 30, below 40; row 0, index 1: computed 0.5")
    #expect(report.conclusion == "c does not hold; to see why: numcheck softmax")
  }

  @Test func derivedIsTheBoundAndNotVacuous() throws {
    func outcome(_ row: S.Row, _ more: String = "") throws -> CheckResult.Outcome {
      S.run(try Self.file("derived", more)) { _ in S.report([row]) }[0].outcome
    }
    #expect(try outcome(.init()) == .passed)
    #expect(try outcome(.init(ulp: 2.5)) == .failed)
    #expect(try outcome(.init(bound: nil)) == .failed)
    #expect(try outcome(.init(verdict: "bug")) == .failed)
    // Allowed more, but not without end.
    #expect(try outcome(.init(ulp: 2.5), "    tolerance: 1.5") == .passed)
    #expect(try outcome(.init(ulp: 3.5), "    tolerance: 1.5") == .failed)
  }

  @Test func vacuousFailsUnlessAllowedByName() throws {
    let rows = [S.Row(), S.Row(name: "naive", bound: nil)]
    let plain = S.run(try Self.file("derived")) { _ in S.report(rows) }
    #expect(plain[0].outcome == .failed)
    let other = S.run(try Self.file("derived", "    allow-vacuous: on*")) { _ in S.report(rows) }
    #expect(other[0].outcome == .failed)
    let file = try Self.file("derived", "    allow-vacuous: nai*")
    let allowed = S.run(file) { _ in S.report(rows) }
    #expect(allowed[0].outcome == .passed)
    #expect(S.report(file, allowed).findings.contains { $0.kind == "vacuous" && $0.place == "c: naive" })
    // What is wrong beside its bound is not allowed with it.
    let wrong = S.run(try Self.file("[derived, ulp.max <= 0.1]", "    allow-vacuous: naive")) { _ in
      S.report(rows)
    }
    #expect(wrong[0].outcome == .failed)
  }

  @Test func checksWithoutALimitCheckNothing() throws {
    let file = try S.read("checks:\n  - run: softmax")
    let report = S.report(file, S.run(file) { _ in S.report([.init()]) })
    #expect(report.status == .unchecked)
  }

  @Test func whatCannotRunIsNoPass() throws {
    struct Broken: Error, CustomStringConvertible { let description = "no such file" }
    let file = try S.read(
      "checks:\n  - run: softmax\n    limit: ulp.max<1\n  - name: b\n    run: softmax\n    limit: ulp.max<1")
    let results = S.run(file) { check in
      if check.name == "b" { throw Broken() }
      return S.report([.init()])
    }
    #expect(results.map(\.outcome) == [.passed, .error])
    let report = S.report(file, results)
    #expect(report.status == .failed && report.checks.last?.message == "b: no such file")
    let figure = S.run(try Self.file("ulp.mox < 1")) { _ in S.report([.init()]) }
    #expect(
      figure[0].outcome == .error && figure[0].reason.contains("dir/numcheck.yml:4:12")
        && figure[0].reason.contains("ulp.max"))
  }

  private static func many(_ count: Int, _ more: String = "") throws -> GateFile {
    try S.read(
      "\(more)checks:\n  - name: m\n    run: softmax\n    limit: ulp.max <= 1\n    matrix: {seed: ["
        + (0..<count).map(String.init).joined(separator: ", ") + "]}")
  }

  /// A figure that depends on the seed, in a time that does not follow it.
  private static func work(_ check: GateCheck) -> Report {
    let seed = Int(check.cell[0].value) ?? 0
    usleep(UInt32(seed * 7919 % 13) * 300)
    return S.report([.init(ulp: 0.05 * Double(seed))])
  }

  @Test func sameWhateverTheThreadsAndShards() throws {
    let file = try Self.many(40)
    let one = S.run(file, threads: 1, Self.work)
    let text = JSONEmitter.text(S.report(file, one), Style())
    for threads in [2, 5] {
      #expect(JSONEmitter.text(S.report(file, S.run(file, threads: threads, Self.work)), Style()) == text)
    }
    // Three shards, through their files, in another order.
    let items = S.items(file, Self.work)
    let records = try [3, 1, 2].map { index in
      let chosen = file.selected([], shard: Shard("\(index)/3"))
      let results = GateRunner(threads: 2).run(chosen.map { items[$0] })
      let saved = try Self.record(file, results).text()
      return ("s\(index)", try GateRecord(parsing: Data(saved.utf8), file: "s"))
    }
    let whole = try GateRecord.merged(records)
    #expect(whole.results == one)
    #expect(JSONEmitter.text(S.report(file, whole.results, total: 40), Style()) == text)
    // With one missing it is no pass, twice the same one is an error.
    let part = try GateRecord.merged(Array(records.dropFirst()))
    #expect(S.report(file, part.results, total: 40).gaps.first == "13 checks of 40 did not run here")
    #expect(S.report(file, part.results, total: 40).conclusion.contains("13 of 40 checks did not run"))
    #expect(throws: GateError.self) { try GateRecord.merged([records[0], records[0]]) }
    #expect(throws: GateError.self) { try GateRecord(parsing: Data("{}".utf8), file: "x") }
  }

  private static func record(
    _ file: GateFile, _ results: [CheckResult], version: String = "1", fingerprint: String? = nil
  ) -> GateRecord {
    GateRecord(
      path: file.path, version: version, fingerprint: fingerprint ?? file.fingerprint, total: 40,
      results: results)
  }

  /// What a shard saved is taken as it was written, beside others of the same program and file.
  @Test func recordsAreTakenWholeAndOfOneRun() throws {
    let file = try Self.many(40)
    let results = S.run(file, threads: 1, Self.work)
    let text = try Self.record(file, results).text()
    #expect(text.contains("\"failed\""))
    for wrong in [
      text.replacing("\"failed\"", with: "\"passed\""), text.replacing("0x1.", with: "0x2."),
      text.replacing(/"checksum" : "[0-9a-f]+"/, with: "\"checksum\" : \"0\""),
    ] {
      #expect(wrong != text)
      #expect(throws: GateError.self) { try GateRecord(parsing: Data(wrong.utf8), file: "x") }
    }
    let (first, rest) = (Array(results[..<20]), Array(results[20...]))
    #expect(
      try GateRecord.merged([("a", Self.record(file, first)), ("b", Self.record(file, rest))]).total == 40)
    for other in [
      Self.record(file, rest, version: "2"), Self.record(file, rest, fingerprint: "0123456789abcdef"),
    ] {
      #expect(throws: GateError.self) {
        try GateRecord.merged([("a", Self.record(file, first)), ("b", other)])
      }
    }
  }

  @Test func shardsArePartsOfAll() throws {
    let file = try Self.many(11)
    let parts = (1...4).map { file.selected([], shard: Shard("\($0)/4")) }
    #expect(parts.flatMap { $0 }.sorted() == Array(0..<11) && parts.allSatisfy { $0.count >= 2 })
    for wrong in ["0/2", "3/2", "1", "1/2/3", "a/b", "1/0", "-1/2"] {
      #expect(Shard(wrong) == nil, "\(wrong)")
    }
    #expect(
      file.selected(["seed=1"], shard: nil) == [1, 10] && file.selected(["*seed=?}"], shard: nil).count == 10)
    #expect(file.selected(["zzz"], shard: nil).isEmpty)
  }

  /// Whatever the threads, what is reported ends with the first in the file that failed.
  @Test(arguments: [1, 2, 4]) func failFastEndsWithTheFirst(_ threads: Int) throws {
    let file = try Self.many(40)
    var runner = GateRunner(threads: threads)
    runner.failFast = true
    let results = runner.run(S.items(file, Self.work))
    // 0.05 * 21 is above 1.
    #expect(results.map(\.outcome) == (0..<40).map { $0 < 21 ? .passed : $0 == 21 ? .failed : .notRun })
    #expect(S.report(file, results).status == .failed)
  }

  /// One that hangs is given up; the others run.
  @Test func whatHangsIsTimedOut() throws {
    let file = try Self.many(6)
    var runner = GateRunner(threads: 1)
    runner.timeLimit = 0.2
    let start = Date()
    let results = runner.run(
      S.items(file) { check in
        if check.cell[0].value == "2" { sleep(30) }
        return S.report([.init()])
      })
    #expect(Date().timeIntervalSince(start) < 10)
    #expect(results.map(\.outcome) == [.passed, .passed, .timedOut, .passed, .passed, .passed])
    #expect(S.report(file, results).status == .failed)
    #expect(results[2].reason == "it did not end within 0.2 s")
  }

  @Test func matricesAreDrawn() throws {
    let file = try S.read(
      "checks:\n  - name: m\n    run: softmax\n    limit: ulp.max <= 9\n    matrix: {dtype: [f32, f16], range: [1, 10, 100]}"
    )
    let report = S.report(
      file,
      S.run(file) { check in
        S.report([.init(ulp: Double(check.cell[1].value.count))])
      })
    let chart = try #require(report.sections[0].charts.first)
    #expect(
      chart.title == "m: ulp.max against range" && chart.series.map(\.name) == ["f32 shifted", "f16 shifted"])
    #expect(chart.series[0].points.map(\.x) == [1, 10, 100] && chart.series[0].points.map(\.y) == [1, 2, 3])
  }
}

/// What a command asks for by itself and a file asks for again.
@Suite struct AskedTwiceTests {
  private typealias S = GateSamples

  @Test func isOneCheckAtTheFilesLine() throws {
    let file = try S.read("checks:\n  - name: c\n    run: softmax\n    limit: verdict != bug")
    let results = S.run(file) { _ in
      var report = S.report([.init(verdict: "bug")])
      try report.check([Limit(parsing: "verdict!=bug"), Limit(parsing: "nanRows==0")])
      return report
    }
    let report = S.report(file, results)
    #expect(report.checks.map(\.name) == ["nanRows==0", "verdict!=bug"])
    #expect(report.checks[1].location?.line == 4 && report.checks[0].location?.line == 2)
    // The verdict's reason goes with it.
    #expect(report.checks[1].message.hasSuffix("; it holds"))
  }
}
