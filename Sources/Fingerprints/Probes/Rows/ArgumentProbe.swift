import NumKit
import RealModule

/// In how many bits x − max is computed: at max = m·2^e the other logit is moved from 0 by 0.75·2^(e − h), which shows where the
/// difference has more than h bits.
struct ArgumentProbe {
  let room: RowRoom
  /// The most bits that results have.
  let resultBits: Int
  /// Whether the maximum is subtracted.
  let subtracts: Bool

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind.isExponential else { return }
    let trait = try ArgumentProbe(room: i.room, resultBits: i.resultBits, subtracts: i.subtracts).run()
    i.compute = trait.value
    // The last operation of a log-sum-exp says nothing of the others.
    if i.room.kind != .logSumExp { i.traits.append(trait) }
  }

  func run() throws -> Trait {
    let p = room.format.precision
    if resultBits < p, room.kind == .softmax {
      return Trait(
        "compute", .bits(resultBits),
        "no result of 256 random rows has more than \(resultBits) significant bits")
    }
    guard subtracts, room.kind.givesProbabilities else {
      return Trait(
        "compute", .atLeastBits(resultBits),
        "results of 256 random rows have up to \(resultBits) significant bits")
    }
    if p <= 11, let hidden = try StraddlingArguments(room: room).run() { return hidden }
    // e^−(2^e m) must be a number of the format with all of its bits.
    let wide = room.format.minExponent < -100
    var found: [(exponent: Int, level: Int, words: String)] = []
    for exponent in wide ? [5, 3, 2] : [2, 0] where found.count < 2 {
      if let one = try finest(exponent) { found.append((exponent, one.level, one.words)) }
    }
    guard found.count == 2, case let (first, second) = (found[0], found[1]) else {
      return .undecided("compute", "no small difference of two logits shows in the results")
    }
    let words =
      "\(first.words): the result moves at 0.75 x 2^(\(first.exponent)-\(first.level)) and not at half of that"
    // What the result's format hides is hidden elsewhere with smaller arguments.
    let bits = first.level + 1
    if first.level == second.level && bits >= resultBits {
      // A number of bits that no format has is what results show of more.
      let isFormat = [2, 3, 4, 8, 11, 24, 53].contains(bits)
      return Trait("compute", isFormat ? .bits(bits) : .atLeastBits(bits), words)
    }
    if first.level == second.level && bits + 2 < resultBits {
      return .undecided(
        "compute",
        "\(words), but results have up to \(resultBits) bits: the exponent is rounded on its way, or e^x is coarse"
      )
    }
    return Trait(
      "compute", .atLeastBits(max(first.level, second.level, resultBits - 1) + 1),
      words + "; finer differences are below the results' last bits")
  }

  private func finest(_ e: Int) throws -> (level: Int, words: String)? {
    let levels = Array(4...60)
    var probes: [RowProbe] = []
    var cases: [(level: Int, values: RowProbe)] = []
    for m in [1.5, 1.625, 1.75, 1.875] {
      let top = m * .powerOfTwo(e)
      let none = room.none(top)
      guard room.format.round(top) == top else { continue }
      for level in levels {
        let step = 0.75 * .powerOfTwo(e - level)
        guard room.format.round(step) == step, step >= room.format.smallestNormal else { continue }
        for x in [0, -step] {
          let probe = room.row([0: top, 1: x], rest: none, place: 1)
          probes.append(probe)
          cases.append((level, probe))
        }
      }
    }
    let y = try room.box.read(probes)
    var best: (Int, RowProbe)?
    for k in stride(from: 0, to: y.count, by: 2) where y[k] != y[k + 1] && !y[k].isNaN {
      if cases[k].level > best?.0 ?? 0 { best = (cases[k].level, cases[k + 1].values) }
    }
    return best.map { ($0.0, ProbeText.row($0.1.values, else: room.none(0))) }
  }
}
