import NumKit

/// The accumulator of a dot product: bits of its significand, how it rounds, how far it reaches. Three terms of which two meet first.
struct DotAccumulatorProbe {
  let room: DotRoom
  /// Two terms that meet before the third.
  let places: (first: Int, second: Int, last: Int)
  /// How all are added.
  let tree: SumTree

  private func left(_ big: Double, _ small: Double) -> [Double] {
    room.terms([places.first: big, places.second: small, places.last: -big])
  }

  static func ask(_ i: DotInterview) throws {
    guard let places = i.places, let tree = i.tree else {
      i.traits.append(.undecided("accumulate", "which terms meet first is not known"))
      return
    }
    let found = try DotAccumulatorProbe(room: i.room, places: places, tree: tree).run()
    i.accumulator = found.first?.value
    i.traits += found
  }

  func run() throws -> [Trait] {
    // As large as the accumulator's range lets it be, so that there is much below.
    var last: [Trait] = []
    for large in room.format.minExponent < -100 ? [0x1p40, 0x1p10] : [0x1p10] {
      last = try run(large)
      if last.first?.value != nil { return last }
    }
    return last
  }

  private func run(_ large: Double) throws -> [Trait] {
    let format = room.format
    let least = format.smallestPositive / room.box.factor
    let levels = (1...100).filter { large * .powerOfTwo(-$0) >= least }
    let rows = levels.map { left(large, large * .powerOfTwo(-$0)) }
    let y = try room.sums(rows)
    let kept = zip(levels, y).filter { large * .powerOfTwo(-$0.0) == $0.1 }.map(\.0)
    guard let finest = kept.max(), kept.count == finest else {
      return [
        .undecided(
          "accumulate", "terms of 1 and 2^-k: what is left is not what an accumulator of some bits leaves")
      ]
    }
    let words =
      "1 at \(places.first), 2^-\(finest) at \(places.second), -1 at \(places.last), times \(ProbeText.hex(large)): 2^-\(finest) is left"
    if finest == levels.last {
      return [
        Trait("accumulate", .atLeastBits(finest + 1), words + "; \(format.name) has nothing smaller"),
        .undecided("sum rounding", "no rounding of a sum shows"),
      ]
    }
    if let more = try compensation(finest + 1, large) {
      return [
        .undecided(
          "accumulate", words + ", 2^-\(finest + 1) is not; but \(more): what roundings lose is kept"),
        .undecided("sum rounding", "what roundings lose is kept"),
      ]
    }
    if let other = try elsewhere(finest, large) {
      return [
        .undecided("accumulate", words + ", 2^-\(finest + 1) is not; but \(other)"),
        .undecided("sum rounding", "sums have not everywhere as many bits"),
      ]
    }
    return [
      Trait("accumulate", .bits(finest + 1), words + ", 2^-\(finest + 1) is not"),
      try rounding(finest + 1, large),
    ] + (try range())
  }

  /// Two terms that meet later, higher up in the tree, of whose sum other bits are left; nil where there are none.
  private func elsewhere(_ finest: Int, _ large: Double) throws -> String? {
    var meetings: [(Int, Int, Int)] = []
    var outside: Int?
    var node = tree
    while case .node(let parts) = node, let own = parts.first(where: { $0.leaves.contains(places.first) }) {
      let others = parts.filter { $0 != own }.flatMap(\.leaves)
      if let outside, let other = others.first { meetings.append((places.first, other, outside)) }
      outside = outside ?? others.last
      node = own
    }
    let step = max(1, meetings.count / 16)
    let chosen = stride(from: 0, to: meetings.count, by: step).map { meetings[$0] }
    func rows(_ level: Int) -> [[Double]] {
      chosen.map { room.terms([$0.0: large, $0.1: large * .powerOfTwo(-level), $0.2: -large]) }
    }
    let y = try room.sums(rows(finest) + rows(finest + 1))
    for (k, (first, second, last)) in chosen.enumerated() {
      let isKept = y[k] == large * .powerOfTwo(-finest)
      if isKept && y[chosen.count + k] == 0 { continue }
      return "with 2^-k at \(second) and -1 at \(last)"
        + (isKept ? " 2^-\(finest + 1) is left as well" : " 2^-\(finest) is not left") + ", 1 at \(first)"
    }
    return nil
  }

  /// What shows that sums keep what their roundings lose, as compensated ones do (Kahan, 10.1145/363707.363723): terms too small to
  /// move a sum of so many bits are left where they meet it one by one. nil where they are not.
  private func compensation(_ bits: Int, _ large: Double) throws -> String? {
    let small = large * .powerOfTwo(-bits - 1)
    // What undoes the large one comes as late as it can.
    guard small >= room.format.smallestPositive / room.box.factor, case .node(let parts) = tree,
      let late = parts.map(\.leaves).last(where: { !$0.contains(places.first) })?.last
    else { return nil }
    var terms = [Double](repeating: small, count: room.n)
    (terms[places.first], terms[late]) = (large, -large)
    let all = Double(room.n - 2) * small
    guard tree.sum(of: terms, bits: bits) <= all / 2 else { return nil }
    let left = try room.sums([terms])[0]
    guard left >= 0.75 * all, left <= 1.5 * all else { return nil }
    return "of \(room.n - 2) of 2^-\(bits + 1), \(ProbeText.number(left / small)) are left"
  }

  /// How sums are rounded.
  private func rounding(_ bits: Int, _ large: Double) throws -> Trait {
    let ulp = large * .powerOfTwo(1 - bits)
    let shares = [0.25, 0.5, 0.75, -0.125, -0.375]
    // A tie beside an even number, and beside an odd one.
    var cases = shares.map { left(large, ulp * $0) }
    let odd = large + ulp
    let canOdd = room.format.round(odd) == odd
    if canOdd { cases.append(left(odd, ulp * 0.5)) }
    guard cases.allSatisfy({ $0.allSatisfy { room.format.round($0) == $0 } }) else {
      return .undecided(
        "sum rounding", "\(room.format.name) has no number near a midpoint of the accumulator's")
    }
    let y = try room.sums(cases).map { $0 / ulp }
    let words =
      "1 and 0.25, 0.5, 0.75, -0.125, -0.375 ulp: "
      + y.prefix(5).map(ProbeText.number).joined(separator: ", ") + " ulp are left"
    let found = Array(y.prefix(5))
    // Below a power of two the spacing is half.
    if found == [0, 0, 1, 0, -0.5], !canOdd || y[5] == 1 {
      return Trait("sum rounding", .word("nearest"), words)
    }
    if found == [0, 0, 0, -0.5, -0.5] { return Trait("sum rounding", .word("truncated"), words) }
    if found == [0, 1, 1, 0, -0.5] { return Trait("sum rounding", .word("nearest, ties away"), words) }
    if found == [1, 1, 1, 0, 0] { return Trait("sum rounding", .word("up"), words) }
    if found == [0, 0, 0, 0, 0] { return Trait("sum rounding", .word("truncated, terms aligned"), words) }
    return .undecided("sum rounding", words)
  }

  /// Whether sums may leave the format's range on the way.
  private func range() throws -> [Trait] {
    let top = Double.powerOfTwo(room.format.maxExponent)
    // What is too large for the sum is so alone.
    let exponents = Array(2...room.format.maxExponent)
    let alone = try room.sums(exponents.map { room.terms([places.first: .powerOfTwo($0)]) })
    let kept = zip(exponents, alone).prefix { $0.1 == .powerOfTwo($0.0) }.count
    if kept < exponents.count, kept > 0 {
      let (last, next) = (exponents[kept - 1], alone[kept])
      let words = "2^\(last) at \(places.first) is left, of 2^\(last + 1) \(ProbeText.number(next))"
      let isHalf = last == NumberFormat.f16.maxExponent && !next.isFinite
      return [Trait("sum range", .word(isHalf ? "that of f16" : "up to 2^\(last)"), words)]
    }
    let row = room.terms([places.first: top, places.second: top, places.last: -top])
    let y = try room.sums([row])[0]
    let words =
      "M at \(places.first) and \(places.second), -M at \(places.last), M = \(ProbeText.hex(top)): \(ProbeText.number(y))"
    if y == top { return [Trait("sum range", .word("wider than \(room.format.name)"), words)] }
    if !y.isFinite { return [Trait("sum range", .word("that of \(room.format.name)"), words)] }
    return [Trait("sum range", .word("saturates"), words)]
  }
}
