import NumKit

/// A sum whose last bit can be seen.
struct SumSight {
  let observer: Observer
  /// Bits of the accumulator's significand.
  let bits: Int
  /// An input whose term is too small to move a sum of 1, while two are not.
  let small: Double
  /// One whose term moves it.
  let kept: Double

  /// What small terms are of a power of two: two together are more than it, one is less, also where an input's format or that of
  /// exponentials is coarse.
  static let share = 0.8
}

/// How many bits the accumulator of a row's sum has.
///
/// A term of 0.8·2^−k beside one of 1 is kept where the accumulator has more than k bits. Where the finest that is kept has k = p − 1, two
/// of k = p move the sum just where they meet before the large one does. That they do in some places and not in others, and that any
/// number of them that don't meet before the large one is lost, shows that it is the accumulator that rounds, and not the result.
struct AccumulatorProbe {
  let box: any RowBox
  /// Whether exponentials are relative to the maximum.
  let subtracts: Bool

  private static let levels = Array(2...60)

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind != .layerNorm else { return }
    let isRelative = i.subtracts || !i.room.kind.isExponential
    let (trait, sights) = try AccumulatorProbe(box: i.room.box, subtracts: isRelative).run()
    i.sights = sights
    i.traits.append(trait)
  }

  /// The trait, and sights of the sum's last bit, of which the first may not do for all places.
  func run() throws -> (Trait, [SumSight]) {
    let pool = ObserverPool(kind: box.kind, format: box.format, subtracts: subtracts)
    var finest = 0
    var words = ""
    var leavesOut = false
    let simple: [() -> [Observer]] = [{ pool.direct }, { pool.besideLargest }]
    for (number, make) in (simple + pool.families).enumerated() {
      let family = make()
      guard let first = family.first, first.top == nil || leavesOut else { continue }
      guard let found = try sighted(family, isDirect: number < simple.count) else { continue }
      if box.kind == .logSumExp && found.sights.isEmpty {
        // The largest term may be no part of the sum: then nothing beside it is lost.
        leavesOut = true
        continue
      }
      if found.level > finest {
        finest = found.level
        words = found.words
      }
      if let sight = found.sights.first {
        return (Trait("accumulate", .bits(sight.bits), found.words), found.sights)
      }
    }
    if leavesOut {
      return (
        .undecided(
          "accumulate",
          "either the largest term is no part of the sum, or sums are finer than any result shows"), []
      )
    }
    guard finest > 0 else {
      return (.undecided("accumulate", "no term of 2^-2 and less beside one of 1 shows in the results"), [])
    }
    return (Trait("accumulate", .atLeastBits(finest + 1), words + "; what is finer shows in no result"), [])
  }

  private struct Found {
    /// The finest level that is kept.
    let level: Int
    var words = ""
    var sights: [SumSight] = []
  }

  /// What members of a family see.
  private func sighted(_ family: [Observer], isDirect: Bool) throws -> Found? {
    let n = box.length
    let (large, small) = (0, 1)
    // Coarse levels show without help: what needs it begins where the format ends, and near f32's 24 bits.
    let p = box.format.precision
    let levels =
      isDirect ? Self.levels : Self.levels.filter { (p...p + 5).contains($0) || (20...27).contains($0) }
    var probes: [RowProbe] = []
    var keys: [(member: Int, level: Int)] = []
    for (member, observer) in family.enumerated() {
      probes.append(observer.probe(n, large: large, []))
      keys.append((member, 0))
      for level in levels {
        guard let x = observer.input(SumSight.share * .powerOfTwo(-level)) else { continue }
        probes.append(observer.probe(n, large: large, [(small, x)]))
        keys.append((member, level))
      }
    }
    let answers = try box.read(probes)
    var none = [Double](repeating: .nan, count: family.count)
    var finest = [Int](repeating: 0, count: family.count)
    for ((member, level), y) in zip(keys, answers) {
      if level == 0 {
        none[member] = y
      } else if y != none[member], !y.isNaN {
        finest[member] = max(finest[member], level)
      }
    }
    let seeing = family.indices.filter { finest[$0] > 0 }
    guard let level = isDirect ? seeing.map({ finest[$0] }).max() : common(seeing.map { finest[$0] }) else {
      return nil
    }
    var found = Found(level: level)
    let bits = level + 1
    for member in seeing.filter({ finest[$0] == level }).prefix(16) where found.sights.count < 5 {
      let observer = family[member]
      guard let kept = observer.input(SumSight.share * .powerOfTwo(-level)) else { continue }
      var words =
        "\(ProbeText.row(observer.probe(n, large: large, [(small, kept)]).values, else: observer.none)): a term of \(SumSight.share) x 2^-\(level) is kept"
      if found.words.isEmpty { found.words = words }
      guard let lost = observer.input(SumSight.share * .powerOfTwo(-bits)) else { continue }
      let sight = SumSight(observer: observer, bits: bits, small: lost, kept: kept)
      guard let example = try depends(sight, none: none[member]) else { continue }
      words +=
        ", one of \(SumSight.share) x 2^-\(bits) is not, two of them where they meet first (\(example))"
      if found.sights.isEmpty { found.words = words }
      found.sights.append(sight)
    }
    return found
  }

  /// The finest level that several see, and hardly any sees beyond; where there is none, the finest of all.
  private func common(_ levels: [Int]) -> Int? {
    var counts: [Int: Int] = [:]
    for level in levels { counts[level, default: 0] += 1 }
    var beyond = 0
    for level in counts.keys.sorted(by: >) {
      let count = counts[level] ?? 0
      if count >= 3 && beyond * 6 <= count { return level }
      beyond += count
    }
    return levels.max()
  }

  /// Two places of a pair of small terms, one in which they move the sum and one in which they don't; nil where there are no such, or
  /// where several that don't move it in pairs do together.
  private func depends(_ sight: SumSight, none: Double) throws -> String? {
    let (observer, small) = (sight.observer, sight.small)
    let n = observer.count(box.length)
    let places = Set([0, 1, 2, 3, 4, 5, 6, 7, n / 4, n / 2, n / 2 + 1, 3 * n / 4, n - 4, n - 3, n - 2, n - 1])
      .filter { $0 < n }.sorted()
    let larges = Set([0, 1, n / 2, n - 1]).sorted()
    var triples: [(large: Int, first: Int, second: Int)] = []
    for large in larges {
      let others = places.filter { $0 != large }
      for (k, j) in others.enumerated() {
        for l in others[(k + 1)...] { triples.append((large, j, l)) }
      }
    }
    // A single one must be lost wherever it stands.
    let length = box.length
    let singles = (1..<n).map { observer.probe(length, large: 0, [($0, small)]) }
    let answers = try box.read(
      singles
        + triples.map { observer.probe(length, large: $0.large, [($0.first, small), ($0.second, small)]) })
    guard answers.prefix(singles.count).allSatisfy({ $0 == none }) else { return nil }
    let pairs = Array(answers.dropFirst(singles.count))
    guard let moved = zip(triples, pairs).first(where: { $0.1 != none && !$0.1.isNaN }) else { return nil }
    // The most places of which no two meet before the large one does.
    var widest: (large: Int, places: [Int]) = (0, [])
    for large in larges {
      var still: Set<[Int]> = []
      for (t, y) in zip(triples, pairs) where t.large == large && y == none {
        still.insert([t.first, t.second])
      }
      var chosen: [Int] = []
      for place in places where place != large && chosen.allSatisfy({ still.contains([$0, place]) }) {
        chosen.append(place)
      }
      if chosen.count > widest.places.count { widest = (large, chosen) }
    }
    guard widest.places.count >= 4 else { return nil }
    // That they are lost says something only where what is kept shows.
    let shown = widest.places.map { observer.probe(length, large: widest.large, [($0, sight.kept)]) }
    let all = observer.probe(length, large: widest.large, widest.places.map { ($0, small) })
    let together = try box.read([all] + shown)
    guard together[0] == none, together.dropFirst().allSatisfy({ $0 != none }) else { return nil }
    let list = widest.places.prefix(3).map(String.init).joined(separator: ", ")
    return
      "1 at \(moved.0.large), small at \(moved.0.first) and \(moved.0.second): \(ProbeText.number(moved.1)); 1 at \(widest.large), small at \(list) and \(widest.places.count - 3) more: \(ProbeText.number(none))"
  }
}
