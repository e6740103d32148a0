import NumKit
import RealModule

/// How results are rounded: k equal logits share 1.
struct RoundingProbe {
  let room: RowRoom
  let resultBits: Int

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind.isExponential else { return }
    let probe = RoundingProbe(room: i.room, resultBits: i.resultBits)
    let trait = try probe.run()
    i.traits.append(trait)
    if trait.value == .word("nearest"), let twice = try probe.twice() { i.traits.append(twice) }
  }

  /// Whether results of 8 bits and less were rounded to the 11 of f16 or tf32 before: shares of k alike that lie so near a midpoint that
  /// they are one in 11 bits, and on the side to which a tie does not go.
  func twice() throws -> Trait? {
    let format = room.format
    guard room.kind.givesProbabilities, format.precision <= 8, resultBits == format.precision else {
      return nil
    }
    func rounded(_ k: Int) -> (once: Double, twice: Double) {
      (format.round(1 / Double(k)), format.round(NumberFormat.f16.round(1 / Double(k))))
    }
    let telling = (3...room.n).filter { rounded($0).once != rounded($0).twice }
    guard let first = telling.first else { return nil }
    let y = try room.box.read(
      telling.map { k in
        room.row(Dictionary(uniqueKeysWithValues: (0..<k).map { ($0, 0) }), rest: room.none(), place: 0)
      })
    let words = "\(telling.count) numbers of equal logits, of \(first) \(ProbeText.hex(y[0]))"
    if zip(telling, y).allSatisfy({ rounded($0).once == $1 }) {
      return Trait("double rounding", .word("no"), words)
    }
    if zip(telling, y).allSatisfy({ rounded($0).twice == $1 }) {
      return Trait("double rounding", .word("yes"), words + ", as through 11 bits")
    }
    return nil
  }

  func run() throws -> Trait {
    let probes = (2...room.n).map { k in
      room.row(Dictionary(uniqueKeysWithValues: (0..<k).map { ($0, 0) }), rest: room.none(), place: 0)
    }
    let y = try room.box.read(probes)
    let again = try room.box.read(probes)
    if let k = y.indices.first(where: { y[$0] != again[$0] && !(y[$0].isNaN && again[$0].isNaN) }) {
      return Trait(
        "rounding", .word("stochastic"),
        "\(k + 2) equal logits: \(ProbeText.number(y[k])), asked again \(ProbeText.number(again[k]))")
    }
    var errors: [Double] = []
    let expected = ExactRow(
      room.kind.givesProbabilities ? .softmax : room.kind == .logSumExp ? .logSumExp : .logSoftmax)
    for (k, y) in zip(2...room.n, y) where k & (k - 1) != 0 || !room.kind.givesProbabilities {
      let (exact, rest) = expected.result(0, of: Array(repeating: 0, count: k))
      let ulp = room.format.ulp(of: exact) * .powerOfTwo(room.format.precision - resultBits)
      errors.append((y.magnitude - exact.magnitude - (exact < 0 ? -rest : rest)) / ulp)
    }
    let (low, high) = (errors.min() ?? .nan, errors.max() ?? .nan)
    let words =
      "2 to \(room.n) equal logits: errors from \((low * 100).rounded() / 100) to \((high * 100).rounded() / 100) ulp"
    guard !low.isNaN, !high.isNaN, !errors.contains(where: \.isNaN) else {
      return .undecided("rounding", words)
    }
    if low >= -0.75, high <= 0.75, low < -0.05, high > 0.05 {
      return Trait("rounding", .word("nearest"), words)
    }
    if high <= 0.02, low < -0.75, low > -1.02 { return Trait("rounding", .word("truncated"), words) }
    return .undecided("rounding", words + ": more than one rounding")
  }
}
