/// A heat map: cells whose darkness is their value, the scale below, each cell with a title.
extension ChartDrawing {
  var heat: (String, height: Double) {
    let points = chart.series.flatMap(\.points)
    let values = points.map(\.value).filter(\.isFinite)
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    let widest = chart.rowNames.map { TextWidth.of(Escaping.line($0)) }.max() ?? 0
    let left = min(260, 16 + 6.6 * Double(widest))
    let right = Self.width - 16
    let (columns, rows) = (max(1, chart.columnNames.count), max(1, chart.rowNames.count))
    let (wide, tall) = ((right - left) / Double(columns), 20.0)
    func opacity(_ value: Double) -> String {
      let share = high > low ? (value - low) / (high - low) : 1
      return Figures.number(((0.06 + 0.94 * share) * 100).rounded() / 100)
    }
    /// What has no place on the scale: an empty cell, with its name where that finds room.
    func infinite(_ x: Double, _ y: Double, _ width: Double, _ title: String) -> String {
      let room = "width=\"\(Self.f(max(1, width - 3)))\" height=\"\(Self.f(tall - 3))\""
      var out = "<rect x=\"\(Self.f(x + 1))\" y=\"\(Self.f(y + 1))\" \(room) class=\"hollow l0\">"
      out += "\(Self.title(title))</rect>\n"
      if width > 7.2 * Double(TextWidth.of(chart.infiniteName)) {
        out += Self.text(x + width / 2, y + 14, chart.infiniteName, anchor: "middle", quiet: true)
      }
      return out
    }
    func cell(_ x: Double, _ y: Double, _ width: Double, _ value: Double, _ title: String) -> String {
      "<rect x=\"\(Self.f(x))\" y=\"\(Self.f(y))\" width=\"\(Self.f(max(1, width - 1)))\" height=\"\(Self.f(tall - 1))\" "
        + "class=\"f0\" fill-opacity=\"\(opacity(value))\">\(Self.title(title))</rect>\n"
    }
    var out = ""
    let top = 8.0
    for (row, name) in chart.rowNames.enumerated() {
      let shown = TextWidth.shortened(Escaping.line(name), to: 38)
      out += Self.text(left - 6, top + tall * Double(row) + 14, shown, anchor: "end")
    }
    for point in points {
      let place = (left + wide * point.x, top + tall * point.y)
      if point.value.isFinite {
        let said = Figures.short(point.value)
        out += cell(place.0, place.1, wide, point.value, "\(point.label): \(chart.y.label) \(said)")
      } else if point.value == .infinity && !chart.infiniteName.isEmpty {
        out += infinite(place.0, place.1, wide, "\(point.label): \(chart.infiniteName)")
      }
    }
    let bottom = top + tall * Double(rows)
    // As many names as find room.
    let longest = chart.columnNames.map { TextWidth.of($0) }.max() ?? 1
    let step = max(1, Int((7.2 * Double(longest + 1) / wide).rounded(.up)))
    for column in stride(from: 0, to: chart.columnNames.count, by: step) {
      out += Self.text(
        left + wide * (Double(column) + 0.5), bottom + 14, Escaping.line(chart.columnNames[column]),
        anchor: "middle",
        quiet: true)
    }
    out += Self.text((left + right) / 2, bottom + 32, chart.x.title, anchor: "middle")
    // The scale.
    let steps = values.isEmpty ? 0 : high > low ? 5 : 1
    var x = left
    let hasInfinite = points.contains { $0.value == .infinity }
    let names = [chart.y.title, hasInfinite ? chart.infiniteName + "    " : ""].joined()
    let apart = min(90, (Self.width - left - 7.2 * Double(TextWidth.of(names))) / Double(max(1, steps)))
    for k in 0..<steps {
      let value = steps == 1 ? low : low + (high - low) * Double(k) / Double(steps - 1)
      out += cell(x, bottom + 44, 20, value, Figures.short(value))
      out += Self.text(x + 24, bottom + 58, Figures.short(value), quiet: true)
      x += apart
    }
    if hasInfinite && !chart.infiniteName.isEmpty {
      out += infinite(x, bottom + 44, 20, chart.infiniteName)
      out += Self.text(x + 24, bottom + 58, chart.infiniteName, quiet: true)
      x += 32 + 7.2 * Double(TextWidth.of(chart.infiniteName))
    }
    out += Self.text(x, bottom + 58, chart.y.title)
    return (out, bottom + 72)
  }
}
