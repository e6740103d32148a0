import Foundation
import Testing

/// Wrong input of every kind: one line on standard error, exit status 2, nothing on standard output.
@Suite struct UsageTests {
  static let wrong: [[String]] = [
    ["softmax", "--dtype", "f17"],
    ["softmax", "--dtype", "e8m0"],
    ["softmax", "--compute", "int8"],
    ["softmax", "--accumulate", "uint4"],
    ["softmax", "--algorithm", "fast"],
    ["softmax", "--algorithm", ""],
    ["softmax", "--algorithm", "i-exp:255"],
    ["softmax", "--rows", "0"],
    ["softmax", "--rows", "9223372036854775807", "--length", "4"],
    ["attention", "--tokens", "8", "--head-size", "8", "--splits", "9223372036854775807"],
    ["dialect", "mxfp4", "mxfp4:ggml", "--rows", "1000000000000"],
    ["kvcache", "--layers", "1073741824", "--batch", "1073741824", "--length", "800"],
    ["softmax", "--rows", "-3"],
    ["softmax", "--length", "0"],
    ["softmax", "--length", "99999999999999999999"],
    ["softmax", "--length", "999999999999"],
    ["softmax", "--range", "nan"],
    ["softmax", "--range", "inf"],
    ["softmax", "--range", "many"],
    ["softmax", "--temperature", "-1"],
    ["softmax", "--temperature", "nan"],
    ["softmax", "--threads", "0"],
    ["softmax", "--seed", "-1"],
    ["softmax", "--max-ulp", "-1"],
    ["softmax", "--distribution", "cauchy"],
    ["softmax", "--format", "xml"],
    ["softmax", "--input", "no-such-file.npy"],
    ["softmax", "--input", "/"],
    ["softmax", "--input", "/dev/null"],
    ["softmax", "--input", ""],
    ["softmax", "--output", "x.npy"],
    ["softmax", "--algorithm", "shifted", "--output", "x.txt"],
    ["softmax", "--algorithm", "shifted", "--output", "/no/such/folder/x.npy"],
    ["softmax", "--algorithm", "shifted", "--dtype", "bf16", "--output", "x.npy"],
    ["softmax", "--algorithm", "shifted", "--dtype", "f32", "--output", "x.npy", "--as", "f16"],
    ["softmax", "--algorithm", "shifted", "--dtype", "int8", "--output", "x.npy"],
    ["crossentropy", "--target", "1024"],
    ["crossentropy", "--target", "-1"],
    ["crossentropy", "--target", "nowhere.npy"],
    ["softmax-vjp", "--cotangent", "nowhere.npy"],
    ["softmax-jacobian", "--length", "5000"],
    ["reference", "softmax"],
    ["reference", "nothing", "--output", "x.npy"],
    ["reference", "softmax", "--dtype", "int8", "--output", "x.npy"],
    ["list"],
    ["list", "everything"],
    ["nonsense"],
    ["softmax", "--nonsense"],
    ["softmax", "stray"],
    ["softmax", "--max-ulp", "inf"],
    ["softmax", "--check", "ulp.max"],
    ["softmax", "--check", "ulp.max<=nan"],
    ["softmax", "--rows", "2", "--length", "8", "--check", "ulp.mx<=3"],
    ["softmax", "--rows", "2", "--length", "8", "--check", "fast:ulp.max<=3"],
    ["softmax", "--rows", "2", "--length", "8", "--columns", "ulp.mx"],
    ["softmax", "--rows", "2", "--length", "8", "--report", "json=/no/such/folder/x"],
    ["kvcache", "--check", "byte<=3"],
    ["list", "formats", "--check", "bits<=bit"],
    ["softmax", "--target", "3"],
    ["lse", "--cotangent", "x.npy"],
    ["softmax", "--as", "f32"],
    ["softmax", "--axis", "-3", "--input", "no-such-file.npy"],
    ["quantize", "--scheme", "q9"],
    ["quantize", "--scheme", "q4_k", "--length", "100", "--rows", "2"],
    ["quantize", "--scheme", "int8,int4", "--output", "x.npy"],
    ["quantize", "--output", "x.npy"],
    ["quantize", "--recommend"],
    ["quantize", "--max-bits", "4"],
    ["quantize", "--input", "no-such-file.npy"],
    ["quantize", "--scheme", "z*"],
    ["quantize", "--scheme", ""],
    ["quantize", "--scheme", "int8@g0"],
    ["quantize", "--scheme", "int8@g99999999999999999999"],
    ["quantize", "--scheme", "q8_0", "--output", "x.txt"],
    ["quantize", "--scheme", "q8_0", "--output", "/no/such/folder/x.npy"],
    ["quantize", "--scheme", "q8_0", "--raw", "/no/such/folder/x"],
    ["quantize", "--scheme", "q8_0", "--output", "x.npy", "--raw", "x.npy"],
    ["quantize", "--scheme", "q8_0", "--output", "x.npy", "--raw", "/no/such/folder/x"],
    ["quantize", "--scheme", "q8_0", "--output", "x.npy", "--length", "33"],
    ["quantize", "--scheme", "q8_0", "--scheme", "q4_0", "--raw", "x"],
    ["quantize", "--recommend", "--max-bits", "nan"],
    ["quantize", "--recommend", "--min-sqnr", "lots"],
    ["quantize", "--input", "/dev/null"],
    ["quantize", "--exhaustive", "--length", "2"],
    ["quantize", "--threads", "0"],
    ["quantize", "--format", "yaml"],
    ["dialect", "mxfp4", "mxfp4:ggml", "--anchor", "0"],
    ["dialect", "mxfp4", "mxfp4:ggml", "--anchor", "1e300"],
    ["dialect", "mxfp4", "mxfp4:ggml", "--length", "33"],
    ["dialect", "mxfp4", "mxfp4:ggml", "--input", "no-such-file.npy"],
    ["dialect", "mxfp4", "*"],
    ["dialect", "mxfp4"],
    ["dialect", "mxfp4", "nothing"],
    ["quantize", "--range", "1e300"],
    ["quantize", "--recommend", "--max-bits", "0"],
    ["quantize", "--recommend", "--max-bits", "inf"],
    ["quantize", "--recommend", "--min-sqnr", "inf"],
    ["quantize", "--input", "x.npy", "--range", "5"],
    ["softmax", "--input", "x.npy", "--distribution", "normal"],
    ["dialect", "mxfp4", "mxfp4:ggml", "--axis", "0"],
    ["activations", "x.npy", "--massive-above", "inf"],
    ["activations", "x.npy", "--outlier-above", "nan"],
    ["attention", "--fa3", "--dtype", "f16"],
    ["attention", "--sweep-head-size", "4", "--algorithm", "flash"],
    ["attention", "--scheme", "all", "--compute", "f16"],
    ["softmax", "--exhaustive"],
    ["softmax", "--exhaustive", "--length", "2", "--dtype", "f32"],
    ["softmax", "--exhaustive", "--length", "2", "--dtype", "int8"],
    ["lse", "--exhaustive", "--length", "2", "--dtype", "f16"],
    ["softmax", "--exhaustive", "--length", "2", "--rows", "5", "--dtype", "f4e2m1"],
  ]

  @Test(arguments: wrong)
  func wrongUsageIsOneLineAndTwo(_ arguments: [String]) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(arguments, folder: folder)
    #expect(outcome.status == 2, "\(outcome)")
    #expect(outcome.output.isEmpty, "\(outcome.output)")
    #expect(outcome.errors.hasPrefix("numcheck: "), "\(outcome.errors)")
    #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  /// A report that could not be written is no success.
  @Test func aFullDeviceIsAnError() throws {
    guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
    for arguments in ["softmax --rows 2 --length 8", "list formats", "--help"] {
      let shell = Process()
      shell.executableURL = URL(fileURLWithPath: "/bin/sh")
      shell.arguments = ["-c", "\"$0\" \(arguments) >/dev/full 2>/dev/null", CommandRunner.binary.path]
      try shell.run()
      shell.waitUntilExit()
      #expect(shell.terminationStatus == 2, "\(arguments)")
    }
  }

  @Test func helpAndVersionSucceed() throws {
    for arguments in [
      ["--help"], ["help"], ["softmax", "--help"], ["list", "--help"], ["--version"], ["help", "lse"],
    ] {
      let outcome = try CommandRunner.run(arguments)
      #expect(outcome.status == 0 && !outcome.output.isEmpty && outcome.errors.isEmpty, "\(arguments)")
    }
  }

  /// Each flag is a short name for a limit: the same outcomes, whichever way they are asked for.
  @Test(arguments: [
    (["--max-ulp", "4"], "ulp.max<=4"), (["--max-relative", "0.1"], "maxRelativeError<=0.1"),
    (["--no-nan"], "nanRows==0"), (["--no-overflow"], "overflow==0"), (["--no-bug"], "verdict!=bug"),
  ])
  func flagsAreShortNames(_ flags: [String], _ limit: String) throws {
    func checks(_ arguments: [String], _ more: [String]) throws -> [String] {
      let outcome = try CommandRunner.run(arguments + more + ["--format", "json"])
      let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      let list = try #require(report?["checks"] as? [[String: Any]])
      #expect(!list.isEmpty)
      return ["\(outcome.status)"]
        + list.map { "\($0["name"] ?? "") \($0["where"] ?? "") \($0["passed"] ?? "")" }
    }
    for base in [
      ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "4", "--length", "16"],
      ["softmax", "--dtype", "f16", "--range", "66000", "--rows", "4", "--length", "16"],
      ["lse", "--dtype", "f16", "--range", "20", "--rows", "4", "--length", "64"],
      ["attention", "--dtype", "f16", "--tokens", "8", "--head-size", "128", "--range", "30"],
    ] {
      #expect(try checks(base, flags) == checks(base, ["--check", limit]))
    }
  }

  private static let limited: [([String], Int32)] = [
    (["softmax", "--rows", "2", "--length", "8", "--check", "shifted:ulp.max<=bound.ulp"], 0),
    (["softmax", "--rows", "2", "--length", "8", "--check", "shifted*:bound.share<=1"], 0),
    (["softmax", "--rows", "2", "--length", "8", "--check", "shifted:bound.share>1"], 1),
    (["softmax", "--rows", "2", "--length", "8", "--check", "certificate.undecided==0"], 0),
    (
      [
        "softmax", "--dtype", "bf16", "--rows", "1", "--length", "600", "--range", "100", "--algorithm",
        "naive", "--check",
        "ulp.max<=bound.ulp",
      ], 1
    ),
    (
      [
        "softmax", "--exhaustive", "--length", "2", "--dtype", "f4e2m1", "--check",
        "input.origin==exhaustive",
      ], 0
    ),
    (["kvcache", "--check", "f16:bitsPerNumber==16", "--check", "int4*:ofF16<=0.32"], 0),
    (["kvcache", "--check", "bytes<=1000"], 1),
    (["quantize", "--rows", "2", "--length", "64", "--scheme", "q8_0", "--check", "sqnr>=30"], 0),
    (
      [
        "quantize", "--rows", "2", "--length", "64", "--scheme", "q8_0", "--scheme", "q4_0", "--check",
        "q4_0:sqnr>=30",
      ], 1
    ),
    (["dialect", "mxfp4:ggml", "mxfp4", "--rows", "2", "--length", "64", "--check", "share==0"], 1),
    (["list", "formats", "--check", "f8e4m3fn:largest==448"], 0),
    (["attention", "--sweep-head-size", "4", "--check", "saturated<=1"], 0),
    (["attention", "--scheme", "sage", "--tokens", "8", "--check", "lost==0"], 0),
  ]

  /// Limits on figures of every kind of report, of single results, against other figures.
  @Test(arguments: limited)
  func anyFigureCanBeLimited(_ arguments: [String], _ status: Int32) throws {
    let outcome = try CommandRunner.run(arguments)
    #expect(outcome.status == status, "\(outcome)")
    #expect(outcome.output.contains("FAILED") == (status == 1))
  }

  @Test func checksDecideTheStatus() throws {
    let wild = ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "4", "--length", "16"]
    #expect(try CommandRunner.run(wild).status == 0)
    for check in [["--no-nan"], ["--no-bug"], ["--max-ulp", "4"], ["--max-relative", "0.1"]] {
      #expect(try CommandRunner.run(wild + check).status == 1, "\(check)")
    }
    let tame = ["softmax", "--dtype", "f32", "--range", "3", "--rows", "4", "--length", "16"]
    #expect(
      try CommandRunner.run(
        tame + ["--no-nan", "--no-bug", "--no-overflow", "--max-ulp", "20", "--max-relative", "1e-5"]
      )
      .status == 0)
    let overflow = [
      "lse", "--algorithm", "naive", "--dtype", "f16", "--range", "20", "--rows", "4", "--length", "64",
    ]
    let outcome = try CommandRunner.run(overflow + ["--no-overflow", "--format", "json"])
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("naive") && outcome.errors.contains("row 0"), "\(outcome.errors)")
  }

  /// Inputs beyond the dtype make NaN by right: counted, said, and failing the checks that look for NaN or overflow.
  @Test func inputsBeyondTheFormatAreCounted() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("x.npy")
    // Four rows of three: 65520 and what is above overflow f16; the infinity is one as given.
    let rows: [Float] = [1, 2, 3, 65504, 65519, -65519, 65520, -1e6, 0, .infinity, 7e4, 1]
    try ActivationsTests.npy("<f4", [4, 3], ActivationsTests.bytes(rows.map(Double.init), "<f4")).write(
      to: file)
    let base = ["softmax", "--dtype", "f16", "--input", file.path, "--algorithm", "shifted"]
    let report = try CommandRunner.json(base)
    let input = try #require(report["input"] as? [String: Any])
    #expect(input["overflowed"] as? Int == 3 && input["overflowedRows"] as? Int == 2)
    #expect(input["nan"] as? Int == 0 && input["inf"] as? Int == 1)
    let text = try CommandRunner.run(base)
    #expect(text.status == 0 && text.output.contains("input: 3 of 12 overflow f16, in 2 of 4 rows"))
    #expect(text.output.contains("input: 1 infinite (first at 3,0)"))
    for check in [["--no-nan"], ["--no-overflow"], ["--max-ulp", "9"], ["--max-relative", "1"]] {
      let outcome = try CommandRunner.run(base + check)
      #expect(outcome.status == 1 && outcome.output.contains("3 inputs overflow f16 (\(check[0]))"))
    }
    #expect(try CommandRunner.run(base + ["--overflow", "saturate", "--no-overflow"]).status == 0)
  }
}
