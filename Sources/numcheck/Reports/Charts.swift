import NumKit
import Quant
import Reports

/// Pictures of what commands find.
extension Chart {
  /// The largest error of each algorithm, beside what it may be.
  static func errors(_ table: Table) -> Chart {
    .bars("the largest error and its bound", of: table, [ErrorColumns.maxUlp, ErrorColumns.bound])
  }

  /// How many results err by how much: a line an algorithm, of eight at most.
  static func spread(_ candidates: [(name: String, errors: ErrorStatistics)]) -> Chart {
    let series = candidates.prefix(8).map { candidate in
      Series(
        candidate.name,
        candidate.errors.ulpOctaves.map {
          Point(x: $0.from, y: Double($0.count), label: "from \(Figures.short($0.from)) ulp")
        })
    }
    return Chart(
      .lines, "how many results err by how much", x: Axis("error, by octave", unit: "ulp"),
      y: Axis("results"),
      series)
  }

  /// The mass on the first tokens, head by head.
  static func sinks(_ heads: [AttentionMeasurement.Head]) -> Chart {
    func series(_ name: String, _ mass: (AttentionMeasurement.Head) -> Double) -> Series {
      Series(
        name,
        heads.prefix(64).enumerated().compactMap { index, head in
          mass(head).isFinite ? Point(y: mass(head), label: "head \(index)") : nil
        })
    }
    return Chart(
      .bars, "attention on the first tokens", x: Axis(""), y: Axis("share of a row's mass"),
      [series("exact", \.sinkMass), series("computed", \.computedSinkMass)])
  }

  /// What bits buy: the schemes of a tensor, the Pareto set marked.
  static func tradeOff(_ table: Table) -> Chart {
    typealias S = SchemeColumns
    return .points(
      "what bits buy", of: table, x: S.bits, y: S.sqnr, name: S.scheme, marked: S.pareto,
      as: "best for their size")
  }

  /// How many elements there are of each size; `tensor` where others are drawn beside it.
  static func magnitudes(_ profile: TensorProfile, of tensor: String = "") -> Chart {
    let (first, counts) = profile.octaves
    var points = counts.enumerated().map { k, count in
      Point(x: Double.powerOfTwo(first + k), y: Double(count), label: "|a| from 2^\(first + k)")
    }
    if !points.isEmpty { points.append(Point(x: Double.powerOfTwo(first + counts.count), y: 0, label: "")) }
    return Chart(
      .histogram, "elements by magnitude" + (tensor.isEmpty ? "" : ": \(tensor)"), x: Axis("|a|, by octave"),
      y: Axis("elements"),
      [Series("", points)])
  }

  /// The largest magnitude of each channel, or column of a weight, neighbours together where there are many; `tensor` where others are
  /// drawn beside it.
  static func channels(_ profile: TensorProfile, isWeight: Bool, of tensor: String = "") -> Chart {
    let name = isWeight ? "column" : "channel"
    let maxima = profile.columnMaxima
    let width = max(1, (maxima.count + 511) / 512)
    let points = stride(from: 0, to: maxima.count, by: width).compactMap { start -> Point? in
      let range = start..<min(maxima.count, start + width)
      guard let best = range.max(by: { maxima[$0] < maxima[$1] }), maxima[best].isFinite else { return nil }
      return Point(x: Double(best), y: Double(maxima[best]), label: "\(name) \(best)")
    }
    return Chart(
      .points, "the largest |a| of each \(name)" + (tensor.isEmpty ? "" : ": \(tensor)"), x: Axis(name),
      y: Axis("largest |a|"),
      [Series("", points)])
  }

  /// The massive channels of a series from layer to layer.
  static func course(_ series: LayerSeries) -> Chart {
    Chart(
      .lines, "massive channels over the layers of \(series.pattern)", x: Axis("layer"),
      y: Axis("largest |a|"),
      series.courses.prefix(8).map { course in
        Series(
          "channel \(course.channel)",
          zip(series.layers, course.maxima).compactMap { layer, m in
            m.isFinite ? Point(x: Double(layer), y: Double(m), label: "layer \(layer)") : nil
          })
      })
  }
}
