/// A chart as SVG: no script, colours by class, so that the page decides for light and dark. Each mark has a title that says what it
/// is of.
struct ChartDrawing {
  let chart: Chart
  private let id: String
  static let width = 720.0

  init(_ chart: Chart, id: String) { (self.chart, self.id) = (chart, id) }

  var svg: String {
    let (body, height): (String, Double)
    switch chart.form {
    case .bars: (body, height) = bars
    case .heat: (body, height) = heat
    case .points, .lines, .histogram: (body, height) = field
    }
    let size = "viewBox=\"0 0 \(Self.f(Self.width)) \(Self.f(height))\""
    return "<svg \(size) role=\"img\" aria-labelledby=\"\(id) \(id)-d\">\n<desc id=\"\(id)-d\">"
      + "\(Escaping.xml(description))</desc>\n\(body)</svg>\n"
  }

  /// What those are told who cannot see it.
  private var description: String {
    let count = chart.series.reduce(0) { $0 + $1.points.count }
    let kind: String
    switch chart.form {
    case .bars: kind = "Bars"
    case .points: kind = "Points"
    case .lines: kind = "Lines"
    case .histogram: kind = "A histogram"
    case .heat: kind = "A heat map"
    }
    let axes = [chart.y.title, chart.form == .bars ? "" : "against " + chart.x.title].filter { !$0.isEmpty }
    return "\(kind): \(axes.joined(separator: " ")); \(count) values, which the tables name."
  }

  /// One decimal is a tenth of a pixel.
  static func f(_ x: Double) -> String { Figures.number((x * 10).rounded() / 10) }

  static func text(
    _ x: Double, _ y: Double, _ text: String, anchor: String = "start", quiet: Bool = false
  ) -> String {
    let kind = quiet ? " class=\"quiet\"" : ""
    return
      "<text x=\"\(f(x))\" y=\"\(f(y))\" text-anchor=\"\(anchor)\"\(kind)>\(Escaping.xml(text))</text>\n"
  }

  static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ kind: String) -> String {
    "<line x1=\"\(f(x1))\" y1=\"\(f(y1))\" x2=\"\(f(x2))\" y2=\"\(f(y2))\" class=\"\(kind)\"/>\n"
  }

  /// A value as marks say it: counts and places without a fraction.
  static func value(_ x: Double) -> String {
    x == x.rounded() && x.magnitude < 1e6 ? Figures.number(x) : Figures.short(x)
  }

  /// A round number.
  static func tick(_ x: Double) -> String {
    var parts = Figures.short(x).split(separator: "e", maxSplits: 1).map(String.init)
    if parts[0].contains(".") {
      while parts[0].last == "0" { parts[0].removeLast() }
      if parts[0].last == "." { parts[0].removeLast() }
    }
    return parts.joined(separator: "e")
  }

  static func title(_ text: String) -> String { "<title>\(Escaping.xml(text))</title>" }

  /// The colour of a series: that of marks is no other's.
  private func tint(_ series: Int) -> Int {
    (chart.markName.isEmpty || series == 0 ? series : series + 1) % 8
  }

  /// The names of series; the height that they take.
  private func legend(top: Double) -> (markup: String, height: Double) {
    // What is marked throughout has the mark's entry.
    var entries = chart.series.enumerated().filter { _, series in
      !series.name.isEmpty && (chart.markName.isEmpty || !series.points.allSatisfy(\.isMarked))
    }.map { (kind: "f\(tint($0))", name: $1.name) }
    if entries.count < 2 { entries = [] }
    if !chart.markName.isEmpty { entries.append((kind: "f1", name: chart.markName)) }
    if entries.isEmpty { return ("", 0) }
    var out = ""
    var (x, y) = (8.0, top + 12)
    for entry in entries {
      let wide = 26 + 7 * Double(TextWidth.of(entry.name))
      if x + wide > Self.width && x > 8 { (x, y) = (8, y + 18) }
      out +=
        "<rect x=\"\(Self.f(x))\" y=\"\(Self.f(y - 9))\" width=\"10\" height=\"10\" class=\"\(entry.kind)\"/>\n"
      out += Self.text(x + 14, y, entry.name)
      x += wide
    }
    return (out, y + 10 - top)
  }

  /// Bars lie, so that long names find room.
  private var bars: (String, height: Double) {
    var labels: [String] = []
    for point in chart.series.flatMap(\.points) where !labels.contains(point.label) {
      labels.append(point.label)
    }
    let values = chart.series.flatMap(\.points).map(\.y)
    let widest = labels.map { TextWidth.of($0) }.max() ?? 0
    let left = min(260, 16 + 6.6 * Double(widest))
    let scale = ChartScale(values, from: left, to: Self.width - 70, fromZero: true, plain: chart.y.isPlain)
    var (out, top) = legend(top: 0)
    let each = 14.0
    let group = each * Double(chart.series.count) + 8
    let bottom = top + 8 + group * Double(labels.count)
    for tick in scale.ticks {
      out += Self.line(scale.place(tick), top + 4, scale.place(tick), bottom, "grid")
      out += Self.text(scale.place(tick), bottom + 14, Self.tick(tick), anchor: "middle", quiet: true)
    }
    for (row, label) in labels.enumerated() {
      let y = top + 8 + group * Double(row)
      let name = TextWidth.shortened(Escaping.line(label), to: 38)
      out += Self.text(left - 6, y + (group - 8) / 2 + 4, name, anchor: "end")
      for (k, series) in chart.series.enumerated() {
        for point in series.points where point.label == label {
          let length = max(1, scale.place(point.y) - scale.place(0))
          let place = "x=\"\(Self.f(scale.place(0)))\" y=\"\(Self.f(y + each * Double(k)))\""
          out +=
            "<rect \(place) width=\"\(Self.f(length))\" height=\"\(Self.f(each - 3))\" class=\"f\(k % 8)\">"
          out += Self.title("\(label): \(series.name) \(Self.value(point.y))") + "</rect>\n"
          out += Self.text(
            scale.place(0) + length + 4, y + each * Double(k) + 9.5,
            Self.value(point.y), quiet: true)
        }
      }
    }
    if !chart.y.title.isEmpty {
      out += Self.text((left + Self.width - 70) / 2, bottom + 32, chart.y.title, anchor: "middle")
    }
    return (out, bottom + (chart.y.title.isEmpty ? 22 : 40))
  }

  /// Two axes, and marks between them.
  private var field: (String, height: Double) {
    let points = chart.series.flatMap(\.points)
    let (left, right, plot) = (64.0, Self.width - 16, 280.0)
    var (out, top) = legend(top: 0)
    top += 10
    let isHistogram = chart.form == .histogram
    let x = ChartScale(points.map(\.x), from: left, to: right, plain: chart.x.isPlain)
    let y = ChartScale(
      points.map(\.y), from: top + plot, to: top, fromZero: isHistogram, plain: chart.y.isPlain)
    for tick in y.ticks {
      out += Self.line(left, y.place(tick), right, y.place(tick), "grid")
      out += Self.text(left - 6, y.place(tick) + 4, Self.tick(tick), anchor: "end", quiet: true)
    }
    for tick in x.ticks {
      out += Self.line(x.place(tick), top, x.place(tick), top + plot, "grid")
      let (at, name) = (x.place(tick), Self.tick(tick))
      // The last would run over the edge.
      let isCut = at + 3.6 * Double(name.utf8.count) > Self.width
      out += Self.text(
        isCut ? Self.width : at, top + plot + 16, name, anchor: isCut ? "end" : "middle", quiet: true)
    }
    out += Self.line(left, top + plot, right, top + plot, "axis")
    out += Self.line(left, top, left, top + plot, "axis")
    for (k, series) in chart.series.enumerated() {
      switch chart.form {
      case .histogram: out += columns(series, k, x, y, bottom: top + plot)
      case .lines:
        let path = series.points.map { "\(Self.f(x.place($0.x))),\(Self.f(y.place($0.y)))" }
        out += "<polyline points=\"\(path.joined(separator: " "))\" class=\"l\(k % 8)\"/>\n"
        out += marks(series, k, x, y)
      case .points, .bars, .heat: out += marks(series, k, x, y) + names(series, x, y, right)
      }
    }
    out += Self.text((left + right) / 2, top + plot + 34, chart.x.title, anchor: "middle")
    let middle = top + plot / 2
    out +=
      "<text transform=\"rotate(-90 14 \(Self.f(middle)))\" x=\"14\" y=\"\(Self.f(middle))\" text-anchor=\"middle\">"
    out += Escaping.xml(chart.y.title) + "</text>\n"
    return (out, top + plot + 44)
  }

  private func marks(_ series: Chart.Series, _ k: Int, _ x: ChartScale, _ y: ChartScale) -> String {
    series.points.map { point in
      let place = "cx=\"\(Self.f(x.place(point.x)))\" cy=\"\(Self.f(y.place(point.y)))\""
      let kind = point.isMarked ? "f1" : chart.markName.isEmpty ? "f\(tint(k))" : "hollow l\(tint(k))"
      let name = [series.name, point.label].filter { !$0.isEmpty }.joined(separator: ", ")
      let said =
        "\(name): \(chart.x.label) \(Self.value(point.x)), \(chart.y.label) \(Self.value(point.y))"
      return
        "<circle \(place) r=\"\(point.isMarked ? "5" : "4")\" class=\"\(kind)\">\(Self.title(said))</circle>\n"
    }.joined()
  }

  /// The names of marked points, where they do not lie over one another.
  private func names(_ series: Chart.Series, _ x: ChartScale, _ y: ChartScale, _ right: Double) -> String {
    var taken: [(x: ClosedRange<Double>, y: ClosedRange<Double>)] = []
    var out = ""
    for point in series.points where point.isMarked {
      let name = TextWidth.shortened(Escaping.line(point.label), to: 24)
      let wide = 7.2 * Double(TextWidth.of(name))
      let isLeft = x.place(point.x) + 8 + wide > right
      let from = isLeft ? x.place(point.x) - 8 - wide : x.place(point.x) + 8
      for shift in [-8.0, 14, -22, 28] {
        let at = y.place(point.y) + shift
        let box = (x: from...(from + wide), y: (at - 13)...(at + 4))
        if taken.contains(where: { $0.x.overlaps(box.x) && $0.y.overlaps(box.y) }) { continue }
        taken.append(box)
        out += Self.text(from, at, name)
        break
      }
    }
    return out
  }

  /// A column from each x to the next; the last as wide as the one before it.
  private func columns(
    _ series: Chart.Series, _ k: Int, _ x: ChartScale, _ y: ChartScale, bottom: Double
  ) -> String {
    var out = ""
    for (i, point) in series.points.enumerated() where i + 1 < series.points.count {
      let (from, to) = (x.place(point.x), x.place(series.points[i + 1].x))
      let height = bottom - y.place(point.y)
      guard point.y > 0, to > from else { continue }
      let size = "width=\"\(Self.f(max(1, to - from - 1)))\" height=\"\(Self.f(max(1, height)))\""
      out +=
        "<rect x=\"\(Self.f(from))\" y=\"\(Self.f(bottom - max(1, height)))\" \(size) class=\"f\(k % 8)\">"
      out += Self.title("\(point.label): \(Self.value(point.y))") + "</rect>\n"
    }
    return out
  }
}
