import Foundation
import NumKit
import Testing

/// The right answers to wrong questions, rounded as a right kernel may round them, are named by those questions.
@Suite struct OtherQuestionTests {
  // MARK: Attention

  private struct Answers: ResultSource {
    typealias Q = AttentionForward
    let truths: AttentionTruths
    let width: Int
    var other: @Sendable (Int) -> Int = { $0 }

    func results(of item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>) {
      let row = other(item.row)
      for c in 0..<width { results[c] = truths.output[row * width + c] }
      if results.count > width { results[width] = truths.logSumExp[row] }
    }
  }

  private struct Planted: ResultSource {
    typealias Q = AttentionForward
    let output: [Double]

    func results(of item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>) {
      for c in results.indices { results[c] = output[c] }
    }
  }

  private let shape = AttentionShape(heads: 4, keyHeads: 2, queries: 12, keys: 20, headSize: 8)

  private func tensors(_ shape: AttentionShape, seed: UInt64 = 1) throws -> AttentionInputs {
    func fill(_ count: Int, _ stream: Int) -> [Double] {
      var random = RandomSource(seed: seed, row: stream)
      return (0..<count).map { _ in Double(Float(random.normal())) }
    }
    let keys = shape.keyHeads * shape.keys * shape.headSize
    return try #require(
      AttentionInputs(
        q: fill(shape.heads * shape.queries * shape.headSize, 0), k: fill(keys, 1), v: fill(keys, 2),
        shape: shape))
  }

  private func names(
    asked: AttentionParameters, answered: AttentionParameters, on other: AttentionInputs? = nil,
    other row: @escaping @Sendable (Int) -> Int = { $0 }
  ) throws -> (names: [String], verdict: Verdict) {
    let tensors = try tensors(shape)
    let truths = try AttentionTruths(other ?? tensors, answered, format: .f32)
    let verification = AttentionVerification(tensors, asked, format: .f32, lseFormat: .f32)
    let found = try verification.run("o", Answers(truths: truths, width: shape.valueSize, other: row))
    return (found.findings.hypotheses.map(\.name), found.findings.verdict(ofPart: 0))
  }

  /// Attention in f32 whose products are rounded before they are added, in two lanes or from the end, holds: nobody promised an order. Where
  /// signs alternate, lanes gather what cancels in the end.
  @Test(arguments: [false, true]) func ordersAreNotPromised(_ alternates: Bool) throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: Self.size)
    func sign(_ i: Int) -> Double { alternates && i % 2 == 1 ? -1 : 1 }
    for seed in 0..<20 {
      var random = RandomSource(seed: UInt64(seed), row: 0)
      func near() -> Double { Double(Float(1 + 0.001 * random.normal())) }
      let q: [Double] = (0..<Self.size).map { _ in 4 * near() }
      let k: [Double] = (0..<2 * Self.size).map { sign($0) * near() }
      let v: [Double] = (0..<2 * Self.size).map { ($0 < Self.size ? 1 : -1) * near() }
      let tensors = try #require(AttentionInputs(q: q, k: k, v: v, shape: shape))
      let output = attention(q.map { Float($0) }, k.map { Float($0) }, v.map { Float($0) })
      let verification = AttentionVerification(tensors, AttentionParameters(), format: .f32)
      let found = try verification.run("o", Planted(output: output.map { Double($0) })).findings
      #expect(found.hypotheses.isEmpty && found.parts[0].kernel.aboveBound == 0, "seed \(seed)")
    }
  }

  private static let size = 4096

  /// What f32 loses on its way into a matrix unit.
  private static let cuts: [(String, @Sendable (Double) -> Double)] = [
    ("inputs rounded to tf32", { NumberFormat.tf32.round($0) }),
    ("inputs truncated to tf32", { Double(Float(bitPattern: Float($0).bitPattern & ~0x1fff)) }),
    ("inputs rounded to bf16", { NumberFormat.bf16.round($0) }),
    ("inputs truncated to bf16", { Double(Float(bitPattern: Float($0).bitPattern & ~0xffff)) }),
    ("inputs rounded to f16", { NumberFormat.f16.round($0) }),
  ]

  /// Two keys: scores in two lanes, last numbers first.
  private func attention(_ q: [Float], _ k: [Float], _ v: [Float]) -> [Float] {
    func score(_ j: Int) -> Float {
      var lanes: (Float, Float) = (0, 0)
      for i in stride(from: Self.size - 2, through: 0, by: -2) {
        let odd: Float = q[i + 1] * k[j * Self.size + i + 1]
        let even: Float = q[i] * k[j * Self.size + i]
        lanes = (lanes.0 + even, lanes.1 + odd)
      }
      return (lanes.0 + lanes.1) / 64
    }
    let scores = [score(0), score(1)]
    let largest = max(scores[0], scores[1])
    let weights = [exp(scores[0] - largest), exp(scores[1] - largest)]
    let sum: Float = weights[1] + weights[0]
    let shares = [weights[0] / sum, weights[1] / sum]
    return (0..<Self.size).map { i in
      let last: Float = shares[1] * v[Self.size + i]
      let first: Float = shares[0] * v[i]
      return last + first
    }
  }

  @Test func attentionIsNamed() throws {
    var causal = AttentionParameters(mask: AttentionMask(causal: true))
    func expect(
      _ name: String?, _ asked: AttentionParameters, _ change: (inout AttentionParameters) -> Void
    ) throws {
      var answered = asked
      change(&answered)
      let found = try names(asked: asked, answered: answered)
      #expect(found.names.first == name, "\(name ?? "right"): \(found.names)")
      #expect(found.verdict == (name == nil ? .ok : .bug), "\(name ?? "right")")
    }
    let plain = AttentionParameters()
    try expect(nil, plain) { _ in }
    try expect(nil, causal) { _ in }
    try expect("scale missing", plain) { $0.scale = 1 }
    try expect("scale squared", plain) { $0.scale = 1 / 8 }
    try expect("base 2 instead of e", plain) { $0.scale = log(2) / 8.squareRoot() }
    try expect("causal, aligned top-left", causal) { $0.mask.alignment = .topLeft }
    try expect("causal mask ignored", causal) { $0.mask.causal = false }
    try expect("causal, though not asked for", plain) { $0.mask.causal = true }
    try expect("causal mask one key too far right", causal) {
      $0.mask.causal = false
      $0.mask.right = 1
    }
    causal.mask.left = 5
    try expect("window one key too long", causal) { $0.mask.left = 6 }
    try expect("window one key too short", causal) { $0.mask.left = 4 }
    try expect("window ignored", causal) { $0.mask.left = nil }
    causal.mask.sinks = 2
    try expect("sinks left out", causal) { $0.mask.sinks = 0 }
    var capped = plain
    capped.softcap = 2
    try expect("softcap missing", capped) { $0.softcap = nil }
    var padded = plain
    padded.mask.length = 15
    try expect("padding keys counted", padded) { $0.mask.length = nil }
    try expect("last 4 keys left out", plain) { $0.mask.length = 16 }
    var sink = plain
    sink.softmax = .sink([0.5, 1, -1, 0])
    try expect("sinks left out of the softmax", sink) { $0.softmax = .plain }
    var masked = plain
    masked.mask.additive = (0..<12 * 20).map { ($0 * 7) % 3 == 0 ? -.infinity : 0 }
    try expect("mask ignored", masked) { $0.mask.additive = [] }
    try expect("mask inverted", masked) { p in
      p.mask.additive = p.mask.additive.map { $0 == 0 ? -.infinity : 0 }
    }
    try expect("mask added as 0 and 1", masked) { p in
      p.mask.additive = p.mask.additive.map { $0 == 0 ? 1 : 0 }
    }
    let t = try tensors(shape)
    for (name, cut) in Self.cuts {
      let short = AttentionInputs(q: t.q.map(cut), k: t.k.map(cut), v: t.v.map(cut), shape: shape)
      // tf32 and f16 have as many digits.
      #expect(try names(asked: plain, answered: plain, on: short).names.contains(name))
    }
  }

  @Test func headsAreNamed() throws {
    let plain = AttentionParameters()
    let (heads, queries) = (shape.heads, shape.queries)
    let swapped = try names(asked: plain, answered: plain) { row in
      (row / queries ^ 1) * queries + row % queries
    }
    #expect(swapped.names.first == "heads swapped in pairs", "\(swapped.names)")
    // The kernel's key head is h mod 2, not ⌊h/2⌋: heads 1 and 2 have each other's.
    let t = try tensors(shape)
    let size = shape.keys * shape.headSize
    func gathered(_ x: [Double]) -> [Double] {
      (0..<heads).flatMap { h in x[h % 2 * size..<(h % 2 + 1) * size] }
    }
    var full = shape
    full.keyHeads = heads
    let other = try #require(AttentionInputs(q: t.q, k: gathered(t.k), v: gathered(t.v), shape: full))
    let modulo = try names(asked: plain, answered: plain, on: other)
    #expect(modulo.names.first == "kv head h mod Hkv", "\(modulo.names)")
  }

  // MARK: Normalisations

  private struct NormAnswers: ResultSource {
    typealias Q = NormQuestion
    let rows: PlantedRows
    let operation: Normalization
    let parameters: NormParameters
    let cut: @Sendable (Double) -> Double
    let change: @Sendable (inout [Double], [Double]) -> Void

    func results(of item: NormQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) {
      let x = rows.row(item.row).map { cut(Double($0)) }
      var truth = Truth()
      x.withUnsafeBufferPointer {
        NormReference(operation, format: .f32).answer($0, parameters: parameters, into: &truth)
      }
      var y = truth.rounded
      change(&y, x)
      for i in y.indices { results[i] = y[i] }
    }
  }

  @Test func normalisationsAreNamed() throws {
    let rows = PlantedRows(rows: 6, length: 40, seed: 9)
    var asked = NormParameters(epsilon: 1e-5)
    asked.weight = (0..<40).map { 1 + Double($0) / 64 }
    asked.bias = (0..<40).map { Double($0) / 32 - 0.5 }
    func expect(
      _ name: String?, _ asked: NormParameters, of operation: Normalization = .layerNorm,
      answered other: Normalization? = nil,
      _ change: (inout NormParameters) -> Void = { _ in },
      after: @escaping @Sendable (inout [Double], [Double]) -> Void = { _, _ in },
      cut: @escaping @Sendable (Double) -> Double = { $0 }
    ) throws {
      var answered = asked
      change(&answered)
      let source = NormAnswers(
        rows: rows, operation: other ?? operation, parameters: answered, cut: cut, change: after)
      let found = try NormVerification(operation, format: .f32, parameters: asked).run("y", source, on: rows)
      let names = found.findings.hypotheses.map(\.name)
      #expect(
        name == nil ? names.isEmpty : names.prefix(2).contains(name ?? ""), "\(name ?? "right"): \(names)")
      #expect(found.findings.verdict(ofPart: 0) == (name == nil ? .ok : .bug), "\(name ?? "right")")
    }
    try expect(nil, asked)
    try expect("weight left out", asked) { $0.weight = [] }
    try expect("bias left out", asked) { $0.bias = [] }
    try expect("1 + weight in place of weight", asked) { $0.weight = $0.weight.map { 1 + $0 } }
    try expect("variance over n - 1", asked) {
      let c = 40.0 / 39
      $0.weight = $0.weight.map { $0 / c.squareRoot() }
      $0.epsilon /= c
    }
    for (name, cut) in Self.cuts { try expect(name, asked, cut: cut) }
    var bare = NormParameters(epsilon: 0.0625)
    try expect("epsilon left out", bare) { $0.epsilon = 0 }
    try expect("mean not subtracted: the answer of rmsnorm", bare, answered: .rmsNorm)
    try expect("epsilon outside of the root", bare, { $0.epsilon = 0 }) { y, x in
      let mean = x.reduce(0, +) / 40
      let deviation = (x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 40).squareRoot()
      for i in y.indices { y[i] = Double(Float((x[i] - mean) / (deviation + 0.0625))) }
    }
    bare.epsilon = 1e-6
    try expect(nil, bare, of: .rmsNorm)
    try expect("the answer of layernorm", bare, of: .rmsNorm, answered: .layerNorm)
  }

  // MARK: Products

  private struct Product: ResultSource {
    typealias Q = MatmulQuestion
    let answers: [[Double]]
    func results(of item: MatmulQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) {
      for j in results.indices { results[j] = answers[item.row][j] }
    }
  }

  @Test func productsAreNamed() throws {
    let n = 24
    var random = RandomSource(seed: 4, row: 0)
    let a = (0..<n * n).map { _ in Double(Float(random.normal())) }
    let b = (0..<n * n).map { _ in Double(Float(random.normal())) }
    let inputs = try #require(MatmulInputs(rows: a, columns: b, inner: n))
    /// Each dot product, of as many terms, each sum rounded.
    func product(
      _ terms: Int = 24, _ x: (Int, Int) -> Double, _ y: (Int, Int) -> Double, _ round: (Double) -> Double
    )
      -> Product
    {
      Product(
        answers: (0..<n).map { i in
          (0..<n).map { j in (0..<terms).reduce(0) { round($0 + x(i, $1) * y(j, $1)) } }
        })
    }
    func row(_ i: Int, _ k: Int) -> Double { a[i * n + k] }
    func column(_ j: Int, _ k: Int) -> Double { b[j * n + k] }
    let float: (Double) -> Double = { Double(Float($0)) }
    func expect(_ name: String?, _ source: Product) throws {
      let found = try MatmulVerification(inputs, storage: .f32, format: .f32).run("c", source)
      let names = found.findings.hypotheses.map(\.name)
      #expect(name == nil ? names.isEmpty : names.contains(name ?? ""), "\(name ?? "right"): \(names)")
      #expect(found.findings.verdict(ofPart: 0) == (name == nil ? .ok : .bug))
    }
    try expect(nil, product(24, row, column, float))
    try expect("B transposed", product(24, row, { column($1, $0) }, float))
    try expect("A transposed", product(24, { row($1, $0) }, column, float))
    try expect("last 8 of the inner dimension left out", product(16, row, column, float))
    try expect("last of the inner dimension left out", product(23, row, column, float))
    for (name, cut) in Self.cuts {
      try expect(name, product(24, { cut(row($0, $1)) }, { cut(column($0, $1)) }, float))
    }
    try expect("accumulator f16", product(24, row, column) { NumberFormat.f16.round($0) })
    try expect("accumulator bf16", product(24, row, column) { NumberFormat.bf16.round($0) })
  }

  @Test func claimsAreRead() throws {
    let claims = try Claims(parsing: "compute=bf16,algorithm=shifted:pairwise,accumulate=f32")
    #expect(claims.compute == .bf16 && claims.accumulate == .f32 && claims.algorithm == "shifted:pairwise")
    for (text, error) in [
      ("", ClaimError.form("")), ("f32", .form("f32")), ("compute=", .form("compute=")),
      ("sum=f32", .name("sum")), ("compute=f32,compute=f16", .twice("compute")),
      ("compute=int8", .format("compute", "int8")), ("accumulate=e8m0", .format("accumulate", "e8m0")),
    ] {
      #expect(throws: error) { try Claims(parsing: text) }
    }
  }
}
