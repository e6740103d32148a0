import Foundation
import NumKit
import Quant

extension ActivationsReport {
  var text: String {
    var out = headline + "\n" + table.text()
    for e in entries where showsAll || entries.count == 1 { out += "\n" + details(e) }
    return out + leftOut.text
  }

  /// What a person must know, first.
  private var headline: String {
    var out = ""
    let massive = massiveEntries
    if entries.count == 1, let only = entries.first {
      if massive.isEmpty {
        out += "\(only.shownName): "
        out += only.profile.massive.nearMissCount > 0 ? "no massive activation" : "nothing stands out"
        out += " (\(rule))\n"
        out += largest(only)
      } else {
        out += "\(only.shownName): \(count(only)) (\(rule))\n"
        out += "  \(places(only))\n"
      }
    } else if massive.isEmpty {
      out += "\(entries.count) tensors, "
      let isNear = entries.contains { $0.profile.massive.nearMissCount > 0 }
      out += isNear ? "none with a massive activation" : "and nothing stands out of any"
      out += " (\(rule))\n"
    } else {
      out += "massive activations in \(massive.count) of \(entries.count) tensors (\(rule))\n"
      let width = massive.map(\.shownName.count).max() ?? 0
      for e in massive.prefix(12) {
        out += "  \(e.shownName.padding(toLength: width, withPad: " ", startingAt: 0))  \(places(e))\n"
      }
      if massive.count > 12 { out += "  … and \(massive.count - 12) more tensors\n" }
      let without = entries.filter { $0.profile.massive.count == 0 }.map(\.shownName)
      if !without.isEmpty {
        let shown = without.prefix(12).joined(separator: ", ")
        out += "  none in \(shown)\(without.count > 12 ? " and \(without.count - 12) more" : "")\n"
      }
    }
    for (file, s, members) in series { out += courses(s, file, columns: entries[members[0]].profile.columns) }
    for e in massive.prefix(4) { out += costLine(e) }
    if massive.count > 4 { out += "… and \(massive.count - 4) more tensors: --details\n" }
    for e in entries where e.profile.massive.nearMissCount > 0 {
      guard let first = e.profile.massive.nearMisses.first else { continue }
      out +=
        "near miss in \(e.shownName): \(Figures.short(Double(first.value))) at \(e.place(first))"
        + ratio(first, e)
        + (e.profile.massive.nearMissCount > 1
          ? "; \(Figures.count(e.profile.massive.nearMissCount)) in all" : "") + "\n"
    }
    for e in entries where e.profile.nanCount + e.profile.infiniteCount > 0 { out += specials(e) }
    return out
  }

  private func count(_ e: Entry) -> String {
    let n = e.profile.massive.count
    return n == 1 ? "1 massive activation" : "\(Figures.count(n)) massive activations"
  }

  private func ratio(_ place: Place, _ e: Entry) -> String {
    // A token's median is not kept; what it is held against is then not to be shown.
    guard settings.medianScope == .tensor else { return "" }
    let median = e.profile.medianMagnitude
    if median == 0 { return ", the median is 0" }
    let ratio = (Double(place.magnitude) / median).rounded()
    return
      ", \(ratio < 1e15 ? Figures.count(Int(ratio)) : Figures.short(ratio)) x the median \(Figures.short(median))"
  }

  private func places(_ e: Entry) -> String {
    let m = e.profile.massive
    let shown = m.places.prefix(3).enumerated().map { k, p in
      "\(Figures.short(Double(p.value))) at \(e.place(p))" + (k == 0 ? ratio(p, e) : "")
    }
    return shown.joined(separator: "; ") + (m.count > 3 ? "; \(Figures.count(m.count)) in all" : "")
  }

  private func largest(_ e: Entry) -> String {
    guard let first = e.profile.largestPlaces.first else { return "" }
    // A token's median is not kept, and the tensor's is not what it is held against.
    guard settings.medianScope == .tensor else {
      return "  the largest is \(Figures.short(Double(first.value))) at \(e.place(first))\n"
    }
    return "  the largest, \(Figures.short(Double(first.value))) at \(e.place(first)), is"
      + (e.profile.medianMagnitude == 0
        ? " beside a median of 0\n"
        : " \(Figures.short(e.profile.peakToMedian)) x the median \(Figures.short(e.profile.medianMagnitude))\n")
  }

  private func courses(_ s: LayerSeries, _ file: String, columns: Int) -> String {
    func name(_ layer: Int) -> String { Figures.line(s.name(ofLayer: layer)) }
    var out = ""
    for c in s.courses.prefix(4) {
      out += "channel \(c.channel) is massive "
      let span = s.layers.filter { (c.born...c.last).contains($0) }
      if c.born == c.last {
        out += "in \(name(c.born)) alone"
      } else if c.massiveLayers == span {
        out += "from \(name(c.born)) to \(name(c.last))"
      } else {
        out += "in \(c.massiveLayers.count) of \(span.count) layers from \(name(c.born)) to \(name(c.last))"
      }
      var notes: [String] = []
      if let before = c.before { notes.append("not yet in \(name(before))") }
      if let gone = c.gone { notes.append("no longer in \(name(gone))") }
      let isMassive = c.massiveLayers.contains(c.peakLayer)
      notes.append(
        "peak \(Figures.short(Double(c.peak))) in \(name(c.peakLayer))"
          + (isMassive ? "" : ", not massive beside the others there"))
      out += " (\(notes.joined(separator: ", ")))\n"
    }
    if s.courses.count > 4 {
      out += "… and \(s.courses.count - 4) more massive channels in \(Figures.line(s.pattern))\n"
    }
    if !s.outlierChannels.isEmpty {
      out +=
        "\(Figures.count(s.outlierChannels.count)) of \(Figures.count(columns)) channels are outliers over the layers of \(Figures.line(s.pattern)) "
        + "(|x| >= \(Figures.number(Double(settings.outlierLimit))) in 6 % of the tokens of a quarter of the layers)\n"
    }
    return out
  }

  private func specials(_ e: Entry) -> String {
    let p = e.profile
    var parts: [String] = []
    if let first = p.firstNaN {
      parts.append("\(Figures.count(p.nanCount)) NaN, the first at \(e.place(first))")
    }
    if let first = p.firstInfinity {
      parts.append("\(Figures.count(p.infiniteCount)) infinite, the first at \(e.place(first))")
    }
    return "\(e.shownName): \(parts.joined(separator: "; "))\n"
  }

  private var table: Table {
    var table = Table(columns: [
      ("tensor", .left), ("type", .left), ("shape", .left), ("min", .right), ("max", .right),
      ("mean", .right),
      ("std", .right), ("median |a|", .right), ("max/median", .right), ("kurtosis", .right), ("bits", .right),
      ("outlier channels", .right), ("NaN", .right), ("inf", .right),
    ])
    for e in entries {
      let p = e.profile
      let channels =
        p.columnOutliers.isEmpty
        ? "-" : Figures.count(p.outlierChannels(share: LayerSeries.outlierShares.tokens).count)
      table.rows.append([
        e.shownName, e.tensor.type, e.tensor.shape.map(String.init).joined(separator: " x "),
        Figures.short(Double(p.smallest)), Figures.short(Double(p.largest)), Figures.short(p.mean),
        Figures.short(p.standardDeviation), Figures.short(p.medianMagnitude), Figures.short(p.peakToMedian),
        Figures.short(p.kurtosis), Figures.short(p.dynamicRange), channels, Figures.count(p.nanCount),
        Figures.count(p.infiniteCount),
      ])
    }
    return table
  }

  /// The places of the largest values, largest first, of equal ones the first.
  private static func largest(_ count: Int, _ values: [Float]) -> [Int] {
    var found: [Int] = []
    for k in values.indices {
      if found.count == count, let last = found.last, !(values[k] > values[last]) { continue }
      found.insert(k, at: found.firstIndex { values[k] > values[$0] } ?? found.endIndex)
      if found.count > count { found.removeLast() }
    }
    return found
  }

  private func details(_ e: Entry) -> String {
    let p = e.profile
    var out = entries.count == 1 ? "" : "\(e.shownName)\n"
    out += "largest |a|\n"
    var top = Table(
      columns: [("", .left), ("value", .right), ("hex", .left), ("x tensor's median", .right)])
    for place in p.largestPlaces {
      top.rows.append([
        e.place(place), Figures.number(Double(place.value)), Figures.hex(Double(place.value)),
        Figures.short(Double(place.magnitude) / p.medianMagnitude),
      ])
    }
    out += top.text()
    if !p.columnMaxima.isEmpty {
      let channels = Self.largest(6, p.columnMaxima)
      let limit = Figures.number(Double(settings.outlierLimit))
      out += "\nchannels with the largest |a|, and the share of tokens with |x| >= \(limit): "
      out += channels.map {
        "\($0) (\(Figures.short(Double(p.columnMaxima[$0]))), \(Figures.percent(p.columnOutliers[$0], of: p.rows)))"
      }.joined(separator: ", ")
      out += "\n\(Figures.count(p.outlierChannels().count)) channels have any, "
      out +=
        "\(Figures.count(p.outlierChannels(share: LayerSeries.outlierShares.tokens).count)) have 6 % of the tokens\n"
    }
    let tokens = Self.largest(6, p.rowMaxima)
    out +=
      p.rowsPerMaximum == 1
      ? "tokens with the largest |a|: " : "largest |a| of \(p.rowsPerMaximum) tokens from: "
    out += tokens.map { "\($0 * p.rowsPerMaximum) (\(Figures.short(Double(p.rowMaxima[$0]))))" }.joined(
      separator: ", ")
    out += "\n\n" + losses(p).text() + "\n" + costTable(e) + MagnitudeBars(p).text
    return out
  }

  private func losses(_ p: TensorProfile) -> Table {
    var table = Table(columns: [
      ("cast to", .left), ("headroom bits", .right), ("overflow", .right), ("to zero", .right),
      ("no digits", .right),
    ])
    for loss in p.losses {
      table.rows.append([
        loss.format.name, Figures.short(loss.headroom),
        Figures.percent(loss.overflowCount, of: p.finiteCount),
        Figures.percent(loss.flushedCount, of: p.finiteCount),
        Figures.percent(loss.digitlessCount, of: p.finiteCount),
      ])
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

  var text: String {
    let (first, counts) = profile.octaves
    guard let most = counts.max(), most > 0 else { return "" }
    let unit = Double(most) / 60
    var out = "|a| by powers of two"
    if profile.zeroCount > 0 { out += ", beside \(Figures.count(profile.zeroCount)) zeros" }
    out += "\n"
    let label = max(Self.name(first).count, Self.name(first + counts.count - 1).count)
    let width = counts.map { Figures.count($0).count }.max() ?? 0
    var gap = 0
    for (k, n) in counts.enumerated() {
      // Long stretches without anything are one line.
      if n == 0 {
        gap += 1
        let next = counts[(k + 1)...].first { $0 > 0 }
        if next != nil && k + 1 < counts.count && counts[k + 1] == 0 { continue }
        if gap > 2 { out += "  … \(gap) powers of two without any\n" }
        if gap <= 2 { for _ in 0..<gap { out += "  ·\n" } }
        gap = 0
        continue
      }
      let name = Self.name(first + k)
      let bar = Int((Double(n) / unit).rounded())
      out += "  " + String(repeating: " ", count: label - name.count) + name + "  "
      out += String(repeating: " ", count: width - Figures.count(n).count) + Figures.count(n) + "  "
      out += (bar == 0 ? "." : String(repeating: "#", count: bar)) + "\n"
    }
    return out
  }
}
