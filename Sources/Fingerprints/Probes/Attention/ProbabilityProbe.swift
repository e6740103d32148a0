import NumKit
import RealModule

/// What attention casts probabilities to before they meet the values.
///
/// Of k equal scores each probability is 1/k, and cast it is another number: sums with values chosen so that formats differ say which.
/// Kernels that divide at the end cast e^(s − max) instead: beside one of 1 another exponential is cancelled by values that add up to it,
/// cast, so that nothing is left just where it was cast so.
struct ProbabilityProbe {
  let box: any AttentionBox
  private static let formats: [NumberFormat] = [.f8e4m3fn, .f8e5m2, .bf16, .f16, .f32]

  func run() throws -> Trait {
    let (n, format) = (box.keys, box.format)
    let none = format.round(-800)
    // Divided first: 1/3 cast, times a value, for values where the candidates differ.
    let candidates = Self.formats.filter { $0.precision < 24 } + [.f32]
    var heads: [(scores: [Double], values: [Double])] = []
    var expected: [[Double]] = []
    for k in [3, 5, 7, 11] where k <= n {
      for step in 0..<64 {
        let value = format.round(1 + Double(step) / 64)
        let all = candidates.map { format.round(NumberFormat.f32.round($0.round(1 / Double(k)) * value)) }
        guard Set(all).count > 1 else { continue }
        var scores = [Double](repeating: none, count: n)
        for j in 0..<k { scores[j] = 0 }
        var values = [Double](repeating: 0, count: n)
        values[0] = value
        heads.append((scores, values))
        expected.append(all)
      }
    }
    let y = try box.weighted(heads)
    let fitting = candidates.indices.filter { c in zip(y, expected).allSatisfy { $0 == $1[c] } }
    if let c = fitting.first, candidates[c].precision < 24, fitting.count == 1 {
      return try named(
        candidates[c],
        "3, 5, 7 and 11 equal scores, \(heads.count) values: all results are 1/k rounded to \(candidates[c].name), times the value"
      )
    }
    return try undivided(none)
  }

  /// The format, where it is not one of as many bits and more range: e^−18, below f16's numbers, and e^−60, below those of any f16 that is
  /// scaled.
  private func named(_ found: NumberFormat, _ words: String) throws -> Trait {
    guard found == .f16 else { return Trait("p", .word(found.name), words) }
    func left(_ score: Double, _ value: Double) throws -> Double {
      var scores = [Double](repeating: box.format.round(-800), count: box.keys)
      var values = [Double](repeating: 0, count: box.keys)
      (scores[0], scores[1], values[1]) = (0, score, value)
      return try box.weighted([(scores, values)])[0]
    }
    if try left(-18, 0x1p15) == 0 { return Trait("p", .word("f16"), words) }
    if box.format.minExponent < -100, try left(-60, 0x1p90) != 0 {
      return Trait("p", .word("tf32"), words + "; e^-60 is none of f16's and not lost")
    }
    return .undecided("p", words + "; but e^-18, which is below f16's numbers, is not lost")
  }

  /// Of kernels that divide at the end.
  private func undivided(_ none: Double) throws -> Trait {
    let (n, format) = (box.keys, box.format)
    let candidates = Self.formats.filter { $0.precision <= 11 }
    // Exponentials that no error of theirs takes to another number of a candidate.
    let logits = (0..<64).map { format.round(-0.25 - 0.0703125 * Double($0)) }.filter { x in
      let e = Double.exp(x)
      return candidates.allSatisfy { $0.round(e * (1 + 0x1p-18)) == $0.round(e * (1 - 0x1p-18)) }
    }
    var heads: [(scores: [Double], values: [Double])] = []
    var left: [Double] = []
    for x in logits {
      let e = Double.exp(x)
      for candidate in candidates {
        var scores = [Double](repeating: none, count: n)
        (scores[0], scores[1], scores[2]) = (0, 0, x)
        var values = [Double](repeating: 0, count: n)
        // Two numbers of the format that add up to the cast exponential.
        let cast = candidate.round(e)
        let high = format.round(cast)
        (values[0], values[1], values[2]) = (-high, -(cast - high), 1)
        heads.append((scores, values))
        left.append((e - cast) / (2 + e))
      }
    }
    let y = try box.weighted(heads)
    // A format whose numbers are some of another's cancels there as well.
    let whole = candidates.indices.filter { c in
      logits.indices.allSatisfy { y[$0 * candidates.count + c] == 0 }
    }
    if let c = whole.max(by: { candidates[$0].precision < candidates[$1].precision }) {
      return try named(
        candidates[c],
        "scores 0, 0 and \(ProbeText.number(logits[0])), and \(logits.count - 1) others; values that cancel e^x rounded to \(candidates[c].name): nothing is left"
      )
    }
    let slack = 0x1p-20
    if zip(y, left).allSatisfy({ ($0 - $1).magnitude <= 0.05 * $1.magnitude + slack }) {
      return Trait(
        "p", .word("more than f16"),
        "values that cancel e^x rounded to f16, bf16 or 8 bits leave what rounding takes, in \(logits.count) of \(logits.count)"
      )
    }
    return .undecided(
      "p", "neither 1/k times a value nor what is left of e^x is that of a cast to f16, bf16, 8 bits or none")
  }
}
