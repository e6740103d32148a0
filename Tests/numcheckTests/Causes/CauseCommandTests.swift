import Foundation
import TensorFiles
import Testing

/// What the command says of what went wrong: the cause, the rows without an answer, the inputs, the scales.
@Suite struct CauseCommandTests {
  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  private func save(
    _ folder: URL, _ name: String, _ values: [Double], _ shape: [Int], _ type: ElementType = .f32
  ) throws -> String {
    let path = folder.appendingPathComponent(name).path
    try TensorWriter.write(values, as: type, shape: shape, to: path)
    return path
  }

  private func run(_ arguments: [String], status: Int32 = 0) throws -> String {
    let outcome = try CommandRunner.run(arguments)
    #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
    return outcome.output + outcome.errors
  }

  private func result(_ report: [String: Any], _ index: Int = 0) throws -> [String: Any] {
    try #require((report["results"] as? [[String: Any]])?[index])
  }

  /// Scores that overflow to −∞, in the product or where a mask is added, are named with their place; there is no headroom.
  @Test func anOverflowToMinusInfinity() throws {
    try withFolder { folder in
      let v = try save(folder, "v.npy", [1, 2, 3], [3, 1])
      let far = try save(folder, "far.npy", [-280, -290, -270], [3, 1])
      let near = try save(folder, "near.npy", [-5, -4, -7], [3, 1])
      let q = try save(folder, "q.npy", [270, 280], [2, 1])
      let small = try save(folder, "small.npy", [5, 6], [2, 1])
      let mask = try save(folder, "mask.npy", [Double](repeating: -65504, count: 3), [3])
      for (inputs, stage) in [([q, far], "scores"), ([small, near, mask], "mask")] {
        var arguments = ["attention", "--q", inputs[0], "--k", inputs[1], "--v", v, "--dtype", "f16"]
        if inputs.count > 2 { arguments += ["--mask", inputs[2]] }
        for algorithm in ["standard", "flash"] {
          let report = try CommandRunner.json(arguments + ["--algorithm", algorithm])
          let entry = try result(report)
          #expect(entry["verdict"] as? String == "bug" && entry["headroomBits"] as? Double == 0)
          let birth = try #require(entry["firstOverflow"] as? [String: Any], "\(stage) \(algorithm)")
          #expect(
            birth["stage"] as? String == stage && birth["row"] as? Int == 0 && birth["index"] as? Int == 0)
          #expect(
            (report["conclusion"] as? String)?.contains("after an overflow to -inf in '\(stage)'") == true)
        }
        #expect(try run(arguments).contains("first infinity born in stage '\(stage)'"))
      }
    }
  }

  @Test func theCauseIsNamedBesideMaskedLogits() throws {
    try withFolder { folder in
      let x = try save(folder, "x.npy", [-.infinity, 1, 93.5, 2, 0, -1, 2, 3], [2, 4])
      let text = try run(["softmax", x, "--algorithm", "naive"])
      #expect(
        text.contains("after an overflow in 'exp'") && text.contains("born in stage 'exp' of row 0, index 2"))
      let lse = try save(folder, "lse.npy", [97, 1, 2], [1, 3])
      let naive = try run(["lse", lse, "--algorithm", "naive"])
      #expect(naive.contains("after an overflow in 'exp'") && !naive.contains("no row has a finite truth"))
      let cold = try save(folder, "cold.npy", [3, -9.5, 1, 2], [2, 2])
      let tau = try run(["softmax", cold, "--dtype", "f16", "--temperature", "2e-5"])
      #expect(tau.contains("in 'scale'") && !tau.contains("no row has a finite truth"))
      let under = try save(folder, "under.npy", [-200, -300], [1, 2])
      #expect(try run(["lse", under, "--algorithm", "naive"]).contains("after the logarithm of a 0"))
    }
  }

  @Test func rowsWithoutAnAnswerAreSaid() throws {
    try withFolder { folder in
      let inf = -Double.infinity
      let x = try save(folder, "x.npy", [1, 2, 3, inf, inf, inf, inf, 1, 2], [3, 3])
      let report = try CommandRunner.json(["softmax", x])
      let input = try #require(report["input"] as? [String: Any])
      #expect(input["rowsWithoutAnswer"] as? Int == 1)
      let findings = try #require(report["findings"] as? [[String: Any]])
      let message = try #require(
        findings.first { $0["kind"] as? String == "rows-without-answer" }?["message"] as? String)
      #expect(message == "1 of 3 rows is all -inf: policy 'ieee' gives NaN; 'safe' 0, 'uniform' 1/n")
      for entry in try #require(report["results"] as? [[String: Any]]) {
        let bound = try #require(entry["bound"] as? [String: Any])
        #expect((bound["kind"] as? String)?.hasPrefix("sound") == true, "\(entry)")
      }
      #expect(try run(["softmax", x, "--policy", "safe"]).contains("policy 'safe' gives 0; 'ieee' NaN"))
      let mask = try save(folder, "m.npy", [1, 1, 1, 0, 0, 0, 1, 0, 1], [3, 3], .bool)
      let attention = ["attention", "--tokens", "3", "--head-size", "8", "--mask", mask]
      #expect(
        try run(attention).contains(
          "rows without answer: 1 of 3 queries sees no key: policy 'ieee' gives NaN"))
      let backward = try run(attention + ["--backward", "--no-nan"], status: 1)
      #expect(backward.contains("all of dK and dV of their key heads become NaN"))
      #expect(backward.contains("dk: nanRows cannot pass: no row has a finite truth"))
      let safe = try run(attention + ["--backward", "--no-nan", "--policy", "safe"])
      #expect(!safe.contains("become NaN") && safe.contains("policy 'safe' gives 0"))
      let seen = try CommandRunner.json(attention)
      #expect((seen["input"] as? [String: Any])?["rowsWithoutAnswer"] as? Int == 1)
    }
  }

  @Test func masksOfIntegersAndShapes() throws {
    try withFolder { folder in
      let shape = ["attention", "--heads", "2", "--tokens", "3", "--head-size", "4", "--algorithm", "flash"]
      let integers = try save(folder, "i.npy", [1, 0, 0, 1, 1, 0, 1, 1, 1], [3, 3], .int64)
      #expect(
        try run(shape + ["--mask", integers], status: 2).contains("would be added to the scores as numbers"))
      func rmse(_ values: [Double], _ dimensions: [Int]) throws -> String {
        let mask = try save(folder, "m\(dimensions.count).npy", values, dimensions, .bool)
        let report = try CommandRunner.json(shape + ["--mask", mask])
        return try #require(try result(report)["rmseHex"] as? String)
      }
      let keys = [1.0, 1, 0]
      let plain = try rmse(keys, [3])
      #expect(try rmse(keys, [1, 1, 1, 3]) == plain && rmse(keys + keys + keys, [3, 3]) == plain)
      #expect(try rmse(keys + keys, [2, 1, 3]) == plain)
      #expect(try rmse([1, 1, 1], [1, 3]) != plain)
    }
  }

  /// Query i at N + i: with as many earlier keys as there are more keys it is the plain causal mask, with none the top left.
  @Test func pastPlacesQueries() throws {
    let base = [
      "attention", "--tokens", "7", "--queries", "3", "--head-size", "4", "--causal", "--algorithm", "flash",
    ]
    func rmse(_ more: [String]) throws -> String {
      try #require(try result(CommandRunner.json(base + more))["rmseHex"] as? String)
    }
    #expect(try rmse(["--past", "4"]) == rmse([]))
    #expect(try rmse(["--past", "0"]) == rmse(["--causal-alignment", "top-left"]))
    #expect(try rmse(["--past", "2"]) != rmse([]))
    #expect(try run(base + ["--past", "2"]).contains("the first query after 2 keys"))
    for bad in [["--past", "-1"], ["--past", "x"], ["--past", "1", "--causal-alignment", "top-left"]] {
      _ = try run(base + bad, status: 2)
    }
    _ = try run(["attention", "--tokens", "3", "--past", "1"], status: 2)
  }

  @Test func adviceNamesNothingThatIsSo() throws {
    try withFolder { folder in
      let x = try save(folder, "x.npy", [0, 17.5, 0.25], [1, 3])
      let shifted = try run(["softmax-jacobian", x, "--algorithm", "shifted"])
      #expect(
        shifted.contains("1 - p cancels") && shifted.contains("complement")
          && !shifted.contains("--compute f32"))
      #expect(try run(["softmax-jacobian", x]).contains("complement holds"))
      // In f32 f64 is what is left to try, in f64 nothing.
      let far = try save(folder, "far.npy", [0, -80, 3e7], [1, 3])
      let f32 = try run(["softmax", far, "--algorithm", "base2"])
      #expect(!f32.contains("--compute f32"))
      let long = try run([
        "softmax", "--dtype", "bf16", "--length", "700", "--range", "0", "--algorithm", "shifted:pairwise",
      ])
      #expect(!long.contains("a pairwise sum"))
    }
  }

  @Test func inputsThatMoveResultsAreNamed() throws {
    try withFolder { folder in
      let x = try save(folder, "x.npy", [72, 69.76, 40], [1, 3])
      let report = try CommandRunner.json([
        "softmax", x, "--dtype", "bf16", "--compute", "f32", "--algorithm", "online",
      ])
      #expect(try result(report)["verdict"] as? String == "ill-conditioned")
      let rounding = try #require(report["inputRounding"] as? [String: Any])
      let share = try #require(rounding["maxShare"] as? Double)
      #expect(share > 0.125)
      #expect(
        (report["conclusion"] as? String)?.contains("rounding the inputs to bf16 alone moves results by")
          == true)
    }
  }

  @Test func aNaNLeads() throws {
    try withFolder { folder in
      var values = (0..<192).map { Double($0 % 13) - 6 }
      values[70] = .nan
      values[140] = .infinity
      let w = try save(folder, "w.npy", values, [3, 64])
      let said = "input: 1 NaN (first at 1,6), 1 infinite (first at 2,12)"
      for command in [
        ["quantize", w, "--scheme", "q8_0"], ["quantize", w, "--scheme", "int8@tensor", "--cure", "@g32"],
        ["dialect", "q8_0", "q8_1", w], ["dialect", "q8_0", "q8_1", "--input", w], ["softmax", w],
        ["reference", "softmax", w, "--output", folder.appendingPathComponent("o.npy").path],
        ["quantize", w, "--scheme", "f16", "--through", "softmax"],
      ] {
        let outcome = try CommandRunner.run(command)
        if outcome.status == 2 { continue }
        #expect(outcome.output.contains(said), "\(command): \(outcome.output.prefix(400))")
        let input = try #require(try CommandRunner.json(command)["input"] as? [String: Any])
        #expect(input["nan"] as? Int == 1 && input["inf"] as? Int == 1, "\(command)")
      }
      let k = try save(folder, "k.npy", [1, 2, .nan, 4, 5, 6], [3, 2])
      let clean = try save(folder, "c.npy", [1, 2, 3, 4, 5, 6], [3, 2])
      for command in [
        ["attention", "--q", clean, "--k", k, "--v", clean],
        ["kvcache", "--q", clean, "--k", k, "--v", clean, "--cache", "f16"],
        [
          "reference", "attention", "--q", clean, "--k", k, "--v", clean, "--output",
          folder.appendingPathComponent("a.npy").path,
        ],
      ] {
        let text = try run(command)
        #expect(text.contains("input: k: 1 NaN (first at 1,0)"), "\(command): \(text)")
        let input = try #require(try CommandRunner.json(command)["input"] as? [String: Any])
        #expect(input["nan"] as? Int == 1)
      }
    }
  }

  @Test func scalesThatFailAreNamed() throws {
    try withFolder { folder in
      let w = try save(folder, "w.npy", (0..<96).map { 2100 + Double($0) }, [1, 96])
      let text = try run(["quantize", w, "--scheme", "q8_1"])
      #expect(text.contains("scales: q8_1: 3 blocks with a scale or sum that is infinite as stored"))
      #expect(text.contains("none keeps every number finite and every scale"))
      let tiny = try save(folder, "t.npy", (0..<64).map { Double($0 - 31) * 1e-7 }, [2, 32])
      let report = try CommandRunner.json(["quantize", tiny, "--scheme", "q8_0"])
      let entry = try result(report)
      #expect((entry["scaleFaults"] as? [String: Any])?["underflowed"] as? Int == 2)
      let split = try #require(entry["split"] as? [String: Any])
      #expect(split["clipping"] as? Double == 0 && (split["flushToZero"] as? Double ?? 0) > 0)
      // All four shares are seen where scales have one.
      let rceil = try run(["quantize", "--rows", "4", "--length", "96", "--scheme", "mxfp8e4m3:rceil"])
      for column in ["rounding", "clipping", "to zero", "scales"] {
        #expect(rceil.contains(column), "\(column)")
      }
    }
  }

  /// `--overflow` reaches the cache's casts.
  @Test func theCacheSaturates() throws {
    let base = [
      "kvcache", "--measure", "--cache", "f8e5m2", "--tokens", "5", "--head-size", "3", "--range", "400000",
    ]
    let plain = try result(CommandRunner.json(base))
    let kept = try result(CommandRunner.json(base + ["--overflow", "saturate"]))
    #expect(plain["cache"] as? String == "f8e5m2" && (plain["lost"] as? Int ?? 0) > 0)
    #expect(kept["cache"] as? String == "f8e5m2:saturate" && kept["lost"] as? Int == 0)
    _ = try run(["kvcache", "--cache", "f8e5m2", "--overflow", "saturate"], status: 2)
  }

  /// One rule for all writers: what --as cannot hold is refused.
  @Test func noWriterLosesValues() throws {
    try withFolder { folder in
      let path = folder.appendingPathComponent("o.safetensors").path
      for command in [
        ["softmax", "--algorithm", "shifted"], ["attention", "--algorithm", "flash", "--tokens", "4"],
        ["reference", "softmax"], ["reference", "attention", "--tokens", "4"],
      ] {
        for (dtype, narrow) in [("f8e4m3fnuz", "f8e4m3fn"), ("bf16", "f16"), ("f32", "bf16")] {
          let text = try run(command + ["--dtype", dtype, "--as", narrow, "--output", path], status: 2)
          #expect(text.contains("cannot hold every value of \(dtype)"), "\(command)")
          #expect(!FileManager.default.fileExists(atPath: path))
        }
      }
    }
  }

  /// Every command's help has its own words and lists what it takes.
  @Test func helpIsInTheCommandsOwnWords() throws {
    func help(_ command: String) throws -> String { try run([command, "--help"]) }
    for command in ["quantize", "dialect"] {
      let text = try help(command)
      #expect(
        text.contains("Generate numbers from") && !text.contains("--exhaustive")
          && !text.contains("generated logits"))
      #expect(!text.contains("Jacobian"))
    }
    #expect(try help("softmax").contains("Generate logits from") && help("softmax").contains("--exhaustive"))
    for (command, target, cotangent) in [
      ("softmax", false, false), ("lse", false, false), ("crossentropy", true, false),
      ("crossentropy-gradient", true, false), ("softmax-vjp", false, true), ("reference", true, true),
    ] {
      let text = try help(command)
      #expect(text.contains("--target") == target && text.contains("--cotangent") == cotangent, "\(command)")
    }
    #expect(
      try help("softmax-jacobian").contains("(default: 32)") && help("softmax").contains("(default: 1024)"))
    // What is not listed is still refused in words.
    #expect(try run(["softmax", "--target", "1"], status: 2).contains("--target is for the cross-entropy"))
  }
}
