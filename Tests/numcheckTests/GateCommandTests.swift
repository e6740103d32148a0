import Foundation
import Testing

/// The gate as people run it: files, flags, the environment, locks, histories, and what is left when something breaks.
@Suite struct GateCommandTests {
  /// A folder with a gate in it.
  private static func folder(_ gate: String) throws -> URL {
    let folder = try CommandRunner.temporaryFolder()
    try gate.write(to: folder.appendingPathComponent("numcheck.yml"), atomically: true, encoding: .utf8)
    return folder
  }

  private static let small = """
    checks:
      - name: a
        run: softmax
        algorithm: shifted
        rows: 4
        length: 16
        limit: derived
        matrix: {dtype: [f32, f16], seed: [1, 2]}
      - name: b
        run: lse
        rows: 2
        length: 8
        limit: "shifted*: ulp.max <= 100"
    """

  @Test func passesFailsAndSaysWhere() throws {
    let folder = try Self.folder(Self.small.replacing("100\"", with: "0\""))
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(["gate"], folder: folder)
    #expect(outcome.status == 1 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.contains("b: shifted: ulp.max is") && outcome.output.contains("numcheck lse"))
    let one = try CommandRunner.run(["gate", "--filter", "a"], folder: folder)
    #expect(one.status == 0 && one.output.contains("checks: all 12 passed"), "\(one.output)")
    // From elsewhere: paths in the file count from its own folder.
    let other = try CommandRunner.run(["gate", folder.path + "/numcheck.yml", "--filter", "a"])
    #expect(other.status == 0)
    let github = try CommandRunner.run(["gate", "--format", "github"], folder: folder)
    #expect(github.output.contains("::error file=numcheck.yml,line=13,col=12,title="), "\(github.output)")
  }

  /// Every wrong use is one line and status 2.
  @Test(arguments: [
    ["gate", "nowhere.yml"], ["gate", "--filter", "zzz"], ["gate", "--shard", "3/2"],
    ["gate", "--time-limit", "0"],
    ["gate", "--init"], ["gate", "--merge", "nowhere.json"], ["gate", "--merge", "numcheck.yml"],
    ["gate", "--rebase"], ["gate", "--update", "--no-lock"], ["gate", "--lock", "nowhere.lock"],
    ["gate", "--list", "--init"], ["gate", "--history", "/no/such/folder/h.db"],
    ["gate", "--save", "numcheck.yml"],
    ["gate", "--report", "html=numcheck.yml"], ["history", "nowhere.db"], ["history", "numcheck.yml"],
    ["gate", "."],
  ])
  func refusesInOneLine(_ arguments: [String]) throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(arguments, folder: folder)
    #expect(outcome.status == 2, "\(arguments)")
    #expect(
      outcome.errors.hasPrefix("numcheck: ") && outcome.errors.filter { $0 == "\n" }.count == 1,
      "\(outcome.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["numcheck.yml"])
  }

  @Test func errorsNameFileLineAndWhatWasMeant() throws {
    for (line, says) in [
      ("    dtype: f17", "numcheck.yml:3:12: "),
      ("    dtyp: f16", "numcheck.yml:3:5: 'softmax' has no 'dtyp'; did you mean dtype?"),
      ("    rows: -3", "numcheck.yml:3:11: "), ("    output: x.npy", "numcheck.yml:"),
    ] {
      let folder = try Self.folder("checks:\n  - run: softmax\n\(line)\n    limit: derived\n")
      defer { try? FileManager.default.removeItem(at: folder) }
      let outcome = try CommandRunner.run(["gate"], folder: folder)
      #expect(outcome.status == 2 && (outcome.errors + outcome.output).contains(says), "\(outcome.errors)")
    }
  }

  @Test func flagBeforeEnvironmentBeforeFile() throws {
    let folder = try Self.folder("fail-fast: true\n" + Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    func total(_ arguments: [String], _ environment: [String: String]) throws -> Int {
      let outcome = try CommandRunner.run(
        ["gate", "--format", "json"] + arguments, folder: folder, environment: environment)
      let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      return try #require((report?["gate"] as? [String: Any])?["total"] as? Int)
    }
    #expect(try total([], [:]) == 5)
    #expect(try total([], ["NUMCHECK_FILTER": "a"]) == 4)
    #expect(try total(["--filter", "b"], ["NUMCHECK_FILTER": "a"]) == 1)
    #expect(try total([], ["NUMCHECK_SHARD": "1/5"]) == 1)
    let wrong = try CommandRunner.run(["gate"], folder: folder, environment: ["NUMCHECK_THREADS": "many"])
    #expect(wrong.status == 2 && wrong.errors.contains("NUMCHECK_THREADS='many'"))
  }

  @Test func sameBytesWithThreadsAndShards() throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    let one = try CommandRunner.run(["gate", "--threads", "1", "--format", "json"], folder: folder)
    #expect(one.status == 0)
    #expect(
      try CommandRunner.run(["gate", "--threads", "3", "--format", "json"], folder: folder).output
        == one.output)
    for shard in ["1/2", "2/2"] {
      let outcome = try CommandRunner.run(
        ["gate", "--shard", shard, "--save", "s\(shard.prefix(1)).json"], folder: folder)
      #expect(outcome.status == 0)
    }
    let merged = try CommandRunner.run(
      ["gate", "--merge", "s2.json", "--merge", "s1.json", "--format", "json"], folder: folder)
    #expect(merged.status == 0 && merged.output == one.output)
    let part = try CommandRunner.run(["gate", "--merge", "s2.json"], folder: folder)
    #expect(part.status == 2 && part.output.contains("did not run here"), "\(part.output)")
    // A page says which line makes it, and that is one run's.
    let page = ["gate", "--format", "html"]
    #expect(
      try CommandRunner.run(page + ["--merge", "s2.json", "--merge", "s1.json"], folder: folder).output
        == CommandRunner.run(page, folder: folder).output)
  }

  /// Five checks for seven shards: those that get none are green, and what all saved is the whole.
  @Test func moreShardsThanChecks() throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    var merge = ["gate"]
    for k in 1...7 {
      let outcome = try CommandRunner.run(
        ["gate", "--shard", "\(k)/7", "--save", "s\(k).json"], folder: folder)
      #expect(outcome.status == 0, "\(k): \(outcome.errors)")
      merge += ["--merge", "s\(k).json"]
    }
    #expect(try CommandRunner.run(merge, folder: folder).status == 0)
    let none = try CommandRunner.run(["gate", "--filter", "zzz", "--shard", "1/7"], folder: folder)
    #expect(none.status == 2 && none.errors.contains("no check matches zzz"))
    // Another file than the one that ran.
    try (Self.small + "\n# another\n").write(
      to: folder.appendingPathComponent("numcheck.yml"), atomically: true, encoding: .utf8)
    let other = try CommandRunner.run(merge, folder: folder)
    #expect(other.status == 2 && other.errors.contains("as it is now"), "\(other.errors)")
  }

  /// What cannot be kept is an error, and hides no verdict; where a folder is missing nothing is run.
  @Test func whatCannotBeWrittenHidesNothing() throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(["gate", "--history", "missing/h.db"], folder: folder)
    #expect(outcome.status == 2 && outcome.output.contains("all 5 checks hold"), "\(outcome.output)")
    #expect(outcome.errors.contains("missing/"))
    for flags in [["--report", "html=missing/x.html"], ["--save", "missing/s.json"]] {
      let early = try CommandRunner.run(["gate"] + flags, folder: folder)
      #expect(early.status == 2 && early.output.isEmpty && early.errors.contains("missing/"))
    }
  }

  @Test func locksHoldLaterRuns() throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(try CommandRunner.run(["gate", "--update"], folder: folder).status == 0)
    let lock = folder.appendingPathComponent("numcheck.lock")
    let text = try String(contentsOf: lock, encoding: .utf8)
    #expect(text.contains("check \"a {dtype=f16, seed=2}\"") && text.contains("\"shifted\" ulp.max "))
    #expect(try CommandRunner.run(["gate"], folder: folder).status == 0)
    // Another update changes nothing.
    #expect(try CommandRunner.run(["gate", "--update"], folder: folder).status == 0)
    #expect(try String(contentsOf: lock, encoding: .utf8) == text)
    // Somebody made it worse than it was.
    let better = text.replacing(/ulp.max [0-9.e-]+ first [0-9.e-]+/, with: "ulp.max 1e-3 first 1e-3")
    try better.write(to: lock, atomically: true, encoding: .utf8)
    let worse = try CommandRunner.run(["gate"], folder: folder)
    #expect(worse.status == 1 && worse.output.contains("regression: ulp.max was 0.00100"), "\(worse.output)")
    #expect(worse.output.contains("within the bound of"))
    #expect(try CommandRunner.run(["gate", "--no-lock"], folder: folder).status == 0)
    try "x\n".write(to: lock, atomically: true, encoding: .utf8)
    let broken = try CommandRunner.run(["gate"], folder: folder)
    #expect(broken.status == 2 && broken.errors.contains("numcheck.lock:1:1"), "\(broken.errors)")
  }

  /// A figure in a lock may be infinite; it is read, and a finite one is better.
  @Test func locksMayHoldInfinities() throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(try CommandRunner.run(["gate", "--update"], folder: folder).status == 0)
    let lock = folder.appendingPathComponent("numcheck.lock")
    let text = try String(contentsOf: lock, encoding: .utf8)
    for (value, first) in [("1e400", "1"), ("1e400", "1e400")] {
      try text.replacing(/ulp.max [0-9.e-]+ first [0-9.e-]+/, with: "ulp.max \(value) first \(first)")
        .write(to: lock, atomically: true, encoding: .utf8)
      let outcome = try CommandRunner.run(["gate"], folder: folder)
      #expect((0...1).contains(outcome.status), "\(outcome.status) \(outcome.errors)")
    }
  }

  /// A kernel that gave no results failed, and every line about it says how it ended.
  @Test(arguments: ["verdict != bug", "derived", "[ulp.max <= 3, nanRows == 0]"])
  func kernelsWithoutResultsAreNamed(_ limit: String) throws {
    let folder = try Self.folder(
      """
      checks:
        - name: dies
          run: verify softmax
          exec: "kill -SEGV $$; true {results}"
          rows: 2
          length: 4
          limit: \(limit)
      """)
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(["gate", "--format", "github"], folder: folder)
    #expect(outcome.status == 1, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n").filter { $0.hasPrefix("::error") }
    #expect(lines.count > 1 && lines.contains { $0.contains("nothing was judged: ended by SIGSEGV") })
    #expect(lines.allSatisfy { $0.contains("program gave no results") }, "\(outcome.output)")
    #expect(try CommandRunner.run(["gate"], folder: folder).output.contains("dies   failed"))
  }

  /// A kernel that hangs is killed with the gate that gave it up, and what it had is gone.
  @Test func nothingOutlivesTheGate() throws {
    let kernel = "echo $$ > pid; echo {results} > named; exec sleep 600"
    let folder = try Self.folder(
      """
      checks:
        - name: hangs
          run: verify softmax
          exec: "\(kernel)"
          rows: 2
          length: 4
      """)
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(["gate", "--time-limit", "1"], folder: folder)
    #expect(outcome.status == 2 && outcome.output.contains("did not end within 1 s"), "\(outcome.output)")
    func text(_ name: String) throws -> String {
      try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        .trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let (pid, results) = (try #require(Int32(text("pid"))), try text("named"))
    // Who adopts it may take a moment to bury it.
    for _ in 0..<50 where kill(pid, 0) == 0 { usleep(100_000) }
    #expect(kill(pid, 0) != 0)
    let left = URL(fileURLWithPath: results).deletingLastPathComponent().path
    #expect(!FileManager.default.fileExists(atPath: left), "\(left)")
  }

  @Test func historiesShowWhereAFigureJumped() throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    for k in 0..<6 {
      let gate = k < 3 ? Self.small : Self.small.replacing("length: 8", with: "length: 4096")
      try gate.write(to: folder.appendingPathComponent("numcheck.yml"), atomically: true, encoding: .utf8)
      let outcome = try CommandRunner.run(
        ["gate", "--history", "h.db", "--commit", "c\(k)"], folder: folder)
      #expect(outcome.status != 2, "\(outcome.errors)")
    }
    let text = try CommandRunner.run(["history", "h.db", "--of", "b", "--figure", "ulp.max"], folder: folder)
    #expect(text.status == 0 && text.output.contains("at commit c3"), "\(text.output)")
    let page = try CommandRunner.run(
      ["history", "h.db", "--runs", "--report", "html=h.html"], folder: folder)
    #expect(page.status == 0)
    let html = try String(contentsOf: folder.appendingPathComponent("h.html"), encoding: .utf8)
    #expect(html.contains("<polyline") && html.contains("run 4, c3"))
  }

  /// Killed in the midst of writing, the history still opens and has whole runs only.
  @Test func killedRunsLoseNothing() throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(
      try CommandRunner.run(["gate", "--history", "h.db", "--commit", "c"], folder: folder).status == 0)
    for delay in [1, 3, 5, 8, 12, 20, 40] {
      _ = try Shell(
        "$N gate --history h.db --commit k >/dev/null 2>&1 & p=$!; sleep 0.0\(delay); kill -9 $p; wait $p",
        in: folder)
    }
    let outcome = try CommandRunner.run(["history", "h.db", "--runs", "--format", "json"], folder: folder)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    let runs = try #require(report?["runs"] as? [[String: Any]])
    let counts = Dictionary(grouping: runs) { $0["run"] as? Int ?? 0 }.mapValues(\.count)
    #expect(Set(counts.values).count == 1 && !counts.isEmpty)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(names.allSatisfy { !$0.hasSuffix(".tmp") }, "\(names)")
  }

  /// A full disk, a folder that may not be written, a report that cannot be shown: status 2, and nothing half-written.
  @Test func whatCannotBeWrittenIsNoSuccess() throws {
    let folder = try Self.folder(Self.small)
    defer { try? FileManager.default.removeItem(at: folder) }
    let full = try Shell("$N gate > /dev/full", in: folder)
    #expect(full.status == 2 && full.errors.contains("standard output"), "\(full.errors)")
    #expect(try Shell("$N gate --report html=/dev/full >/dev/null", in: folder).isRefusal("/dev/full"))
    #expect(try Shell("$N gate --history /dev/full >/dev/null", in: folder).status == 2)
    let limited = try Shell(
      "ulimit -f 4; trap '' XFSZ; $N gate --update --report html=p.html >/dev/null", in: folder)
    #expect(limited.status == 2, "\(limited.status) \(limited.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["numcheck.yml"])
  }

  @Test func startersRun() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let logits = CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-logits.npy")
    try FileManager.default.copyItem(at: logits, to: folder.appendingPathComponent("my \"logits\".npy"))
    let begun = try CommandRunner.run(["gate", "--init"], folder: folder)
    #expect(begun.status == 0 && begun.output.contains("1 tensor file found here"), "\(begun.errors)")
    let outcome = try CommandRunner.run(["gate"], folder: folder)
    #expect(outcome.status == 0, "\(outcome.output)")
    let list = try CommandRunner.run(["gate", "--list"], folder: folder)
    #expect(list.status == 0 && list.output.contains("softmax {dtype=bf16, range=100}"))
  }

  /// The schema for editors is what the program has.
  @Test func schemaIsCurrent() throws {
    let made = try CommandRunner.run(["gate", "--schema"]).output
    let file = CommandRunner.fixtures.deletingLastPathComponent().appendingPathComponent(
      "Documentation/numcheck-gate-1.schema.json")
    if ProcessInfo.processInfo.environment["NUMCHECK_RECORD"] != nil {
      try made.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == made)
    let schema = try #require(try JSONSerialization.jsonObject(with: Data(made.utf8)) as? [String: Any])
    #expect((schema["properties"] as? [String: Any])?["checks"] != nil)
  }

  /// This repository holds itself to its own gate.
  @Test func thisRepositoryPasses() throws {
    let root = CommandRunner.fixtures.deletingLastPathComponent()
    let outcome = try CommandRunner.run(["gate", "--threads", "2"], folder: root)
    #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
  }
}
