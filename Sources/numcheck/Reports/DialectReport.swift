import Quant

/// How two schemes differ on a tensor.
struct DialectReport {
  let first: String
  let second: String
  let tensor: String
  let comparison: DialectComparison
  let boundaries: Boundaries

  /// Where both schemes change from one value to the next, in a block whose largest magnitude is `anchor`.
  struct Boundaries {
    let anchor: Float
    let first: DecisionBoundaries
    let second: DecisionBoundaries

    /// The boundaries between the same two values that lie at different floats.
    var moved: [BoundaryDifference] { first.differences(from: second) }

    /// How many boundaries both have.
    var shared: Int {
      struct Sides: Hashable {
        let below: Float
        let above: Float
      }
      let theirs = Set(second.all.map { Sides(below: $0.below, above: $0.above) })
      return first.all.count { theirs.contains(Sides(below: $0.below, above: $0.above)) }
    }
  }

  private var kinds: [DifferenceKind] { DifferenceKind.allCases.filter { comparison.kinds[$0] != nil } }

  var text: String {
    let c = comparison
    var out = "\(first) and \(second) on \(tensor)\n\n"
    out +=
      "\(Figures.count(c.differingBlocks)) of \(Figures.count(c.blockCount)) blocks of \(c.blockLength) differ "
      + "(\(Figures.short(100 * c.share)) %)\n"
    out += "SQNR: \(first) \(Figures.short(c.first.sqnr)) dB, \(second) \(Figures.short(c.second.sqnr)) dB\n"
    for (name, s) in [(first, c.first), (second, c.second)] where s.lostCount > 0 {
      out +=
        "\(name) makes \(Figures.count(s.lostCount)) finite numbers NaN or infinite: they are in no average\n"
    }
    for kind in kinds {
      out += "\n\(kind.rawValue): \(Figures.count(c.kinds[kind] ?? 0)) blocks\n"
      guard let w = c.witnesses[kind] else {
        out += "  no single block shows it\n"
        continue
      }
      let nonzero = w.values.indices.filter { w.values[$0] != 0 }
      let shown = nonzero.prefix(8).map {
        "x[\($0)] = \(Figures.number(Double(w.values[$0]))) (\(Figures.hex(Double(w.values[$0]))))"
      }
      out += "  smallest input: \(shown.joined(separator: ", "))\(nonzero.count > 8 ? ", …" : ""), else 0\n"
      out +=
        "  at index \(w.index): \(first) gives \(Figures.number(Double(w.first))), \(second) \(Figures.number(Double(w.second)))\n"
    }
    out += boundaryText
    if c.differingBlocks == 0 { return out + "\nno difference on this tensor\n" }
    let cost = c.cost
    out += "\n"
    if c.first.lostCount != c.second.lostCount {
      let fewer = c.first.lostCount < c.second.lostCount ? first : second
      return out + "\(fewer) keeps more numbers; the dB, of what each keeps, do not compare\n"
    }
    out +=
      cost == 0
      ? "they cost the same\n"
      : "\(cost > 0 ? first : second) is better by \(Figures.short(cost.magnitude)) dB\n"
    return out
  }

  private var boundaryText: String {
    let (b, moved) = (boundaries, boundaries.moved)
    var out =
      "\ndecision boundaries where the largest magnitude is \(Figures.number(Double(b.anchor))): "
      + "\(Figures.count(b.first.all.count)) of \(first), \(Figures.count(b.second.all.count)) of \(second), "
      + "\(Figures.count(b.shared)) between the same values, \(Figures.count(moved.count)) at different floats\n"
    func number(_ x: Float) -> String { Figures.number(Double(x)) }
    // From zero on: what people look for first.
    let nearest = moved.sorted { ($0.first.magnitude, $0.first) < ($1.first.magnitude, $1.first) }
    for m in nearest.prefix(6) {
      out +=
        "  \(number(m.below)) | \(number(m.above)): last float below is \(Figures.hex(Double(m.first))) for \(first), "
        + "\(Figures.hex(Double(m.second))) for \(second) (\(Figures.count(m.ulps)) apart)\n"
    }
    if nearest.count > 6 { out += "  and \(Figures.count(nearest.count - 6)) more\n" }
    return out
  }

  private var boundaryJSON: JSONValue {
    .object([
      ("anchor", .number(Double(boundaries.anchor))), ("first", .int(boundaries.first.all.count)),
      ("second", .int(boundaries.second.all.count)), ("shared", .int(boundaries.shared)),
      (
        "moved",
        .array(
          boundaries.moved.map { m in
            .object([
              ("below", .number(Double(m.below))), ("above", .number(Double(m.above))),
              ("firstLast", .number(Double(m.first))),
              ("firstLastHex", .string(Figures.hex(Double(m.first)))),
              ("secondLast", .number(Double(m.second))),
              ("secondLastHex", .string(Figures.hex(Double(m.second)))), ("ulps", .int(m.ulps)),
            ])
          })
      ),
    ])
  }

  var json: JSONValue {
    .object([
      ("schema", .string("numcheck/1")), ("command", .string("dialect")), ("first", .string(first)),
      ("second", .string(second)), ("tensor", .string(tensor)), ("blockLength", .int(comparison.blockLength)),
      ("blocks", .int(comparison.blockCount)), ("differingBlocks", .int(comparison.differingBlocks)),
      ("share", .number(comparison.share)), ("firstSqnr", .number(comparison.first.sqnr)),
      ("secondSqnr", .number(comparison.second.sqnr)), ("firstLost", .int(comparison.first.lostCount)),
      ("secondLost", .int(comparison.second.lostCount)), ("costDecibels", .number(comparison.cost)),
      (
        "kinds",
        .array(
          kinds.map { kind in
            let w = comparison.witnesses[kind]
            return .object([
              ("kind", .string(kind.rawValue)), ("blocks", .int(comparison.kinds[kind] ?? 0)),
              (
                "witness",
                w.map {
                  .object([
                    ("values", .array($0.values.map { .number(Double($0)) })), ("index", .int($0.index)),
                    ("first", .number(Double($0.first))),
                    ("firstHex", .string(Figures.hex(Double($0.first)))),
                    ("second", .number(Double($0.second))),
                    ("secondHex", .string(Figures.hex(Double($0.second)))),
                  ])
                } ?? .null
              ),
            ])
          })
      ),
      ("boundaries", boundaryJSON),
    ])
  }
}
