import Foundation
import NumKit
import Quant
import TensorFiles
import Testing

/// Attention on the command line.
@Suite struct AttentionCommandTests {
  private static let real = CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-attn.safetensors")
    .path

  private static func block(_ b: Int) -> [String] {
    ["q", "k", "v"].flatMap { ["--\($0)", "\(real):blk.\(b).\($0)"] } + ["--causal"]
  }

  /// The stored o and lse of a real model, computed in float64 by others: the same to the last bit of f32.
  @Test(arguments: [11, 18, 23])
  func theTruthIsTheStoredOneToTheLastBit(_ b: Int) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("truth.safetensors").path
    let outcome = try CommandRunner.run(["reference", "attention"] + Self.block(b) + ["--output", path])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let stored = try TensorFile.open(Self.real)
    let made = try TensorFile.open(path)
    for name in ["o", "lse"] {
      let a = try stored.tensor(named: "blk.\(b).\(name)").withDoubles { Array($0) }
      let c = try made.tensor(named: name)
      #expect(c.shape == (name == "o" ? [9, 128, 64] : [9, 128]))
      #expect(try c.withDoubles { Array($0) } == a, "\(name)")
    }
  }

  @Test(arguments: [(11, 0), (18, 9), (23, 9)])
  func sinksOfARealModel(_ b: Int, _ heads: Int) throws {
    let report = try CommandRunner.json(
      ["attention"] + Self.block(b) + ["--dtype", "f16", "--algorithm", "flash"])
    let sinks = try #require(report["sinks"] as? [String: Any])
    #expect(sinks["heads"] as? Int == heads)
    let softmax = try #require(report["softmax"] as? [[String: Any]])
    let masses = softmax.compactMap { $0["sinkMass"] as? Double }
    #expect(masses.count == 9 && (b != 18 || masses[7] > 0.999 && masses[8] > 0.999))
  }

  /// The formats in the order of their bits, on each block.
  @Test(arguments: [11, 18, 23])
  func narrowerFormatsErrMore(_ b: Int) throws {
    func rmse(_ flags: [String]) throws -> Double {
      let r = try CommandRunner.json(["attention", "--algorithm", "flash"] + Self.block(b) + flags)
      let entry = try #require((r["results"] as? [[String: Any]])?.first)
      let total = try #require(entry["total"] as? [String: Any])
      return try #require(total["rmse"] as? Double)
    }
    let f16 = try rmse(["--dtype", "f16", "--compute", "f32"])
    let bf16 = try rmse(["--dtype", "bf16", "--compute", "f32"])
    let int8 = try rmse(["--dtype", "int8"])
    let fp8 = try rmse(["--dtype", "f8e4m3fn", "--compute", "f32"])
    #expect(f16 < bf16 && bf16 < int8 && int8 < fp8, "\(f16) \(bf16) \(int8) \(fp8)")
  }

  /// Generated tensors in either layout have the same outputs, put in another order.
  @Test func generatedOutputsFollowTheLayout() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func output(_ layout: String) throws -> (shape: [Int], values: [Double]) {
      let path = folder.appendingPathComponent("\(layout).npy").path
      let outcome = try CommandRunner.run([
        "attention", "--heads", "2", "--tokens", "3", "--head-size", "4", "--algorithm", "flash", "--layout",
        layout,
        "--output", path,
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let tensor = try TensorFile.open(path).onlyTensor()
      return (tensor.shape, try tensor.withDoubles { Array($0) })
    }
    let (heads, tokens) = (try output("hnd"), try output("nhd"))
    #expect(heads.shape == [2, 3, 4] && tokens.shape == [3, 2, 4])
    for h in 0..<2 {
      for n in 0..<3 {
        #expect(
          heads.values[(h * 3 + n) * 4..<(h * 3 + n) * 4 + 4]
            == tokens.values[(n * 2 + h) * 4..<(n * 2 + h) * 4 + 4])
      }
    }
  }

  @Test func outputsAndLayoutsAgree() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    // [batch 2, tokens 3, heads 2, size 2] and the same heads first.
    func value(_ b: Int, _ h: Int, _ n: Int, _ c: Int) -> Double {
      let mixed: Int = b * 7 + h * 5 + n * 3 + c
      return Double(mixed % 4) - 1
    }
    func save(_ name: String, nhd: Bool) throws {
      let writer = try TensorWriter(path(name), [.init("x", .f32, nhd ? [2, 3, 2, 2] : [2, 2, 3, 2])])
      var x: [Double] = []
      for b in 0..<2 {
        for i in 0..<(nhd ? 3 : 2) {
          for j in 0..<(nhd ? 2 : 3) {
            for c in 0..<2 { x.append(nhd ? value(b, j, i, c) : value(b, i, j, c)) }
          }
        }
      }
      try writer.append(x)
      try writer.finish()
    }
    try save("hnd.npy", nhd: false)
    try save("nhd.npy", nhd: true)
    func run(_ layout: String) throws -> ([Int], [Double], [Double]) {
      let input = path("\(layout).npy")
      let out = path("out-\(layout).safetensors")
      let outcome = try CommandRunner.run([
        "attention", "--q", input, "--k", input, "--v", input, "--layout", layout, "--algorithm", "standard",
        "--output", out, "--causal",
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let file = try TensorFile.open(out)
      let o = try file.tensor(named: "o")
      return (
        o.shape, try o.withDoubles { Array($0) }, try file.tensor(named: "lse").withDoubles { Array($0) }
      )
    }
    let (hs, h, hl) = try run("hnd")
    let (ns, n, nl) = try run("nhd")
    #expect(hs == [2, 2, 3, 2] && ns == [2, 3, 2, 2])
    for b in 0..<2 {
      for head in 0..<2 {
        for i in 0..<3 {
          #expect(hl[(b * 2 + head) * 3 + i] == nl[(b * 3 + i) * 2 + head])
          for c in 0..<2 {
            #expect(h[((b * 2 + head) * 3 + i) * 2 + c] == n[((b * 3 + i) * 2 + head) * 2 + c])
          }
        }
      }
    }
    // The first query sees its own value only.
    #expect(h[0] == value(0, 0, 0, 0) && h[1] == value(0, 0, 0, 1))
  }

  @Test func aBooleanMaskHides() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let mask = folder.appendingPathComponent("mask.npy").path
    let writer = try TensorWriter(mask, [.init("m", .bool, [4])])
    try writer.append([1, 1, 0, 0])
    try writer.finish()
    func text(_ flags: [String]) throws -> [String: Any] {
      try CommandRunner.json(
        ["attention", "--tokens", "4", "--head-size", "4", "--algorithm", "flash"] + flags)
    }
    let a = try text(["--mask", mask])
    let b = try text(["--padding", "2"])
    #expect((a["results"] as? NSArray) == (b["results"] as? NSArray))
    #expect((a["results"] as? NSArray) != (try text([])["results"] as? NSArray))
  }

  @Test(arguments: [
    ["attention", "--heads", "3", "--kv-heads", "2"], ["attention", "--q", "nothing.npy"],
    ["attention", "--q", "a.npy", "--k", "a.npy", "--v", "a.npy"], ["attention", "--scale", "x"],
    ["attention", "--scale", "nan"], ["attention", "--window", "1,2,3"], ["attention", "--window", "-1"],
    ["attention", "--softmax", "sink"], ["attention", "--softmax", "clipped:1,2"],
    ["attention", "--softmax", "sink:1,2"],
    ["attention", "--qk-norm", "l3"], ["attention", "--qk-norm", "rms:-1"], ["attention", "--softcap", "0"],
    ["attention", "--softmax", "clipped:-0.1,1.1", "--algorithm", "flash", "--tokens", "4"],
    ["attention", "--algorithm", "quick"], ["attention", "--algorithm", ","],
    ["attention", "--block-k", "0"],
    ["attention", "--splits", "0"], ["attention", "--lazy-rescale", "inf"], ["attention", "--p-scale", "3"],
    ["attention", "--algorithm", "flash", "--splits", "2"],
    ["attention", "--algorithm", "naive", "--block-k", "8"],
    ["attention", "--algorithm", "standard", "--lazy-rescale", "2"], ["attention", "--sinks", "2"],
    ["attention", "--causal-alignment", "top-left"], ["attention", "--tokens", "16", "--padding", "17"],
    ["attention", "--backward", "--splits", "2"],
    ["attention", "--backward", "--dtype", "f16", "--range", "1e6", "--tokens", "8"],
    ["attention", "--backward", "--algorithm", "standard", "--lazy-rescale", "1"],
    ["attention", "--probabilities", "int8"], ["attention", "--sinks", "-1", "--window", "2"],
    ["attention", "--tokens", "0"],
    ["attention", "--tokens", "1048575", "--head-size", "1048575"], ["attention", "--as", "f32"],
    ["attention", "--mask", "/dev/null"], ["attention", "--dtype", "e8m0"], ["attention", "--layout", "xyz"],
    ["attention", "--fa3", "--head-size", "48", "--tokens", "4"], ["attention", "--fa3", "--max-ulp", "1"],
    ["attention", "--sweep-head-size", "16,,4"], ["attention", "--sweep-head-size", "16", "--fa3"],
    ["attention", "--scheme", "sage9"], ["attention", "--scheme", "sage", "--fa3"],
    ["attention", "--scheme", "fa3-fp8", "--head-size", "48", "--tokens", "4"],
    ["attention", "--scheme", "sage", "--softcap", "3", "--tokens", "4"],
    ["attention", "--output", "o.npy"], ["attention", "--sink-tokens", "0"],
    ["reference", "attention"], ["reference", "attention", "--output", "o.npy", "--dtype", "int8"],
    ["reference", "attention", "--output", "/nowhere/o.npy", "--tokens", "2"],
    ["kvcache", "--cache", "int9"], ["kvcache", "--layers", "0"], ["kvcache", "--measure", "--queries", "2"],
    ["kvcache", "--recent", "-1"], ["kvcache", "--all-layers"], ["kvcache", "--top", "2"],
    ["kvcache", "--all-layers", "--k", "/nowhere", "--v", "/nowhere"],
  ])
  func rubbishIsOneLine(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(arguments)
    #expect(outcome.status == 2 && outcome.output.isEmpty, "\(arguments): \(outcome.status)")
    #expect(
      outcome.errors.split(separator: "\n").count == 1 && outcome.errors.hasPrefix("numcheck: "),
      "\(outcome.errors)")
  }

  /// What the format cannot hold is no kernel's fault, and no result is of use: it is counted, said, and fails the checks.
  @Test func inputsBeyondTheFormatAreCounted() throws {
    let base = [
      "attention", "--tokens", "8", "--head-size", "8", "--range", "100000", "--algorithm", "flash",
    ]
    let lost = try CommandRunner.json(base + ["--dtype", "f16"])
    let rounding = try #require(lost["input"] as? [String: Any])
    // Normal with this deviation: about half lie beyond 65504.
    #expect((50...150).contains(try #require(rounding["overflowed"] as? Int)))
    let text = try CommandRunner.run(base + ["--dtype", "f16"])
    #expect(text.status == 0 && text.output.contains("of 192 overflow f16"), "\(text.output)")
    #expect(text.output.contains("no query has a finite truth"))
    for check in ["--no-nan", "--no-overflow"] {
      #expect(try CommandRunner.run(base + ["--dtype", "f16", check]).status == 1, "\(check)")
      #expect(try CommandRunner.run(base + ["--dtype", "bf16", check]).status == 0, "\(check)")
    }
  }

  @Test func checksFail() throws {
    let base = ["attention", "--tokens", "64", "--head-size", "128", "--range", "20", "--dtype", "f16"]
    #expect(try CommandRunner.run(base + ["--algorithm", "naive", "--no-nan"]).status == 1)
    #expect(try CommandRunner.run(base + ["--algorithm", "flash", "--no-nan", "--no-bug"]).status == 0)
    let loose = ["attention", "--tokens", "256", "--dtype", "f16", "--within-baseline", "--algorithm"]
    #expect(try CommandRunner.run(loose + ["flash", "--accumulate", "f32"]).status == 0)
    #expect(try CommandRunner.run(loose + ["naive", "--accumulate", "f8e4m3fn"]).status == 1)
  }

  @Test func everySchemeHasARow() throws {
    let flags = ["attention", "--tokens", "40", "--head-size", "16", "--scheme", "all"]
    let report = try CommandRunner.json(flags)
    #expect((report["results"] as? [Any])?.count == 1 + AttentionSchemes.all.count)
    let one = try CommandRunner.run(flags + ["--format", "json", "--threads", "1"]).output
    #expect(try CommandRunner.run(flags + ["--format", "json", "--threads", "3"]).output == one)
  }

  @Test func theSameSeedGivesTheSameBytes() throws {
    let flags = [
      "attention", "--heads", "2", "--tokens", "40", "--distribution", "outlier", "--dtype", "bf16",
    ]
    let one = try CommandRunner.run(flags + ["--threads", "1"])
    #expect(one.status == 0)
    #expect(try CommandRunner.run(flags + ["--threads", "3"]).output == one.output)
    #expect(try CommandRunner.run(flags + ["--seed", "2"]).output != one.output)
  }

  /// Every layer of a dump: as many as it has, the worst first, the figures those of its layers alone, and what has no partner named.
  @Test func everyLayerOfACache() throws {
    let file = CommandRunner.fixtures.appendingPathComponent("smollm2/smollm2-attn.safetensors").path
    let flags = ["kvcache", "--all-layers", "--cache", "int8@token", "--cache", "int4@g32"]
    let json = try CommandRunner.json(flags + ["--k", file, "--v", file])
    let layers = try #require(json["perLayer"] as? [[String: Any]])
    func sqnr(_ row: [String: Any], _ part: String) -> Double {
      (row[part] as? [String: Any])?["sqnr"] as? Double ?? .nan
    }
    #expect(layers.count == 6)
    let worse = layers.map { min(sqnr($0, "k"), sqnr($0, "v")) }
    #expect(worse == worse.sorted() && worse.allSatisfy { $0 > 10 && $0 < 60 })
    #expect(layers.allSatisfy { ($0["keys"] as? String)?.hasSuffix(".k") == true })
    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results.count == 2)
    for result in results {
      let own = layers.filter { $0["cache"] as? String == result["cache"] as? String }
      #expect(sqnr(result, "k") == own.map { sqnr($0, "k") }.min())
    }
    let one = try CommandRunner.json(flags + ["--k", file + ":*18.k", "--v", file + ":*18.v"])
    let alone = try #require(one["perLayer"] as? [[String: Any]])
    #expect(alone.count == 2)
    for row in alone {
      let same = layers.first {
        $0["keys"] as? String == row["keys"] as? String && $0["cache"] as? String == row["cache"] as? String
      }
      #expect(sqnr(row, "k") == same.map { sqnr($0, "k") })
    }
    let lonely = try CommandRunner.json(flags + ["--k", file, "--v", file + ":blk.*1*.v"])
    let findings = try #require(lonely["findings"] as? [[String: String]])
    #expect(findings.contains { $0["kind"] == "left-out" })
  }
}
