import Foundation
import Quant
import TensorFiles
import Testing

/// Whole models: what goes in by folder, pattern and parts, and what comes out first.
@Suite struct ModelCommandTests {
  private static let tiny = CommandRunner.fixtures.appendingPathComponent("models/tiny.safetensors")

  private func lines(_ arguments: [String], status: Int32 = 0) throws -> String {
    let outcome = try CommandRunner.run(arguments)
    #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
    return outcome.output
  }

  /// A copy of the model in a folder of its own.
  private func folder(_ names: [String]) throws -> URL {
    let folder = try CommandRunner.temporaryFolder()
    for name in names {
      try FileManager.default.copyItem(at: Self.tiny, to: folder.appendingPathComponent(name))
    }
    return folder
  }

  @Test func aModelIsSummarisedWorstFirst() throws {
    let text = try lines([
      "quantize", "--input", Self.tiny.path, "--scheme", "int8@tensor", "--scheme", "int4@row",
    ])
    let (kinds, layers) = (try #require(text.range(of: "by kind")), try #require(text.range(of: "by layer")))
    let tensors = try #require(text.range(of: "tensor by tensor"))
    #expect(kinds.lowerBound < layers.lowerBound && layers.lowerBound < tensors.lowerBound)
    // The one with the peak is the worst of all.
    let first = text[tensors.upperBound...].split(separator: "\n").dropFirst().first ?? ""
    #expect(first.hasPrefix("2.self_attn.o_proj"), "\(text)")
    #expect(text.contains("left out: 5 tensors: a vector: gains of a norm"))
    #expect(text.contains("model.position_ids: int64 numbers: ids or masks, not weights"))
    #expect(!text.contains("@token"))
    // Machines have every row, in the file's order, and canonical names.
    let report = try CommandRunner.json(["quantize", "--input", Self.tiny.path, "--scheme", "int4@row"])
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.count == 21 && results.allSatisfy { $0["scheme"] as? String == "int4@token" })
  }

  @Test func recommendationsNameTheirTensors() throws {
    let text = try lines([
      "quantize", "--input", Self.tiny.path, "--recommend", "--max-bits", "4.6", "--top", "30",
    ])
    #expect(text.split(separator: "\n").count < 80, "\(text)")
    for layer in 0..<4 { #expect(text.contains("\(layer).self_attn.v_proj ")) }
    #expect(text.contains("take ") && !text.contains("position_ids  "))
    // A few tensors have tables of their own: the line that recommends says of what.
    let few = try lines([
      "quantize", "--input", Self.tiny.path + ":*.0.*_proj.weight", "--recommend", "--max-bits", "4.6",
    ])
    #expect(few.contains(" for \(Self.tiny.path):model.layers.0.self_attn.q_proj.weight: "))
  }

  @Test func resultsStreamInOrder() throws {
    for threads in ["1", "3"] {
      let text = try lines([
        "quantize", "--input", Self.tiny.path, "--scheme", "q8_0", "--stream", "--threads", threads,
      ])
      let rows = try text.split(separator: "\n").map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
      }
      let report = try CommandRunner.json(["quantize", "--input", Self.tiny.path, "--scheme", "q8_0"])
      let results = try #require(report["results"] as? [[String: Any]])
      #expect(
        rows.count == 21 && rows.map { $0["tensor"] as? String } == results.map { $0["tensor"] as? String })
      #expect(rows.map { $0["sqnr"] as? Double } == results.map { $0["sqnr"] as? Double })
    }
    let text = try lines(["activations", Self.tiny.path, "--stream"])
    #expect(text.split(separator: "\n").count == 21)
  }

  @Test func foldersPatternsAndSeveralInputsAreOneModel() throws {
    let folder = try folder(["model-a.safetensors", "model-b.safetensors"])
    defer { try? FileManager.default.removeItem(at: folder) }
    func count(_ inputs: [String]) throws -> Int {
      let report = try CommandRunner.json(
        ["quantize", "--scheme", "q8_0"] + inputs.flatMap { ["--input", $0] })
      return (report["results"] as? [Any] ?? []).count
    }
    #expect(try count([folder.path]) == 42)
    #expect(try count([folder.path + "/model-?.safetensors"]) == 42)
    #expect(try count([folder.path + "/model-*.safetensors:*.q_proj.weight"]) == 8)
    #expect(try count([folder.path + "/model-a.safetensors", folder.path + "/model-b.safetensors"]) == 42)
    // What is asked for by name is measured whatever it is.
    #expect(try count([Self.tiny.path + ":*norm*"]) == 5)
    let twice = try CommandRunner.run(["softmax", "--input", "a.npy", "--input", "b.npy"])
    #expect(twice.status == 2 && twice.errors.contains("are two inputs"))
    let none = try CommandRunner.run(["activations", folder.path + "/x-*.safetensors"])
    #expect(none.status == 2 && none.errors.contains("no file is called like that"))
    try FileManager.default.createDirectory(
      at: folder.appendingPathComponent("empty"), withIntermediateDirectories: true)
    let empty = try CommandRunner.run(["activations", folder.path + "/empty"])
    #expect(empty.status == 2 && empty.errors.contains("is a folder without"))
  }

  @Test func namesThatAreNearlyRightAreOffered() throws {
    let name = "model.layers.1.self_attn.q_proj.weigth"
    for command in ["quantize", "activations"] {
      let outcome = try CommandRunner.run([command, Self.tiny.path + ":" + name])
      #expect(
        outcome.status == 2
          && outcome.errors.contains("did you mean 'model.layers.1.self_attn.q_proj.weight'"),
        "\(outcome.errors)")
    }
    let pattern = try CommandRunner.run(["activations", Self.tiny.path + ":blk.*"])
    #expect(pattern.status == 2 && pattern.errors.contains("no tensor is called 'blk.*'"))
  }

  @Test func pickledCheckpointsAreRefusedWithTheWayOut() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let name = Data("archive/data.pkl".utf8)
    var zip = Data([0x50, 0x4b, 3, 4]) + Data(repeating: 0, count: 22)
    zip += Data([UInt8(name.count), 0, 0, 0]) + name + Data(repeating: 0, count: 60)
    try zip.write(to: folder.appendingPathComponent("model.pt"))
    try Data([0x80, 2, 0x8a, 10]).write(to: folder.appendingPathComponent("pytorch_model.bin"))
    for file in ["model.pt", "pytorch_model.bin", ""] {
      let outcome = try CommandRunner.run(["activations", folder.appendingPathComponent(file).path])
      #expect(
        outcome.status == 2 && outcome.errors.contains("checkpoint of PyTorch")
          && outcome.errors.contains("save_file"),
        "\(file): \(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }

  @Test func rawFilesAreReadAsTheyAreSaidToBe() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let values = (0..<256).map { Float(sin(Double($0))) }
    let data = values.withUnsafeBytes { Data($0) }
    let (raw, npy) = (folder.appendingPathComponent("x.bin"), folder.appendingPathComponent("x.npy"))
    try data.write(to: raw)
    try ActivationsTests.npy("<f4", [4, 64], data).write(to: npy)
    func sqnr(_ arguments: [String]) throws -> [Double?] {
      let report = try CommandRunner.json(["quantize", "--scheme", "int8@token"] + arguments)
      return (report["results"] as? [[String: Any]] ?? []).map { $0["sqnr"] as? Double }
    }
    let expected = try sqnr(["--input", npy.path])
    #expect(try sqnr(["--input", raw.path, "--dtype", "f32", "--shape", "4,64"]) == expected)
    let halves = try CommandRunner.json(["activations", raw.path, "--dtype", "bf16", "--shape", "8,64"])
    #expect((halves["results"] as? [[String: Any]])?.first?["type"] as? String == "bf16")
    for (flags, words) in [
      (["--dtype", "f32", "--shape", "4,63"], "takes 1008"), (["--dtype", "f32"], "together"),
      (["--dtype", "f32", "--shape", "4,x"], "whole numbers"),
      (["--dtype", "f32", "--shape", "-4,64"], "whole numbers"),
      (["--dtype", "f32", "--shape", "9223372036854775807,9"], "more"),
      (["--dtype", "int4", "--shape", "4"], "no type"),
    ] {
      let outcome = try CommandRunner.run(["activations", raw.path] + flags)
      #expect(outcome.status == 2 && outcome.errors.contains(words), "\(flags): \(outcome.errors)")
    }
  }

  @Test func ofWeightsRangesAreTold() throws {
    let text = try lines(["activations", Self.tiny.path])
    #expect(text.contains("range: model.layers.2.self_attn.o_proj.weight: the largest |w| is"), "\(text)")
    #expect(text.contains("int8@tensor") && text.contains("int8@row") && !text.contains("@token"))
    let kinds = try #require(text.range(of: "by kind, the widest range first"))
    #expect(
      text[kinds.upperBound...].split(separator: "\n").dropFirst().first?.hasPrefix("self_attn.o_proj")
        == true)
  }

  @Test func partsOfAModelAreReadAsOne() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func gguf(_ name: String) -> Data {
      var data = Data("GGUF".utf8)
      func put<T: FixedWidthInteger>(_ x: T) { withUnsafeBytes(of: x.littleEndian) { data += Data($0) } }
      put(UInt32(3))
      put(UInt64(1))
      put(UInt64(0))
      put(UInt64(name.utf8.count))
      data += Data(name.utf8)
      put(UInt32(2))
      put(UInt64(64))
      put(UInt64(4))
      put(UInt32(0))
      put(UInt64(0))
      data += Data(repeating: 0, count: (32 - data.count % 32) % 32)
      for k in 0..<256 { withUnsafeBytes(of: Float(k % 17) - 8) { data += Data($0) } }
      return data
    }
    for k in 1...3 {
      try gguf("blk.\(k).attn_q.weight").write(to: folder.appendingPathComponent("m-0000\(k)-of-00003.gguf"))
    }
    let first = folder.appendingPathComponent("m-00001-of-00003.gguf").path
    for input in [first, folder.path, folder.path + "/m-*.gguf"] {
      let report = try CommandRunner.json(["activations", input])
      #expect((report["results"] as? [Any] ?? []).count == 3, "\(input)")
    }
    try FileManager.default.removeItem(atPath: folder.appendingPathComponent("m-00002-of-00003.gguf").path)
    let lacking = try CommandRunner.run(["activations", first])
    #expect(
      lacking.output.contains(
        "incomplete: 2 of 3 shards: \(first):m-00002-of-00003.gguf is missing, what it has"),
      "\(lacking.output)")
    try gguf("blk.1.attn_q.weight").write(to: folder.appendingPathComponent("m-00002-of-00003.gguf"))
    #expect(try CommandRunner.run(["activations", first]).output.contains("which another part has too"))
  }
}
