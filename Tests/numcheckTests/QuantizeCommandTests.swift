import Foundation
import Quant
import TensorFiles
import Testing

/// `quantize` on files: what goes in, what comes out.
@Suite struct QuantizeCommandTests {
  private let weights = CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-weights.gguf").path

  private func numbers(_ path: String) throws -> (shape: [Int], bits: [UInt32]) {
    let tensor = try TensorSpecifier(path).open()
    return (tensor.shape, try tensor.withFloats { $0.map(\.bitPattern) })
  }

  /// An .npy file of f32 in `folder`.
  private func file(
    _ folder: URL, _ name: String, _ values: [Double], _ shape: [Int], _ type: ElementType = .f32
  )
    throws -> String
  {
    let path = folder.appendingPathComponent(name).path
    try TensorWriter.write(values, as: type, shape: shape, to: path)
    return path
  }

  @Test func blocksOfAFileAreRead() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = try TensorFile.open(weights)
    var types = Set<String>()
    // The largest of each type: more than one band.
    for tensor in file.views.sorted(by: { $0.count > $1.count }) {
      guard case .block(let type) = tensor.elementType, !types.contains(type.name) else { continue }
      types.insert(type.name)
      // What is on the scheme's grid already loses nothing through f32, and f32 is exact through a plain copy.
      let scheme = try #require(GGMLSchemes.scheme(ofBlockType: type.name))
      let columns = try #require(tensor.shape.last)
      var expected = [Float](repeating: 0, count: tensor.count)
      try tensor.withRawBytes { bytes in
        try expected.withUnsafeMutableBufferPointer {
          try scheme.decode(bytes, rows: tensor.count / columns, columns: columns, into: $0)
        }
      }
      let output = folder.appendingPathComponent("\(type.name).npy").path
      let outcome = try CommandRunner.run([
        "quantize", "--input", "\(weights):\(tensor.name)", "--scheme", "f16", "--output", output,
        "--format", "json",
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let (shape, bits) = try numbers(output)
      #expect(shape == tensor.shape)
      #expect(bits == expected.map { Float(Float16($0)).bitPattern }, "\(type)")
    }
    #expect(types == ["q4_1", "q8_0"])
  }

  @Test func outputAndRawAreTheSchemes() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let (rows, columns) = (70, 96)
    let x = (0..<rows * columns).map { Float(sin(Double($0) * 1.7)) * Float(1 + $0 % 13) }
    let input = try file(folder, "x.npy", x.map(Double.init), [7, 10, 96])
    for name in ["q4_1", "nf4:dq", "int8@channel", "nvfp4", "llmint8", "uint4@b32x32"] {
      let scheme = try SchemeRegistry.scheme(named: name)
      let output = folder.appendingPathComponent("y.npy").path
      let raw = folder.appendingPathComponent("y.bin").path
      let outcome = try CommandRunner.run([
        "quantize", "--input", input, "--scheme", name, "--output", output, "--raw", raw,
      ])
      #expect(outcome.status == 0, "\(name): \(outcome.errors)")
      var bytes = [UInt8](repeating: 0, count: try scheme.byteCount(rows: rows, columns: columns))
      var y = [Float](repeating: 0, count: x.count)
      var stored = 0
      try bytes.withUnsafeMutableBytes { raw in
        try x.withUnsafeBufferPointer { try scheme.encode($0, rows: rows, columns: columns, into: raw) }
        let encoded = UnsafeRawBufferPointer(raw)
        stored = try scheme.storedByteCount(encoded, rows: rows, columns: columns)
        try y.withUnsafeMutableBufferPointer {
          try scheme.decode(encoded, rows: rows, columns: columns, into: $0)
        }
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: raw)) == Data(bytes[..<stored]), "\(name)")
      let (shape, bits) = try numbers(output)
      #expect(shape == [7, 10, 96])
      #expect(bits == y.map(\.bitPattern), "\(name)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
  }

  @Test func threadsDoNotShow() throws {
    let arguments = ["quantize", "--rows", "300", "--length", "96", "--distribution", "normal"]
    let one = try CommandRunner.run(arguments + ["--threads", "1", "--format", "json"])
    #expect(one.status == 0)
    for threads in ["2", "7"] {
      #expect(
        try CommandRunner.run(arguments + ["--threads", threads, "--format", "json"]).output == one.output)
    }
    // Few schemes, several tensors: then it is the tensors that share the threads.
    let file = ["quantize", "--input", weights, "--scheme", "q8_0", "--format", "csv"]
    let alone = try CommandRunner.run(file + ["--threads", "1"])
    #expect(alone.status == 0 && alone.output.split(separator: "\n").count > 3, "\(alone.errors)")
    #expect(try CommandRunner.run(file + ["--threads", "3"]).output == alone.output)
  }

  /// What a scheme loses is in no average: it neither shines by it nor puts others in the shade.
  @Test func lostNumbersAreCountedNotAveraged() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let largest = Double(Float.greatestFiniteMagnitude)
    let whole = try file(folder, "whole.npy", (0..<64).map { $0 % 2 == 0 ? largest : -largest }, [1, 64])
    let report = try CommandRunner.json(
      ["quantize", "--input", whole, "--scheme", "q4_0", "--scheme", "int4@g32"])
    let results = try #require(report["results"] as? [[String: Any]])
    let q4 = try #require(results.first { $0["scheme"] as? String == "q4_0" })
    #expect(q4["lost"] as? Int == 64 && q4["sqnr"] is NSNull && q4["cosine"] is NSNull)
    let reasons = q4["withoutValue"] as? [String: String]
    #expect(reasons?["sqnr"] == "every number became NaN or infinite")
    #expect(results.first { $0["scheme"] as? String == "int4@g32" }?["paretoBest"] as? Bool == true)
    let split = try #require(q4["split"] as? [String: Any])
    #expect(split["scaleRounding"] is NSNull)
    let text = try CommandRunner.run(["quantize", "--input", whole, "--scheme", "q4_0"]).output
    #expect(text.contains("none keeps every number finite"))
    // One too large for f16 among others: of a cure's table, and of two dialects.
    let one = try file(folder, "one.npy", (0..<64).map { $0 == 5 ? 1e5 : Double($0 % 5) }, [1, 64])
    let cured = try CommandRunner.run(["quantize", "--input", one, "--scheme", "f16", "--cure", "all"])
    #expect(cured.output.contains("lost: f16: makes 1 finite number NaN or infinite"))
    #expect(!cured.output.contains("alone carry"))
    let dialect = try CommandRunner.run(["dialect", "f8e5m2", "f8e5m2:saturate", "--input", one])
    #expect(dialect.output.contains("lost: f8e5m2: makes 1 finite number NaN or infinite"))
    #expect(
      dialect.output.contains("f8e5m2:saturate keeps more numbers") && !dialect.output.contains("better by"))
  }

  @Test func outputsAreKeptApartAndStandardInputIsReadOnce() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let input = try file(folder, "x.npy", (0..<64).map { Double($0) }, [2, 32])
    let twice = try CommandRunner.run(
      ["quantize", "--input", input, "--scheme", "q8_0", "--output", "y.npy", "--raw", "./y.npy"],
      folder: folder)
    #expect(twice.status == 2 && twice.errors.contains("written twice"))
    _ = try file(folder, "a.npy", (0..<64).map { Double($0) }, [2, 32])
    let over = try CommandRunner.run(
      [
        "quantize", "--input", input, "--activations", "a.npy", "--scheme", "int8@token", "--calibration",
        "mse",
        "--output", "a.npy",
      ], folder: folder)
    #expect(over.status == 2 && over.errors.contains("is an input"))
    let piped = try CommandRunner.run(
      [
        "quantize", "--input", "-", "--scheme", "int8@tensor", "--transform", "hadamard", "--output", "z.npy",
      ],
      input: Data(contentsOf: URL(fileURLWithPath: input)), folder: folder)
    #expect(piped.status == 0, "\(piped.errors)")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
        "a.npy", "x.npy", "z.npy",
      ])
  }

  @Test func whatDoesNotFitIsNamedWithItsReason() throws {
    let report = try CommandRunner.json(["quantize", "--rows", "2", "--length", "100"])
    let skipped = try #require(report["findings"] as? [[String: String]]).filter { $0["kind"] == "not-tried" }
    let q4k = try #require(skipped.first { $0["where"] == "q4_k" }?["message"])
    #expect(q4k.contains("256") && q4k.contains("100"))
    let names = (report["results"] as? [[String: Any]] ?? []).compactMap { $0["scheme"] as? String }
    #expect(Set(names + skipped.compactMap { $0["where"] }) == Set(SchemeRegistry.all.map(\.name)))
  }

  /// Anything numeric goes in, and nothing that comes makes it trap.
  @Test func strangeTensorsAreMeasuredOrRefused() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let special: [Double] = [.nan, .infinity, -.infinity, 0, -0.0, 3e38, 1e-45, 1]
    let inputs = [
      try file(folder, "special.npy", (0..<512).map { special[$0 % 8] }, [2, 256]),
      try file(folder, "nan.npy", [Double](repeating: .nan, count: 512), [2, 256]),
      try file(folder, "infinite.npy", [Double](repeating: .infinity, count: 256), [256]),
      try file(folder, "zero.npy", [Double](repeating: 0, count: 512), [2, 256]),
      try file(folder, "tiny64.npy", [3e38, -1e-300, .leastNonzeroMagnitude, 1], [4], .f64),
      try file(folder, "scalar.npy", [2.5], []),
      try file(folder, "one.npy", [2.5, 1], [2, 1]),
      try file(folder, "int64.npy", [1, -9e15, 3], [3], .int64),
      try file(folder, "bool.npy", [1, 0, 1], [1, 3], .bool),
      try file(folder, "long.npy", (0..<70_001).map { Double($0 % 91) }, [70_001]),
      try file(folder, "tall.npy", (0..<5001).map { Double($0 % 17) }, [5001, 1]),
    ]
    for input in inputs {
      let outcome = try CommandRunner.run(["quantize", "--input", input, "--scheme", "*", "--format", "json"])
      #expect(outcome.status == 0, "\(input): \(outcome.errors)")
      let all = try CommandRunner.run(["quantize", "--input", input, "--format", "json"])
      #expect(all.status == 0, "\(input): \(all.errors)")
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(all.output.utf8)) }
    }
    let empty = try file(folder, "empty.npy", [], [0, 4])
    let outcome = try CommandRunner.run(["quantize", "--input", empty])
    #expect(outcome.status == 2 && outcome.errors.contains("no elements"), "\(outcome.errors)")
  }

  @Test func contradictingMetricsAreWarnedOf() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // Logits near 80: cosine says that all is well.
    let logits = try file(folder, "logits.npy", (0..<32).map { 80 + Double($0) / 4 }, [1, 32])
    let outcome = try CommandRunner.run(["quantize", "--input", logits, "--scheme", "f8e4m3fn"])
    #expect(outcome.output.contains("as logits KL"), "\(outcome.output)")
    let lost = try file(folder, "lost.npy", [1e6, 1, 2, 3], [1, 4])
    let report = try CommandRunner.json(["quantize", "--input", lost, "--scheme", "f16"])
    let warnings = (report["results"] as? [[String: Any]])?.first?["warnings"] as? [String] ?? []
    #expect(warnings.contains { $0.contains("became NaN or infinite") }, "\(warnings)")
  }

  @Test func recommendationsKeepTheirLimits() throws {
    let base = ["quantize", "--rows", "8", "--length", "256", "--distribution", "normal", "--recommend"]
    for (limit, value) in [("--max-bits", 4.5), ("--min-sqnr", 20.0), ("--max-bits", 1e300)] {
      let report = try CommandRunner.json(base + [limit, "\(value)"])
      let name = try #require((report["tensors"] as? [[String: Any]])?.first?["recommended"] as? String)
      let results = try #require(report["results"] as? [[String: Any]])
      let taken = try #require(results.first { $0["scheme"] as? String == name })
      let (bits, sqnr) = (taken["bitsPerWeight"] as? Double ?? 0, taken["sqnr"] as? Double ?? .infinity)
      if limit == "--max-bits" {
        #expect(bits <= value)
        #expect(
          results.allSatisfy {
            ($0["bitsPerWeight"] as? Double ?? 0) > value || ($0["sqnr"] as? Double ?? 0) <= sqnr
          })
      } else {
        #expect(sqnr >= value)
        #expect(
          results.allSatisfy {
            ($0["sqnr"] as? Double ?? .infinity) < value || ($0["bitsPerWeight"] as? Double ?? 0) >= bits
          })
      }
    }
    #expect(try CommandRunner.run(base + ["--max-bits", "1"]).status == 1)
  }

  @Test func dialectsMoveTheirBoundaries() throws {
    let report = try CommandRunner.json([
      "dialect", "mxfp4:floor", "mxfp4:ggml", "--rows", "16", "--length", "64",
    ])
    let moved = try #require(report["moved"] as? [[String: Any]])
    // X = 1: ¾, 1¾ and 3½ go up by halves to even, down in ggml, one float further.
    let upper = moved.filter { ($0["below"] as? Double ?? 0) > 0 }
    #expect(upper.map { $0["second"] as? Double ?? 0 } == [0.75, 1.75, 3.5])
    #expect(upper.allSatisfy { $0["ulps"] as? Int == 1 })
    let text = try CommandRunner.run([
      "dialect", "mxfp4:floor", "mxfp4:ggml", "--rows", "16", "--length", "64",
    ])
    #expect(text.output.contains("below  above  last below, mxfp4"))
  }
}
