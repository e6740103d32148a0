import Foundation
import NumKit
import TensorFiles
import Testing

/// `numcheck reference attention --backward`.
@Suite struct BackwardReferenceCommandTests {
  private let folder: URL

  init() throws { folder = try CommandRunner.temporaryFolder() }

  private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  private func draw(_ count: Int, _ seed: UInt64) -> [Double] {
    var random = RandomSource(seed: seed, row: 0)
    return (0..<count).map { _ in Double(Float(random.normal())) }
  }

  private func write(_ name: String, _ values: [Double], _ shape: [Int]) throws -> String {
    try TensorWriter.write(values, as: .f32, shape: shape, to: path(name))
    return path(name)
  }

  private func gradients(_ name: String) throws -> [String: (shape: [Int], values: [Double])] {
    let file = try TensorFile.open(path(name))
    #expect(Set(file.tensors.map(\.name)) == ["dq", "dk", "dv"])
    var found: [String: (shape: [Int], values: [Double])] = [:]
    for one in ["dq", "dk", "dv"] {
      let tensor = try file.tensor(named: one)
      found[one] = (tensor.shape, try tensor.withDoubles { Array($0) })
    }
    return found
  }

  /// [batch 2, tokens, heads, size] with grouped heads, and the same heads first: each gradient is shaped and laid out as its tensor,
  /// and is what the library proves.
  @Test func gradientsFollowTheirTensors() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let (heads, keyHeads, queries, keys, size, width) = (4, 2, 3, 5, 3, 2)
    func tensor(_ name: String, _ tokens: Int, _ heads: Int, _ size: Int, _ seed: UInt64) throws -> [Double] {
      let x = draw(2 * heads * tokens * size, seed)
      var turned = x
      for b in 0..<2 {
        for h in 0..<heads {
          for n in 0..<tokens {
            for c in 0..<size {
              turned[((b * tokens + n) * heads + h) * size + c] = x[((b * heads + h) * tokens + n) * size + c]
            }
          }
        }
      }
      _ = try write("\(name)-hnd.npy", x, [2, heads, tokens, size])
      _ = try write("\(name)-nhd.npy", turned, [2, tokens, heads, size])
      return x
    }
    let q = try tensor("q", queries, heads, size, 1)
    let k = try tensor("k", keys, keyHeads, size, 2)
    let v = try tensor("v", keys, keyHeads, width, 3)
    let g = try tensor("g", queries, heads, width, 4)
    for layout in ["hnd", "nhd"] {
      let outcome = try CommandRunner.run([
        "reference", "attention", "--backward", "--q", path("q-\(layout).npy"), "--k",
        path("k-\(layout).npy"), "--v", path("v-\(layout).npy"), "--do", path("g-\(layout).npy"), "--layout",
        layout, "--causal", "--softmax", "sink:0.5", "--dtype", "f32", "--output",
        path("\(layout).safetensors"),
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("backward (dO from"))
    }
    let (a, b) = (try gradients("hnd.safetensors"), try gradients("nhd.safetensors"))
    let shape = AttentionShape(
      heads: 2 * heads, keyHeads: 2 * keyHeads, queries: queries, keys: keys, headSize: size, valueSize: width
    )
    let tensors = try #require(AttentionInputs(q: q, k: k, v: v, shape: shape))
    let truth = try BackwardTruths(
      tensors, gradient: g,
      AttentionParameters(softmax: .sink([0.5]), mask: AttentionMask(causal: true)), format: .f32)
    for (name, expected, tokens, count, size) in [
      ("dq", truth.q, queries, heads, size), ("dk", truth.k, keys, keyHeads, size),
      ("dv", truth.v, keys, keyHeads, width),
    ] {
      let (one, other) = (try #require(a[name]), try #require(b[name]))
      #expect(one.shape == [2, count, tokens, size] && other.shape == [2, tokens, count, size])
      #expect(one.values == expected && expected.contains { $0 != 0 })
      var turned = other.values
      for batch in 0..<2 {
        for h in 0..<count {
          for n in 0..<tokens {
            for c in 0..<size {
              turned[((batch * count + h) * tokens + n) * size + c] =
                other.values[((batch * tokens + n) * count + h) * size + c]
            }
          }
        }
      }
      #expect(turned == one.values)
    }
  }

  /// Generated tensors and dO are those that `attention --backward` measures: its truth is what is written here.
  @Test func theSeedIsTheSame() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let base = ["--heads", "2", "--kv-heads", "1", "--tokens", "6", "--head-size", "4", "--seed", "9"]
    let json = try CommandRunner.json(
      ["reference", "attention", "--backward", "--dtype", "f64", "--output", path("o.safetensors")] + base)
    #expect(json["backward"] as? Bool == true)
    let certificate = try #require(json["certificate"] as? [String: Any])
    #expect(certificate["undecided"] as? Int == 0)
    let found = try gradients("o.safetensors")
    #expect(
      found["dq"]?.shape == [2, 6, 4] && found["dk"]?.shape == [1, 6, 4] && found["dv"]?.shape == [1, 6, 4])
    // Another seed is another problem; another thread count is not.
    for (name, flags) in [("s", ["--seed", "10"]), ("t", ["--seed", "9", "--threads", "1"])] {
      let outcome = try CommandRunner.run(
        ["reference", "attention", "--backward", "--dtype", "f64", "--output", path("\(name).safetensors")]
          + base.dropLast(2) + flags)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    #expect(try gradients("s.safetensors")["dv"]?.values != found["dv"]?.values)
    #expect(try gradients("t.safetensors")["dv"]?.values == found["dv"]?.values)
  }

  /// Inputs and dO are rounded where that is asked for, and what is too large saturates where that is.
  @Test func inputsAreRoundedAndResultsSaturate() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let q = try write("q.npy", [1], [1, 1, 1])
    let g = try write("g.npy", [1 + 0x1p-12], [1, 1, 1])
    let large = try write("l.npy", [100_000], [1, 1, 1])
    func dv(_ flags: [String]) throws -> Double {
      let outcome = try CommandRunner.run(
        [
          "reference", "attention", "--backward", "--q", q, "--k", q, "--v", q, "--output",
          path("o.safetensors"),
        ]
          + flags)
      #expect(outcome.status == 0, "\(outcome.errors)")
      return try #require(try gradients("o.safetensors")["dv"]?.values.first)
    }
    #expect(try dv(["--do", g]) == 1 + 0x1p-12)
    #expect(try dv(["--do", g, "--round-inputs", "f16"]) == 1)
    #expect(try dv(["--do", large, "--dtype", "f16"]) == .infinity)
    #expect(try dv(["--do", large, "--dtype", "f16", "--overflow", "saturate"]) == 65504)
  }

  @Test(arguments: [
    ["--output", "o.npy"], ["--output", "o.safetensors", "--qk-norm", "l2"],
    ["--output", "o.safetensors", "--softmax", "clipped:-0.1,1.1"],
    ["--output", "o.safetensors", "--do", "no.npy"],
    ["--output", "o.safetensors", "--do", "short.npy"], ["--output", "o.safetensors", "--dtype", "int8"],
    ["--output", "o.safetensors", "--dtype", "f32", "--as", "f16"],
    ["--output", "short.npy", "--do", "short.npy"],
    ["--output", "o.safetensors", "--backward=1"],
  ])
  func rubbishIsRefused(_ flags: [String]) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    _ = try write("short.npy", [1, 2], [1, 1, 2])
    let outcome = try CommandRunner.run(
      ["reference", "attention", "--backward", "--tokens", "4", "--head-size", "4"] + flags, folder: folder)
    #expect(outcome.status == 2 && !outcome.errors.isEmpty, "\(flags): \(outcome.output)")
    #expect(!FileManager.default.fileExists(atPath: path("o.safetensors")))
    let alone = try CommandRunner.run(
      ["reference", "attention", "--do", "short.npy", "--output", "o.npy"], folder: folder)
    #expect(alone.status == 2)
  }
}
