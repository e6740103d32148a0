import Foundation
import Testing

/// However rows, tensors and files fall into 1 to 7 parts, put together they are the run in one piece, byte for byte.
@Suite struct PartitionTests {
  /// Models of several files whose tensors are of any size, so that parts end anywhere: within rows that are one tensor's, between
  /// tensors, between files, and where there are more parts than tensors.
  private struct Model {
    let run: Command
    /// The first model's, and those of another one of the same names.
    let files: [String]
    let others: [String]

    init(seed: UInt64) throws {
      run = try Command()
      var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
      func next(_ range: ClosedRange<Int>) -> Int {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        let high = (state &* 2_685_821_657_736_338_717) >> 33
        return range.lowerBound + Int(high) % range.count
      }
      var (files, others): ([String], [String]) = ([], [])
      var number = 0
      for k in 0..<next(2...3) {
        let tensors = (0..<next(1...3)).map { _ in
          number += 1
          // Now and then one that is most of the model.
          let rows = next(0...3) == 0 ? next(300...700) : next(1...60)
          return (name: "model.layers.\(number).mlp.up_proj.weight", rows: rows, columns: 32 * next(1...5))
        }
        files.append("a\(k).safetensors")
        others.append("b\(k).safetensors")
        try run.write(files[k], tensors: tensors)
        try run.write(others[k], tensors: tensors, shift: 17 * (k + 1))
      }
      (self.files, self.others) = (files, others)
    }
  }

  private static let seeds: [UInt64] = [1, 2]

  private func check(_ run: Command, _ line: [String], counts: [Int] = Array(1...7)) throws {
    let whole = try run(line)
    #expect(whole.status < 2 && !whole.output.isEmpty, "\(line): \(whole.errors)")
    for count in counts {
      let merged = try run(["merge"] + run.parts(line, count))
      #expect(merged == whole, "\(line) in \(count) parts")
    }
  }

  @Test(arguments: seeds) func activations(seed: UInt64) throws {
    let model = try Model(seed: seed)
    try check(model.run, ["activations"] + model.files + ["--details", "--format", "json"])
  }

  @Test(arguments: seeds) func quantize(seed: UInt64) throws {
    let model = try Model(seed: seed)
    let schemes = ["int4@g32", "int8@tensor", "int3@channel", "q4_0", "nf4:dq", "nvfp4"]
    try check(
      model.run,
      ["quantize"] + model.files.flatMap { ["--input", $0] } + schemes.flatMap { ["--scheme", $0] } + [
        "--details", "--format", "json",
      ])
  }

  @Test(arguments: seeds) func compare(seed: UInt64) throws {
    let model = try Model(seed: seed)
    for (a, b) in zip(model.files, model.others) {
      try check(model.run, ["compare", a, b, "--format", "json"])
    }
  }

  @Test(arguments: seeds) func plan(seed: UInt64) throws {
    let model = try Model(seed: seed)
    let schemes = ["int3@g32", "int4@g32", "int8@row", "q4_0"].flatMap { ["--scheme", $0] }
    try check(
      model.run,
      ["plan"] + model.files + schemes + ["--max-bits", "5", "--sample", "2000", "--format", "json"])
  }

  /// Results that are right, and some that are another temperature's.
  @Test func verify() throws {
    let run = try Command()
    try run.write("rows.npy", rows: 41, columns: 50, seed: 5, special: [151: .nan, 350: .infinity])
    for (name, temperature) in [("right.npy", "1"), ("wrong.npy", "1.05")] {
      try write(run, name, "f16", temperature: temperature)
      try check(run, ["verify", "softmax", "rows.npy", "--results", name, "--format", "json"])
    }
    let called = try run(["verify", "softmax", "rows.npy", "--exec", "true", "--shard", "1/2"])
    #expect(called.isRefusal("--exec"))
  }

  /// So many that most rows are held to proof in bulk.
  @Test func verifyInBulk() throws {
    let run = try Command()
    try run.write("rows.npy", rows: 257, columns: 4096, seed: 5, special: [12_289: .nan])
    try write(run, "right.npy", "f32", temperature: "1")
    try check(
      run, ["verify", "softmax", "rows.npy", "--results", "right.npy", "--format", "json"], counts: [2])
  }

  private func write(_ run: Command, _ name: String, _ dtype: String, temperature: String) throws {
    let made = try run([
      "softmax", "rows.npy", "--dtype", dtype, "--algorithm", "shifted", "--temperature", temperature,
      "--output", name,
    ])
    #expect(made.status < 2, "\(made.errors)")
  }

  /// A plan's recipe is written by who puts parts together.
  @Test func aRecipeIsWrittenOnce() throws {
    let model = try Model(seed: 4)
    let line =
      ["plan"] + model.files + ["--max-bits", "6", "--scheme", "q4_0", "--scheme", "q8_0"] + [
        "--recipe", "llama.cpp=recipe.txt",
      ]
    let url = model.run.folder.appendingPathComponent("recipe.txt")
    let whole = try model.run(line)
    let recipe = try String(contentsOf: url, encoding: .utf8)
    try FileManager.default.removeItem(at: url)
    let parts = try model.run.parts(line, 3)
    #expect(!FileManager.default.fileExists(atPath: url.path))
    #expect(try model.run(["merge"] + parts) == whole)
    #expect(try String(contentsOf: url, encoding: .utf8) == recipe)
  }
}
