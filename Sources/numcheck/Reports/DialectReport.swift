import Quant

/// How two schemes differ on a tensor.
struct DialectReport {
  let first: String
  let second: String
  let tensor: String
  let comparison: DialectComparison

  private var kinds: [DifferenceKind] { DifferenceKind.allCases.filter { comparison.kinds[$0] != nil } }

  var text: String {
    let c = comparison
    var out = "\(first) and \(second) on \(tensor)\n\n"
    out +=
      "\(Figures.count(c.differingBlocks)) of \(Figures.count(c.blockCount)) blocks of \(c.blockLength) differ "
      + "(\(Figures.short(100 * c.share)) %)\n"
    out += "SQNR: \(first) \(Figures.short(c.first.sqnr)) dB, \(second) \(Figures.short(c.second.sqnr)) dB\n"
    for kind in kinds {
      out += "\n\(kind.rawValue): \(Figures.count(c.kinds[kind] ?? 0)) blocks\n"
      guard let w = c.witnesses[kind] else { continue }
      let nonzero = w.values.indices.filter { w.values[$0] != 0 }
      let shown = nonzero.prefix(8).map {
        "x[\($0)] = \(Figures.number(Double(w.values[$0]))) (\(Figures.hex(Double(w.values[$0]))))"
      }
      out += "  smallest input: \(shown.joined(separator: ", "))\(nonzero.count > 8 ? ", …" : ""), else 0\n"
      out +=
        "  at index \(w.index): \(first) gives \(Figures.number(Double(w.first))), \(second) \(Figures.number(Double(w.second)))\n"
    }
    if c.differingBlocks == 0 { return out + "\nno difference on this tensor\n" }
    let cost = c.cost
    out += "\n"
    out +=
      cost == 0
      ? "they cost the same\n"
      : "\(cost > 0 ? first : second) is better by \(Figures.short(cost.magnitude)) dB\n"
    return out
  }

  var json: JSONValue {
    .object([
      ("schema", .string("numcheck/1")), ("command", .string("dialect")), ("first", .string(first)),
      ("second", .string(second)), ("tensor", .string(tensor)), ("blockLength", .int(comparison.blockLength)),
      ("blocks", .int(comparison.blockCount)), ("differingBlocks", .int(comparison.differingBlocks)),
      ("costDecibels", .number(comparison.cost)),
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
                    ("first", .number(Double($0.first))), ("second", .number(Double($0.second))),
                  ])
                } ?? .null
              ),
            ])
          })
      ),
    ])
  }
}
