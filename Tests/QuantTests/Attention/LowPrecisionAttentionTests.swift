import NumKit
import Quant
import Testing

/// Low-precision attention against sums done another way.
@Suite struct LowPrecisionAttentionTests {
  private static func tensors(
    _ shape: AttentionShape, _ seed: UInt64, offset: Double = 0, range: Double = 1
  ) throws -> AttentionInputs {
    var random = RandomSource(seed: seed, row: 0)
    func fill(_ rows: Int, _ width: Int) -> [Double] {
      var x = [Double](repeating: 0, count: rows * width)
      x.withUnsafeMutableBufferPointer { Distribution.normal.fill($0, range: range, &random) }
      return x.map { Double(Float($0)) }
    }
    let k = fill(shape.keyHeads * shape.keys, shape.headSize)
    return try #require(
      AttentionInputs(
        q: fill(shape.heads * shape.queries, shape.headSize), k: k.map { $0 + offset },
        v: fill(shape.keyHeads * shape.keys, shape.valueSize), shape: shape))
  }

  private static func prepared(
    _ name: String, _ tensors: AttentionInputs, _ parameters: AttentionParameters = AttentionParameters()
  ) throws -> LowPrecisionAttention {
    var random = RandomSource(seed: 1, row: -2)
    let scheme = try #require(AttentionSchemes.named(name))
    return try #require(LowPrecisionAttention(scheme, tensors, parameters, using: &random))
  }

  private static let shape = AttentionShape(heads: 4, keyHeads: 2, queries: 9, keys: 150, headSize: 32)

  /// The largest codes on the longest head size allowed, and codes of every size, by Int64.
  @Test func int32SumsAreExact() {
    let count = 1 << 17
    for modulus: Int in [1, 255] {
      let a = (0..<count).map { Int32(127 - $0 % modulus) }
      let b = (0..<count).map { Int32(127 - ($0 * 7) % modulus) }
      let sum = zip(a, b).reduce(Int64(0)) { $0 + Int64($1.0) * Int64($1.1) }
      #expect(Int64(LowPrecisionAttention.integerDot(a, b, count)) == sum)
    }
  }

  /// Codes are int8, and each score is their Int64 dot times the scales.
  @Test(arguments: ["sage", "sage-token", "sage2-int4"])
  func scoresAreTheCodesProducts(_ name: String) throws {
    let s = Self.shape
    let a = try Self.prepared(name, Self.tensors(s, 3))
    let limit: Int32 = name == "sage2-int4" ? 7 : 127
    #expect(a.q.codes.count == s.heads * s.queries * s.headSize)
    #expect(a.q.codes.contains { $0.magnitude == limit } && a.q.codes.allSatisfy { $0.magnitude <= limit })
    for h in 0..<s.heads {
      for i in 0..<s.queries {
        for j in 0..<s.keys {
          let (x, y) = (h * s.queries + i, h / 2 * s.keys + j)
          var dot: Int64 = 0
          for c in 0..<s.headSize { dot += Int64(a.q.codes[x * 32 + c]) * Int64(a.k.codes[y * 32 + c]) }
          let score = Float(dot) * (a.q.tokenScales[x] * a.k.tokenScales[y])
          #expect(a.product(head: h, query: i, key: j) == score)
        }
      }
    }
  }

  /// On keys that are dyadic and a power of two in number, the mean and all scores are exact: they move by one number for a query.
  @Test func theKeysMeanMovesAllScoresAlike() {
    let (n, d) = (16, 8)
    let k = (0..<n * d).map { Double($0 * 37 % 101) / 4 }
    let q = (0..<d).map { Double($0 * 11 % 7) - 3 }
    let less = EncodedOperand.withoutMean(k, tokens: n, width: d)
    func score(_ k: [Double], _ j: Int) -> Double { (0..<d).reduce(0) { $0 + q[$1] * k[j * d + $1] } }
    let move = score(k, 0) - score(less, 0)
    #expect(move != 0)
    for j in 0..<n { #expect(score(k, j) - score(less, j) == move) }
    for c in 0..<d { #expect((0..<n).reduce(0) { $0 + less[$1 * d + c] } == 0) }
  }

  /// Keys about 20 have steps six times as wide as keys about 0; the queries' own error, the same in both, dilutes that to about four.
  @Test func smoothingSavesKeysWithAnOffset() throws {
    let tensors = try Self.tensors(Self.shape, 5, offset: 20)
    let schemes = try ["sage-f32", "sage-rough"].map { try #require(AttentionSchemes.named($0)) }
    let entries = try SchemeComparison.run(schemes, tensors, AttentionParameters(), seed: 1, threads: 2)
      .entries
    #expect(entries[2].sums.rmse > 3 * entries[1].sums.rmse, "\(entries.map(\.sums.rmse))")
  }

  @Test func rotationLeavesProducts() throws {
    let s = Self.shape
    let tensors = try Self.tensors(s, 7)
    var (q, k) = (tensors.q, tensors.k)
    var random = RandomSource(seed: 4, row: 0)
    let signs = (0..<s.headSize).map { _ in random.next() & 1 == 0 ? 1.0 : -1 }
    ScaledInputs.rotate(&q, signs)
    ScaledInputs.rotate(&k, signs)
    #expect(q != tensors.q)
    for i in 0..<s.heads * s.queries {
      for j in 0..<s.keyHeads * s.keys {
        let d = s.headSize
        let before = (0..<d).reduce(0) { $0 + tensors.q[i * d + $1] * tensors.k[j * d + $1] }
        let after = (0..<d).reduce(0) { $0 + q[i * d + $1] * k[j * d + $1] }
        #expect((before - after).magnitude < 1e-12)
      }
    }
  }

  /// One tile: P is cast against the row's own maximum. Wide scores, so that a good part of P vanishes.
  @Test(arguments: ["fp8-tensor", "fa3-fp8", "sage-int8"])
  func underflowIsAsPredicted(_ name: String) throws {
    let shape = AttentionShape(heads: 2, queries: 32, keys: 64, headSize: 32)
    let tensors = try Self.tensors(shape, 9, range: 1.7)
    let scheme = try #require(AttentionSchemes.named(name))
    let entry = try SchemeComparison.run([scheme], tensors, AttentionParameters(), seed: 1, threads: 1)
      .entries[1]
    let (flushed, predicted) = (try #require(entry.flushed), try #require(entry.predicted))
    #expect(flushed > 0.02 && flushed < 0.98)
    #expect((flushed - predicted).magnitude < 0.05, "\(flushed), predicted \(predicted)")
  }

  /// A wide P and plain f16 operands are attention as the formula says, masks included.
  @Test func everySchemeFollowsTheFormula() throws {
    let tensors = try Self.tensors(Self.shape, 11)
    let parameters = AttentionParameters(mask: AttentionMask(causal: true, left: 100, sinks: 2))
    let (entries, _, _) = try SchemeComparison.run(
      AttentionSchemes.all, tensors, parameters, seed: 1, threads: 2)
    for e in entries {
      let name = e.scheme?.name ?? "standard"
      let floor = name.hasPrefix("kivi-int2") ? 0.8 : name.hasSuffix("int4") ? 0.97 : 0.998
      #expect(e.sums.cosine > floor && e.sums.lostCount == 0, "\(name) \(e.sums.cosine)")
    }
  }

  @Test func whatCannotBeDoneIsRefused() throws {
    var random = RandomSource(seed: 1, row: 0)
    let odd = try Self.tensors(AttentionShape(queries: 2, keys: 2, headSize: 6), 1)
    let scheme = try #require(AttentionSchemes.named("fa3-fp8"))
    #expect(LowPrecisionAttention(scheme, odd, AttentionParameters(), using: &random) == nil)
    let sage = try #require(AttentionSchemes.named("sage"))
    #expect(LowPrecisionAttention(sage, odd, AttentionParameters(), using: &random) != nil)
    for p in [AttentionParameters(softcap: 3), AttentionParameters(softmax: .sink([0]))] {
      #expect(LowPrecisionAttention(sage, odd, p, using: &random) == nil)
    }
    #expect(AttentionSchemes.named("sage9") == nil)
    #expect(Set(AttentionSchemes.all.map(\.name)).count == AttentionSchemes.all.count)
  }
}
