/// Some rows of a tensor, evenly taken in runs, in place of all: blocks lie along rows, so what a scheme makes of a row does not
/// depend on the others, and the sample's errors are the tensor's but for chance.
public struct RowSample: Sendable, Hashable {
  /// The runs of rows, ascending.
  public let runs: [Range<Int>]
  /// Rows in them.
  public let count: Int
  /// Rows of the tensor.
  public let rows: Int

  /// Runs of `unit` rows (the last of a tensor may be shorter), so many that about `elements` elements are in them; nil for all.
  public init(rows: Int, columns: Int, elements: Int?, unit: Int = 1) {
    self.rows = rows
    let unit = max(1, unit)
    let total = (rows + unit - 1) / unit
    let wanted = elements.map { max(1, $0 / max(1, unit * columns)) } ?? total
    let taken = min(total, max(wanted, min(total, 16)))
    // Run k of n starts a share k/n of the way down.
    runs = (0..<taken).map { k in
      let (high, low) = total.multipliedFullWidth(by: k)
      let first = taken.dividingFullWidth((high, low)).quotient * unit
      return first..<min(rows, first + unit)
    }
    count = runs.reduce(0) { $0 + $1.count }
  }

  /// Whether these are all.
  public var isWhole: Bool { count == rows }
}
