import NumKit
import Quant
import Reports

/// Pictures of whole models.
extension Chart {
  /// What bits buy: the least cost at each budget, one scheme for all beside it, the plan marked.
  static func budget(
    _ curve: [QuantizationPlan.Point], _ uniform: [(scheme: String, point: QuantizationPlan.Point)],
    _ plan: QuantizationPlan
  ) -> Chart {
    // Far beyond what budgets are asked for a point would push all others into a corner.
    let end = 1.25 * max(plan.bits, curve.map(\.bits).max() ?? 0)
    func isDrawn(_ point: QuantizationPlan.Point) -> Bool { point.sqnr.isFinite && point.bits <= end }
    var chart = Chart(
      .points, "what bits buy: the whole's SQNR at each budget", x: Axis("bits an element", unit: "bits"),
      y: Axis("the whole", unit: "dB"),
      [
        Series(
          "least cost",
          curve.filter(isDrawn).map { Point(x: $0.bits, y: $0.sqnr, label: "\(Figures.short($0.bits)) bits") }
        ),
        Series(
          "one scheme for all",
          uniform.filter { isDrawn($0.point) }.map {
            Point(x: $0.point.bits, y: $0.point.sqnr, label: $0.scheme.ofWeights)
          }),
        Series(
          "the plan",
          plan.sqnr.isFinite ? [Point(x: plan.bits, y: plan.sqnr, label: "the plan", marked: true)] : []),
      ])
    chart.markName = "the plan"
    chart.missing = uniform.filter { $0.point.bits > end }.map {
      "\($0.scheme.ofWeights): \(Figures.short($0.point.bits)) bits, \(Figures.short($0.point.sqnr)) dB"
    }
    return chart
  }

  /// The SQNR of each matrix, layer by kind.
  static func heat(_ plan: QuantizationPlan) -> Chart {
    heat(
      "SQNR of each matrix, by layer and kind", value: Axis("SQNR", unit: "dB"),
      plan.entries.map { ($0.place, $0.taken.sqnr, "\($0.name) as \($0.taken.scheme.ofWeights)") })
  }

  /// A cell a tensor, layer by kind; what stands outside layers is left out.
  static func heat(
    _ title: String, value: Axis, _ tensors: [(place: ModelPlace, value: Double, label: String)]
  ) -> Chart {
    var kinds: [String] = []
    for tensor in tensors where tensor.place.layer != nil && !kinds.contains(tensor.place.kind) {
      kinds.append(tensor.place.kind)
    }
    let layers = Set(tensors.compactMap(\.place.layer)).sorted()
    let column = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1, $0) })
    var chart = Chart(.heat, title, x: Axis("layer"), y: value, [])
    guard kinds.count <= 64, layers.count <= 512 else { return chart }
    // Nothing is lost where the error is 0.
    let isSQNR = value.unit == "dB"
    var points: [Point] = []
    for tensor in tensors {
      guard let layer = tensor.place.layer, let x = column[layer],
        let y = kinds.firstIndex(of: tensor.place.kind),
        tensor.value.isFinite || isSQNR && tensor.value == .infinity
      else {
        if !tensor.value.isFinite {
          chart.missing.append(
            "\(tensor.label): \(isSQNR && tensor.value == .infinity ? "lossless" : "no value")")
        }
        continue
      }
      var point = Point(x: Double(x), y: Double(y), label: tensor.label)
      point.value = tensor.value
      points.append(point)
    }
    var drawn = Chart(.heat, title, x: Axis("layer"), y: value, points.isEmpty ? [] : [Series("", points)])
    drawn.missing = chart.missing
    drawn.infiniteName = isSQNR ? "lossless" : ""
    drawn.columnNames = layers.map(String.init)
    drawn.rowNames = kinds
    return drawn
  }

  /// The SQNR of each kind over the layers, eight kinds at most: those with the largest share of the cost.
  static func layers(_ plan: QuantizationPlan) -> Chart {
    lines(
      "SQNR over the layers, the costliest kinds", value: Axis("SQNR", unit: "dB"),
      plan.byKind.map { group in
        (group.name, group.entries.map { ($0.place, $0.taken.sqnr, $0.name) })
      })
  }

  /// A line a kind, of those that are in two layers or more.
  static func lines(
    _ title: String, value: Axis,
    _ kinds: [(name: String, tensors: [(place: ModelPlace, value: Double, label: String)])]
  ) -> Chart {
    let series = kinds.compactMap { kind -> Series? in
      let points = kind.tensors.compactMap { tensor -> Point? in
        guard let layer = tensor.place.layer, tensor.value.isFinite else { return nil }
        return Point(x: Double(layer), y: tensor.value, label: tensor.label)
      }.sorted { $0.x < $1.x }
      return points.count > 1 ? Series(kind.name, points) : nil
    }
    return Chart(.lines, title, x: Axis("layer"), y: value, Array(series.prefix(8)))
  }
}
