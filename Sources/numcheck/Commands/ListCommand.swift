import ArgumentParser
import NumKit
import Quant
import Reports

/// What there is: formats, kernels, algorithms.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List number formats, kernels, schemes, cures, distributions or the figures of reports.")

  enum Topic: String, CaseIterable, ExpressibleByArgument {
    case formats, kernels, schemes, cures, distributions, figures
  }

  @Argument(help: "formats, kernels, schemes, cures, distributions or figures.")
  var topic: Topic

  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    var list = Report("list \(topic.rawValue)")
    let table =
      switch topic {
      case .formats: Self.formats
      case .kernels: Self.kernels
      case .schemes: Self.schemes
      case .cures: Self.cures
      case .distributions: Self.distributions
      case .figures: Self.figures
      }
    list.add(table)
    try report.finish(list)
  }

  private typealias C = ListColumns

  private static var formats: Table {
    let entries = FormatRegistry.all
    let onGrid = "an integer grid has none but its scale"
    /// A number of a float format; of an integer grid what it is times the scale.
    func number(_ i: Int, _ float: (NumberFormat) -> Cell, _ integer: (IntegerFormat) -> Int?) -> Cell {
      switch entries[i].dtype {
      case .float(let f): return float(f)
      case .integer(let f):
        return integer(f).map { Cell(text: "\($0) x scale", value: .integer($0)) } ?? .none(onGrid)
      }
    }
    var table = Table(rows: entries.count)
    table.add(C.dtype) { .text(entries[$0].dtype.name) }
    table.add(C.bits) { i in
      switch entries[i].dtype {
      case .float(let f): .count(f.bitWidth)
      case .integer(let f): .count(f.bitWidth)
      }
    }
    table.add(C.layout) { i in
      switch entries[i].dtype {
      case .float(let f): .text("\(f.hasSign ? 1 : 0)/\(f.exponentBits)/\(f.significandBits)")
      case .integer(let f): .text(f.isSigned ? "two's complement" : "unsigned")
      }
    }
    table.add(C.largest) { number($0, { .exact($0.largestFinite) }, { $0.max }) }
    table.add(C.smallestNormal) { number($0, { .exact($0.smallestNormal) }, { _ in nil }) }
    table.add(C.smallestSubnormal) {
      number(
        $0, { $0.hasZero ? .exact($0.smallestPositive) : .none("it has none", text: "none") }, { _ in nil })
    }
    table.add(C.epsilon) { number($0, { .exact($0.epsilon) }, { _ in 1 }) }
    table.add(C.hasInfinity) { i in
      switch entries[i].dtype {
      case .float(let f): .flag(f.hasInfinity)
      case .integer: .flag(false)
      }
    }
    table.add(C.nan) { i in
      switch entries[i].dtype {
      case .float(let f): .text(nanCodes(f))
      case .integer: .text("no")
      }
    }
    table.add(C.aliases) { i in
      let names = entries[i].aliases.prefix(3)
      return Cell(text: names.joined(separator: " "), value: .list(names.map { .text($0) }))
    }
    return table
  }

  private static func nanCodes(_ f: NumberFormat) -> String {
    if f.significandBits > 23 { return "yes" }
    switch f.nanEncoding {
    case .ieee: return "\(2 * ((1 << Swift.min(f.significandBits, 60)) - 1)) codes"
    case .allOnes: return f.hasSign ? "2 codes" : "1 code"
    case .negativeZero: return "1 code (-0)"
    case .none: return "no"
    }
  }

  private static var kernels: Table {
    var rows: [(command: String, name: String, dtypes: String, summary: String)] = []
    for operation in RowOperation.allCases {
      for a in Algorithm.all(for: operation, dtype: .integer(.int8)) {
        rows.append(
          (
            operation.rawValue, a.description, a.isInteger ? "integer" : "all",
            a.summary + (a.variant == "pairwise" ? ", summed pairwise" : "")
          ))
      }
    }
    for operation in [RowOperation.softmax, .logSumExp] {
      rows += Algorithm.approximate(for: operation).map {
        (operation.rawValue, $0.description, "all, where named", $0.summary)
      }
    }
    rows += AttentionAlgorithm.allCases.map { ("attention", $0.rawValue, "all", $0.summary) }
    for operation in Normalization.allCases {
      rows += NormAlgorithm.all(for: operation).map {
        (operation.rawValue, $0.description, "all", $0.summary)
      }
    }
    rows += FormulaCatalogue.kernels
    rows += MatmulOrder.all.map { ("matmul", $0.description, "all but unsigned integers", $0.summary) }
    rows += (AttentionSchemes.all + AttentionSchemes.releases).map {
      ("attention --scheme", $0.name, "its own", $0.summary)
    }
    var table = Table(rows: rows.count)
    table.add(C.command) { .text(rows[$0].command) }
    table.add(C.algorithm) { .text(rows[$0].name) }
    table.add(C.dtypes) { .text(rows[$0].dtypes) }
    table.add(C.summary) { .text(rows[$0].summary) }
    return table
  }

  private static var schemes: Table {
    let rows = SchemeRegistry.families.flatMap { family in
      family.defaults().map { (scheme: $0, family: family.file, isDefault: true) }
        + family.variants().map { (scheme: $0, family: family.file, isDefault: false) }
    }
    var table = Table(rows: rows.count)
    table.add(C.scheme) { .text(rows[$0].scheme.name) }
    table.add(C.bitsPerWeight) { i in
      // A matrix that every block divides, large enough for its scales not to count where there are few.
      let bytes = try? rows[i].scheme.byteCount(rows: 1024, columns: 4096)
      return bytes.map { .number(Double($0) * 8 / Double(1024 * 4096)) }
        ?? .none("its bits depend on the tensor")
    }
    table.add(C.family) { .text(rows[$0].family) }
    table.add(C.origin) { .text(SchemeRegistry.origin(of: rows[$0].scheme)) }
    table.add(C.isDefault) { .flag(rows[$0].isDefault, no: "") }
    table.add(C.nanGives) { .text(answer(of: rows[$0].scheme, to: .nan)) }
    table.add(C.infinityGives) { .text(answer(of: rows[$0].scheme, to: .infinity)) }
    return table
  }

  /// What becomes of a NaN or an infinity among ones, and whether the ones next to it survive.
  private static func answer(of scheme: any Scheme, to special: Float) -> String {
    let columns = 256
    var row = [Float](repeating: 1, count: columns)
    row[5] = special
    guard let size = try? scheme.byteCount(rows: 1, columns: columns) else { return "-" }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    defer { bytes.deallocate() }
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    do {
      try row.withUnsafeBufferPointer { try scheme.encode($0, rows: 1, columns: columns, into: bytes) }
      try row.withUnsafeMutableBufferPointer {
        try scheme.decode(UnsafeRawBufferPointer(bytes), rows: 1, columns: columns, into: $0)
      }
    } catch { return "-" }
    let others = row.indices.filter { $0 != 5 && !((row[$0] - 1).magnitude < 0.5) }.count
    return Figures.short(Double(row[5])) + (others == 0 ? "" : ", loses \(others) others")
  }

  private static var cures: Table {
    func lines<Product>(_ kinds: [CureKind<Product>], _ flag: String) -> [(String, String, String)] {
      kinds.flatMap { kind in
        [(kind.name, flag, kind.summary)] + kind.words.map { ("\(kind.name):\($0.key)", flag, $0.value) }
      }
    }
    let kinds =
      lines(TransformRegistry.kinds, "--transform") + lines(CalibrationRegistry.kinds, "--calibration")
    var table = Table(rows: kinds.count)
    table.add(C.cure) { .text(kinds[$0].0) }
    table.add(C.flag) { .text(kinds[$0].1) }
    table.add(C.summary) { .text(kinds[$0].2) }
    return table
  }

  private static var distributions: Table {
    let all = Distribution.allCases
    var table = Table(rows: all.count)
    table.add(C.distribution) { .text(all[$0].rawValue) }
    table.add(C.summary) { .text(all[$0].summary) }
    return table
  }

  /// Every figure of every report.
  private static var figures: Table {
    let all = ColumnRegistry.groups.flatMap { group in
      group.columns.map { (group: group.name, column: $0) }
    }
    var table = Table(rows: all.count)
    table.add(C.group) { .text(all[$0].group) }
    table.add(C.figure) { .text(all[$0].column.path) }
    table.add(C.title) { .text(all[$0].column.name) }
    table.add(C.unit) { .text(all[$0].column.unit) }
    table.add(C.meaning) { .text(all[$0].column.meaning) }
    return table
  }
}
