/// Some rows of a tensor, evenly taken in runs, in place of all: blocks lie along rows, so what a scheme makes of a row does not
/// depend on the others, and the sample's errors are the tensor's but for chance.
public struct RowSample: Sendable, Hashable {
  /// The runs of rows, ascending.
  public let runs: [Range<Int>]
  /// Which of them are in it whatever is drawn, and so stand for themselves alone.
  package let isCertain: [Bool]
  /// Rows in them.
  public let count: Int
  /// Rows of the tensor.
  public let rows: Int

  /// Runs of `unit` rows (the last of a tensor may be shorter), so many that about `elements` elements are in them; nil for all. Runs that are
  /// `certain`, by their numbers, ascending, come to those.
  public init(rows: Int, columns: Int, elements: Int?, unit: Int = 1, certain: [Int] = []) {
    self.rows = rows
    let unit = max(1, unit)
    let total = (rows + unit - 1) / unit
    let taken = Self.taken(rows: rows, columns: columns, elements: elements, unit: unit)
    let rest = total - certain.count
    var chosen: [(run: Int, isCertain: Bool)] = []
    if taken >= rest {
      chosen = (0..<total).map { ($0, false) }
    } else {
      var skipped = 0
      chosen = (0..<taken).map { k in
        // Run k of n starts a share k/n of the way down what is left without the certain ones.
        let (high, low) = rest.multipliedFullWidth(by: k)
        var run = taken.dividingFullWidth((high, low)).quotient + skipped
        while skipped < certain.count, certain[skipped] <= run { (skipped, run) = (skipped + 1, run + 1) }
        return (run, false)
      }
      chosen = (chosen + certain.map { ($0, true) }).sorted { $0.run < $1.run }
    }
    runs = chosen.map { $0.run * unit..<min(rows, ($0.run + 1) * unit) }
    isCertain = chosen.map(\.isCertain)
    count = runs.reduce(0) { $0 + $1.count }
  }

  /// How many runs are drawn.
  private static func taken(rows: Int, columns: Int, elements: Int?, unit: Int) -> Int {
    let total = (rows + unit - 1) / unit
    let wanted = elements.map { max(1, $0 / max(1, unit * columns)) } ?? total
    return min(total, max(wanted, min(total, 16)))
  }

  /// Whether some runs are left out.
  static func leavesOut(rows: Int, columns: Int, elements: Int?, unit: Int) -> Bool {
    taken(rows: rows, columns: columns, elements: elements, unit: unit) * unit < rows
  }

  /// Whether these are all.
  public var isWhole: Bool { count == rows }
}
