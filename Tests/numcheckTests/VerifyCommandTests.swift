import Foundation
import NumKit
import TensorFiles
import Testing

/// Results from files: judged, named, refused.
@Suite struct VerifyCommandTests {
  private static let folder = CommandRunner.fixtures.appendingPathComponent("guests")

  private func run(_ words: String) throws -> CommandRunner.Outcome {
    try CommandRunner.run(words.split(separator: " ").map(String.init), folder: Self.folder)
  }

  private func result(_ words: String, status: Int32) throws -> [String: Any] {
    let outcome = try run(words + " --format json")
    #expect(outcome.status == status, "\(words): \(outcome.errors)")
    let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    return try #require((report?["results"] as? [[String: Any]])?.first)
  }

  private func names(_ result: [String: Any]) -> [String] {
    (result["hypotheses"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
  }

  static let questions = [
    (
      "softmax --input logits.npy", "softmax.npy", "softmax-unscaled.npy",
      "sum never rescaled, in blocks of 64"
    ),
    (
      "attention --q q.npy --k k.npy --v v.npy --causal", "attention.npy", "attention-top-left.npy",
      "causal, aligned top-left"
    ),
    ("matmul --a a.npy --b b.npy", "product.npy", "product-transposed.npy", "B transposed"),
    (
      "rmsnorm --input logits.npy --weight weight.npy", "rmsnorm.npy", "rmsnorm-unweighted.npy",
      "weight left out"
    ),
  ]

  @Test(arguments: questions) func bugsAreNamed(
    _ question: String, _ right: String, _ wrong: String, _ name: String
  ) throws {
    let good = try result("verify \(question) --results \(right)", status: 0)
    #expect(good["aboveBound"] as? Int == 0 && names(good).isEmpty)
    let bad = try result("verify \(question) --results \(wrong)", status: 1)
    #expect(bad["verdict"] as? String == "bug" && (bad["aboveBound"] as? Int ?? 0) > 0)
    #expect(names(bad).first == name, "\(names(bad))")
    let text = try run("verify \(question) --results \(wrong)").output
    #expect(text.contains("fits \"\(name)\" within"), "\(text)")
  }

  /// What two ways of looking call by one name is said once.
  @Test func aNameIsSaidOnce() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // Rows whose largest logit is 0: e^x is a softmax that was not divided.
    let header =
      "{'descr': '<f2', 'fortran_order': False, 'shape': (16, 64), }"
      .padding(toLength: 117, withPad: " ", startingAt: 0) + "\n"
    var file = Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8))
    for k in 0..<1024 {
      let x = -Float16(k % 64) * Float16(k / 64 + 1) / 64
      withUnsafeBytes(of: x.bitPattern.littleEndian) { file.append(contentsOf: $0) }
    }
    try file.write(to: folder.appendingPathComponent("x.npy"))
    let made = try CommandRunner.run(
      ["exp", "--algorithm", "library", "--compute", "f32", "--input", "x.npy", "--output", "y.npy"],
      folder: folder)
    #expect(made.status == 0, "\(made.errors)")
    let outcome = try CommandRunner.run(
      ["verify", "softmax", "--input", "x.npy", "--results", "y.npy"], folder: folder)
    #expect(outcome.status == 1)
    #expect(outcome.output.contains("it looks like: not divided by the sum."), "\(outcome.output)")
  }

  @Test func claimsDecideWhichBoundCounts() throws {
    let question = "verify softmax --input logits.npy --results softmax.npy"
    func bound(_ claims: String) throws -> Double {
      let bound = try result(question + claims, status: 0)["bound"] as? [String: Any]
      return try #require(bound?["ulp"] as? Double)
    }
    let (usual, tree) = (try bound(""), try bound(" --claims algorithm=shifted:pairwise"))
    #expect(tree < usual)
    #expect(try bound(" --claims accumulate=bf16,algorithm=shifted:pairwise") > usual)
    // What nobody can keep: an accumulator of f64 leaves f32 results half an ulp and no more.
    let strict = try result(question + " --claims compute=f64", status: 1)
    #expect(strict["verdict"] as? String == "bug")
    let said = try run(question + " --claims compute=f64").output
    #expect(said.contains("may give, which is not what is claimed"), "\(said)")
  }

  @Test func limitsHoldBeside() throws {
    let question = "verify softmax --input logits.npy --results softmax.npy"
    #expect(try run(question + " --check ulp.max<=100").status == 0)
    #expect(try run(question + " --check ulp.max<=0.25").status == 1)
    #expect(try run(question + " --max-ulp 0.25").status == 1)
  }

  @Test(arguments: [
    ("verify", "an operation comes after 'verify'"),
    ("verify softmax --input logits.npy", "what the kernel computed is missing: --results FILE"),
    (
      "verify softmax --input logits.npy --results q.npy",
      "q.npy: its shape is [2, 6, 8], but results of these inputs have [8, 256]"
    ),
    (
      "verify lse --input logits.npy --results softmax.npy",
      "softmax.npy: its shape is [8, 256], but results of these inputs have [8] or [8, 1]"
    ),
    ("verify softmax --input logits.npy --results nowhere.npy", "nowhere.npy: cannot open"),
    ("verify softmax --input logits.npy --results dump.npz", "holds 6 tensors, name one as FILE:TENSOR"),
    ("verify softmax --input logits.npy --results dump.npz:layer.9", "has no tensor 'layer.9'"),
    (
      "verify softmax --input logits.npy --results softmax.npy --dtype bf16",
      "softmax.npy: result [0, 0] is 0.0"
    ),
    ("verify softmax --input logits.npy --results softmax.npy --dtype int8", "--dtype int8: an integer grid"),
    (
      "verify softmax --input logits.npy --results softmax.npy --claims fast",
      "claim 'fast': must be NAME=VALUE"
    ),
    (
      "verify softmax --input logits.npy --results softmax.npy --claims algorithm=magic",
      "claim 'algorithm=magic': no such algorithm here"
    ),
    (
      "verify matmul --a a.npy --b b.npy --results product.npy --claims compute=f32",
      "claim 'compute' says nothing"
    ),
    (
      "verify attention --q q.npy --k k.npy --v v.npy --results attention.npy --lse-results q.npy",
      "q.npy: its shape is [2, 6, 8], but results of these inputs have [2, 6]"
    ),
    ("compare dump.npz dump-f16.npz", "have no tensor in common"),
    ("compare dump.npz nowhere.npz", "nowhere.npz: cannot open"),
    ("compare logits.npy q.npy", "its shapes differ: [8, 256] and [2, 6, 8]"),
    ("compare dump.npz dump.npz --sort size", "--sort size: no such figure"),
    ("compare dump.npz dump.npz --budget speed<=1", "no figure 'speed'"),
    ("compare dump.npz dump.npz --budget fast", "must be FIGURE<=LIMIT"),
    ("compare dump.npz dump.npz --map a=b=c", "--map 'a=b=c': must be A=B"),
    ("compare dump.npz dump.npz --top 0", "--top must be 1 or more"),
    ("compare dump.npz dump.npz --order nowhere.txt", "--order nowhere.txt: cannot be read"),
  ])
  func rubbishIsRefusedInOneLine(_ words: String, _ message: String) throws {
    let outcome = try run(words)
    #expect(outcome.status == 2 && outcome.output.isEmpty, "\(words): \(outcome.errors)")
    #expect(outcome.errors.contains(message), "\(words): \(outcome.errors)")
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
  }

  @Test func integersAreNoResults() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    var header = "{'descr': '<i4', 'fortran_order': False, 'shape': (8, 256), }"
    header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
    let file = folder.appendingPathComponent("i.npy")
    try Data(
      [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8) + [UInt8](repeating: 0, count: 8192)
    )
    .write(to: file)
    let outcome = try run("verify softmax --input logits.npy --results \(file.path)")
    #expect(
      outcome.status == 2 && outcome.errors.contains("int32 is no format of results"), "\(outcome.errors)")
  }

  // MARK: What names nothing

  private func inFolder(_ body: (_ path: (String) -> String) throws -> Void) throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try body { folder.appendingPathComponent($0).path }
  }

  private func drawn(_ count: Int, _ seed: UInt64) -> [Double] {
    var random = RandomSource(seed: seed, row: 0)
    return (0..<count).map { _ in Double(Float(random.normal())) }
  }

  /// The bound of sums in bf16 allows nearly anything: what does not err as such sums do has another name, or none.
  @Test func aWideBoundNamesNothing() throws {
    try inFolder { path in
      let (a, b) = (drawn(8 * 200, 1), drawn(200 * 8, 2))
      func product(_ rounded: (Double) -> Double) -> [Double] {
        (0..<64).map { k in (0..<200).reduce(0) { rounded($0 + a[k / 8 * 200 + $1] * b[$1 * 8 + k % 8]) } }
      }
      try TensorWriter.write(a, as: .f32, shape: [8, 200], to: path("a.npy"))
      try TensorWriter.write(b, as: .f32, shape: [200, 8], to: path("b.npy"))
      func names(_ results: [Double]) throws -> [String] {
        try TensorWriter.write(results.map { Double(Float($0)) }, as: .f32, shape: [8, 8], to: path("y.npy"))
        return self.names(
          try result(
            "verify matmul --a \(path("a.npy")) --b \(path("b.npy")) --results \(path("y.npy"))", status: 1))
      }
      let exact = product { $0 }
      #expect(try names(exact.map { 2 * $0 }) == ["the product doubled"])
      #expect(try names(exact.map { -$0 }) == ["the negative of the product"])
      #expect(try names(exact.map { _ in 0 }) == ["zeros"])
      #expect(try names(drawn(64, 3)).isEmpty)
      #expect(try names(product { NumberFormat.bf16.round($0) }).contains("accumulator bf16"))
    }
  }

  @Test func logarithmsAreNamed() throws {
    try inFolder { path in
      let x = drawn(16 * 64, 4)
      try TensorWriter.write(x, as: .f32, shape: [16, 64], to: path("x.npy"))
      func names(
        _ power: (Double) -> Double = exp, _ wrong: (_ maximum: Double, _ sum: Double) -> Double
      ) throws -> [String] {
        let y = (0..<16).map { row in
          let z = x[row * 64..<(row + 1) * 64]
          let m = z.max() ?? 0
          return Double(Float(wrong(m, z.reduce(0) { $0 + power($1 - m) })))
        }
        try TensorWriter.write(y, as: .f32, shape: [16], to: path("y.npy"))
        return self.names(
          try result("verify lse --input \(path("x.npy")) --results \(path("y.npy"))", status: 1))
      }
      #expect(try names { $0 + log2($1) } == ["log2 of the sum"])
      #expect(try names { $0 + log10($1) } == ["log10 of the sum"])
      #expect(try names { log($1) + 0 * $0 } == ["maximum not added back"])
      #expect(try names { $0 + log($1 / 64) } == ["logarithm of the mean"])
      #expect(try names { ($0 + log($1)) / log(2) } == ["results are logarithms to base 2"])
      #expect(try names { ($0 + log($1)) / log(10) } == ["results are logarithms to base 10"])
      #expect(try names(exp2) { $0 + log($1) } == ["base 2 instead of e in the sum"])
    }
  }

  /// Norms without their root, which nothing explains: a report, whatever pairs are tried.
  @Test func whatNothingExplainsIsAReport() throws {
    try inFolder { path in
      let (x, weight) = (drawn(8 * 32, 5), drawn(32, 6))
      try TensorWriter.write(x, as: .f32, shape: [8, 32], to: path("x.npy"))
      try TensorWriter.write(weight, as: .f32, shape: [32], to: path("w.npy"))
      let y = (0..<256).map { i in
        let row = x[i / 32 * 32..<(i / 32 + 1) * 32]
        return Double(Float(x[i] * weight[i % 32] / (row.reduce(0) { $0 + $1 * $1 } / 32 + 1e-5)))
      }
      try TensorWriter.write(y, as: .f32, shape: [8, 32], to: path("y.npy"))
      for question in [
        "rmsnorm --input \(path("x.npy")) --weight \(path("w.npy"))",
        "layernorm --input \(path("x.npy")) --weight \(path("w.npy")) --bias \(path("w.npy"))",
      ] {
        #expect(names(try result("verify \(question) --results \(path("y.npy"))", status: 1)).isEmpty)
      }
    }
  }

  @Test func whatIsRunIsNotWrittenOver() throws {
    try inFolder { path in
      for (flag, line) in [("--plugin", path("k.so")), ("--exec", "sh \(path("k.so"))")] {
        try Data("exit 1".utf8).write(to: URL(fileURLWithPath: path("k.so")))
        for more in [
          ["verify", "softmax", "--report", "json=\(path("k.so"))"],
          ["fingerprint", "softmax", "--output", path("k.so")],
          ["search", "softmax", "--emit", "c=\(path("k.so"))"],
        ] {
          let outcome = try CommandRunner.run(more + [flag, line])
          #expect(
            outcome.status == 2 && outcome.errors.contains("is an input, it would be lost"),
            "\(more): \(outcome.errors)")
          #expect(try String(contentsOfFile: path("k.so"), encoding: .utf8) == "exit 1")
        }
      }
    }
  }

  // MARK: Dumps

  /// A NaN or an infinity in one alone is no number that a budget could be kept with.
  @Test func aNumberInOneAloneKeepsNoBudget() throws {
    try inFolder { path in
      var x = drawn(256, 7)
      try TensorWriter.write(x, as: .f32, shape: [256], to: path("a.npy"))
      for special in [Double.nan, .infinity] {
        x[17] = special
        try TensorWriter.write(x, as: .f32, shape: [256], to: path("b.npy"))
        for (a, b) in [("a.npy", "b.npy"), ("b.npy", "a.npy")] {
          for budget in ["cosine>=0.9", "ulp.max<=1", "sqnr>=10", "relativeL2<=1"] {
            let outcome = try run("compare \(path(a)) \(path(b)) --budget \(budget)")
            #expect(outcome.status == 1, "\(a) \(b) \(budget): \(outcome.output)\(outcome.errors)")
          }
        }
        #expect(try run("compare \(path("b.npy")) \(path("b.npy")) --budget ulp.max<=0").status == 0)
      }
    }
  }

  @Test func theFirstToLeaveItsBudgetIsNamed() throws {
    let words = "compare dump.npz dump-f16.npz --map *=model.* --budget relativeL2<=1e-3"
    let outcome = try run(words)
    #expect(outcome.status == 1)
    #expect(
      outcome.output.contains("layer.4 is the first to leave its budget, 2 of 5 do"), "\(outcome.output)")
    #expect(outcome.output.contains("layer.3: is missing in dump-f16.npz as model.layer.3"))
    #expect(outcome.output.contains("model.head: is missing in dump.npz"))
    #expect(try run("compare dump.npz dump.npz --budget ulp.max<=0").status == 0)
  }

  @Test func theOrderIsThatOfAFile() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let order = folder.appendingPathComponent("order.txt")
    try "layer.5\nlayer.9\nlayer.4\n".write(to: order, atomically: true, encoding: .utf8)
    let outcome = try run(
      "compare dump.npz dump-f16.npz --map *=model.* --budget relativeL2<=1e-3 --order \(order.path)")
    #expect(outcome.output.contains("layer.5 is the first to leave its budget"), "\(outcome.output)")
    #expect(outcome.output.contains("layer.9: stands in the order, but not in dump.npz"))
  }

  /// The proven gradients themselves hold, in both layouts; scaled ones are wrong and named, and files that do not fit are refused.
  @Test func gradientsAreJudged() throws {
    let folder = try CommandRunner.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    func shape(_ layout: String, _ heads: Int, _ tokens: Int) -> [Int] {
      layout == "hnd" ? [heads, tokens, 4] : [tokens, heads, 4]
    }
    func draw(_ name: String, _ shape: [Int], _ seed: UInt64) throws {
      var random = RandomSource(seed: seed, row: 0)
      let x = (0..<shape.reduce(1, *)).map { _ in Double(Float(random.normal())) }
      try TensorWriter.write(x, as: .f32, shape: shape, to: folder.appendingPathComponent(name).path)
    }
    for layout in ["hnd", "nhd"] {
      for (name, heads, tokens, seed) in [("q", 4, 6, 1), ("k", 2, 9, 2), ("v", 2, 9, 3), ("do", 4, 6, 4)] {
        try draw("\(name).npy", shape(layout, heads, tokens), UInt64(seed))
      }
      let asked = "--q q.npy --k k.npy --v v.npy --do do.npy --causal --layout \(layout)"
      let made = try Shell(
        "$N reference attention --backward \(asked) --output g.safetensors >/dev/null && "
          + "$N verify attention-backward \(asked) --results g.safetensors --format json", in: folder)
      #expect(made.status == 0, "\(made.output) \(made.errors)")
      let split = try Shell(
        "$N verify attention-backward \(asked) --dq g.safetensors:dq --dk g.safetensors:dk --dv g.safetensors:dv",
        in: folder)
      #expect(split.status == 0 && split.output.contains("dk"))
      let other = try Shell(
        "$N verify attention-backward \(asked) --scale 0.25 --results g.safetensors --format json", in: folder
      )
      #expect(other.status == 1)
      let missing = try Shell("$N verify attention-backward \(asked) --dq g.safetensors:dq", in: folder)
      #expect(missing.isRefusal("--dk is missing"))
      let twice = try Shell(
        "$N verify attention-backward \(asked) --dq g.safetensors:dq --results g.safetensors", in: folder)
      #expect(twice.status == 2)
      let turned = try Shell(
        "$N verify attention-backward \(asked) --dq g.safetensors:dk --dk g.safetensors:dk --dv g.safetensors:dv",
        in: folder)
      #expect(turned.isRefusal("its shape is"))
    }
    let capped = try Shell(
      "$N verify attention-backward --tokens 4 --head-size 2 --softmax clipped:-0.1,1.1 --results g.safetensors",
      in: folder)
    #expect(capped.isRefusal("backward knows the plain softmax"))
  }
}
