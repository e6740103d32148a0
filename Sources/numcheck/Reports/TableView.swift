import ArgumentParser
import Reports

/// How much of a long table people are shown: by --sort and --top.
struct TableView {
  /// The figure to sort by, the largest first, unless it is better that way; nil for `usual`.
  var sort: String?
  /// How many rows; nil for all.
  var top: Int?
  /// What is sorted by where nobody says, and how many are shown then.
  var usual: Column?
  var usualCount: Int?

  /// Puts the worst rows first and leaves out all but the first. Throws `UsageError` for a figure that the table has not.
  func arrange(_ table: inout Table) throws {
    if let sort {
      table.readingOrder = try order(table, by: sort)
    } else if let usual {
      table.readingOrder = try order(table, by: usual.path)
    }
    if let count = top ?? usualCount { table.readingOrder = Array(table.readingOrder.prefix(count)) }
  }

  /// How many rows people are not shown; nil for none.
  func hiddenNote(_ table: Table) -> String? {
    let hidden = table.rows.count - table.readingOrder.count
    return hidden > 0
      ? "\(Figures.count(hidden)) more \(hidden == 1 ? "is" : "are") not shown (--top N)" : nil
  }

  /// The error for a figure that is none of `names`.
  static func unknown(_ figure: String, _ names: [String]) -> UsageError {
    UsageError(
      "--sort \(figure): no such figure"
        + (Names.near(figure, in: names).first.map { "; did you mean \($0)?" }
          ?? "; there are: \(names.joined(separator: ", "))"))
  }

  private func order(_ table: Table, by figure: String) throws -> [Int] {
    guard let c = table.columns.firstIndex(where: { $0.path == figure || $0.name == figure }) else {
      let names = table.columns.filter { $0.alignment == .right }.map(\.path)
      throw Self.unknown(figure, names)
    }
    let isWorstLow = table.columns[c].sense == .higherIsBetter
    func value(_ row: Int) -> Double {
      guard let x = table.rows[row].cells[c].value.double, !x.isNaN else { return .infinity }
      return isWorstLow ? x : -x
    }
    return table.rows.indices.sorted { (value($0), $0) < (value($1), $1) }
  }
}

/// The flags of it.
struct ViewOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Show the worst first by a figure, like sqnr.", valueName: "FIGURE"))
  var sort: String?

  @Option(help: ArgumentHelp("Show so many rows of a long table.", valueName: "N"), transform: Whole.number)
  var top: Int?

  func validate() throws {
    if let top, top < 1 { throw ValidationError("--top must be 1 or more") }
  }
}
