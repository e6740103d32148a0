import NumKit
import Quant
import RealModule
import Testing

@Suite struct ThroughTests {
  private func rows(_ rows: [[Float]]) -> TensorMatrix {
    TensorMatrix(rows: rows.count, columns: rows[0].count, values: rows.flatMap { $0 })
  }

  private func softmax(_ x: [Double]) -> [Double] {
    let top = x.max() ?? 0
    let e = x.map { Double.exp($0 - top) }
    let sum = e.reduce(0, +)
    return e.map { $0 / sum }
  }

  @Test func softmaxErrorsKeepTheirDefinitionsAndBounds() throws {
    for scheme in ["int4@token", "int8@token", "mxfp4", "f16"] {
      let x = Subject.normal(30, 64, seed: 7, scale: 3)
      let (decoded, _) = try Treatment(SchemeRegistry.scheme(named: scheme)).apply(x, context: CureContext())
      let found = try ThroughSoftmax(x, decoded, threads: 3)
      var (worst, total, change, flips) = (0.0, 0.0, 0.0, 0)
      for row in 0..<30 {
        let a = x.values[row * 64..<(row + 1) * 64].map(Double.init)
        let b = decoded.values[row * 64..<(row + 1) * 64].map(Double.init)
        let (p, q) = (softmax(a), softmax(b))
        let kl = zip(p, q).reduce(0) { $0 + $1.0 * Double.log($1.0 / $1.1) }
        worst = max(worst, kl)
        total += kl
        change = max(change, zip(p, q).map { ($0 - $1).magnitude }.max() ?? 0)
        let top = a.firstIndex(of: a.max() ?? 0) ?? 0
        if b[top] < b.max() ?? 0 { flips += 1 }
      }
      #expect((found.maxDivergence - worst).magnitude < 1e-12 && found.rows == 30)
      #expect((found.meanDivergence - total / 30).magnitude < 1e-12)
      #expect((found.maxChange - change).magnitude < 1e-13)
      #expect(found.topFlips == flips && found.lostRows == 0)
      #expect(found.certificate.undecided == 0 && found.certificate.total == 2 * 30 * 64)
      #expect(found.maxChange <= found.changeBound && found.maxDivergence <= found.divergenceBound)
    }
  }

  /// The bound on a change is reached: two logits that change places.
  @Test(arguments: [Float(0.5), 2, 8]) func theBoundIsReached(_ spread: Float) throws {
    let x = rows([[-spread / 4, spread / 4]])
    let y = rows([[spread / 4, -spread / 4]])
    let found = try ThroughSoftmax(x, y)
    #expect(found.changeBound >= found.maxChange)
    #expect(found.changeBound - found.maxChange < 1e-14)
    #expect(found.topFlips == 1)
  }

  /// Where p underflows in Double but its logit rises, KL is what the logits say.
  @Test(arguments: [Float(3), 700, 720, 740, 800, 3e5]) func divergenceOfLogitsFarApart(_ gap: Float) throws {
    // The most probable entry falls back to a tie: ln 2.
    let tied = try ThroughSoftmax(rows([[100, 100 + gap, -1000]]), rows([[100 + gap, 100 + gap, -1000]]))
    let p = 1 / (1 + Double.exp(-Double(gap)))
    // Σ p ln(p/q) with q = 1/2 each.
    let entropy = -p * Double.log(p) - (p < 1 ? (1 - p) * Double.log(1 - p) : 0)
    #expect((tied.maxDivergence - (Double.log(2) - entropy)).magnitude < 1e-9, "\(tied.maxDivergence)")
    // The two change places: gap·tanh(gap/2).
    let swapped = try ThroughSoftmax(rows([[0, gap]]), rows([[gap, 0]]))
    let expected = Double(gap) * Double.tanh(Double(gap) / 2)
    #expect((swapped.maxDivergence / expected - 1).magnitude < 1e-12, "\(swapped.maxDivergence)")
    #expect(swapped.maxDivergence <= swapped.divergenceBound && swapped.topFlips == 1)
  }

  @Test func nothingComparedIsNoFigure() throws {
    let lost = try ThroughSoftmax(rows([[.nan, 1]]), rows([[1, 1]]))
    #expect(lost.isEmpty && lost.lostRows == 1 && lost.meanDivergence.isNaN)
  }

  @Test func shiftsChangeNothingAndMasksMayStay() throws {
    let x = rows([[1, 2, 3, -.infinity], [0, 0, 1, 2]])
    let y = rows([[3, 4, 5, -.infinity], [-1, -1, 0, 1]])
    let found = try ThroughSoftmax(x, y)
    #expect(found.maxDivergence < 1e-15 && found.maxChange < 1e-15 && found.changeBound == 0)
    #expect(found.rows == 2 && found.topFlips == 0 && found.lostRows == 0)
    // A mask that came to life, an overflow, a NaN.
    for broken: [Float] in [[1, 2, 3, -60000], [1, 2, .infinity, -.infinity], [1, .nan, 3, -.infinity]] {
      let lost = try ThroughSoftmax(rows([x.values[0..<4] + []]), rows([broken]))
      #expect(lost.lostRows == 1 && lost.rows == 0)
    }
    // A row of masks has no probabilities.
    let masked = rows([[-.infinity, -.infinity]])
    #expect(try ThroughSoftmax(masked, masked).lostRows == 0)
  }

  @Test func productsAreExact() throws {
    // Terms that cancel to what is far below their rounding in Double.
    let w = rows([[0x1p30, 1, -0x1p30], [1, 0x1p-20, 3]])
    let v = rows([[0x1p30, 1, -0x1p30], [1, 0, 2]])
    let x = rows([[0x1p30, 0x1p-30, 0x1p30], [2, 4, 8]])
    let u = rows([[0x1p30, 0, 0x1p30], [2, 4, 9]])
    let found = try ThroughProduct(weights: w, v, activations: x, u)
    // y − ŷ by hand: token 0: weights (0, 2^-50 + 2^30), activations (2^-30, 2^-50), both (2^-30, 2^30 + …).
    #expect(found.weights.maxAbsoluteError == 0x1p30)
    #expect(found.activations.maxAbsoluteError == 0x1p30)
    #expect(found.weights.count == 4 && found.both.count == 4)
    let only = try ThroughProduct(
      weights: rows([[0x1p30, 1, -0x1p30]]), rows([[0x1p30, 1, -0x1p30]]),
      activations: rows([[0x1p30, 0x1p-30, 0x1p30]]), rows([[0x1p30, 0, 0x1p30]]))
    #expect(only.activations.maxAbsoluteError == 0x1p-30 && only.weights.maxAbsoluteError == 0)
    #expect(only.weights.sqnr == .infinity && only.activations.sqnr == 0)
  }

  @Test(arguments: ["int8@token", "int4@g32", "mxfp4"]) func productErrorsKeepTheirBounds(_ name: String)
    throws
  {
    let scheme = try SchemeRegistry.scheme(named: name)
    let (w, x) = (Subject.normal(12, 64), Subject.uneven(9, 64, seed: 4))
    let v = try Treatment(scheme).apply(w, context: CureContext()).decoded
    let u = try Treatment(scheme).apply(x, context: CureContext()).decoded
    let found = try ThroughProduct(weights: w, v, activations: x, u, threads: 2)
    for (part, a, b) in [(found.weights, v, x), (found.activations, w, u), (found.both, v, u)] {
      #expect(part.aboveBound == 0 && part.maxAbsoluteError <= part.bound && part.lostCount == 0)
      let (exact, changed) = (Subject.product(w, x), Subject.product(a, b))
      let noise = Subject.distance(exact, changed)
      let signal = Subject.distance(exact, exact.map { _ in 0 })
      #expect((part.sqnr - 20 * Double.log10(signal / noise)).magnitude < 1e-9)
      #expect((part.rmse - noise / Double(exact.count).squareRoot()).magnitude < 1e-12 * signal)
    }
    // One thread or two, the same digits.
    let one = try ThroughProduct(weights: w, v, activations: x, u)
    #expect(one.both.sqnr == found.both.sqnr && one.both.relativeL1 == found.both.relativeL1)
    #expect(one.certificate == found.certificate)
    #expect(one.certificate.undecided == 0 && one.certificate.total == 4 * 12 * 9)
  }

  /// What a transform does to a weight it undoes in the activations: the product stays, and what is massive in them costs less.
  @Test(arguments: ["hadamard", "rotation", "smooth", "awq", "channel-scale", "split"])
  func activationsAreChangedTheOppositeWay(_ name: String) throws {
    let (w, x) = (Subject.normal(16, 64), Subject.uneven(24, 64, seed: 4))
    let context = CureContext(activations: x)
    let transform = try TransformRegistry.transform(named: name)
    func product(_ scheme: String, _ transforms: [any Transform]) throws -> ThroughProduct {
      let treatment = Treatment(try SchemeRegistry.scheme(named: scheme), transforms: transforms)
      let (v, _, u) = try treatment.apply(w, activations: x, context: context)
      return try ThroughProduct(weights: w, v, activations: x, u)
    }
    // In f16 little is left but its own rounding.
    let fine = try product("f16", [transform])
    #expect(fine.activations.sqnr > 65 && fine.both.sqnr > 65, "\(fine.activations.sqnr)")
    let (plain, cured) = (try product("int8@token", []), try product("int8@token", [transform]))
    if ["hadamard", "rotation", "smooth"].contains(name) {
      #expect(cured.activations.sqnr > plain.activations.sqnr + 3, "\(cured.activations.sqnr)")
    }
    if name == "split" { #expect(cured.activations.sqnr == plain.activations.sqnr) }
  }

  /// Against attention in plain Double, grouped heads and causal masks included.
  @Test(arguments: [false, true]) func attentionIsThatOfItsTensors(_ isCausal: Bool) throws {
    let (heads, kvHeads, queries, keys, d) = (4, 2, 5, 7, 8)
    let exact = try AttentionTensors(
      q: Subject.normal(heads * queries, d), k: Subject.normal(kvHeads * keys, d, seed: 2),
      v: Subject.normal(kvHeads * keys, d, seed: 3), heads: heads, kvHeads: kvHeads, isCausal: isCausal)
    var decoded = exact
    let scheme = try SchemeRegistry.scheme(named: "int4@token")
    for path in [\AttentionTensors.q, \.k, \.v] {
      decoded[keyPath: path] = try Treatment(scheme).apply(exact[keyPath: path], context: CureContext())
        .decoded
    }
    func attend(_ q: TensorMatrix, _ k: TensorMatrix, _ v: TensorMatrix) -> [Double] {
      var out: [Double] = []
      for row in 0..<heads * queries {
        let start = row / queries / 2 * keys
        let count = isCausal ? keys - queries + row % queries + 1 : keys
        let logits = (0..<count).map { j in
          (0..<d).reduce(0.0) { $0 + Double(q.values[row * d + $1]) * Double(k.values[(start + j) * d + $1]) }
            / Double(d).squareRoot()
        }
        let p = softmax(logits)
        for c in 0..<d {
          out.append((0..<count).reduce(0.0) { $0 + p[$1] * Double(v.values[(start + $1) * d + c]) })
        }
      }
      return out
    }
    let found = try ThroughAttention(exact, decoded, threads: 2)
    let o = attend(exact.q, exact.k, exact.v)
    let parts = [
      (found.queries, attend(decoded.q, exact.k, exact.v)), (found.keys, attend(exact.q, decoded.k, exact.v)),
      (found.values, attend(exact.q, exact.k, decoded.v)),
      (found.all, attend(decoded.q, decoded.k, decoded.v)),
    ]
    for (part, other) in parts {
      let largest = zip(o, other).map { ($0 - $1).magnitude }.max() ?? 0
      #expect((part.maxAbsoluteError - largest).magnitude < 1e-13)
      #expect((part.rmse - Subject.distance(o, other) / Double(o.count).squareRoot()).magnitude < 1e-13)
      #expect(part.count == o.count && part.lostCount == 0)
    }
    let c = found.certificate
    #expect(c.undecided == 0 && c.total == 5 * o.count)
    #expect(throws: CureError.self) {
      try AttentionTensors(
        q: exact.q, k: exact.k, v: exact.v, heads: 3, kvHeads: 2, isCausal: false)
    }
  }
}
