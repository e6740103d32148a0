import NumKit
import RealModule

/// How results are rounded: k equal logits share 1.
struct RoundingProbe {
  let room: RowRoom
  let resultBits: Int

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind.isExponential else { return }
    i.traits.append(try RoundingProbe(room: i.room, resultBits: i.resultBits).run())
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
    for (k, y) in zip(2...room.n, y) where k & (k - 1) != 0 || !room.kind.givesProbabilities {
      let exact =
        room.kind.givesProbabilities
        ? 1 / Double(k) : (room.kind == .logSumExp ? 1 : -1) * Double.log(Double(k))
      let ulp = room.format.ulp(of: exact) * .powerOfTwo(room.format.precision - resultBits)
      errors.append((y.magnitude - exact.magnitude) / ulp)
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
