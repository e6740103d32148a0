import Foundation
import TensorFiles
import Testing

/// Products from files and into files, and their report.
@Suite struct MatmulCommandTests {
  /// A [3, 2, 5] and B [5, 4], whose products f64 holds.
  private let a: [Double] = (0..<30).map { i in Double((i * 7) % 11 - 5) / 4 }
  private let b: [Double] = (0..<20).map { i in
    let x = Double((i * 5) % 13 - 6)
    return x / 8 + 0x1p-20
  }

  private func product(_ round: (Double) -> Double = { $0 }) -> [Double] {
    var c: [Double] = []
    for i in 0..<6 {
      for j in 0..<4 {
        var sum = 0.0
        for k in 0..<5 { sum += round(a[i * 5 + k]) * round(b[k * 4 + j]) }
        c.append(sum)
      }
    }
    return c
  }

  private func withFiles(
    _ body: (_ folder: URL, _ run: ([String]) throws -> CommandRunner.Outcome) throws -> Void
  ) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    try TensorWriter.write(a, as: .f64, shape: [3, 2, 5], to: path("a.npy"))
    try TensorWriter.write(b, as: .f64, shape: [5, 4], to: path("b.npy"))
    let transposed = (0..<4).flatMap { j in (0..<5).map { b[$0 * 4 + j] } }
    try TensorWriter.write(transposed, as: .f32, shape: [4, 5], name: "weight", to: path("bt.safetensors"))
    try TensorWriter.write(transposed, as: .f64, shape: [1, 4, 5], to: path("bt.npy"))
    try body(folder) { try CommandRunner.run($0, folder: folder) }
  }

  private func values(_ name: String, _ folder: URL) throws -> (shape: [Int], values: [Double]) {
    let tensor = try TensorSpecifier(folder.appendingPathComponent(name).path).open()
    return (tensor.shape, try tensor.withDoubles { Array($0) })
  }

  @Test func theReferenceIsTheProduct() throws {
    try withFiles { folder, run in
      let plain = try run([
        "reference", "matmul", "--a", "a.npy", "--b", "b.npy", "--dtype", "f64", "--output", "c.npy",
      ])
      #expect(plain.status == 0 && plain.errors.isEmpty, "\(plain.errors)")
      let c = try values("c.npy", folder)
      #expect(c.shape == [3, 2, 4] && c.values == product())
      // The other way round, and rounded to f32 alone.
      let single = try run([
        "reference", "matmul", "--a", "a.npy", "--b", "bt.npy", "--transpose-b", "--output", "d.safetensors",
      ])
      #expect(single.status == 0, "\(single.errors)")
      let d = try values("d.safetensors:c", folder)
      #expect(d.shape == [3, 2, 4] && d.values == product().map { Double(Float($0)) })
      // Inputs rounded first: f16 has 11 bits.
      let rounded = try run([
        "reference", "matmul", "--a", "a.npy", "--b", "b.npy", "--dtype", "f64", "--round-inputs", "f16",
        "--output", "e.npy",
      ])
      #expect(rounded.status == 0)
      #expect(try values("e.npy", folder).values == product { Double(Float16($0)) })
    }
  }

  /// Fused multiply-adds in f32, one after the other, and what other sums make of them.
  @Test func theOutputIsTheKernels() throws {
    try withFiles { folder, run in
      var wanted: [Double] = []
      for i in 0..<6 {
        for j in 0..<4 {
          var sum: Float = 0
          for k in 0..<5 { sum.addProduct(Float(a[i * 5 + k]), Float(b[k * 4 + j])) }
          wanted.append(Double(sum))
        }
      }
      for threads in ["1", "3"] {
        let outcome = try run([
          "matmul", "--a", "a.npy", "--b", "bt.safetensors:weight", "--transpose-b", "--algorithm",
          "sequential",
          "--threads", threads, "--output", "k.npy",
        ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let k = try values("k.npy", folder)
        #expect(k.shape == [3, 2, 4] && k.values == wanted)
      }
      let coarse = try run([
        "matmul", "--a", "a.npy", "--b", "b.npy", "--algorithm", "pairwise", "--result-dtype", "bf16",
        "--output",
        "k.safetensors", "--as", "f32",
      ])
      #expect(coarse.status == 0, "\(coarse.errors)")
      let bf16 = try values("k.safetensors", folder).values
      #expect(bf16 != wanted && zip(bf16, wanted).allSatisfy { abs($0 - $1) <= 0x1p-8 * abs($1) })
    }
  }

  /// Integers in a file are codes as they stand.
  @Test func integersAreExact() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let codes: [Double] = (0..<12).map { i in Double((i * 31) % 255 - 127) }
    let path = folder.appendingPathComponent("i.safetensors").path
    try TensorWriter.write(codes, as: .int8, shape: [3, 4], to: path)
    let report = try CommandRunner.json([
      "matmul", "--a", path, "--b", path, "--transpose-b", "--dtype", "int8", "--scales", "none",
    ])
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.count == 4 && report["accumulate"] as? String == "int32")
    for result in results {
      #expect(result["maxAbsoluteError"] as? Double == 0 && result["verdict"] as? String == "ok")
      #expect((result["bound"] as? [String: Any])?["kind"] as? String == "sound")
    }
  }

  @Test func theReportSaysWhatWasAsked() throws {
    let report = try CommandRunner.json([
      "matmul", "--rows", "5", "--inner", "300", "--b-columns", "7", "--dtype", "fp8", "--scales", "block:64",
      "--accumulate", "f16", "--result-dtype", "bf16", "--algorithm", "blocked:32,split-k:2", "--seed", "9",
    ])
    #expect(report["command"] as? String == "matmul" && report["scales"] as? String == "block:64")
    #expect(report["dtype"] as? String == "f8e4m3fn" && report["resultDtype"] as? String == "bf16")
    #expect(report["rows"] as? Int == 5 && report["length"] as? Int == 300 && report["columns"] as? Int == 7)
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.map { $0["algorithm"] as? String } == ["blocked:32", "split-k:2"])
    // 64 products of up to 448² overflow f16 at worst: that is said.
    let findings = report["findings"] as? [[String: Any]] ?? []
    #expect(
      findings.contains { $0["message"] as? String == "sums may overflow the accumulator" }, "\(findings)")
  }

  @Test func whatIsNoNumberLeads() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("x.npy").path
    try TensorWriter.write([1, .nan, 3, 70000, 5, 6], as: .f64, shape: [2, 3], to: path)
    let arguments = ["matmul", "--a", path, "--b", path, "--transpose-b", "--dtype", "f16"]
    let report = try CommandRunner.json(arguments)
    let input = try #require(report["input"] as? [String: Any])
    #expect(input["nan"] as? Int == 2 && input["inf"] as? Int == 0 && input["overflowed"] as? Int == 2)
    let text = try CommandRunner.run(arguments).output
    #expect(text.contains("A: 1 NaN (first at 0,1)") && text.contains("2 of 12 overflow f16"), "\(text)")
    #expect(try CommandRunner.run(arguments + ["--no-nan"]).status == 1)
  }

  @Test func checksFail() throws {
    let arguments = [
      "matmul", "--rows", "4", "--inner", "600", "--b-columns", "8", "--algorithm", "sequential",
    ]
    #expect(try CommandRunner.run(arguments + ["--no-bug", "--check", "ulp.atPeak<=100"]).status == 0)
    #expect(try CommandRunner.run(arguments + ["--check", "ulp.atPeak<=0.01"]).status == 1)
    let overflow =
      arguments + [
        "--dtype", "f16", "--accumulate", "f16", "--result-dtype", "f32", "--distribution", "constant",
        "--range",
        "20",
      ]
    let outcome = try CommandRunner.run(overflow + ["--no-bug"])
    #expect(
      outcome.status == 1 && outcome.output.contains("infinity born in stage 'sum'"), "\(outcome.output)")
  }

  static let wrong: [[String]] = [
    ["--a", "a.npy"], ["--b", "b.npy"], ["--a", "a.npy", "--b", "bt.npy"],
    ["--a", "a.npy", "--b", "b.npy", "--transpose-b"], ["--a", "a.npy", "--b", "a.npy"],
    ["--a", "no.npy", "--b", "b.npy"], ["--a", "a.npy:none", "--b", "b.npy"], ["--transpose-b"],
    ["--a", "a.npy", "--b", "b.npy", "--rows", "2"], ["--a", "a.npy", "--b", "b.npy", "--range", "2"],
    ["--a", "a.npy", "--b", "b.npy", "--distribution", "normal"], ["--rows", "0"], ["--inner", "-4"],
    ["--b-columns", "99999999999"], ["--rows", "60000000", "--inner", "60000000"], ["--range", "inf"],
    ["--dtype", "uint8"], ["--dtype", "e8m0"], ["--dtype", "f17"], ["--accumulate", "int8"],
    ["--accumulate", "int32"], ["--accumulate", "e8m0"], ["--accumulate", ""], ["--result-dtype", "int8"],
    ["--result-dtype", "e8m0"], ["--dtype", "f64", "--scales", "row"], ["--scales", "column"],
    ["--scales", "block:"], ["--scales", "block:0"], ["--scales", "block:1:2"], ["--scales", "tensor:2"],
    ["--algorithm", ""], ["--algorithm", "kahan"], ["--algorithm", "pairwise,"],
    ["--algorithm", "blocked:0"],
    ["--algorithm", "split-k:x"], ["--output", "k.npy"], ["--as", "f32"],
    ["--algorithm", "pairwise", "--output", "k.npy", "--as", "f16"],
    ["--algorithm", "pairwise", "--result-dtype", "f4e2m1", "--output", "k.npy"],
    ["--algorithm", "pairwise", "--output", "no/folder/k.npy"],
    ["--a", "a.npy", "--b", "b.npy", "--algorithm", "pairwise", "--output", "a.npy"], ["stray"],
  ]

  /// One line, status 2, no file written and none lost.
  @Test(arguments: wrong) func rubbishEndsWithALine(arguments: [String]) throws {
    try withFiles { folder, run in
      let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      let outcome = try run(["matmul"] + arguments)
      #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome.output)")
      #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == before)
      #expect(try values("a.npy", folder).values == a)
    }
  }

  @Test(arguments: [
    [], ["--output", "c.npy", "--dtype", "int8"], ["--output", "c.npy", "--round-inputs", "int8"],
    ["--output", "c.npy", "--as", "f16"], ["--output", "c.npy", "--algorithm", "pairwise"],
    ["--output", "c.npy", "--a", "a.npy"], ["--output", "a.npy", "--a", "a.npy", "--b", "b.npy"],
  ])
  func rubbishForTheReferenceToo(arguments: [String]) throws {
    try withFiles { folder, run in
      let outcome = try run(["reference", "matmul"] + arguments)
      #expect(
        outcome.status == 2 && outcome.output.isEmpty && outcome.errors.split(separator: "\n").count == 1)
      #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("c.npy").path))
      #expect(try values("a.npy", folder).values == a)
    }
  }
}
