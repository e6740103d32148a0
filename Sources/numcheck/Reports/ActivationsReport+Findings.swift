import NumKit
import Quant
import Reports

extension ActivationsReport {
  /// What a person must know, in a line.
  var headline: String {
    let massive = massiveEntries.count
    let isNear = entries.contains { $0.profile.massive.nearMissCount > 0 }
    if entries.count == 1, let only = entries.first {
      if massive == 0, !only.scales.isEmpty { return "\(only.shownName): a wide range" }
      if massive == 0 {
        return "\(only.shownName): \(isNear ? "no massive activation" : "nothing stands out")"
      }
      let n = only.profile.massive.count
      return
        "\(only.shownName): \(n == 1 ? "1 massive activation" : "\(Figures.count(n)) massive activations")"
    }
    let wide = entries.count { !$0.scales.isEmpty }
    if massive == 0, entries.contains(where: \.isWeight) {
      return "\(Figures.count(entries.count)) tensors, "
        + (wide > 0 ? "\(Figures.count(wide)) of them with a wide range" : "none with a wide range")
    }
    if massive > 0 { return "massive activations in \(massive) of \(entries.count) tensors" }
    return "\(entries.count) tensors, "
      + (isNear ? "none with a massive activation" : "and nothing stands out of any")
  }

  private static let shownTensors = 12
  private static let shownCosts = 4

  /// What stands out, the gravest first.
  var findings: [Finding] {
    var list: [Finding] = []
    for e in entries where e.profile.nanCount + e.profile.infiniteCount > 0 { list.append(specials(e)) }
    list += overflows + wideRanges
    let massive = massiveEntries
    for e in massive.prefix(Self.shownTensors) {
      list.append(Finding("massive", e.shownName, places(e)))
    }
    if massive.count > Self.shownTensors {
      list.append(Finding("massive", "", "and \(massive.count - Self.shownTensors) more tensors"))
    }
    if massive.isEmpty, entries.count == 1, let line = largest(entries[0]) {
      list.append(Finding("largest", entries[0].shownName, line))
    }
    for (_, s, members) in series where !members.allSatisfy({ entries[$0].isWeight }) {
      list += courses(s, members.map { entries[$0] })
    }
    for e in massive.prefix(Self.shownCosts) { list += costs(e) }
    if massive.count > Self.shownCosts {
      list.append(Finding("cost", "", "\(massive.count - Self.shownCosts) more tensors: --details"))
    }
    for e in entries where !e.isWeight {
      guard let first = e.profile.massive.nearMisses.first else { continue }
      let n = e.profile.massive.nearMissCount
      list.append(
        Finding(
          "near-miss", e.shownName,
          "\(Figures.short(Double(first.value))) at \(e.place(first))\(ratio(first, e))"
            + (n > 1 ? "; \(Figures.count(n)) in all" : "")))
    }
    return list
  }

  /// What f16 cannot hold, which costs whole rows where it happens.
  private var overflows: [Finding] {
    let found = entries.compactMap { e -> (Entry, Int)? in
      let lost = e.profile.losses.first { $0.format.name == "f16" }?.overflowCount ?? 0
      return lost > 0 ? (e, lost) : nil
    }
    var list = found.prefix(Self.shownTensors).map { e, lost in
      Finding(
        "overflow", e.shownName,
        "\(Figures.count(lost)) \(lost == 1 ? "number overflows" : "numbers overflow") f16, the largest is "
          + Figures.short(Double(e.profile.largestMagnitude)), warns: true)
    }
    if found.count > Self.shownTensors {
      list.append(
        Finding(
          "overflow", "", "and \(Figures.count(found.count - Self.shownTensors)) more tensors", warns: true))
    }
    return list
  }

  /// Weights of which one scale for all keeps little, the worst first.
  private var wideRanges: [Finding] {
    let found = entries.filter { !$0.scales.isEmpty }.sorted {
      ($1.profile.peakToMedian, $0.shownName) < ($0.profile.peakToMedian, $1.shownName)
    }
    var list = found.prefix(Self.shownTensors).map { e in
      let dB = e.scales.filter { !$0.noise.isNaN }.map {
        "\($0.scheme.ofWeights) \(Figures.short($0.sqnr)) dB"
      }
      return Finding(
        "range", e.shownName,
        "the largest |w| is \(Figures.short(e.profile.peakToMedian)) x the median, kurtosis \(Figures.short(e.profile.kurtosis)): "
          + dB.joined(separator: ", "))
    }
    if found.count > Self.shownTensors {
      list.append(Finding("range", "", "and \(Figures.count(found.count - Self.shownTensors)) more tensors"))
    }
    return list
  }

  private func ratio(_ place: TensorPlace, _ e: Entry) -> String {
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

  private func largest(_ e: Entry) -> String? {
    guard let first = e.profile.largestPlaces.first else { return nil }
    return "\(Figures.short(Double(first.value))) at \(e.place(first))\(ratio(first, e))"
  }

  private func courses(_ s: LayerSeries, _ members: [Entry]) -> [Finding] {
    func name(_ layer: Int) -> String { s.name(ofLayer: layer) }
    var list: [Finding] = []
    for c in s.courses.prefix(4) {
      var out = "channel \(c.channel) is massive "
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
      list.append(Finding("course", s.pattern, out + " (\(notes.joined(separator: ", ")))"))
    }
    if s.courses.count > 4 {
      list.append(Finding("course", s.pattern, "\(s.courses.count - 4) more massive channels"))
    }
    if !s.outlierChannels.isEmpty {
      list.append(
        Finding(
          "outliers", s.pattern,
          "\(Figures.count(s.outlierChannels.count)) of \(Figures.count(members[0].profile.columns)) channels over the layers "
            + "(|x| >= \(Figures.number(Double(settings.outlierLimit))) in 6 % of the tokens of a quarter of the layers)"
        ))
    }
    return list
  }

  private func specials(_ e: Entry) -> Finding {
    let p = e.profile
    var parts: [String] = []
    if let first = p.firstNaN {
      parts.append("\(Figures.count(p.nanCount)) NaN, the first at \(e.place(first))")
    }
    if let first = p.firstInfinity {
      parts.append("\(Figures.count(p.infiniteCount)) infinite, the first at \(e.place(first))")
    }
    return Finding("input", e.shownName, parts.joined(separator: "; "), warns: true)
  }

  /// What the massive activations cost, in one line or two.
  private func costs(_ e: Entry) -> [Finding] {
    guard let tensor = e.costs.first(where: { $0.scheme == "int8@tensor" }) else { return [] }
    var list = [
      Finding(
        "cost", e.shownName,
        "int8@tensor leaves the rest \(Figures.short(tensor.bitsWith)) of "
          + "\(Figures.short(tensor.bitsWithout)) bits: \(Figures.percent(tensor.flushedWith, of: tensor.restCount)) "
          + "of it becomes 0 (\(Figures.percent(tensor.flushedWithout, of: tensor.restCount)) without), "
          + "SQNR \(Figures.short(tensor.sqnrWith)) dB (\(Figures.short(tensor.sqnrWithout)) without)")
    ]
    if let best = e.costs.first(where: { $0.scheme.hasPrefix("int8@g") }) {
      list.append(
        Finding(
          "cost", e.shownName,
          "finer groups confine it: \(best.scheme) loses this in \(Figures.count(best.restCount)) elements alone; "
            + "'numcheck quantize --cure all' tries what else helps"))
    }
    return list
  }
}
