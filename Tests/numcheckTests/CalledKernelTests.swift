import Foundation
import Testing

/// Kernels in libraries and programs, right and wrong, as `numcheck verify` calls them.
@Suite struct CalledKernelTests {
  private static let root = CommandRunner.tests.deletingLastPathComponent().deletingLastPathComponent()
  private static let examples = root.appendingPathComponent("Examples/verify/library").path

  /// Builds an example's library with a mistake, in `folder`.
  private static func build(_ mistake: String, of source: String = "kernels.c", in folder: URL) throws
    -> String
  {
    let shell = try Shell(
      "cc -O1 -std=gnu11 -fPIC -shared -ffp-contract=off -DMISTAKE=\(mistake) "
        + "-I'\(root.path)/Sources/CGuests/include' '\(examples)/\(source)' -o k.so -lm", in: folder)
    try #require(shell.status == 0, "\(shell.errors)")
    return folder.appendingPathComponent("k.so").path
  }

  private static func verify(_ kernel: [String], _ more: [String] = [], status: Int32) throws -> [String: Any]
  {
    let report = try CommandRunner.json(
      ["verify", "softmax"] + kernel + ["--rows", "40", "--length", "100", "--range", "5", "--timeout", "5"]
        + more, status: status)
    #expect(try SchemaValidator().errors(report) == [])
    return report
  }

  private static func kinds(_ report: [String: Any]) -> [String] {
    ((report["findings"] as? [[String: Any]]) ?? []).compactMap { $0["kind"] as? String }
  }

  @Test func aRightLibraryHolds() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try Self.build("NONE", in: folder)
    for seed in 1...5 {
      let report = try Self.verify(
        ["--plugin", path], ["--seed", "\(seed)", "--invariance", "--dtype", seed % 2 == 0 ? "bf16" : "f32"],
        status: 0)
      #expect(Self.kinds(report) == [])
      let cells = try #require(report["invariance"] as? [[String: Any]])
      #expect(cells.count == 7 && cells.allSatisfy { $0["bits"] as? Int == 0 && $0["compared"] as? Int != 0 })
    }
  }

  @Test(arguments: [
    ("SWAPPED_STRIDE", ["unwritten", "strides"]), ("LOST_TAIL", ["unwritten"]), ("STALE", ["stale-results"]),
    ("CACHED", ["stale-results"]),
    ("LATE", ["later-calls"]), ("CHANGES_INPUT", ["input-changed"]), ("OVERRUN", ["out-of-bounds"]),
    ("DETECTS", ["other-numbers"]), ("CRASH", ["crash"]), ("HANG", ["time-out"]), ("ALL_ZEROS", []),
    ("F16_ACCUMULATOR", []),
  ])
  func aMistakeIsNamed(mistake: String, kinds: [String]) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try Self.build(mistake, in: folder)
    let report = try Self.verify(["--plugin", path], status: 1)
    #expect(Self.kinds(report) == kinds)
    if kinds.isEmpty {
      let results = try #require(report["results"] as? [[String: Any]])
      #expect(results[0]["verdict"] as? String == "bug")
    }
  }

  /// Gradients of attention, three results of a call: the right library holds, a slip is named.
  @Test(arguments: [
    ("NONE", ""), ("NO_LEVEL", "D left out: dS = P∘dP"), ("NO_MASK", "mask left out where P is recomputed"),
  ])
  func gradientsAreCalled(mistake: String, name: String) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try Self.build(mistake, of: "backward.c", in: folder)
    let report = try CommandRunner.json(
      [
        "verify", "attention-backward", "--plugin", path, "--heads", "4", "--kv-heads", "2", "--tokens", "18",
        "--queries", "15", "--head-size", "8", "--causal",
      ], status: name.isEmpty ? 0 : 1)
    #expect(try SchemaValidator().errors(report) == [])
    #expect(Self.kinds(report) == [])
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.map { $0["part"] as? String } == ["dq", "dk", "dv"])
    let named = (results[0]["hypotheses"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
    #expect(named == (name.isEmpty ? [] : [name]))
  }

  /// What a killed process left is removed by the next one; what is held, or new, stays.
  @Test func foldersThatWereLeftAreRemoved() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let shell = try Shell(
      """
      mkdir numcheck-exec-left numcheck-exec-held numcheck-exec-new numcheck-other
      for f in left held new; do touch numcheck-exec-$f/.lock; done
      touch -d '1 hour ago' numcheck-exec-left numcheck-exec-held numcheck-other
      exec 9<>numcheck-exec-held/.lock
      flock -n 9
      TMPDIR=$PWD "$N" verify softmax --rows 3 --length 4 --exec 'cp {input} {results}' --no-hygiene >/dev/null
      ls -d numcheck-*
      """, in: folder)
    #expect(shell.output == "numcheck-exec-held\nnumcheck-exec-new\nnumcheck-other\n", "\(shell.errors)")
  }

  /// What stands around attention goes through libraries as through files: right kernels hold, mistakes are named.
  @Test(arguments: [
    ("rope --length 16", "INTERLEAVED", "interleaved pairs in place of half"),
    ("sinusoidal --length 16", "NEXT_POSITION", "positions one too high"),
    ("alibi --length 12", "RATIO_SLOPES", "slopes 2^(-8h/n) of a number of heads that is no power of two"),
    ("exp", "BASE_2", "2^x in place of e^x"),
    ("exp2", "", ""), ("bce", "", ""), ("bce-probabilities", "", ""),
    ("sigmoid-gradient", "SIGMOID_TWICE", "the sigmoid taken twice"),
    ("smoothed-crossentropy", "SMOOTHING_LEFT_OUT", "smoothing left out"), ("z-loss", "", ""),
    ("routing --length 24 --top-k 6", "", ""), ("scores --length 8 --key-count 9 --function dot", "", ""),
    ("scores --length 8 --key-count 9 --function general", "", ""),
    ("scores --length 8 --key-count 9 --function additive", "", ""),
    ("linear-attention --length 8", "NOT_DIVIDED", "not normalised"),
    ("sigmoid-attention --length 8 --key-count 20", "NOT_SCALED", "scores not scaled"),
    (
      "sample --temperature 0.7 --top-k 20 --top-p 0.9", "SHORT_TOP_P",
      "top-p leaves out the token that reaches p"
    ),
    ("sample --top-k 9 --min-p 0.05 --as ids", "", ""),
  ])
  func whatStandsAroundAttentionIsCalled(question: String, mistake: String, name: String) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func verify(_ mistake: String, status: Int32) throws -> [String: Any] {
      let path = try Self.build(mistake, of: "around.c", in: folder)
      var words = question.split(separator: " ").map(String.init)
      if !words.contains("--length") { words += ["--length", "40"] }
      let report = try CommandRunner.json(
        ["verify"] + words + ["--rows", "24", "--plugin", path, "--timeout", "20"], status: status)
      #expect(try SchemaValidator().errors(report) == [])
      return report
    }
    let right = try verify("NONE", status: 0)
    #expect(Self.kinds(right).filter { $0 != "undecided-sets" } == [])
    guard !mistake.isEmpty else { return }
    let results = try #require(try verify(mistake, status: 1)["results"] as? [[String: Any]])
    let names = (results[0]["hypotheses"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
    #expect(names.contains(name), "\(names)")
  }

  @Test func theTypesThatAreNarrow() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let right = try Self.verify(
      ["--plugin", Self.build("NONE", in: folder)], ["--dtype", "f16", "--no-hygiene"], status: 0)
    #expect((right["dtype"] as? String) == "f16")
    let cut = try Self.verify(
      ["--plugin", Self.build("TRUNCATION", in: folder)], ["--dtype", "bf16", "--no-hygiene"], status: 1)
    #expect((cut["results"] as? [[String: Any]])?[0]["verdict"] as? String == "bug")
  }

  @Test func programsAreCalled() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // A program that any machine has: numcheck itself, whose kernel answers.
    let own =
      "'\(CommandRunner.binary.path)' softmax --algorithm shifted --input {input} --output {results} >/dev/null"
    #expect(Self.kinds(try Self.verify(["--exec", own], status: 0)) == [])
    let program = folder.appendingPathComponent("p.sh")
    try "echo some words >&2; exit 3".write(to: program, atomically: true, encoding: .utf8)
    let failing = try CommandRunner.run(["verify", "softmax", "--exec", "sh '\(program.path)' {results}"])
    #expect(failing.status == 2 && failing.output.isEmpty)
    #expect(failing.errors.contains("status 3") && failing.errors.contains("some words"))
    #expect(Self.kinds(try Self.verify(["--exec", "true {results}"], ["--no-hygiene"], status: 1)) == [])
    let slow = try Self.verify(["--exec", "sleep 60; true {results}"], ["--timeout", "0.3"], status: 1)
    #expect(Self.kinds(slow) == ["time-out"])
    // What never answered has no numbers to judge, and looks like nothing.
    #expect((slow["results"] as? [Any])?.isEmpty == true)
    let said = try #require(slow["conclusion"] as? String)
    #expect(said.hasPrefix("program gave no results, nothing was judged: did not end"), "\(said)")
    // Limits on them have no value, which is no wrong use.
    let held = try Self.verify(
      ["--exec", "kill -SEGV $$; true {results}"], ["--max-ulp", "3", "--check", "verdict!=bug"], status: 1)
    #expect(Self.kinds(held) == ["crash"] && (held["checks"] as? [Any])?.count == 3)
  }

  @Test func nothingOfAProgramIsLeft() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // What it starts in the background ends with it, and its folder goes where the command is interrupted.
    let shell = try Shell(
      """
      mkdir t; export TMPDIR="$PWD/t"
      "$N" verify softmax --rows 2 --length 4 --exec 'sleep 61 & echo $! > pid; sleep 62; true {results}' & job=$!
      while [ ! -s pid ]; do sleep 0.05; done
      kill -TERM $job; wait $job
      sleep 0.2
      ls t | wc -l
      # Nobody may have taken note of its end yet.
      case $(ps -o stat= -p "$(cat pid)") in ''|Z*) echo gone;; *) echo alive;; esac
      """, in: folder)
    #expect(
      shell.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) } == ["0", "gone"])
  }

  @Test func rubbishIsRefused() throws {
    let cases = [
      ["verify", "softmax", "--exec", "true"], ["verify", "softmax", "--exec", "true {results} {nothing}"],
      ["verify", "softmax", "--plugin", "/nowhere.so"],
      ["verify", "softmax", "--invariance", "--results", "x.npy"],
      ["verify", "softmax", "--exec", "a {results}", "--plugin", "b"],
      ["verify", "softmax", "--plugin", "b", "--results", "x.npy"],
      ["verify", "softmax", "--exec", "true {results}", "--timeout", "0"],
      ["verify", "softmax", "--exec", "true {results}", "--invariance", "--splits", "x"],
      ["call-library", "/nowhere.so"],
    ]
    for arguments in cases {
      let outcome = try CommandRunner.run(arguments)
      #expect(outcome.status == 2, "\(arguments)")
      #expect(outcome.errors.hasPrefix("numcheck: ") && outcome.errors.filter { $0 == "\n" }.count == 1)
      #expect(outcome.output.isEmpty)
    }
  }
}
