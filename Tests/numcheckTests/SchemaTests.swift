import Foundation
import NumKit
import Testing

/// One shape for every command, and one schema that describes it.
@Suite struct SchemaTests {
  private static let folder = CommandRunner.fixtures.appendingPathComponent("smollm2").path
  private static let guests = CommandRunner.fixtures.appendingPathComponent("guests").path
  private static let root = CommandRunner.fixtures.deletingLastPathComponent().path
  private static let hidden = folder + "/smollm2-hidden-bf16.safetensors"
  private static let weight = folder + "/smollm2-weights.gguf:blk.0.attn_k.weight"
  private static let weights = folder + "/smollm2-weights.gguf"
  private static let tiny = CommandRunner.fixtures.appendingPathComponent("models/tiny.safetensors").path
  private static let attention = folder + "/smollm2-attn.safetensors"

  /// Whatever a gate can run reports by the schema: a command that is new is in both.
  @Test func everyCommandStandsInTheSchema() throws {
    func schema(_ name: String) throws -> [String: Any] {
      let file = URL(fileURLWithPath: Self.root).appendingPathComponent("Documentation/\(name)")
      return try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    }
    func at(_ path: String..., in json: [String: Any]) -> Any? {
      path.reduce(json as Any?) { ($0 as? [String: Any])?[$1] }
    }
    let known = try Set(
      #require(at("properties", "command", "enum", in: schema("numcheck-2.schema.json")) as? [String]))
    let kinds =
      try at("properties", "checks", "items", "oneOf", in: schema("numcheck-gate-1.schema.json"))
      as? [[String: Any]]
    let runs = try #require(kinds).compactMap { at("properties", "run", "pattern", in: $0) as? String }
    #expect(runs.count > 80)
    for run in runs {
      let name = String(run.dropFirst().prefix { $0 != "(" })
      // An argument says what of: the report is called with it.
      let isKnown = known.contains(name) || known.contains { $0.hasPrefix(name + " ") }
      #expect(isKnown || name.hasPrefix("tolerance ") || name.hasPrefix("mutate "), "\(name)")
    }
  }

  static let reports: [[String]] = [
    ["softmax", "--dtype", "f16", "--range", "1000", "--rows", "4", "--length", "8", "--no-nan"],
    ["softmax", "--dtype", "f16", "--range", "66000", "--rows", "4", "--length", "8", "--max-ulp", "1"],
    ["softmax", "--dtype", "f4e2m1", "--length", "2", "--exhaustive"],
    ["lse", "--dtype", "int8", "--rows", "3", "--length", "5", "--check", "nanRows==0"],
    ["lse", "--dtype", "bf16", "--rows", "3", "--length", "5", "--check", "conditioning<=1e9"],
    ["sigmoid", "--dtype", "f8e4m3fn", "--rows", "2", "--length", "40"],
    ["crossentropy", "--dtype", "f4e2m1", "--rows", "2", "--length", "4", "--temperature", "inf"],
    ["softmax-vjp", "--rows", "2", "--length", "4", "--check", "verdict==ok"],
    ["softmax", "--input", folder + "/smollm2-logits.npy", "--rows", "1", "--algorithm", "shifted"],
    ["attention", "--tokens", "8", "--head-size", "4", "--dtype", "f16", "--no-nan", "--within-baseline"],
    [
      "attention", "--tokens", "8", "--head-size", "128", "--dtype", "f16", "--range", "40", "--heads", "2",
      "--kv-heads", "1",
    ],
    ["attention", "--tokens", "8", "--queries", "2", "--padding", "0", "--dtype", "int8"],
    ["attention", "--backward", "--dtype", "f16", "--tokens", "6", "--heads", "2", "--no-nan"],
    [
      "attention", "--backward", "--dtype", "int8", "--compute", "f32", "--tokens", "5", "--head-size", "8",
      "--causal",
    ],
    [
      "attention", "--backward", "--dtype", "f16", "--tokens", "3", "--causal", "--causal-alignment",
      "top-left", "--padding", "0",
    ],
    ["attention", "--tokens", "40", "--head-size", "16", "--scheme", "all"],
    ["attention", "--sweep-head-size", "4,16"],
    ["attention", "--fa3", "--tokens", "8", "--head-size", "8"],
    ["matmul", "--rows", "3", "--inner", "40", "--b-columns", "2", "--dtype", "f8e4m3fn", "--scales", "row"],
    ["matmul", "--rows", "3", "--inner", "40", "--b-columns", "2", "--dtype", "int8", "--no-bug"],
    ["rmsnorm", "--rows", "3", "--length", "9", "--dtype", "bf16", "--compute", "f32"],
    [
      "layernorm", "--rows", "2", "--length", "4", "--distribution", "normal", "--range", "0", "--epsilon",
      "0",
    ],
    ["rope", "--dtype", "bf16", "--rows", "9", "--length", "8", "--positions", "600", "--no-nan"],
    [
      "rope", "--dtype", "f16", "--ids", "f16", "--rows", "2", "--length", "4", "--positions", "66000",
      "--algorithm", "table", "--scaling", "yarn", "--factor", "4",
    ],
    ["sinusoidal", "--rows", "3", "--length", "6", "--dtype", "f8e5m2", "--compute", "f32"],
    ["alibi", "--rows", "4", "--length", "12", "--dtype", "bf16"],
    ["exp", "--rows", "2", "--length", "20", "--dtype", "bf16", "--no-nan"],
    ["exp2", "--rows", "1", "--length", "8"],
    ["softmax", "--rows", "2", "--length", "9", "--algorithm", "poly3,schraudolph", "--max-ulp", "1e9"],
    ["bce", "--rows", "2", "--length", "10", "--dtype", "f16"],
    ["bce-probabilities", "--rows", "2", "--length", "10", "--range", "30"],
    ["sigmoid-gradient", "--rows", "1", "--length", "7", "--dtype", "f8e4m3fn", "--compute", "f32"],
    ["smoothed-crossentropy", "--rows", "3", "--length", "7"], ["z-loss", "--rows", "2", "--length", "7"],
    ["scores", "--rows", "3", "--length", "6", "--key-count", "5", "--function", "additive", "--weights"],
    ["linear-attention", "--rows", "9", "--length", "4", "--dtype", "bf16", "--chunk", "4"],
    ["reference", "z-loss", "--rows", "2", "--length", "4", "--output", "o.npy"],
    ["routing", "--rows", "5", "--length", "16", "--top-k", "3", "--dtype", "bf16", "--bias-range", "0.1"],
    [
      "routing", "--rows", "2", "--length", "4", "--top-k", "4", "--scoring", "softmax", "--check",
      "moved.max<=1",
    ],
    ["reference", "rope", "--rows", "2", "--length", "4", "--output", "o.npy"],
    ["fingerprint", "softmax", "--algorithm", "shifted", "--length", "16", "--claims", "accumulate=f32"],
    [
      "fingerprint", "matmul", "--algorithm", "pairwise", "--length", "16", "--claims",
      "accumulate=bf16,order=pairwise",
    ],
    ["mutate", "--rows", "2", "--length", "40"],
    ["mutate", "lse", "--rows", "1", "--length", "9", "--rule", "ulp=2"],
    ["mutate", "--list"],
    ["mutate", "attention", "--tokens", "9", "--head-size", "4", "--heads", "2", "--causal"],
    ["mutate", "attention", "--tokens", "70", "--head-size", "4", "--list"],
    ["mutate", "matmul", "--rows", "5", "--inner", "16", "--dtype", "bf16", "--rule", "torch"],
    ["mutate", "rmsnorm", "--rows", "3", "--length", "16", "--dtype", "f16", "--compute", "f32"],
    ["mutate", "layernorm", "--rows", "3", "--length", "16", "--defect", "zeros"],
    ["mutate", "--gate", root + "/numcheck.yml", "--defect", "zeros"],
    ["tolerance", "lse", "--rows", "3", "--length", "40", "--dtype", "bf16", "--lint", "torch"],
    ["tolerance", "--rows", "120", "--length", "8", "--lint", "nmse=1"],
    ["tolerance", "attention", "--tokens", "5", "--head-size", "4", "--lint", "atol=1"],
    ["tolerance", "matmul", "--rows", "5", "--inner", "16", "--dtype", "bf16", "--lint", "atol=1"],
    ["tolerance", "layernorm", "--rows", "5", "--length", "16", "--dtype", "bf16", "--lint", "torch"],
    ["sample", "--rows", "3", "--length", "20", "--dtype", "bf16", "--top-p", "0.9", "--top-k", "7"],
    [
      "search", "softmax", "--dtype", "f16", "--max-length", "20", "--tries", "250", "--check",
      "ulp.max<=100",
    ],
    ["search", "layernorm", "--max-length", "6", "--tries", "40", "--maximise", "bound", "--finite"],
    ["search", "lse", "--dtype", "bf16", "--max-length", "9", "--tries", "100", "--special-values"],
    [
      "kvcache", "--all-layers", "--cache", "int4@g32", "--k",
      CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-attn.safetensors").path, "--v",
      CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-attn.safetensors").path,
    ],
    ["quantize", hidden, "--through", "softmax", "--scheme", "bf16"],
    ["kvcache"], ["kvcache", "--measure", "--tokens", "8", "--dtype", "f16"],
    ["quantize", "--rows", "4", "--length", "64"],
    ["quantize", "--rows", "1", "--length", "1", "--range", "0"],
    ["quantize", "--rows", "2", "--length", "256", "--recommend", "--max-bits", "5", "--scheme", "*"],
    ["quantize", "--rows", "2", "--length", "64", "--recommend", "--max-bits", "1"],
    ["quantize", "--input", CommandRunner.fixtures.appendingPathComponent("files/small.gguf").path],
    ["quantize", "--input", hidden + ":hidden.12", "--cure", "all"],
    [
      "quantize", "--input", weight, "--scheme", "int4@token", "--calibration", "gptq", "--activations",
      hidden + ":hidden.3",
    ],
    ["quantize", "--input", folder + "/smollm2-logits.npy", "--through", "softmax", "--scheme", "mxfp4"],
    [
      "quantize", "--input", weight, "--through", "matmul", "--activations", hidden + ":hidden.3", "--scheme",
      "int8@token",
    ],
    [
      "quantize", "--input", attention + ":blk.11.q", "--through", "attention", "--scheme", "f8e4m3fn@token",
    ],
    ["plan", weights, "--max-bits", "5.5", "--sort", "sqnr"],
    ["plan", weights, "--max-bytes", "3MB", "--for", "torchao", "--keep", "*ffn*", "--top", "2"],
    ["plan", tiny, "--max-bits", "4.6", "--for", "compressed-tensors", "--sensitivity", "*q_proj*=3"],
    ["quantize", "--input", tiny, "--scheme", "q8_0", "--scheme", "int4@row", "--top", "5"],
    ["quantize", "--input", tiny, "--recommend", "--max-bits", "5", "--sort", "maxAbsoluteError"],
    ["compare", tiny, tiny, tiny, "--top", "4"], ["activations", tiny, "--sort", "kurtosis", "--top", "6"],
    ["dialect", "mxfp4:ggml", "mxfp4:floor", "--rows", "8", "--length", "64"],
    ["dialect", "f8e5m2", "f8e5m2", "--rows", "1", "--length", "32"],
    ["activations", hidden], ["activations", hidden + ":hidden.12", "--no-massive"],
    ["activations", attention, "--median-scope", "token"],
    ["reference", "softmax", "--rows", "2", "--length", "8", "--output", "o.npy"],
    ["reference", "attention", "--tokens", "4", "--output", "o.npy"],
    ["reference", "matmul", "--rows", "2", "--inner", "4", "--b-columns", "3", "--output", "o.npy"],
    ["reference", "layernorm", "--rows", "2", "--length", "4", "--output", "o.npy"],
    ["verify", "softmax", "--input", guests + "/logits.npy", "--results", guests + "/softmax.npy"],
    ["verify", "softmax", "--input", guests + "/logits.npy", "--results", guests + "/softmax-zeros.npy"],
    ["verify", "softmax", "--input", guests + "/logits.npy", "--results", guests + "/softmax-unscaled.npy"],
    [
      "verify", "attention", "--q", guests + "/q.npy", "--k", guests + "/k.npy", "--v", guests + "/v.npy",
      "--causal",
      "--results", guests + "/attention.npy", "--lse-results", guests + "/attention-lse.npy",
    ],
    [
      "verify", "rmsnorm", "--input", guests + "/logits.npy", "--weight", guests + "/weight.npy", "--results",
      guests + "/rmsnorm-unweighted.npy",
    ],
    [
      "verify", "matmul", "--a", guests + "/a.npy", "--b", guests + "/b.npy", "--results",
      guests + "/product.npy",
    ],
    ["compare", guests + "/softmax.npy", guests + "/softmax-zeros.npy"],
    [
      "compare", guests + "/dump.npz", guests + "/dump-f16.npz", "--map", "*=model.*", "--budget",
      "relativeL2<=1e-3",
    ],
    ["compare", hidden, hidden, "--budget", "cosine>=0.9", "--top", "3", "--sort", "ulp.max"],
    ["list", "formats"], ["list", "kernels"], ["list", "schemes"], ["list", "cures"],
    ["list", "distributions"], ["list", "figures"],
  ]

  @Test(arguments: reports) func reportsKeepTheSchema(_ arguments: [String]) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(arguments + ["--format", "json"], folder: folder)
    let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    #expect(try SchemaValidator().errors(value) == [], "\(outcome.errors)")
    // The same status in the report as for the shell; the same figures in as many fields of CSV.
    let report = try #require(value as? [String: Any])
    let status = ["ok": 0, "failed": 1, "unchecked": 2][report["status"] as? String ?? ""]
    #expect(status.map(Int32.init) == outcome.status)
    let csv = try CommandRunner.run(arguments + ["--format", "csv"], folder: folder).output
    let rows = try CSV.rows(csv)
    let titles = try #require(rows.first)
    #expect(rows.allSatisfy { $0.count == titles.count })
    #expect(rows.count == (report["results"] as? [Any] ?? []).count + 1)
    try expectSame(rows, report["results"] as? [[String: Any]] ?? [])
    // And every other format is written, nothing in it too wide to read.
    let text = try CommandRunner.run(arguments, folder: folder).output
    let tables = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(
      tables.filter { $0.contains("  ") && !$0.hasPrefix("  ") }.allSatisfy { $0.count <= 100 }, "\(text)")
    for format in ["markdown", "junit"] {
      #expect(try !CommandRunner.run(arguments + ["--format", format], folder: folder).output.isEmpty)
    }
  }

  /// What a field of CSV says stands at that path of JSON.
  private func expectSame(_ rows: [[String]], _ results: [[String: Any]]) throws {
    for (row, result) in zip(rows.dropFirst(), results) {
      for (path, field) in zip(rows[0], row) where path != "command" {
        var value: Any? = result
        for name in path.split(separator: ".") { value = (value as? [String: Any])?[String(name)] }
        switch value {
        case let number as NSNumber:
          #expect(Double(field).map { abs($0 - number.doubleValue) <= 1e-9 * abs($0) } ?? false, "\(path)")
        case let text as String: #expect(field == text || field == "'" + text, "\(path)")
        case is NSNull: #expect(field.isEmpty, "\(path)")
        // A fact of the whole run, or a list.
        default: break
        }
      }
    }
  }

  @Test func brokenReportsAreSeen() throws {
    for (arguments, name) in [
      (["lse", "--rows", "1", "--length", "2"], "nanRows"),
      (["activations", Self.hidden + ":hidden.11"], "nan"),
      (["attention", "--tokens", "3"], "rmse"), (["quantize", "--rows", "1", "--length", "32"], "sqnr"),
    ] {
      let outcome = try CommandRunner.run(arguments + ["--format", "json"])
      let sound = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      var value = sound
      value["rows"] = "one"
      value["extra"] = 1
      value["schema"] = nil
      #expect(try SchemaValidator().errors(value).count == 3, "\(arguments)")
      var results = try #require(sound["results"] as? [[String: Any]])
      results[0][name] = nil
      results[0]["more"] = true
      value = sound
      value["results"] = results
      #expect(try !SchemaValidator().errors(value).isEmpty, "\(arguments)")
      value = sound
      value["status"] = "fine"
      #expect(try SchemaValidator().errors(value).count == 1)
    }
  }

  /// Every figure that a table can show is described by the registry that `list figures` prints.
  @Test(arguments: reports) func figuresAreRegistered(_ arguments: [String]) throws {
    let known = try CommandRunner.json(["list", "figures"])
    let paths = Set((known["results"] as? [[String: Any]] ?? []).compactMap { $0["figure"] as? String })
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let csv = try CommandRunner.run(arguments + ["--format", "csv", "--columns", "all"], folder: folder)
    let facts = ["command", "dtype", "compute", "accumulate", "rows", "length"]
    let shape = ["heads", "keyHeads", "queries", "keys", "headSize", "columns", "scales", "resultDtype"]
    for path in try #require(CSV.rows(csv.output).first) where !(facts + shape).contains(path) {
      #expect(paths.contains(path), "\(path)")
    }
  }
}

/// RFC 4180, read scalar by scalar.
enum CSV {
  struct Broken: Error {}

  static func rows(_ text: String) throws -> [[String]] {
    var rows: [[String]] = []
    var row: [String] = []
    var field = String.UnicodeScalarView()
    var isQuoted = false
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"":
        // A second one within quotes is one of the text.
        if !isQuoted && previous == "\"" { field.append("\"") }
        isQuoted.toggle()
      case "," where !isQuoted, "\n" where !isQuoted:
        row.append(String(field))
        field = .init()
        if scalar == "\n" {
          rows.append(row)
          row = []
        }
      default: field.append(scalar)
      }
      previous = isQuoted || scalar == "\"" ? scalar : nil
    }
    guard !isQuoted, row.isEmpty, field.isEmpty else { throw Broken() }
    return rows
  }
}
