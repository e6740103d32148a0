import Foundation
import TensorFiles
import Testing

/// Normalisations from files and into files, and their flags.
@Suite struct NormCommandTests {
  private let x: [Double] = [3, -1, 2, 0.5, 10, 20, 30, 41, -1, -1, -1, -2]
  private let weight: [Double] = [1, 0.5, -2, 4]
  private let bias: [Double] = [0, 1, 0.25, -3]

  private func withFiles(
    _ body: (_ folder: URL, _ run: ([String]) throws -> CommandRunner.Outcome) throws -> Void
  ) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    try TensorWriter.write(x, as: .f32, shape: [3, 4], to: path("x.npy"))
    try TensorWriter.write(weight, as: .f32, shape: [4], to: path("w.npy"))
    try TensorWriter.write(bias, as: .f32, shape: [4], name: "bias", to: path("b.safetensors"))
    try body(folder) { try CommandRunner.run($0, folder: folder) }
  }

  private func values(_ name: String, _ folder: URL) throws -> (shape: [Int], values: [Double]) {
    let tensor = try TensorSpecifier(folder.appendingPathComponent(name).path).open()
    return (tensor.shape, try tensor.withDoubles { Array($0) })
  }

  /// In Double, which is more than f32 asks for on rows as tame as these.
  private func layerNorm(_ epsilon: Double) -> [Double] {
    stride(from: 0, to: 12, by: 4).flatMap { start in
      let row = x[start..<start + 4]
      let mean = row.reduce(0, +) / 4
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4
      return row.enumerated().map { i, v in
        (v - mean) / (variance + epsilon).squareRoot() * weight[i] + bias[i]
      }
    }
  }

  @Test func theReferenceIsTheDefinition() throws {
    try withFiles { folder, run in
      let made = try run([
        "reference", "layernorm", "--input", "x.npy", "--weight", "w.npy", "--bias", "b.safetensors:bias",
        "--epsilon", "0.5", "--output", "y.npy",
      ])
      #expect(made.status == 0, "\(made.errors)")
      let y = try values("y.npy", folder)
      #expect(y.shape == [3, 4] && y.values == layerNorm(0.5).map { Double(Float($0)) })
      // Along the other axis, results lie as the input did.
      let across = try run([
        "reference", "rmsnorm", "--input", "x.npy", "--axis", "0", "--epsilon", "0", "--output", "z.npy",
      ])
      #expect(across.status == 0, "\(across.errors)")
      let z = try values("z.npy", folder)
      #expect(z.shape == [3, 4])
      let squares = (x[0] * x[0] + x[4] * x[4] + x[8] * x[8]) / 3
      #expect(z.values[4] == Double(Float(x[4] / squares.squareRoot())))
    }
  }

  @Test func aKernelsResultsAreWritten() throws {
    try withFiles { folder, run in
      let made = try run([
        "layernorm", "--input", "x.npy", "--weight", "w.npy", "--bias", "b.safetensors:bias", "--epsilon",
        "0.5",
        "--dtype", "f32", "--algorithm", "two-pass", "--output", "k.safetensors", "--no-bug",
      ])
      #expect(made.status == 0, "\(made.errors)")
      #expect(made.output.contains("with weight and bias"))
      let k = try values("k.safetensors:layernorm", folder)
      for (got, want) in zip(k.values, layerNorm(0.5)) { #expect(abs(got - want) < 1e-5) }
    }
  }

  @Test func rowsWithoutAnswerLead() throws {
    try withFiles { folder, run in
      let level = [Double](repeating: 7, count: 4)
      try TensorWriter.write(level, as: .f32, shape: [1, 4], to: folder.appendingPathComponent("c.npy").path)
      let ieee = try run(["layernorm", "--input", "c.npy", "--epsilon", "0", "--format", "json"])
      #expect(ieee.output.contains("\"rowsWithoutAnswer\": 1"))
      #expect(ieee.output.contains("1 row has no answer"))
      let safe = try run([
        "reference", "layernorm", "--input", "c.npy", "--epsilon", "0", "--policy", "safe", "--output",
        "s.npy",
      ])
      #expect(safe.status == 0)
      #expect(try values("s.npy", folder).values == [0, 0, 0, 0])
    }
  }

  @Test(arguments: [
    (["rmsnorm", "--epsilon", "-1"], "epsilon"), (["rmsnorm", "--epsilon", "nan"], "epsilon"),
    (["rmsnorm", "--input", "x.npy", "--bias", "w.npy"], "no bias"),
    (["layernorm", "--weight", "w.npy", "--length", "5"], "4 numbers for rows of 5"),
    (["layernorm", "--algorithm", "shifted"], "no algorithm 'shifted'"),
    (["layernorm", "--policy", "uniform"], "uniform"), (["layernorm", "--temperature", "2"], "temperature"),
    (["reference", "rmsnorm", "--input", "x.npy", "--output", "x.npy"], "is an input"),
    (["reference", "rmsnorm", "--input", "w.npy", "--weight", "w.npy", "--output", "w.npy"], "is an input"),
  ])
  func rubbishIsOneLine(_ arguments: [String], _ needle: String) throws {
    try withFiles { _, run in
      let outcome = try run(arguments)
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      #expect(outcome.errors.contains(needle), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }
}
