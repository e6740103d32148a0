import Foundation
import Quant
import TensorFiles
import Testing

/// `plan` and `compare` on a model.
@Suite struct PlanCommandTests {
  private static let tiny = CommandRunner.fixtures.appendingPathComponent("models/tiny.safetensors").path
  private static let hidden =
    CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-hidden-bf16.safetensors").path
  private static let weights =
    CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-weights.gguf").path

  @Test func aPlanKeepsItsBudgetAndIsWritten() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for (program, file) in [
      ("llama.cpp", "types.txt"), ("compressed-tensors", "recipe.yaml"), ("torchao", "recipe.py"),
    ] {
      let path = folder.appendingPathComponent(file).path
      let report = try CommandRunner.json([
        "plan", Self.tiny, "--max-bits", "5", "--recipe", "\(program)=\(path)",
      ])
      let plan = try #require(report["plan"] as? [String: Any])
      #expect(plan["target"] as? String == program)
      #expect(try #require(plan["bitsPerWeight"] as? Double) <= 5)
      #expect(try #require(plan["bytes"] as? Int) <= #require(plan["budget"] as? Int))
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.contains(program == "llama.cpp" ? "attn_q" : "q_proj"), "\(text)")
      let rows = try #require(report["results"] as? [[String: Any]])
      #expect(rows.count == (program == "llama.cpp" ? 21 : 20))
      #expect(abs(rows.reduce(0) { $0 + ($1["share"] as? Double ?? 0) } - 1) < 1e-9)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
  }

  @Test func activationsChangeWhatMatters() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let values: [Float] = (0..<8 * 64).map { (i: Int) -> Float in
      let size: Double = i % 64 == 3 ? 50 : 1
      return Float(size * sin(Double(i) * 1.3))
    }
    let file = folder.appendingPathComponent("x.safetensors")
    try ActivationsTests.safetensors([("hidden.1", "F32", [8, 64], values.withUnsafeBytes { Data($0) })])
      .write(to: file)
    let report = try CommandRunner.json([
      "plan", Self.tiny, "--max-bits", "5", "--activations", file.path, "--map",
      "model.layers.1.self_attn.q_proj.weight=hidden.1",
    ])
    let rows = try #require(report["results"] as? [[String: Any]])
    let judged = rows.filter { $0["judgedBy"] as? String == "activations" }.compactMap {
      $0["tensor"] as? String
    }
    #expect(judged == ["model.layers.1.self_attn.q_proj.weight"])
    let text = try CommandRunner.run([
      "plan", Self.tiny, "--max-bits", "5", "--activations", file.path, "--map",
      "model.layers.1.self_attn.q_proj.weight=hidden.1",
    ])
    #expect(
      text.output.contains(
        "judged by activations, 64 tokens at most (--tokens): 1 of 21 matrices; the others by themselves"),
      "\(text.output)")
    let wrong = try CommandRunner.run([
      "plan", Self.tiny, "--max-bits", "5", "--activations", file.path, "--map",
      "model.layers.*.self_attn.q_proj.weight=hiden.*",
    ])
    #expect(wrong.status == 2 && wrong.errors.contains("did you mean 'hidden.1'"), "\(wrong.errors)")
    let long = try CommandRunner.run([
      "plan", CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-weights.gguf").path,
      "--max-bits", "6",
      "--activations", file.path, "--map", "*=hidden.1",
    ])
    #expect(long.status == 2 && long.errors.contains("64 channels"), "\(long.errors)")
  }

  @Test(arguments: [
    (["--max-bits", "1"], "the smallest schemes take"), ([], "a budget is needed"),
    (["--max-bits", "0"], "positive"), (["--max-bits", "nan"], "invalid"),
    (["--max-bytes", "x"], "must be a size"),
    (["--max-bits", "5", "--max-bytes", "1MB"], "a budget is needed"),
    (["--max-bits", "5", "--for", "x"], "no program 'x'"),
    (["--max-bits", "5", "--recipe", "llama.cpp"], "PROGRAM=FILE"),
    (["--max-bits", "5", "--sensitivity", "a"], "PATTERN=X"),
    (["--max-bits", "5", "--sort", "sqrn"], "did you mean sqnr"),
    (["--max-bits", "5", "--sample", "0"], "above 0"),
    (["--max-bits", "5", "--scheme", "q4_0", "--recipe", "torchao=x.py"], "torchao has no config"),
    (["--max-bits", "5", "--imatrix", tiny], "no importance matrix"),
    (["--max-bits", "5", "--map", "a=b"], "--map is for"),
    (["--max-bits", "5", "--keep", "*"], "holds no matrix to plan"),
    (["--max-bits", "5", "--keep", "nothing*"], "--keep 'nothing*': no tensor is called so"),
    (
      ["--max-bits", "5", "--keep", "model.layers.0.mlp.up_prj.weight"],
      "no tensor is called so; did you mean 'model.layers.0.mlp.up_proj.weight'"
    ),
    (["--max-bits", "5", "--sensitivity", "nothing*=4"], "--sensitivity 'nothing*': no matrix is called so"),
    (["--max-bits", "5", "--sensitivity", "*norm*=4"], "--sensitivity '*norm*': no matrix is called so"),
    (
      ["--max-bits", "5", "--activations", hidden],
      "none of its tensors ('hidden.11', 'hidden.12', 'hidden.20', …) is called as a matrix of the model"
    ),
    (
      ["--max-bits", "5", "--activations", hidden, "--map", "blk.*=hidden.*"],
      "--map 'blk.*': no matrix is called so"
    ),
  ])
  func rubbishIsRefused(_ flags: [String], _ words: String) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let outcome = try CommandRunner.run(["plan", Self.tiny] + flags, folder: folder)
    #expect(outcome.status == 2 && outcome.errors.contains(words), "\(flags): \(outcome.errors)")
    #expect(outcome.errors.split(separator: "\n").count == 1 && outcome.output.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  /// Of a GGUF file the modules are named, and none stays in a type that torchao has not.
  @Test func recipesOfGGUFNameModules() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for program in ["torchao", "compressed-tensors"] {
      let path = folder.appendingPathComponent(program).path
      let arguments = ["plan", Self.weights, "--max-bits", "8.2", "--recipe", "\(program)=\(path)"]
      let report = try CommandRunner.json(arguments)
      let rows = try #require(report["results"] as? [[String: Any]])
      #expect(rows.count == 2 && rows.allSatisfy { ($0["scheme"] as? String)?.hasPrefix("q") == false })
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.contains(#"model\\.layers\\.0\\.self_attn\\.k_proj"#) && !text.contains("blk"), "\(text)")
      let plain = try CommandRunner.run(arguments)
      #expect(plain.output.contains("\(program) has not all of their types"), "\(plain.output)")
    }
  }

  /// Half a model is told first, and no recipe is written of it.
  @Test func aMissingShardLeads() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(
      atPath: Self.tiny, toPath: folder.appendingPathComponent("m-00001-of-00002.safetensors").path)
    var map = ["model.layers.9.mlp.up_proj.weight": "m-00002-of-00002.safetensors"]
    for tensor in try TensorFile.open(Self.tiny).tensors { map[tensor.name] = "m-00001-of-00002.safetensors" }
    try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(
      to: folder.appendingPathComponent("m.safetensors.index.json"))
    for command in [
      ["activations", "."], ["quantize", ".", "--scheme", "q8_0"], ["plan", ".", "--max-bits", "5"],
      ["compare", ".", Self.tiny], ["compare", Self.tiny, "."],
    ] {
      let outcome = try CommandRunner.run(command, folder: folder)
      let lines = outcome.output.split(separator: "\n").filter { $0.contains(": ") }
      let told = try #require(
        lines.firstIndex { $0.hasPrefix("incomplete: 1 of 2 shards: ") }, "\(outcome.output)")
      #expect(lines[told].contains("m-00002-of-00002.safetensors is missing, 1 tensor is not looked at"))
      let findings = try #require(try Self.json(command, folder)["findings"] as? [[String: Any]])
      #expect(findings.first?["kind"] as? String == "incomplete")
      #expect(!outcome.output.contains(/left out: .*m-00002/))
    }
    let recipe = try CommandRunner.run(
      ["plan", ".", "--max-bits", "5", "--recipe", "torchao=r.py"], folder: folder)
    #expect(recipe.status == 2 && recipe.errors.contains("a recipe would be for a part of the model"))
    #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("r.py").path))
  }

  /// What a program refuses is not planned for it: a group is a whole one.
  @Test func groupsDivideRows() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let names = ["model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight"]
    let shapes = [[8, 576], [8, 640]]
    let writer = try TensorWriter(
      folder.appendingPathComponent("m.safetensors").path, zip(names, shapes).map { .init($0, .f32, $1) })
    for (name, shape) in zip(names, shapes) {
      let values = (0..<shape[0] * shape[1]).map { (k: Int) -> Double in
        let size = k / 128 % 5 + 1
        return Double((k * 37 % 101 - 50) * size)
      }
      try writer.append(values, to: name)
    }
    try writer.finish()
    func schemes(_ flags: [String]) throws -> [String] {
      let rows = try #require(
        try Self.json(["plan", "m.safetensors", "--max-bits", "8.2"] + flags, folder)["results"]
          as? [[String: Any]])
      return rows.compactMap { $0["scheme"] as? String }
    }
    for program in ["compressed-tensors", "torchao", "llama.cpp"] {
      let found = try schemes([
        "--for", program, "--scheme", "int8@g128:f16", "--scheme", "int8@token:f16",
      ])
      #expect(found == ["int8@row:f16", "int8@g128:f16"], "\(program): \(found)")
    }
    // The usual schemes, and ggml's blocks.
    #expect(try schemes(["--for", "compressed-tensors"]) == ["int8@row:f16", "int8@g128:f16"])
    let blocks = try schemes(["--scheme", "q6_k", "--scheme", "q4_0"])
    #expect(blocks == ["q4_0", "q4_0"])
  }

  /// Shards are one checkpoint by pattern, by list and by index.
  @Test func shardsNeedNoIndex() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let packed = CommandRunner.fixtures.appendingPathComponent("packed/gptq/model.safetensors")
    let whole = try Data(contentsOf: packed)
    let start = whole.withUnsafeBytes { 8 + Int($0.loadUnaligned(as: UInt64.self)) }
    let header = try #require(
      try JSONSerialization.jsonObject(with: whole[8..<start]) as? [String: [String: Any]])
    let files = ["g-00001-of-00002.safetensors", "g-00002-of-00002.safetensors"]
    for (k, file) in files.enumerated() {
      // The file as it is, but the header has the scales in the second alone.
      let part = header.filter { $0.key != "__metadata__" && $0.key.hasSuffix("scales") == (k == 1) }
      var (entries, all): ([String: [String: Any]], Data) = ([:], Data())
      for (name, entry) in part {
        let place = try #require(entry["data_offsets"] as? [Int])
        entries[name] = entry
        entries[name]?["data_offsets"] = [all.count, all.count + place[1] - place[0]]
        all += whole[start + place[0]..<start + place[1]]
      }
      let text = try JSONSerialization.data(withJSONObject: entries)
      let size = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) }
      try (size + text + all).write(to: folder.appendingPathComponent(file))
    }
    func names(_ arguments: [String]) throws -> Set<String> {
      let rows = try #require(try Self.json(arguments, folder)["results"] as? [[String: Any]])
      return Set(rows.compactMap { ($0["tensor"] as? String)?.split(separator: ":").last.map(String.init) })
    }
    let wanted = try names(["activations", packed.path])
    #expect(!wanted.isEmpty && !wanted.contains { $0.hasSuffix("scales") || $0.hasSuffix("qweight") })
    for inputs in [["g-*.safetensors"], files, files.reversed(), ["."]] {
      #expect(try names(["activations"] + inputs) == wanted, "\(inputs)")
      let flags = inputs.flatMap { ["--input", $0] } + ["--scheme", "int8@row"]
      #expect(try names(["quantize"] + flags).isSubset(of: wanted), "\(inputs)")
      #expect(try names(["plan"] + inputs + ["--max-bits", "9"]).isSubset(of: wanted), "\(inputs)")
    }
    let all = try names(["compare", packed.path, packed.path])
    #expect(all.isSuperset(of: wanted))
    #expect(try names(["compare", packed.path, "."]) == all)
    #expect(try names(["compare", "g-*.safetensors", packed.path]) == all)
  }

  private static func json(_ arguments: [String], _ folder: URL) throws -> [String: Any] {
    let outcome = try CommandRunner.run(arguments + ["--format", "json"], folder: folder)
    return try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  @Test func whatHasNoNameIsToldAndTheRestWritten() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let writer = try TensorWriter(
      folder.appendingPathComponent("m.safetensors").path,
      ["encoder.layer.0.output.dense.weight", "pooler.dense.weight"].map { .init($0, .f32, [64, 64]) })
    for name in ["encoder.layer.0.output.dense.weight", "pooler.dense.weight"] {
      try writer.append((0..<4096).map { Double(($0 * 37) % 101) - 50 }, to: name)
    }
    try writer.finish()
    let outcome = try CommandRunner.run(
      ["plan", "m.safetensors", "--max-bits", "9", "--recipe", "llama.cpp=r.txt"], folder: folder)
    #expect(
      outcome.status == 0
        && outcome.output.contains("no name: pooler.dense.weight: llama.cpp has no name for it"),
      "\(outcome.output)\(outcome.errors)")
    let text = try String(contentsOf: folder.appendingPathComponent("r.txt"), encoding: .utf8)
    #expect(text.hasPrefix(#"^blk\.0\.ffn_down\.weight$="#) && !text.contains("pooler"))
  }

  @Test func threadsDoNotShow() throws {
    let one = try CommandRunner.run([
      "plan", Self.tiny, "--max-bits", "5", "--threads", "1", "--format", "json",
    ])
    #expect(one.status == 0, "\(one.errors)")
    for threads in ["2", "5"] {
      let other = try CommandRunner.run([
        "plan", Self.tiny, "--max-bits", "5", "--threads", threads, "--format", "json",
      ])
      #expect(other.output == one.output)
    }
  }

  @Test func modelsAreComparedWorstFirst() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // The same model with one number of one tensor changed.
    var data = try Data(contentsOf: URL(fileURLWithPath: Self.tiny))
    data[data.count - 64 * 8 - 128 - 128 - 96 * 64] ^= 0x40
    let other = folder.appendingPathComponent("other.safetensors")
    try data.write(to: other)
    let text = try CommandRunner.run(["compare", Self.tiny, other.path, Self.tiny]).output
    #expect(text.contains("by file, the worst first") && text.contains("by kind, the worst first"), "\(text)")
    let kinds = try #require(text.range(of: "by kind, the worst first"))
    #expect(
      text[kinds.upperBound...].split(separator: "\n").dropFirst().first?.hasPrefix("mlp.up_proj") == true,
      "\(text)")
    let weights = CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-weights.gguf").path
    let coded = try CommandRunner.run(["compare", weights, weights])
    #expect(coded.status == 0 && coded.output.contains("already quantized: "), "\(coded.errors)")
  }

  @Test func pagesHavePictures() throws {
    for arguments in [
      ["plan", Self.tiny, "--max-bits", "5"], ["activations", Self.tiny], ["compare", Self.tiny, Self.tiny],
      ["quantize", "--input", Self.tiny, "--scheme", "q4_0", "--scheme", "q8_0"],
    ] {
      let page = try CommandRunner.run(arguments + ["--format", "html"]).output
      #expect(page.contains("A heat map:") || arguments[0] == "compare", "\(arguments)")
      if arguments[0] != "compare" { #expect(page.contains("fill-opacity")) }
      // Every mark says what it is of.
      #expect(page.components(separatedBy: "<svg").count == page.components(separatedBy: "</svg>").count)
    }
    // What stays as it is loses nothing, and says so.
    let kept = try CommandRunner.run(["plan", Self.weights, "--max-bits", "6.6", "--format", "html"]).output
    #expect(kept.contains(": lossless</title>") && kept.contains(">lossless</text>"))
    // A few dumps, a file of activations: what each tensor lost, its sizes and channels.
    let dumps = try CommandRunner.run(["compare", Self.hidden, Self.hidden, "--format", "html"]).output
    #expect(dumps.contains("relative L2 error of each tensor") && dumps.contains("hidden.12: "))
    let hidden = try CommandRunner.run(["activations", Self.hidden, "--format", "html"]).output
    #expect(
      hidden.contains("elements by magnitude: hidden.12") && hidden.contains("of each channel: hidden.12"))
    let weights = try CommandRunner.run(["activations", Self.tiny, "--format", "html"]).output
    #expect(weights.contains("of each column: ") && !weights.contains("of each channel"))
    // Marked points are called as their schemes, whatever the file is called.
    let two = ["quantize", "--input", Self.hidden + ":hidden.1*", "--format", "html"]
    let points = try CommandRunner.run(two + ["--scheme", "int8@token", "--scheme", "f16"]).output
    #expect(points.contains(">int8@token</text>") && !points.contains(/<text[^>]*>[^<]*…/))
    let plan = try CommandRunner.run(["plan", Self.tiny, "--max-bits", "5", "--format", "html"]).output
    #expect(plan.contains("what bits buy") && plan.contains("one scheme for all") && plan.contains("<title>"))
  }
}
