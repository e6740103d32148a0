import Reports

/// Figures over the axes of a matrix: error against range, or length, a line for each format.
struct GateCharts {
  private let results: [CheckResult]

  init(_ results: [CheckResult]) { self.results = results }

  private static let most = 12

  var charts: [Chart] {
    var families: [String] = []
    for result in results where !result.cell.isEmpty && !families.contains(result.family) {
      families.append(result.family)
    }
    return Array(families.flatMap { charts(of: $0) }.prefix(Self.most))
  }

  /// One for each axis of numbers and each figure that all its cells have.
  private func charts(of family: String) -> [Chart] {
    let members = results.filter { $0.family == family && !$0.cell.isEmpty }
    guard let axes = members.first?.cell.map(\.name) else { return [] }
    var list: [Chart] = []
    for (k, axis) in axes.enumerated() {
      // Seeds are numbers, but no quantity.
      guard axis != "seed", members.allSatisfy({ k < $0.cell.count && Double($0.cell[k].value) != nil }),
        Set(members.map { $0.cell[k].value }).count > 1
      else { continue }
      for path in ["ulp.max", "rmse", "sqnr"] {
        let chart = chart(members, family, k, axis, path)
        if !chart.isEmpty { list.append(chart) }
      }
    }
    return list
  }

  private func chart(
    _ members: [CheckResult], _ family: String, _ k: Int, _ axis: String, _ path: String
  ) -> Chart {
    var names: [String] = []
    var points: [String: [Chart.Point]] = [:]
    var unit = ""
    for member in members {
      for figure in member.figures where figure.path == path {
        unit = figure.unit
        let others = member.cell.enumerated().filter { $0.offset != k }.map(\.element.value)
        let name = (others + [figure.label]).filter { !$0.isEmpty }.joined(separator: " ")
        guard let x = Double(member.cell[k].value), figure.value.isFinite else { continue }
        if points[name] == nil { names.append(name) }
        points[name, default: []].append(.init(x: x, y: figure.value, label: member.name))
      }
    }
    return Chart(
      .lines, "\(family): \(path) against \(axis)", x: .init(axis), y: .init(path, unit: unit),
      names.map { name in .init(name, (points[name] ?? []).sorted { $0.x < $1.x }) })
  }
}
