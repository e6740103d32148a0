/// A picture of figures that stand in a report's tables, for pages that can draw. What it shows is what tables say: a report loses
/// nothing where it is not drawn.
package struct Chart: Sendable {
  package enum Form: Sendable {
    /// A bar a category; several series stand one below the other.
    case bars
    /// A mark a point.
    case points
    /// A mark a point, joined in the order of x.
    case lines
    /// Counts over neighbouring intervals.
    case histogram
    /// A cell for each pair of categories, the darker the larger its value: x and y number the columns and rows.
    case heat
  }

  package struct Axis: Sendable {
    package let label: String
    package var unit = ""

    package init(_ label: String, unit: String = "") {
      self.label = label
      self.unit = unit
    }

    /// Whether its numbers are logarithms already.
    var isPlain: Bool { unit == "dB" || unit == "bits" }

    /// `max ulp (ulp)`, the unit where the label does not say it.
    package var title: String {
      label.isEmpty ? unit : unit.isEmpty || label.contains(unit) ? label : "\(label) (\(unit))"
    }
  }

  package struct Point: Sendable {
    package let x: Double
    package let y: Double
    /// What it is of.
    package let label: String
    /// Whether it stands out: the Pareto set of schemes.
    package let isMarked: Bool
    /// Of a cell of a heat map: what its darkness says; infinite where the chart has a name for that.
    package var value = 0.0

    package init(x: Double = 0, y: Double, label: String, marked isMarked: Bool = false) {
      self.x = x
      self.y = y
      self.label = label
      self.isMarked = isMarked
    }
  }

  package struct Series: Sendable {
    package let name: String
    package let points: [Point]

    package init(_ name: String, _ points: [Point]) {
      self.name = name
      self.points = points
    }
  }

  package let form: Form
  /// What it shows, in a few words.
  package let title: String
  package let x: Axis
  package let y: Axis
  package let series: [Series]
  /// What is not drawn, and why: `naive: NaN in 4 of 4 rows`.
  package var missing: [String] = []
  /// What a mark says of its points.
  package var markName = ""
  /// Of a heat map: what its columns and rows are called.
  package var columnNames: [String] = []
  package var rowNames: [String] = []
  /// Of a heat map: what an infinite value is called, `lossless`.
  package var infiniteName = ""

  package init(_ form: Form, _ title: String, x: Axis, y: Axis, _ series: [Series]) {
    (self.form, self.title, self.x, self.y, self.series) = (form, title, x, y, series)
  }

  /// Whether there is anything to see.
  package var isEmpty: Bool { series.allSatisfy(\.points.isEmpty) }
}

extension Chart {
  /// A bar for each row of a table, of one column or several of one unit; rows that are called alike count once.
  package static func bars(_ title: String, of table: Table, _ columns: [Column]) -> Chart {
    var missing: [String] = []
    let series = columns.map { column in
      Series(
        column.name,
        table.readingOrder.compactMap { row in
          point(table, row, y: column, missing: &missing)
        })
    }
    var chart = Chart(
      .bars, title, x: Axis(""),
      y: Axis(columns.count == 1 ? columns[0].name : "", unit: columns.first?.unit ?? ""), series)
    chart.missing = missing
    return chart
  }

  /// A point for each row: one column against another; marked where a third says so; called as `name` says, or as the row is.
  package static func points(
    _ title: String, of table: Table, x: Column, y: Column, name: Column? = nil, marked: Column? = nil,
    as markName: String = ""
  ) -> Chart {
    var missing: [String] = []
    let points = table.rows.indices.compactMap { row in
      point(table, row, name: name, x: x, y: y, marked: marked, missing: &missing)
    }
    var chart = Chart(
      .points, title, x: Axis(x.name, unit: x.unit), y: Axis(y.name, unit: y.unit), [Series("", points)])
    chart.missing = missing
    chart.markName = markName
    return chart
  }

  /// A line for each text that stands in column `by`; those that lie on one another are one, of all their names.
  package static func lines(_ title: String, of table: Table, x: Column, y: Column, by: Column) -> Chart {
    var missing: [String] = []
    var names: [String] = []
    var points: [String: [Point]] = [:]
    for row in table.rows.indices {
      guard let cell = table.cell(by, row), let point = point(table, row, x: x, y: y, missing: &missing)
      else { continue }
      if points[cell.text] == nil { names.append(cell.text) }
      points[cell.text, default: []].append(point)
    }
    var lines: [(names: [String], points: [Point])] = []
    for name in names {
      let own = (points[name] ?? []).sorted { $0.x < $1.x }
      let same = lines.firstIndex { line in
        line.points.count == own.count && zip(line.points, own).allSatisfy { $0.x == $1.x && $0.y == $1.y }
      }
      if let same { lines[same].names.append(name) } else { lines.append(([name], own)) }
    }
    var chart = Chart(
      .lines, title, x: Axis(x.name, unit: x.unit), y: Axis(y.name, unit: y.unit),
      lines.map { Series($0.names.joined(separator: ", "), $0.points) })
    chart.missing = missing
    return chart
  }

  private static func point(
    _ table: Table, _ row: Int, name: Column? = nil, x: Column? = nil, y: Column, marked: Column? = nil,
    missing: inout [String]
  ) -> Point? {
    let label = name.flatMap { table.cell($0, row)?.text } ?? table.label(ofRow: row)
    func number(_ column: Column) -> Double? {
      guard let cell = table.cell(column, row) else { return nil }
      if let number = cell.value.double, number.isFinite, cell.caveat == nil { return number }
      let reason = cell.caveat ?? (cell.text.isEmpty ? "no value" : cell.text)
      let line = "\(column.name) of \(label): \(reason)"
      if !missing.contains(line) { missing.append(line) }
      return nil
    }
    guard let height = number(y) else { return nil }
    var place = 0.0
    if let x {
      guard let found = number(x) else { return nil }
      place = found
    }
    let isMarked = marked.flatMap { table.cell($0, row)?.value } == .flag(true)
    return Point(x: place, y: height, label: label, marked: isMarked)
  }
}

extension Table {
  /// What stands in a column, found by its path; nil where there is none.
  package func cell(_ column: Column, _ row: Int) -> Cell? {
    columns.firstIndex { $0.path == column.path }.map { rows[row].cells[$0] }
  }
}
