import Foundation
import Testing

@Suite struct CureTests {
  private static let folder = CommandRunner.fixtures.appendingPathComponent("smollm2")
  private static let hidden = folder.appendingPathComponent("smollm2-hidden-bf16.safetensors").path
  private static let weights = folder.appendingPathComponent("smollm2-weights.gguf").path
  private static let logits = folder.appendingPathComponent("smollm2-logits.npy").path
  private static let attention = folder.appendingPathComponent("smollm2-attn.safetensors").path

  @Test func theTableOfCures() throws {
    let outcome = try CommandRunner.run(["quantize", "--input", Self.hidden + ":hidden.12", "--cure", "all"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("int8@tensor: leaves 99.90 % of the rest at zero"))
    #expect(outcome.output.contains("\ntake "))
    let json = try CommandRunner.json(["quantize", "--input", Self.hidden + ":hidden.12", "--cure", "all"])
    let results = try #require(json["results"] as? [[String: Any]])
    let names = results.compactMap { $0["treatment"] as? String }
    for part in [
      "@token", "@g32", "channel-scale", "smooth", "hadamard", "rotation", "split", "awq", "percentile",
      "mse", "kl", "stochastic", "hqq",
    ] {
      #expect(names.contains { $0.contains(part) }, "\(part)")
    }
    let plain = try #require(results.first)
    let taken = try #require(results.first { $0["take"] as? Bool == true })
    #expect((taken["restSqnr"] as? Double ?? 0) > (plain["restSqnr"] as? Double ?? .infinity) + 20)
    #expect(try Self.notTried(json).contains { $0.contains("gptq") })
    let sacrifices = results.filter { $0["sacrifices"] as? Bool == true }
    #expect(sacrifices.contains { $0["treatment"] as? String == "int8@tensor + kl" })
  }

  /// What a report says was not tried.
  private static func notTried(_ report: [String: Any]) throws -> [String] {
    try #require(report["findings"] as? [[String: String]]).filter { $0["kind"] == "not-tried" }
      .compactMap { $0["where"] }
  }

  /// What is taken gains most beyond what its bits would, or saves what is lost.
  @Test func whatIsTakenGainsMost() throws {
    func group(_ arguments: [String]) throws -> (
      plain: [String: Any], taken: [String: Any], all: [[String: Any]]
    ) {
      let json = try CommandRunner.json(["quantize", "--cure", "all"] + arguments)
      let results = try #require(json["results"] as? [[String: Any]])
      let taken = results.first { $0["take"] as? Bool == true }
      return (results[0], try #require(taken), results)
    }
    let hidden = try group(["--input", Self.hidden + ":hidden.12", "--scheme", "int8@token"])
    func gain(_ r: [String: Any]) -> Double {
      let bits = (r["bitsPerWeight"] as? Double ?? 0) - (hidden.plain["bitsPerWeight"] as? Double ?? 0)
      return (r["restored"] as? Double ?? 0) - 6.02 * bits
    }
    #expect(hidden.all.allSatisfy { gain($0) <= gain(hidden.taken) + 1e-9 })
    // One number beyond e4m3 among others: keeping it aside saves it.
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("x.npy")
    var values = (0..<512).map { Double($0 % 5) }
    values[77] = 5000
    try ActivationsTests.npy("<f4", [8, 64], ActivationsTests.bytes(values, "<f4")).write(to: file)
    let saved = try group(["--input", file.path, "--scheme", "f8e4m3fn"])
    #expect(saved.plain["lost"] as? Int == 1 && saved.taken["lost"] as? Int == 0)
    let text = try CommandRunner.run([
      "quantize", "--cure", "all", "--input", file.path, "--scheme", "f8e4m3fn",
    ])
    #expect(text.output.contains("it saves 1 of the 1 lost"), "\(text.output)")
  }

  @Test func weightsWithActivationsAreJudgedByTheirProduct() throws {
    let json = try CommandRunner.json([
      "quantize", "--input", Self.weights + ":blk.0.attn_k.weight", "--scheme", "int4@token", "--cure",
      "gptq",
      "--cure", "awq", "--activations", Self.hidden + ":hidden.11",
    ])
    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results.count == 3)
    func figure(_ treatment: String, _ name: String) -> Double? {
      results.first { $0["treatment"] as? String == treatment }?[name] as? Double
    }
    // Judged by tokens that neither saw: 64 are too few for GPTQ's Hessian of 576 inputs, AWQ's scales carry over.
    let (plain, awq) = (figure("int4@token", "outputSqnr"), figure("awq + int4@token", "outputSqnr"))
    #expect(try #require(awq) > #require(plain))
    #expect(figure("int4@token + gptq", "bitsPerWeight") == figure("int4@token", "bitsPerWeight"))
  }

  @Test func oneTreatmentIsWritten() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("out.npy").path
    let arguments = [
      "quantize", "--input", Self.hidden + ":hidden.11", "--scheme", "int8@token", "--transform", "hadamard",
      "--calibration", "mse",
    ]
    #expect(try CommandRunner.run(arguments + ["--output", file]).status == 0)
    // It errs from the input by what the report says.
    let json = try CommandRunner.json(arguments)
    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results.count == 2 && results[1]["treatment"] as? String == "hadamard + int8@token + mse")
    let written = try CommandRunner.json(["activations", file])
    let profile = try #require((written["results"] as? [[String: Any]])?.first)
    #expect(profile["shape"] as? [Int] == [128, 576])
    let largest = try #require(profile["maxMagnitude"] as? Double)
    #expect((largest - 101).magnitude < (results[1]["maxAbsoluteError"] as? Double ?? 0) + 0.5)
  }

  @Test func throughSoftmaxTheBoundsHold() throws {
    let json = try CommandRunner.json(["quantize", "--input", Self.logits, "--through", "softmax"])
    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results.count >= 10)
    for r in results {
      let (change, bound) = (r["maxChange"] as? Double ?? 1, r["changeBound"] as? Double ?? 0)
      #expect(change <= bound && change > 0)
      let divergence = try #require(r["klDivergence"] as? [String: Double])
      #expect(divergence["max"] ?? 1 <= divergence["bound"] ?? 0)
      #expect(r["rows"] as? Int == 4)
    }
    // More bits, less divergence.
    func divergence(_ name: String) -> Double {
      let found = results.first { $0["treatment"] as? String == name }
      return (found?["klDivergence"] as? [String: Double])?["max"] ?? .nan
    }
    #expect(divergence("f16") < divergence("bf16") && divergence("int8@token") < divergence("int4@g32"))
  }

  @Test func throughProductsAndAttention() throws {
    let product = try CommandRunner.json([
      "quantize", "--input", Self.weights + ":blk.0.attn_k.weight", "--through", "matmul", "--activations",
      Self.hidden + ":hidden.11", "--scheme", "int8@token", "--scheme", "int4@g32",
    ])
    for r in try #require(product["results"] as? [[String: Any]]) {
      for part in ["weights", "activations", "both"] {
        let e = try #require(r[part] as? [String: Any])
        #expect(e["aboveBound"] as? Int == 0 && e["results"] as? Int == 128 * 192)
      }
    }
    let attention = try CommandRunner.json([
      "quantize", "--input", Self.attention + ":blk.18.q", "--through", "attention", "--causal", "--scheme",
      "f16",
      "--scheme", "int8@token",
    ])
    let results = try #require(attention["results"] as? [[String: Any]])
    func sqnr(_ k: Int, _ part: String) -> Double {
      (results[k][part] as? [String: Any])?["sqnr"] as? Double ?? 0
    }
    #expect(
      results.count == 2 && sqnr(0, "all") > 60 && sqnr(1, "all") > 25 && sqnr(1, "all") < sqnr(0, "all"))
    // The whole is no better than any factor alone, here.
    for part in ["q", "k", "v"] { #expect(sqnr(1, "all") <= sqnr(1, part)) }
  }

  /// A file of many: every three of queries, keys and values, the same figures as one by one, the worst first.
  @Test func throughAFileOfManyTensors() throws {
    let flags = ["--through", "attention", "--causal", "--scheme", "int4@token"]
    func results(_ input: String) throws -> [[String: Any]] {
      try #require(
        CommandRunner.json(["quantize", "--input", input] + flags)["results"] as? [[String: Any]])
    }
    func sqnr(_ result: [String: Any]) -> Double {
      (result["all"] as? [String: Any])?["sqnr"] as? Double ?? .nan
    }
    let all = try results(Self.attention)
    #expect(all.count == 3 && all.map(sqnr) == all.map(sqnr).sorted())
    for result in all {
      let name = try #require(result["tensor"] as? String)
      let alone = try results(name)[0]
      #expect(name.hasSuffix(".q") && sqnr(alone) == sqnr(result))
    }
    let hidden = try CommandRunner.json(["quantize", Self.hidden, "--through", "softmax", "--scheme", "bf16"])
    #expect((hidden["results"] as? [Any])?.count == 6)
    let several = try CommandRunner.json([
      "quantize", "--input", Self.hidden + ":hidden.11", "--input", Self.hidden + ":hidden.12", "--cure",
      "@g32",
    ])
    let tensors = try #require(several["tensors"] as? [[String: Any]])
    #expect(tensors.compactMap { ($0["tensor"] as? String)?.suffix(2) } == ["11", "12"])
  }

  /// Rows of 48: ggml's super-blocks do not fit, and of a scheme that does some cures do not.
  @Test func whatDoesNotFitIsNamedAndLeftOut() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("x.npy")
    var bytes = Data()
    for k in 0..<96 { withUnsafeBytes(of: Float(k % 7).bitPattern) { bytes.append(contentsOf: $0) } }
    try ActivationsTests.npy("<f4", [2, 48], bytes).write(to: file)
    let schemes = ["--scheme", "q4_k", "--scheme", "int8@token", "--cure", "all", "--input", file.path]
    let cured = try CommandRunner.json(["quantize"] + schemes)
    let names = Set((cured["results"] as? [[String: Any]] ?? []).compactMap { $0["scheme"] as? String })
    #expect(names == ["int8@token"])
    #expect(try Self.notTried(cured).contains("q4_k") && Self.notTried(cured).contains("int8@token + gptq"))
    let through = try CommandRunner.json(
      ["quantize", "--scheme", "int8@token", "--through", "softmax", "--cure", "all", "--input", file.path])
    #expect(try Self.notTried(through).contains("int8@token + gptq"))
    #expect((through["results"] as? [Any] ?? []).count > 5)
    let alone = ["quantize", "--scheme", "q4_k", "--cure", "all", "--input", file.path]
    #expect(try CommandRunner.run(alone).status == 2)
  }

  @Test func rubbishIsRefusedInOneLine() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let special = folder.appendingPathComponent("special.npy")
    var bytes = Data()
    for x: Float in [1, .nan, 3, 4] { withUnsafeBytes(of: x.bitPattern) { bytes.append(contentsOf: $0) } }
    try ActivationsTests.npy("<f4", [1, 4], bytes).write(to: special)
    // A sum of them is beyond f32.
    let huge = folder.appendingPathComponent("huge.npy")
    try ActivationsTests.npy(
      "<f4", [4, 64], ActivationsTests.bytes([Double](repeating: 3.4e38, count: 256), "<f4")
    ).write(to: huge)
    let input = ["--input", Self.hidden + ":hidden.11"]
    for arguments in [
      input + ["--cure", "nothing"], input + ["--cure", "gptq"], input + ["--cure", "all", "--cure", "mse"],
      input + ["--activations", special.path, "--cure", "all"],
      ["--input", huge.path, "--transform", "hadamard", "--calibration", "kl"],
      ["--input", huge.path, "--transform", "rotation", "--scheme", "int8@token"],
      ["--rows", "2", "--length", "64", "--range", "1e39", "--through", "softmax"],
      ["--rows", "2", "--length", "64", "--range", "1e39", "--cure", "all"],
      input + ["--cure", "all", "--transform", "hadamard"],
      input + ["--transform", "smooth:7"], input + ["--calibration", "percentile:0"],
      input + ["--calibration", "stochastic", "--scheme", "mxfp4"], input + ["--cure", "@nonsense"],
      input + ["--transform", "hadamard", "--raw", "/tmp/x"],
      input + ["--cure", "all", "--recommend", "--max-bits", "4"],
      input + ["--activations", Self.logits, "--cure", "all"],
      input + ["--activations", "/nowhere", "--cure", "all"],
      ["--input", special.path, "--calibration", "mse"], ["--input", special.path, "--through", "matmul"],
      input + ["--through", "matmul"], input + ["--through", "attention"], input + ["--through", "nothing"],
      input + ["--keys", Self.logits], input + ["--through", "softmax", "--output", "/tmp/x"],
      ["--through", "attention"], ["--input", Self.hidden, "--through", "attention"],
      ["--input", Self.attention, "--through", "attention", "--keys", Self.logits],
      ["--input", Self.attention, "--input", Self.hidden, "--through", "attention"],
      ["--input", Self.attention + ":blk.18.q", "--through", "attention", "--keys", Self.logits],
      ["--input", Self.attention + ":blk.18.k", "--through", "attention"],
    ] {
      let outcome = try CommandRunner.run(["quantize"] + arguments)
      #expect(outcome.status == 2, "\(arguments)")
      #expect(
        outcome.output.isEmpty && outcome.errors.split(separator: "\n").count == 1,
        "\(arguments): \(outcome.errors)")
    }
  }
}
