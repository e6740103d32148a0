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
    let exponents = wide ? [5, 2] : [2, 0]
    let found = try exponents.map { try finest($0) }
    guard let first = found[0], let second = found[1] else {
      return .undecided("compute", "no small difference of two logits shows in the results")
    }
    let words =
      "\(first.words): the result moves at 0.75 x 2^(\(exponents[0])-\(first.level)) and not at half of that"
    // What the result's format hides is hidden elsewhere with smaller arguments.
    if first.level == second.level && first.level + 1 >= resultBits {
      return Trait("compute", .bits(first.level + 1), words)
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

/// The same for results of few bits: logits whose probability is so near a midpoint of two results that a difference of far less than
/// their last bit decides which of them is given.
struct StraddlingArguments {
  let room: RowRoom

  private struct Pair {
    let level: Int
    let place: Int
    let first: RowProbe
    let second: RowProbe
  }

  func run() throws -> Trait? {
    let format = room.format
    let wide = format.minExponent < -100
    var pairs: [Pair] = []
    for level in format.precision - 1...26 { pairs += candidates(level, wide ? [5, 4] : [2, 1]) }
    let y = try room.box.read(pairs.flatMap { [$0.first, $0.second] })
    var moved: [Int: Int] = [:]
    var tried: [Int: Int] = [:]
    var example: [Int: Int] = [:]
    for (k, pair) in pairs.enumerated() {
      tried[pair.level, default: 0] += 1
      if y[2 * k] != y[2 * k + 1] {
        moved[pair.level, default: 0] += 1
        example[pair.level] = k
      }
    }
    // With enough bits all pairs part, with fewer some do by chance.
    func share(_ level: Int) -> Double { Double(moved[level] ?? 0) / Double(max(tried[level] ?? 0, 1)) }
    let levels = tried.keys.filter { (tried[$0] ?? 0) >= 5 }.sorted()
    guard let finest = levels.prefix(while: { share($0) >= 0.8 }).last, let k = example[finest] else {
      return nil
    }
    // What far coarser rounding than that of results explains is no sign that rows lie where they are meant to.
    guard finest >= (wide ? 5 : 2) + format.precision + 4 else { return nil }
    let words =
      "\(ProbeText.row(pairs[k].second.values)): \(ProbeText.number(y[2 * k + 1])), and \(ProbeText.number(y[2 * k])) with x[\(pairs[k].place)] = \(ProbeText.number(pairs[k].first.values[pairs[k].place]))"
    guard let next = tried[finest + 1], next >= 5, share(finest + 1) <= 0.75 else {
      return Trait("compute", .atLeastBits(finest + 1), words)
    }
    return Trait(
      "compute", .bits(finest + 1),
      words
        + "; of \(next) such pairs half as far apart \(moved[finest + 1] ?? 0) part, with more bits all would"
    )
  }

  /// Pairs of rows whose exact results lie on both sides of a midpoint, as far from it as can be.
  private func candidates(_ level: Int, _ exponents: [Int]) -> [Pair] {
    let format = room.format
    var made: [Pair] = []
    for e in exponents {
      let unit = Double.powerOfTwo(e - level - 2)
      let tops = (0..<Int(Double.powerOfTwo(format.precision - 1))).map {
        Double.powerOfTwo(e) * (1 + Double($0) * format.epsilon)
      }
      .filter { (1.4...1.99).contains($0 / .powerOfTwo(e)) && (exponents[0] < 4 || $0 >= 18) }
      let most = Int(Double.powerOfTwo(format.precision)) / 4 - 1
      for (top, equal) in tops.flatMap({ top in [1, 3, 5, 7, 9, 11].map { (top, $0) } })
      where made.count < 10 && equal < room.n - 1 {
        for i in 0..<min(most, 64) {
          for sign in [1.0, -1.0] where made.count < 10 {
            let first = -sign * Double(4 * i) * unit
            let second = first - 3 * unit * sign
            guard format.round(first) == first, format.round(second) == second,
              second.magnitude >= format.smallestNormal
            else { continue }
            let (a, b) = (result(first - top, equal), result(second - top, equal))
            let (low, high) = (min(a, b), max(a, b))
            let ulp = format.ulp(of: low)
            let middle = ((low / ulp).rounded(.down) + 0.5) * ulp
            let margin = 0.2 * (high - low)
            guard middle - low > margin, high - middle > margin else { continue }
            func row(_ x: Double) -> RowProbe {
              var some = [equal: x]
              for k in 0..<equal { some[k] = top }
              return room.row(some, rest: room.none(top), place: equal)
            }
            made.append(Pair(level: level, place: equal, first: row(first), second: row(second)))
          }
        }
      }
    }
    return made
  }

  /// Of a logit `d` above so many equal ones.
  private func result(_ d: Double, _ equal: Int) -> Double {
    let e = Double.exp(d)
    return e / (Double(equal) + e)
  }
}
