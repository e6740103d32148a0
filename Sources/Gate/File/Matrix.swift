import Reports

/// All combinations of some flags' values.
enum Matrix {
  typealias Cell = [(axis: String, value: YAMLValue)]
  private static let most = 10_000

  /// The cells, the last axis running fastest; one without axes where there is no matrix.
  static func cells(
    _ matrix: YAMLValue?, excluding excluded: YAMLValue?, of command: Catalogue.Command
  ) throws -> [Cell] {
    guard let matrix else {
      if let excluded { throw excluded.wrong("'exclude' is for 'matrix'") }
      return [[]]
    }
    var cells: [Cell] = [[]]
    let axes = try matrix.members()
    if axes.isEmpty { throw matrix.wrong("'matrix' has no axis") }
    for (key, values) in axes {
      guard command.flag(key.name) != nil else {
        throw key.wrong(
          "'\(command.name)' has no '\(key.name)'" + didYouMean(key.name, in: command.flags.map(\.name)))
      }
      let items = try values.items()
      if items.isEmpty { throw values.wrong("'\(key.name)' has no value to try") }
      var seen: [String] = []
      for item in items {
        let text = try item.text()
        if seen.contains(text) { throw item.wrong("'\(text)' stands here twice") }
        seen.append(text)
      }
      cells = cells.flatMap { cell in items.map { cell + [(key.name, $0)] } }
      if cells.count > most { throw matrix.wrong("more than \(Figures.count(most)) cells") }
    }
    guard let excluded else { return cells }
    for item in try excluded.items() {
      let members = try item.members().map { key, value in
        guard axes.contains(where: { $0.key.name == key.name }) else {
          throw key.wrong(
            "'\(key.name)' is no axis of the matrix" + didYouMean(key.name, in: axes.map(\.key.name)))
        }
        return (key.name, try value.itemsOrOne().map { try $0.text() })
      }
      let before = cells.count
      cells = try cells.filter { cell in
        try !members.allSatisfy { name, values in
          try cell.contains { try $0.axis == name && values.contains($0.value.text()) }
        }
      }
      if cells.count == before { throw item.wrong("it excludes no cell") }
    }
    if cells.isEmpty { throw excluded.wrong("it excludes every cell") }
    return cells
  }
}
