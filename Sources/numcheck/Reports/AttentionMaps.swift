import NumKit
import Reports

/// Attention weights, head by head.
extension Chart {
  /// So many heads are drawn: a page is to be looked at.
  private static let mappedHeads = 12

  /// A map of each head's exact weights, and one of what the baseline in `dtype` makes of them.
  static func weights(_ heads: [AttentionMeasurement.Head], sinkTokens: Int, _ dtype: DType) -> [Chart] {
    heads.prefix(mappedHeads).enumerated().flatMap { number, head -> [Chart] in
      guard let exact = head.weights else { return [] }
      var charts = [
        map("head \(number): where a query's attention goes", "share of a query", exact, sinkTokens) {
          exact.weight(row: $0, column: $1)
        }
      ]
      if let computed = head.computedWeights {
        charts.append(
          map("head \(number): what \(dtype.name) changes of it", "difference of shares", exact, sinkTokens) {
            row, column in
            guard let a = exact.weight(row: row, column: column),
              let b = computed.weight(row: row, column: column)
            else { return nil }
            return (a - b).magnitude
          })
      }
      return charts
    }
  }

  private static func map(
    _ title: String, _ what: String, _ map: WeightMap, _ sinkTokens: Int, _ value: (Int, Int) -> Double?
  ) -> Chart {
    func name(_ range: Range<Int>) -> String {
      range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound - 1)"
    }
    let keys = (0..<map.columns).map { column -> String in
      let range = map.keys(of: column)
      return range.lowerBound < sinkTokens ? "\(name(range)) sink" : name(range)
    }
    let queries = (0..<map.rows).map { name(map.queries(of: $0)) }
    var points: [Point] = []
    for row in 0..<map.rows {
      for column in 0..<map.columns {
        // What a mask hides, and what nothing changes, stays white.
        guard let x = value(row, column), x > 0 else { continue }
        var point = Point(
          x: Double(column), y: Double(row), label: "query \(queries[row]), key \(keys[column])",
          marked: map.keys(of: column).lowerBound < sinkTokens)
        point.value = x
        points.append(point)
      }
    }
    var chart = Chart(.heat, title, x: Axis("key"), y: Axis(what), [Series("", points)])
    chart.columnNames = keys
    chart.rowNames = queries
    return chart
  }
}
