import NumKit
import RealModule

/// How wrong exponentials are: beside a logit so far above that the sum is 1, a result is the exponential itself.
struct ExponentialProbe {
  let room: RowRoom
  let resultBits: Int
  let subtracts: Bool

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind.givesProbabilities else { return }
    i.traits.append(
      try ExponentialProbe(room: i.room, resultBits: i.resultBits, subtracts: i.subtracts).run())
  }

  func run() throws -> Trait {
    guard room.kind.givesProbabilities else {
      return .undecided("exp", "only probabilities are exponentials alone")
    }
    guard subtracts else {
      return .undecided("exp", "nothing is subtracted, so that no exponential stands alone beside 1")
    }
    let p = room.format.precision
    guard resultBits == p else {
      return .undecided("exp", "results have \(resultBits) bits: their rounding hides that of exponentials")
    }
    guard room.format.minExponent < -100 else {
      return .undecided("exp", "\(room.format.name) has no room for exponentials that don't move the sum")
    }
    let start = max(18.0, Double(p) * 0.694 + 1.5)
    let logits = (0..<512).map { room.format.round(-start - (80 - start) * Double($0) / 511) }
    let probes = logits.map { room.row([0: 0, 1: $0], rest: room.none(), place: 1) }
    let y = try room.box.read(probes)
    var worst = (ulp: 0.0, x: 0.0)
    var worstBase2 = 0.0
    let log2e = 1.442695040888963407359924681
    let compute: NumberFormat = p > 24 ? .f64 : .f32
    let softmax = ExactRow(.softmax)
    for (x, y) in zip(logits, y) {
      let (exact, rest) = softmax.exponential(x)
      let ulp = room.format.ulp(of: exact)
      let error = (y - exact - rest).magnitude / ulp
      if error > worst.ulp || error.isNaN { worst = (error.isNaN ? .infinity : error, x) }
      worstBase2 = max(worstBase2, (y - Double.exp2(compute.round(x * compute.round(log2e)))).magnitude / ulp)
    }
    guard worst.ulp.isFinite else { return .undecided("exp", "e^\(worst.x) is no number") }
    let class2 = max(1, Int(Double.log2(max(worst.ulp, 1)).rounded(.up)))
    let value = worst.ulp <= 1 ? "within 1 ulp" : "within \(1 << class2) ulp"
    let words =
      "x[0] = 0, x[1] = \(ProbeText.number(worst.x)), else -800: \(short(worst.ulp)) ulp, the most of 512"
    if worst.ulp > 4 && worstBase2 <= 4 {
      return Trait(
        "exp", .word("base 2 in \(compute.name), \(value)"),
        words + "; all are 2^y within \(short(worstBase2)) ulp with y = x log2(e) rounded to \(compute.name)")
    }
    return Trait("exp", .word(value), words)
  }

  private func short(_ x: Double) -> String { "\((x * 100).rounded() / 100)" }
}
