import Testing

import Gate
import Reports

/// What a gate's file may say, and what people are told where it says something else.
@Suite struct ReaderTests {
  @Test func readsChecksFlagsAndLimits() throws {
    let file = try GateSamples.read(
      """
      threads: 2
      time-limit: 1.5
      fail-fast: true
      slack: 0.1
      defaults: {seed: 7, dtype: f16}
      checks:
        - name: first
          run: softmax
          dtype: f32
          algorithm: [shifted, online]
          range: -3
          no-nan: true
          limit: ["ulp.max <= 3", "shifted*: derived"]
          tolerance: 2
          allow-vacuous: naive
          slack: 0
        - run: reference attention a.npy
          arguments: [b c]
          output: o.npy
          limit: rows == 1
      """)
    #expect(
      file.settings
        == {
          var s = GateSettings()
          (s.threads, s.timeLimit, s.failFast, s.slack) = (2, 1.5, true, 0.1)
          return s
        }())
    #expect(file.checks.count == 2)
    let first = file.checks[0]
    #expect(
      first.arguments == [
        "softmax", "--seed=7", "--dtype=f32", "--algorithm=shifted", "--algorithm=online", "--range=-3",
        "--no-nan",
      ])
    #expect(first.limits.map(\.written) == ["ulp.max<=3", "shifted*:derived x 2"])
    #expect(first.allowVacuous == ["naive"] && first.slack == 0)
    #expect(first.location == Location(file: "dir/numcheck.yml", line: 7, column: 5))
    #expect(first.limits[1].location == Location(file: "dir/numcheck.yml", line: 13, column: 29))
    // Defaults are for commands that have such a flag.
    #expect(file.checks[1].arguments == ["reference", "attention", "a.npy", "--output=o.npy", "b c"])
  }

  @Test func matricesAreChecksOfTheirOwn() throws {
    let file = try GateSamples.read(
      """
      checks:
        - name: m
          run: softmax
          limit: derived
          dtype: bf16
          matrix: {dtype: [f32, f16], range: [1, 10], no-nan: [true, false]}
          exclude: [{dtype: f16, range: 10}, {range: 1, no-nan: [false]}]
      """)
    #expect(
      file.checks.map(\.name) == [
        "m {dtype=f32, range=1, no-nan=true}", "m {dtype=f32, range=10, no-nan=true}",
        "m {dtype=f32, range=10, no-nan=false}", "m {dtype=f16, range=1, no-nan=true}",
      ])
    #expect(file.checks[0].arguments == ["softmax", "--dtype=f32", "--range=1", "--no-nan"])
    #expect(file.checks[2].arguments == ["softmax", "--dtype=f32", "--range=10"])
  }

  /// Each with the line and column of what is wrong, and what was meant.
  static let wrong: [(text: String, at: String, says: [String])] = [
    ("", ":1:1", ["holds nothing"]),
    ("checks: [", ":2:1", ["not YAML"]),
    ("a: 1\na: 2\nchecks: []", ":1:1", ["'a' stands here twice"]),
    ("cheks: []", ":1:1", ["unknown key 'cheks'", "did you mean checks?"]),
    ("threads: 2", ":1:1", ["there is no 'checks'"]),
    ("threads: two\nchecks: []", ":1:10", ["'threads' must be a whole number from 1 to 1024, not 'two'"]),
    ("threads: 0\nchecks: []", ":1:10", ["1 to 1024"]),
    ("slack: -1\nchecks: []", ":1:8", ["'slack' must be a share"]),
    ("time-limit: .inf\nchecks: []", ":1:13", ["seconds"]),
    ("fail-fast: maybe\nchecks: []", ":1:12", ["true or false"]),
    ("checks: 1", ":1:9", ["'checks' must be a list"]),
    ("checks: [1]", ":1:10", ["must be keys and values"]),
    ("checks:\n  - name: a", ":2:5", ["needs 'run'", "softmax, reference attention"]),
    ("checks:\n  - run: sofmax", ":2:10", ["unknown command 'sofmax'", "did you mean softmax?"]),
    ("checks:\n  - run: softmax\n    dtpye: f16", ":3:5", ["has no 'dtpye'", "did you mean dtype?"]),
    ("checks:\n  - run: softmax\n    dtype: [f16, f32]", ":3:12", ["takes one value", "matrix"]),
    ("checks:\n  - run: softmax\n    dtype: {a: b}", ":3:12", ["must be one value, not keys and values"]),
    ("checks:\n  - run: softmax\n    dtype:", ":3:11", ["has no value"]),
    ("checks:\n  - run: softmax\n    dtype: ''", ":3:12", ["is empty"]),
    ("checks:\n  - run: softmax\n    no-nan: 3", ":3:13", ["true or false"]),
    ("checks:\n  - run: softmax\n    limit: ulp.max", ":3:12", ["'ulp.max' is no limit", "ulp.max <= 3"]),
    ("checks:\n  - run: softmax\n    limit: [a<1, 'b<nan']", ":3:18", ["'b<nan' is no limit"]),
    ("checks:\n  - run: softmax\n    tolerance: 2\n    limit: a<1", ":3:16", ["for 'limit: derived'"]),
    ("checks:\n  - run: softmax\n    arguments: x", ":3:16", ["takes no arguments"]),
    ("checks:\n  - run: softmax\n    matrix: {dtpye: [f16]}", ":3:14", ["did you mean dtype?"]),
    ("checks:\n  - run: softmax\n    matrix: {dtype: f16}", ":3:21", ["must be a list"]),
    ("checks:\n  - run: softmax\n    matrix: {dtype: []}", ":3:21", ["has no value to try"]),
    ("checks:\n  - run: softmax\n    matrix: {dtype: [f16, f16]}", ":3:27", ["twice"]),
    ("checks:\n  - run: softmax\n    exclude: [{dtype: f16}]", ":3:14", ["'exclude' is for 'matrix'"]),
    (
      "checks:\n  - run: softmax\n    matrix: {dtype: [f16]}\n    exclude: [{dtype: f32}]", ":4:15",
      ["excludes no cell"]
    ),
    (
      "checks:\n  - run: softmax\n    matrix: {dtype: [f16]}\n    exclude: [{seed: 1}]", ":4:16",
      ["no axis of the matrix"]
    ),
    ("checks:\n  - run: softmax\n  - run: softmax", ":3:5", ["line 2", "another 'name'"]),
    ("defaults: {sed: 1}\nchecks: []", ":1:12", ["no command has a flag 'sed'", "did you mean seed?"]),
    ("checks:\n  - run: softmax\n    ? [a]\n    : b", ":3:7", ["a key must be a word"]),
  ]

  @Test(arguments: wrong.indices) func saysWhatWasMeant(_ index: Int) throws {
    let (text, at, says) = Self.wrong[index]
    do {
      _ = try GateSamples.read(text)
      Issue.record("it was read: \(text)")
    } catch let error as GateError {
      let line = "\(error)"
      #expect(line.hasPrefix("dir/numcheck.yml" + at + ":"), "\(line)")
      for part in says { #expect(line.contains(part), "\(line)") }
      #expect(!line.contains("\n"))
    }
  }

  @Test func hugeMatricesAreRefused() throws {
    let values = "[" + (0..<101).map(String.init).joined(separator: ", ") + "]"
    #expect(throws: GateError.self) {
      try GateSamples.read("checks:\n  - run: softmax\n    matrix: {range: \(values), seed: \(values)}")
    }
  }

  @Test func rubbishIsRefusedNotTrapped() {
    var seed: UInt64 = 1
    let alphabet = Array("checks: run- softmax[]{}'\"&*!|>%@\n\t #,?0~")
    for _ in 0..<2000 {
      var text = ""
      for _ in 0..<40 {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text.append(alphabet[Int(seed >> 33) % alphabet.count])
      }
      do { _ = try GateSamples.read(text) } catch { #expect(error is GateError, "\(text): \(error)") }
    }
  }

  @Test func starterIsAGate() throws {
    let text = Starter.text(
      [.init(path: "a \"b\".npy", kind: .logits)], schema: GateSchema.id)
    // Its commands are the program's: here it is read as far as YAML goes.
    #expect(text.contains("input: \"a \\\"b\\\".npy\"") && text.hasPrefix("# yaml-language-server"))
  }
}
