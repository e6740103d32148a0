import Foundation
import Quant
import TensorFiles
import Testing

/// What one command reads all read: blocks, deflated entries, shards, any axis, masks of any shape.
@Suite struct ReadingTests {
  private let folder: URL
  private let weights = CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-weights.gguf").path

  init() throws { folder = try CommandRunner.temporaryFolder() }

  private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  private func numbers(_ name: String) throws -> [Double] {
    try TensorSpecifier(path(name)).open().withDoubles { Array($0) }
  }

  private func write(_ name: String, _ values: [Double], _ shape: [Int], _ type: ElementType = .f32) throws
    -> String
  {
    try TensorWriter.write(values, as: type, shape: shape, to: path(name))
    return path(name)
  }

  private func run(_ arguments: [String]) throws -> CommandRunner.Outcome {
    let run = try CommandRunner.run(arguments, folder: folder)
    #expect(run.status == 0, "\(arguments): \(run.errors)")
    return run
  }

  /// The report without where its input came from.
  private func report(_ arguments: [String]) throws -> NSDictionary {
    var report = try CommandRunner.json(arguments)
    for key in ["input", "tensor", "origin"] { report[key] = nil }
    return report as NSDictionary
  }

  /// The results alone, without the names of their tensors.
  private func figures(_ arguments: [String]) throws -> NSArray {
    let results = try #require(CommandRunner.json(arguments)["results"] as? [[String: Any]])
    return results.map { $0.filter { $0.key != "tensor" } } as NSArray
  }

  /// A tensor of blocks is its dequantized numbers, for every command.
  @Test func blocksAreNumbersEverywhere() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = try TensorFile.open(weights)
    let small = try #require(
      file.views.filter { if case .block = $0.elementType { true } else { false } }.min {
        $0.count < $1.count
      })
    let blocks = "\(weights):\(small.name)"
    let plain = path("plain.npy")
    // f32 of the blocks' own numbers.
    _ = try run([
      "quantize", "--input", blocks, "--scheme", "bf16", "--output", path("bf16.npy"), "--format", "csv",
    ])
    guard case .block(let type) = small.elementType else { return }
    let scheme = try #require(GGMLSchemes.scheme(ofBlockType: type.name))
    let columns = try #require(small.shape.last)
    var values = [Float](repeating: 0, count: small.count)
    try small.withRawBytes { bytes in
      try values.withUnsafeMutableBufferPointer {
        try scheme.decode(bytes, rows: small.count / columns, columns: columns, into: $0)
      }
    }
    try TensorWriter.write(values.map(Double.init), as: .f32, shape: small.shape, to: plain)
    for axis in ["0", "-1"] {
      for command in [["softmax", "--rows", "3"], ["lse", "--rows", "2", "--dtype", "bf16"]] {
        #expect(
          try report(command + ["--input", blocks, "--axis", axis])
            == report(command + ["--input", plain, "--axis", axis]), "\(command) \(axis)")
      }
      let quantize = ["quantize", "--scheme", "int8@token", "--rows", "20", "--axis", axis]
      #expect(
        try figures(quantize + ["--input", blocks])
          == figures(quantize + ["--input", plain]), "\(axis)")
      _ = try run(["activations", blocks, "--axis", axis])
    }
    let attention = ["attention", "--algorithm", "flash", "--dtype", "f16"]
    let q = try write("q.npy", (0..<3 * columns).map { sin(Double($0)) }, [3, columns])
    #expect(
      try figures(attention + ["--q", q, "--k", blocks, "--v", blocks])
        == figures(attention + ["--q", q, "--k", plain, "--v", plain]))
    let v = "\(weights):\(small.name)"
    _ = try run(["kvcache", "--q", blocks, "--k", v, "--v", v, "--cache", "f16"])
  }

  @Test func deflatedEntriesAreReadEverywhere() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let several = CommandRunner.fixtures.appendingPathComponent("files/several.npz").path
    let tensor = try TensorSpecifier("\(several):ramp").open()
    let plain = try write("plain.npy", tensor.withDoubles { Array($0) }, tensor.shape)
    for command in [["softmax"], ["quantize", "--scheme", "int4@g4"]] {
      #expect(
        try figures(command + ["--input", "\(several):ramp"])
          == figures(command + ["--input", plain]))
    }
    let all = try run(["activations", several])
    #expect(all.output.contains("ramp") && all.output.contains("turned") && all.output.contains("raw"))
    #expect(all.output.contains("V2"))
    let raw = try CommandRunner.run(["softmax", "--input", "\(several):raw"])
    #expect(raw.status == 2 && raw.errors.contains("tensor 'raw': dtype '|V2'"), "\(raw.errors)")
  }

  /// The layers of a model that was cut into files are one series, named by one index, or by its files.
  @Test func layersOverShardsAreOneSeries() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let massive = 2..<5
    var map: [String: String] = [:]
    for (shard, layers) in [0..<3, 3..<4, 4..<6].enumerated() {
      let name = "m-0000\(shard + 1)-of-00003.safetensors"
      let writer = try TensorWriter(path(name), layers.map { .init("hidden.\($0)", .f32, [8, 16]) })
      for layer in layers {
        var values = (0..<128).map { Double(($0 * 5) % 7) - 3 }
        if massive.contains(layer) { values[9] = 4000 }
        try writer.append(values, to: "hidden.\(layer)")
        map["hidden.\(layer)"] = name
      }
      try writer.finish()
    }
    try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(
      to: folder.appendingPathComponent("m.safetensors.index.json"))
    let files = (1...3).map { "m-0000\($0)-of-00003.safetensors" }
    for arguments in [["m.safetensors.index.json"], files] {
      let text = try run(["activations"] + arguments).output
      #expect(text.contains("from hidden.2 to hidden.4"), "\(text)")
      let json = try run(["activations"] + arguments + ["--format", "json"]).output
      let report = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
      let series = try #require(report?["series"] as? [[String: Any]])
      #expect(series.count == 1)
      #expect(series.first?["layers"] as? [Int] == [0, 1, 2, 3, 4, 5])
    }
    // A file of one tensor keeps the tensor's name.
    #expect(try run(["activations"] + files).output.contains("\(files[1]):hidden.3"))
    try FileManager.default.removeItem(atPath: path(files[1]))
    let left = try run(["activations", "m.safetensors.index.json"]).output
    #expect(
      left.contains(files[1]) && left.contains("No such file") && left.contains("tensor 'hidden.3'"),
      "\(left)")
    let checked = try CommandRunner.run(
      ["activations", "m.safetensors.index.json", "--no-nan"], folder: folder)
    #expect(checked.status == 2 && checked.errors.contains("not all was checked"))
  }

  /// Names with a star, or that differ in an accent's spelling, are told as they are.
  @Test func layersAreCalledAsTheyAre() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    for (k, names) in [["a*b.1", "a*b.2"], ["e\u{301}.1", "\u{e9}.1", "\u{e9}.2"]].enumerated() {
      let file = "\(k).safetensors"
      let writer = try TensorWriter(path(file), names.map { .init($0, .f32, [8, 16]) })
      for name in names {
        var values = (0..<128).map { Double(($0 * 5) % 7) - 3 }
        values[9] = 4000
        try writer.append(values, to: name)
      }
      try writer.finish()
      let text = try run(["activations", file]).output
      let (first, last) = (names[names.count - 2], names[names.count - 1])
      #expect(text.unicodeScalars.contains("from \(first) to \(last)".unicodeScalars), "\(text)")
    }
  }

  /// Masks broadcast over batches, heads, queries and keys as in NumPy.
  @Test(arguments: [
    [6], [1, 6], [5, 1], [5, 6], [1, 5, 6], [3, 1, 6], [3, 5, 6], [1, 1, 1, 6], [2, 1, 5, 6], [2, 1, 1, 6],
    [1, 3, 5, 1], [2, 3, 5, 6], [1, 1, 2, 3, 5, 6],
  ])
  func masksBroadcast(_ shape: [Int]) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let (batches, heads, queries, keys, size) = (2, 3, 5, 6, 4)
    let full = [batches, heads, queries, keys]
    let count = shape.reduce(1, *)
    let values = (0..<count).map { k -> Double in
      if k % 5 == 3 { return -.infinity }
      return Double(k * 7 % 11) / 8 - 0.5
    }
    // By hand: the index of each dimension, 0 where the mask has one.
    let aligned = [Int](repeating: 1, count: max(0, 4 - shape.count)) + Array(shape.suffix(4))
    let whole = (0..<full.reduce(1, *)).map { place -> Double in
      var (rest, index, step) = (place, 0, 1)
      for k in (0..<4).reversed() {
        let at = rest % full[k]
        rest /= full[k]
        if aligned[k] > 1 { index += at * step }
        step *= aligned[k]
      }
      return values[index]
    }
    for layout in ["hnd", "nhd"] {
      func tensor(_ name: String, _ tokens: Int, _ seed: Int) throws -> String {
        let n = batches * heads * tokens * size
        let dimensions = layout == "hnd" ? [batches, heads, tokens, size] : [batches, tokens, heads, size]
        return try write(name, (0..<n).map { sin(Double($0 * seed)) }, dimensions)
      }
      let inputs = [
        "--q", try tensor("q.npy", queries, 1), "--k", try tensor("k.npy", keys, 2), "--v",
        try tensor("v.npy", keys, 3),
        "--layout", layout, "--policy", "safe",
      ]
      let commands = [["reference", "attention"], ["attention", "--algorithm", "flash"]]
      for command in commands {
        func output(_ mask: String, _ name: String) throws -> [UInt64] {
          _ = try run(command + inputs + ["--mask", mask, "--output", path(name)])
          return try numbers(name).map(\.bitPattern)
        }
        let given = try output(write("mask.npy", values, shape), "o.npy")
        let wanted = try output(write("whole.npy", whole, [batches * heads, queries, keys]), "w.npy")
        #expect(given == wanted, "\(command) \(layout)")
        let booleans = values.map { $0 == -.infinity ? 0.0 : 1 }
        let zeros = whole.map { $0 == -.infinity ? $0 : 0 }
        #expect(
          try output(write("b.npy", booleans, shape, .bool), "o.npy")
            == output(write("z.npy", zeros, full), "w.npy"), "\(command) \(layout)")
      }
    }
  }

  @Test func masksThatDoNotFitAreRefused() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let q = try write("q.npy", (0..<120).map { sin(Double($0)) }, [2, 3, 5, 4])
    let base = ["attention", "--q", q, "--k", q, "--v", q, "--algorithm", "flash", "--mask"]
    for shape in [[4], [3, 3], [2, 5, 5], [4, 5, 5], [3, 2, 5, 5], [2, 3, 5, 5, 1], [0]] {
      let mask = try write("m.npy", (0..<shape.reduce(1, *)).map { _ in 0 }, shape)
      let outcome = try CommandRunner.run(base + [mask])
      #expect(outcome.status == 2 && outcome.errors.contains("--mask"), "\(shape): \(outcome.errors)")
    }
    // Ones and zeros of integers would be added.
    let integers = try write("m.npy", [1, 1, 0, 1, 1], [5], .int64)
    let outcome = try CommandRunner.run(base + [integers])
    #expect(
      outcome.status == 2 && outcome.errors.contains("int64 would be added to the scores"),
      "\(outcome.errors)")
  }

  /// The limit of a temperature without end is the uniform answer, in formats without an infinity too.
  @Test(arguments: ["f8e4m3fn", "f8e4m3fnuz", "f8e5m2fnuz", "f4e2m1", "f6e2m3", "f8e5m2", "f16"])
  func temperatureWithoutEnd(_ format: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    for operation in [
      "softmax", "logsoftmax", "lse", "sigmoid", "crossentropy", "crossentropy-gradient", "softmax-jacobian",
      "softmax-vjp",
    ] {
      let base = [operation, "--temperature", "inf", "--rows", "2", "--length", "8", "--range", "3"]
      for flags in [["--dtype", format], ["--dtype", "f32", "--compute", format]] {
        let report = try CommandRunner.json(base + flags)
        let results = try #require(report["results"] as? [[String: Any]])
        #expect(results.allSatisfy { $0["verdict"] as? String != "bug" }, "\(operation) \(flags)")
      }
    }
    let output = [
      "--temperature", "inf", "--rows", "1", "--length", "8", "--range", "3", "--output",
      path("o.safetensors"),
    ]
    _ = try run(["softmax", "--algorithm", "shifted", "--dtype", format] + output)
    #expect(try numbers("o.safetensors") == [Double](repeating: 0.125, count: 8) || format == "f4e2m1")
    _ = try run(["softmax", "--algorithm", "shifted", "--dtype", "f32", "--compute", format] + output)
    #expect(try numbers("o.safetensors") == [Double](repeating: 0.125, count: 8) || format == "f4e2m1")
  }
}
