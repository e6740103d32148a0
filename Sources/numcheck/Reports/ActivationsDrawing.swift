import Foundation
import Quant

/// The report as SVG: for each tensor the histogram of log magnitudes and the channels' maxima, for each series the course of
/// its channels over the layers.
struct ActivationsDrawing {
  private let report: ActivationsReport
  private var out = ""
  private var top = 0.0

  private static let width = 960.0
  private static let panelHeight = 180.0
  private static let panelWidth = 400.0

  init(_ report: ActivationsReport) { self.report = report }

  var svg: String {
    var copy = self
    for (file, series, _) in report.series where !series.courses.isEmpty { copy.draw(series, file) }
    for entry in report.entries { copy.draw(entry) }
    let size = "width=\"\(Int(Self.width))\" height=\"\(Int(copy.top + 20))\""
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" \(size) font-family="sans-serif" font-size="11">
      <rect width="100%" height="100%" fill="white"/>
      \(copy.out)</svg>

      """
  }

  private mutating func write(
    _ x: Double, _ y: Double, _ text: String, anchor: String = "start", bold: Bool = false
  ) {
    let weight = bold ? " font-weight=\"bold\"" : ""
    out +=
      "<text x=\"\(Self.f(x))\" y=\"\(Self.f(y))\" text-anchor=\"\(anchor)\"\(weight)>\(Escaping.xml(text))</text>\n"
  }

  private static func f(_ x: Double) -> String { String(format: "%.1f", x) }

  private mutating func frame(_ x: Double, _ title: String) {
    write(x, top + 34, title)
    out +=
      "<rect x=\"\(Self.f(x))\" y=\"\(Self.f(top + 40))\" width=\"\(Self.f(Self.panelWidth))\" "
      + "height=\"\(Self.f(Self.panelHeight))\" fill=\"none\" stroke=\"#999\"/>\n"
  }

  private mutating func bar(_ x: Double, _ width: Double, _ height: Double, _ color: String, _ tip: String) {
    let y = top + 40 + Self.panelHeight - height
    out +=
      "<rect x=\"\(Self.f(x))\" y=\"\(Self.f(y))\" width=\"\(Self.f(max(width, 0.3)))\" height=\"\(Self.f(height))\" "
      + "fill=\"\(color)\"><title>\(Escaping.xml(tip))</title></rect>\n"
  }

  private mutating func draw(_ entry: ActivationsReport.Entry) {
    let p = entry.profile
    write(20, top + 18, entry.shownName, bold: true)
    let (first, counts) = p.octaves
    frame(20, "how many |a| of each power of two (log scale)")
    let most = log10(Double(counts.max() ?? 1) + 1)
    let step = Self.panelWidth / Double(max(counts.count, 1))
    for (k, n) in counts.enumerated() where n > 0 {
      // Massive ones stand in octaves at or above the smallest of them.
      let least = p.massive.places.last.map { Int($0.magnitude.exponent) } ?? .max
      bar(
        20 + Double(k) * step, step * 0.9, log10(Double(n) + 1) / most * (Self.panelHeight - 10),
        first + k >= least ? "#c0392b" : "#4a7ab5", "\(MagnitudeBars.name(first + k)): \(n)")
    }
    if !counts.isEmpty {
      write(20, top + 54 + Self.panelHeight, MagnitudeBars.name(first))
      write(
        20 + Self.panelWidth, top + 54 + Self.panelHeight, MagnitudeBars.name(first + counts.count - 1),
        anchor: "end")
    }
    if p.columnMaxima.isEmpty {
      drawMaxima(p.rowMaxima, "max |a| of each \(p.rowsPerMaximum) tokens (log scale)", [])
    } else {
      drawMaxima(p.columnMaxima, "max |a| of each channel (log scale)", Set(p.massive.channels.keys))
    }
    top += Self.panelHeight + 80
  }

  private mutating func drawMaxima(_ maxima: [Float], _ title: String, _ marked: Set<Int>) {
    let x = 500.0
    frame(x, title)
    // At most one bar for each unit of width: the largest of those that fall together.
    let bars = min(maxima.count, Int(Self.panelWidth))
    guard bars > 0, let high = maxima.max(), high > 0 else { return }
    let low = maxima.filter { $0 > 0 }.min() ?? high
    let (bottom, span) = (log10(Double(low)), max(log10(Double(high)) - log10(Double(low)), 0.1))
    for k in 0..<bars {
      let range = k * maxima.count / bars..<(k + 1) * maxima.count / bars
      guard let best = range.max(by: { maxima[$0] < maxima[$1] }), maxima[best] > 0 else { continue }
      let height = 4 + (log10(Double(maxima[best])) - bottom) / span * (Self.panelHeight - 14)
      bar(
        x + Double(k) * Self.panelWidth / Double(bars), Self.panelWidth / Double(bars) * 0.9, height,
        range.contains(where: marked.contains) ? "#c0392b" : "#4a7ab5",
        "\(best): \(Figures.number(Double(maxima[best])))")
    }
    write(x, top + 54 + Self.panelHeight, "0")
    write(x + Self.panelWidth, top + 54 + Self.panelHeight, "\(maxima.count - 1)", anchor: "end")
    write(
      x + Self.panelWidth, top + 34, "\(Figures.short(Double(low))) … \(Figures.short(Double(high)))",
      anchor: "end")
  }

  private mutating func draw(_ s: LayerSeries, _ file: String) {
    write(20, top + 18, "\(s.pattern): channels that are massive in some layer", bold: true)
    frame(20, "max |a| over the layers (log scale)")
    let shown = s.courses.prefix(8)
    let values = shown.flatMap(\.maxima).filter { $0 > 0 }.map { log10(Double($0)) }
    guard let low = values.min(), let high = values.max(), let first = s.layers.first,
      let last = s.layers.last
    else { return }
    let colors = ["#c0392b", "#4a7ab5", "#27ae60", "#8e44ad", "#d68910", "#16a085", "#7f8c8d", "#2c3e50"]
    for (k, course) in shown.enumerated() {
      let points = zip(s.layers, course.maxima).filter { $0.1 > 0 }.map { layer, m in
        let x = 30 + Double(layer - first) / Double(max(last - first, 1)) * (Self.panelWidth - 20)
        let y =
          top + 30 + Self.panelHeight - (log10(Double(m)) - low) / max(high - low, 0.1)
          * (Self.panelHeight - 20)
        return (x, y, course.massiveLayers.contains(layer))
      }
      let path = points.map { "\(Self.f($0.0)),\(Self.f($0.1))" }.joined(separator: " ")
      out += "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colors[k % colors.count])\"/>\n"
      for (x, y, isMassive) in points {
        out +=
          "<circle cx=\"\(Self.f(x))\" cy=\"\(Self.f(y))\" r=\"3\" stroke=\"\(colors[k % colors.count])\" "
        out += "fill=\"\(isMassive ? colors[k % colors.count] : "white")\"/>\n"
      }
      write(
        500, top + 54 + 16 * Double(k),
        "channel \(course.channel): massive in \(course.massiveLayers.map(String.init).joined(separator: ", "))"
      )
    }
    write(20, top + 54 + Self.panelHeight, "\(first)")
    write(20 + Self.panelWidth, top + 54 + Self.panelHeight, "\(last)", anchor: "end")
    top += Self.panelHeight + 80
  }
}
