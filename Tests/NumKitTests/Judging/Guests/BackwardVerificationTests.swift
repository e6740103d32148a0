import NumKit
import RealModule
import Testing

/// Gradients from outside: right ones pass, each slip is named, its neighbours are not.
@Suite struct BackwardVerificationTests {
  /// A backward pass in Double, with one thing wrong.
  enum Mistake: String, CaseIterable {
    case none, noLevel, staleLevel, addedLevel, noProbability, noSlope, unscaled, scaledTwice, base2, negative
    case unmasked, firstHead, lastHead, lostQuery, transposed
    case lostKey, meanOfHeads, swapped, short
    case causalIgnored, modulo, topLeft

    /// What is said of it.
    var name: String? {
      switch self {
      case .none: nil
      case .noLevel: "D left out: dS = P∘dP"
      case .staleLevel: "D of the query before"
      case .addedLevel: "D added, not subtracted"
      case .noProbability: "P left out of dS"
      case .noSlope: "slope of the softcap left out"
      case .unscaled: "gradient not scaled"
      case .scaledTwice: "gradient scaled twice"
      case .base2: "gradient times log2 e, of scores in base 2"
      case .negative: "gradient of the opposite sign"
      case .unmasked: "mask left out where P is recomputed"
      case .firstHead: "not summed over the query heads of a key head: the first alone"
      case .lastHead: "not summed over the query heads of a key head: the last alone"
      case .lostQuery: "the last query left out of sums over queries"
      case .transposed: "dS transposed"
      case .lostKey: "the last key's dK and dV left out"
      case .meanOfHeads: "the mean over the query heads of a key head, not the sum"
      case .swapped: "dK and dV swapped"
      case .short: "P and dS in f16"
      case .causalIgnored: "causal mask ignored"
      case .modulo: "kv head h mod Hkv"
      case .topLeft: "causal, aligned top-left"
      }
    }
  }

  private struct Held: ResultSource {
    typealias Q = AttentionBackward
    let heads: [[Double]]
    func results(of item: AttentionBackward.Item, into results: UnsafeMutableBufferPointer<Double>) {
      for (i, x) in heads[item.keyHead].enumerated() { results[i] = x }
    }
  }

  /// The gradients of every key head, rounded to `format`.
  private func gradients(
    _ t: AttentionInputs, _ dO: [Double], cap: Double?, _ format: NumberFormat, _ mistake: Mistake
  ) -> [[Double]] {
    let s = t.shape
    let (n, m, d, dv) = (s.queries, s.keys, s.headSize, s.valueSize)
    let scale = 1 / Double(d).squareRoot()
    let factor =
      switch mistake {
      case .unscaled: 1.0
      case .scaledTwice: scale * scale
      case .base2: scale / Double.log(2)
      case .negative: -scale
      default: scale
      }
    return (0..<s.keyHeads).map { kv in
      var dq = [Double](repeating: 0, count: s.heads * n * d)
      var dk = [Double](repeating: 0, count: m * d)
      var dvs = [Double](repeating: 0, count: m * dv)
      var before = 0.0
      let own = (0..<s.heads).filter {
        mistake == .modulo ? $0 % s.keyHeads == kv : $0 / s.group == kv
      }
      for h in own {
        var all: [[Double]] = []
        var weights: [[Double]] = []
        for i in 0..<n {
          let row = (h * n + i)
          func sees(_ j: Int) -> Bool {
            if mistake == .causalIgnored { return true }
            return j <= i + (mistake == .topLeft ? 0 : m - n)
          }
          var scores: [Double] = []
          var slopes: [Double] = []
          var dP: [Double] = []
          for j in 0..<m {
            var x = (0..<d).reduce(0) { $0 + t.q[row * d + $1] * t.k[(kv * m + j) * d + $1] } * scale
            var slope = 1.0
            if let cap {
              let y = Double.tanh(x / cap)
              (x, slope) = (cap * y, 1 - y * y)
            }
            scores.append(x)
            slopes.append(mistake == .noSlope ? 1 : slope)
            dP.append((0..<dv).reduce(0) { $0 + dO[row * dv + $1] * t.v[(kv * m + j) * dv + $1] })
          }
          let top = (0..<m).filter(sees).reduce(-Double.infinity) { Swift.max($0, scores[$1]) }
          let sum = (0..<m).filter(sees).reduce(0) { $0 + Double.exp(scores[$1] - top) }
          let p = (0..<m).map {
            sees($0) || mistake == .unmasked ? Double.exp(scores[$0] - top) / sum : 0
          }
          let level = (0..<m).filter(sees).reduce(0) { $0 + p[$1] * dP[$1] }
          let used =
            switch mistake {
            case .noLevel: 0.0
            case .staleLevel: h == own[0] && i == 0 ? level : before
            case .addedLevel: -level
            default: level
            }
          before = level
          all.append(
            (0..<m).map {
              (mistake == .noProbability ? (p[$0] == 0 ? 0 : 1) : p[$0]) * (dP[$0] - used) * slopes[$0]
            })
          weights.append(p)
        }
        if mistake == .short {
          for i in 0..<n {
            all[i] = all[i].map { NumberFormat.f16.round($0) }
            weights[i] = weights[i].map { NumberFormat.f16.round($0) }
          }
        }
        if mistake == .transposed { all = (0..<n).map { i in (0..<m).map { all[$0][i] } } }
        let counts: (Int) -> Bool = { i in
          switch mistake {
          case .firstHead: h == own[0]
          case .lastHead: h == own[own.count - 1]
          case .lostQuery: h != own[own.count - 1] || i < n - 1
          default: true
          }
        }
        for i in 0..<n {
          for j in 0..<m {
            let ds = all[i][j] * factor
            for c in 0..<d { dq[(h * n + i) * d + c] += ds * t.k[(kv * m + j) * d + c] }
            if !counts(i) { continue }
            for c in 0..<d { dk[j * d + c] += ds * t.q[(h * n + i) * d + c] }
            for c in 0..<dv {
              dvs[j * dv + c] += (mistake == .negative ? -1 : 1) * weights[i][j] * dO[(h * n + i) * dv + c]
            }
          }
        }
      }
      if mistake == .lostKey {
        for c in dk.indices.suffix(d) { dk[c] = 0 }
        for c in dvs.indices.suffix(dv) { dvs[c] = 0 }
      }
      if mistake == .meanOfHeads {
        dk = dk.map { $0 / Double(own.count) }
        dvs = dvs.map { $0 / Double(own.count) }
      }
      if mistake == .swapped { swap(&dk, &dvs) }
      return (dq + dk + dvs).map { format.round($0) }
    }
  }

  private func draw(_ count: Int, _ seed: UInt64, _ format: NumberFormat) -> [Double] {
    var random = RandomSource(seed: seed, row: 0)
    return (0..<count).map { _ in format.round(random.normal()) }
  }

  private func verify(_ mistake: Mistake, _ format: NumberFormat) throws -> GuestFindings<AttentionBackward> {
    let isSquare = mistake == .transposed
    let shape = AttentionShape(
      heads: isSquare ? 2 : 4, keyHeads: 2, queries: isSquare ? 20 : 14, keys: 20, headSize: 8,
      valueSize: mistake == .swapped ? 8 : 6)
    let width = shape.valueSize
    let t = try #require(
      AttentionInputs(
        q: draw(shape.heads * shape.queries * 8, 1, format), k: draw(2 * 20 * 8, 2, format),
        v: draw(2 * 20 * width, 3, format), shape: shape))
    let dO = draw(shape.heads * shape.queries * width, 4, format)
    let cap: Double? = mistake == .noSlope ? 2 : nil
    let made = gradients(t, dO, cap: cap, format, mistake)
    // dQ of a head stands with the key head that has it by the rule.
    let (n, d) = (shape.queries, shape.headSize)
    let heads = (0..<2).map { kv in
      shape.rows(ofKeyHead: kv).flatMap { row in
        let holder = mistake == .modulo ? row / n % 2 : kv
        return made[holder][row * d..<(row + 1) * d]
      } + made[kv][(shape.heads * n * d)...]
    }
    let parameters = AttentionParameters(softcap: cap, mask: AttentionMask(causal: true))
    return try BackwardVerification(t, gradient: dO, parameters, format: format).run(
      "planted", Held(heads: heads)
    ).findings
  }

  @Test(arguments: [NumberFormat.f32, .bf16, .f16, .f64])
  func rightGradientsPass(_ format: NumberFormat) throws {
    let found = try verify(.none, format)
    #expect(found.parts.count == 3)
    for (part, errors) in found.parts.enumerated() {
      #expect(found.wrong[part].count == 0 && errors.bound == .sound && found.verdict(ofPart: part) != .bug)
      #expect(errors.boundUlp > 0.5)
    }
    #expect(found.hypotheses.isEmpty)
    let isKnown = found.fits.contains { $0.fits }
    #expect(isKnown)
  }

  @Test(arguments: Mistake.allCases.filter { $0 != .none }, [NumberFormat.f32, .bf16])
  func eachSlipIsNamed(_ mistake: Mistake, _ format: NumberFormat) throws {
    // P in f16 is more than bf16 asks for; the last key, which one query in fourteen sees, is little of a gradient of 8 bits.
    if format == .bf16 && (mistake == .short || mistake == .lostKey) { return }
    let found = try verify(mistake, format)
    #expect(found.wrong.contains { $0.count > 0 })
    #expect(found.hypotheses.first?.name == mistake.name, "\(found.hypotheses.map(\.name))")
  }

  @Test func claimsThatFitNoBackwardPassAreRefused() throws {
    let shape = AttentionShape(queries: 2, keys: 3, headSize: 2)
    let t = try #require(
      AttentionInputs(q: draw(4, 1, .f32), k: draw(6, 2, .f32), v: draw(6, 3, .f32), shape: shape))
    var asked = BackwardVerification(t, gradient: draw(4, 4, .f32), AttentionParameters(), format: .f32)
    asked.claims = try Claims(parsing: "algorithm=split-kv")
    #expect(throws: ClaimError.self) { try asked.run("x", Held(heads: [[]])) }
    asked.claims = Claims()
    asked.parameters.softmax = .clipped(lower: 0, upper: 1)
    #expect(throws: BackwardError.self) { try asked.run("x", Held(heads: [[]])) }
  }
}
