import Quant
import Reports

/// How two schemes differ on a tensor.
struct DialectReport {
  let first: String
  let second: String
  let tensor: String
  let facts: [Fact]
  let input: InputCount
  let comparison: DialectComparison
  let boundaries: BoundaryComparison
  /// What they differ on that the tensor does not hold, looked for where it shows nothing.
  let edges: [EdgeDifference]

  private var kinds: [DifferenceKind] { DifferenceKind.allCases.filter { comparison.kinds[$0] != nil } }

  var report: Report {
    let c = comparison
    var report = Report("dialect", title: "\(first) and \(second) on \(tensor)")
    report.facts =
      facts + input.facts + [
        Fact("first", .text(first)), Fact("second", .text(second)), Fact("tensor", .text(tensor)),
        Fact("blockLength", .integer(c.blockLength)), Fact("blocks", .integer(c.blockCount)),
        Fact("differingBlocks", .integer(c.differingBlocks)), Fact("share", .number(c.share)),
        Fact("costDecibels", c.cost.isNaN ? .none : .number(c.cost)),
        Fact("anchor", .number(Double(boundaries.anchor))),
        Fact("sharedBoundaries", .integer(boundaries.shared)),
        Fact(
          "edges",
          .list(
            edges.map {
              .object([
                "value": .number(Double($0.value)), "hex": .text(Figures.hex(Double($0.value))),
                "first": .number(Double($0.first)), "second": .number(Double($0.second)),
              ])
            })),
      ]
    report.notes = [
      "\(Figures.count(c.differingBlocks)) of \(Figures.count(c.blockCount)) blocks of \(c.blockLength) \(c.differingBlocks == 1 ? "differs" : "differ") "
        + "(\(Figures.short(100 * c.share)) %)"
    ]
    report.findings = input.findings
    if !edges.isEmpty {
      report.findings.append(
        Finding(
          "beyond", "",
          edges.map {
            "\(Self.shown($0.value)) becomes \(Self.shown($0.first)) in \(first), \(Self.shown($0.second)) in \(second)"
          }.joined(separator: "; ")))
    }
    for (name, s) in [(first, c.first), (second, c.second)] where s.lostCount > 0 {
      report.findings.append(
        Finding(
          "lost", name,
          "makes \(Figures.count(s.lostCount)) finite \(s.lostCount == 1 ? "number" : "numbers") NaN or infinite: "
            + "\(s.lostCount == 1 ? "it is" : "they are") in no average"))
    }
    var section = Section()
    section.blocks = [.table(table)] + kinds.map { .lines(lines($0)) }
    section.blocks.append(.table(kindTable))
    section.blocks += boundaryBlocks
    report.sections = [section]
    report.conclusion = conclusion
    return report
  }

  /// A row a scheme.
  private var table: Table {
    typealias S = SchemeColumns
    let sides = [
      (first, comparison.first, boundaries.first), (second, comparison.second, boundaries.second),
    ]
    var table = Table(rows: 2)
    table.add(S.scheme) { .text(sides[$0].0) }
    table.add(S.sqnr) { i in
      sides[i].1.isAllLost
        ? .spoiled("every number became NaN or infinite")
        : .number(sides[i].1.sqnr, unless: "no element is finite")
    }
    table.add(S.lost) { .count(sides[$0].1.lostCount) }
    table.add(S.boundaries) { .count(sides[$0].2.all.count) }
    return table
  }

  private func lines(_ kind: DifferenceKind) -> [String] {
    let count = comparison.kinds[kind] ?? 0
    let head = "\(kind.rawValue): \(Figures.count(count)) \(count == 1 ? "block" : "blocks")"
    guard let w = comparison.witnesses[kind] else { return [head, "  no single block shows it"] }
    let nonzero = w.values.indices.filter { w.values[$0] != 0 }
    let shown = nonzero.prefix(8).map {
      "x[\($0)] = \(Figures.number(Double(w.values[$0]))) (\(Figures.hex(Double(w.values[$0]))))"
    }
    return [
      head, "  smallest input: \(shown.joined(separator: ", "))\(nonzero.count > 8 ? ", …" : ""), else 0",
      "  at index \(w.index): \(first) gives \(Figures.number(Double(w.first))), \(second) \(Figures.number(Double(w.second)))",
    ]
  }

  private var kindTable: Table {
    typealias S = SchemeColumns
    var table = Table("kinds", rows: kinds.count, for: .machines)
    table.add(S.kind) { .text(kinds[$0].rawValue) }
    table.add(S.blocks) { .count(comparison.kinds[kinds[$0]] ?? 0) }
    table.add(S.smallest) { i in
      guard let w = comparison.witnesses[kinds[i]] else { return .none("no single block shows it") }
      return .data(
        .object([
          "values": .list(w.values.map { .number(Double($0)) }), "index": .integer(w.index),
          "first": .number(Double(w.first)), "firstHex": .text(Figures.hex(Double(w.first))),
          "second": .number(Double(w.second)), "secondHex": .text(Figures.hex(Double(w.second))),
        ]))
    }
    return table
  }

  /// A number in the fewest digits that tell it from its neighbours in f32.
  private static func shown(_ x: Float) -> String {
    x == x.rounded() || !x.isFinite ? Figures.number(Double(x)) : "\(x)"
  }

  private static let shownBoundaries = 6

  /// The nearest boundaries for people, all for machines.
  private var boundaryBlocks: [Block] {
    let moved = boundaries.moved
    let nearest = Array(boundaries.movedFromZero.prefix(Self.shownBoundaries))
    func table(_ list: [BoundaryDifference], _ audience: Table.Audience) -> Table {
      typealias S = SchemeColumns
      func last(_ x: Float) -> Cell {
        Cell(text: Figures.hex(Double(x)), value: .number(Double(x)))
      }
      var table = Table("moved", rows: list.count, for: audience)
      table.add(S.below) { .exact(Double(list[$0].below)) }
      table.add(S.above) { .exact(Double(list[$0].above)) }
      table.add(S.last("first", first)) { last(list[$0].first) }
      table.add(S.last("second", second)) { last(list[$0].second) }
      table.add(S.ulps) { .count(list[$0].ulps) }
      return table
    }
    let head =
      "decision boundaries where the largest magnitude is \(Figures.number(Double(boundaries.anchor))): "
      + "\(Figures.count(boundaries.shared)) between the same values, \(Figures.count(moved.count)) at different floats"
    var shown = table(nearest, .people)
    shown.title = head
    var blocks: [Block] = moved.isEmpty ? [.lines([head])] : [.table(shown)]
    if moved.count > nearest.count {
      blocks.append(.lines(["and \(Figures.count(moved.count - nearest.count)) more, in JSON"]))
    }
    return blocks + [.table(table(moved, .machines))]
  }

  private var conclusion: String {
    switch comparison.preference {
    case .same:
      return "no difference on this tensor"
        + (edges.isEmpty ? "" : "; beyond it there is, from \(Self.shown(edges[0].value)) on")
    case .even: return "they cost the same"
    case .near:
      return
        "one is as near to the tensor as the other, to \(Figures.number(DialectComparison.leastDecibels)) dB"
    case .keepsMore(let isFirst):
      return "\(isFirst ? first : second) keeps more numbers; the dB, of what each keeps, do not compare"
    case .better(let isFirst, let decibels):
      return "\(isFirst ? first : second) is better by \(Figures.short(decibels)) dB"
    }
  }
}
