import NumKit
import Quant
import Reports

extension ActivationsReport {
  /// All figures of one tensor, for people: machines find them in the results.
  func details(_ e: Entry) -> Section {
    var section = Section(title: entries.count == 1 ? "" : e.shownName)
    section.blocks = [
      .table(largestTable(e)), .lines(channelLines(e)), .table(lossTable(e.profile)), .table(costTable(e)),
      .verbatim(MagnitudeBars(e.profile).lines),
    ]
    section.charts = [.magnitudes(e.profile), .channels(e.profile, isWeight: e.isWeight)]
    return section
  }

  private func largestTable(_ e: Entry) -> Table {
    let places = e.profile.largestPlaces
    var table = Table("largest", rows: places.count, for: .people)
    table.title = "largest |a|"
    table.add(Column("", "place", .decides, "where it stands", align: .left, key: true)) {
      .text(e.place(places[$0]))
    }
    table.add(Column("value", "value", .decides, "the number")) { .exact(Double(places[$0].value)) }
    table.add(Column("hex", "hex", .useful, "the number, exactly", align: .left)) {
      .text(Figures.hex(Double(places[$0].value)))
    }
    table.add(Column("x tensor's median", "ratio", .decides, "over the tensor's median |a|")) { i in
      .number(Double(places[i].magnitude) / e.profile.medianMagnitude, unless: "all elements are 0")
    }
    return table
  }

  private func channelLines(_ e: Entry) -> [String] {
    let p = e.profile
    var lines: [String] = []
    if e.isWeight {
      func list(_ places: [Int], _ maxima: [Float], by step: Int = 1) -> String {
        places.map { "\($0 * step) (\(Figures.short(Double(maxima[$0]))))" }.joined(separator: ", ")
      }
      if !p.columnMaxima.isEmpty {
        lines.append("columns with the largest |w|: " + list(p.largestChannels(6), p.columnMaxima))
      }
      if !p.rowMaxima.isEmpty {
        lines.append(
          "rows with the largest |w|: " + list(p.largestTokenGroups(6), p.rowMaxima, by: p.rowsPerMaximum))
      }
      return lines
    }
    if !p.columnMaxima.isEmpty {
      let limit = Figures.number(Double(settings.outlierLimit))
      lines.append(
        "channels with the largest |a|, and the share of tokens with |x| >= \(limit): "
          + p.largestChannels(6).map {
            "\($0) (\(Figures.short(Double(p.columnMaxima[$0]))), \(Figures.percent(p.columnOutliers[$0], of: p.rows)))"
          }.joined(separator: ", "))
      lines.append(
        "\(Figures.count(p.outlierChannels().count)) channels have any, "
          + "\(Figures.count(p.outlierChannelCount ?? 0)) have 6 % of the tokens")
    }
    let tokens = p.largestTokenGroups(6)
    if !tokens.isEmpty {
      lines.append(
        (p.rowsPerMaximum == 1
          ? "tokens with the largest |a|: " : "largest |a| of \(p.rowsPerMaximum) tokens from: ")
          + tokens.map { "\($0 * p.rowsPerMaximum) (\(Figures.short(Double(p.rowMaxima[$0]))))" }
          .joined(separator: ", "))
    }
    return lines
  }

  private func lossTable(_ p: TensorProfile) -> Table {
    let nothing = "no element is finite"
    var table = Table("formats", rows: p.losses.count, for: .people)
    table.add(Column("cast to", "dtype", .decides, "the format", align: .left, key: true)) {
      .text(p.losses[$0].format.name)
    }
    table.add(
      Column(
        "headroom", "headroomBits", .decides, "log2 of its largest number over the largest |a|", unit: "bits")
    ) { .number(p.losses[$0].headroom, unless: nothing) }
    let counts: [(String, String, KeyPath<FormatLoss, Int>, String)] = [
      ("overflow", "overflow", \.overflowCount, "elements that overflow"),
      ("to zero", "flushed", \.flushedCount, "elements other than zero that become zero"),
      ("no digits", "digitless", \.digitlessCount, "elements that are rounded up to the smallest number"),
    ]
    for (name, path, count, meaning) in counts {
      table.add(Column(name, path, .decides, meaning)) {
        .share(p.losses[$0][keyPath: count], of: p.finiteCount, unless: nothing)
      }
    }
    return table
  }

  private func costTable(_ e: Entry) -> Table {
    let costs = e.costs
    let nothing = "nothing else shares a scale with them"
    var table = Table("cost", rows: costs.count, for: .people)
    table.title = "cost for everything else in their groups, beside what it would be without them"
    table.add(
      Column("what shares a scale", "scheme", .decides, "the scheme", align: .left, key: true)
    ) { .text(costs[$0].scheme) }
    table.add(Column("elements", "elements", .decides, "elements measured")) {
      .count(costs[$0].restCount)
    }
    let sizes: [(String, String, (OutlierCost) -> Double, (OutlierCost) -> Double)] = [
      ("bits left", "bits", { $0.bitsWith }, { $0.bitsWithout }),
      ("SQNR dB", "sqnr", { $0.sqnrWith }, { $0.sqnrWithout }),
    ]
    for (name, path, with, without) in sizes {
      table.add(Column(name, path, .decides, "with the massive ones there")) {
        .number(with(costs[$0]), unless: nothing)
      }
      table.add(Column("without", path + "Without", .decides, "were they not there")) {
        .number(without(costs[$0]), unless: nothing)
      }
    }
    table.add(Column("to zero", "flushed", .decides, "what becomes zero")) {
      .share(costs[$0].flushedWith, of: costs[$0].restCount, unless: nothing)
    }
    table.add(Column("without", "flushedWithout", .decides, "were they not there")) {
      .share(costs[$0].flushedWithout, of: costs[$0].restCount, unless: nothing)
    }
    return table
  }
}

/// How many elements there are of each power of two, as bars.
struct MagnitudeBars {
  private let profile: TensorProfile
  init(_ profile: TensorProfile) { self.profile = profile }

  /// The octave that begins with 2^exponent.
  static func name(_ exponent: Int) -> String { "2^\(exponent)" }

  var lines: [String] {
    let (first, counts) = profile.octaves
    guard let most = counts.max(), most > 0 else { return [] }
    let unit = Double(most) / 60
    var out = [
      "|a| by powers of two"
        + (profile.zeroCount > 0 ? ", beside \(Figures.count(profile.zeroCount)) zeros" : "")
    ]
    let label = max(Self.name(first).count, Self.name(first + counts.count - 1).count)
    let width = counts.map { Figures.count($0).count }.max() ?? 0
    var gap = 0
    for (k, n) in counts.enumerated() {
      // Long stretches without anything are one line.
      if n == 0 {
        gap += 1
        let next = counts[(k + 1)...].first { $0 > 0 }
        if next != nil && k + 1 < counts.count && counts[k + 1] == 0 { continue }
        out += gap > 2 ? ["  … \(gap) powers of two without any"] : Array(repeating: "  ·", count: gap)
        gap = 0
        continue
      }
      let name = Self.name(first + k)
      let bar = Int((Double(n) / unit).rounded())
      out.append(
        "  " + String(repeating: " ", count: label - name.count) + name + "  "
          + String(repeating: " ", count: width - Figures.count(n).count) + Figures.count(n) + "  "
          + (bar == 0 ? "." : String(repeating: "#", count: bar)))
    }
    return out
  }
}
