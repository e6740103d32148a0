import ArgumentParser
import NumKit
import Quant

/// What there is: formats, kernels, algorithms.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List number formats, kernels, schemes, cures or distributions.")

  enum Topic: String, CaseIterable, ExpressibleByArgument {
    case formats, kernels, schemes, cures, distributions
  }

  @Argument(help: "formats, kernels, schemes, cures or distributions.")
  var topic: Topic

  @Option(help: "text, json, markdown or csv.")
  var format: OutputFormat = .text

  func run() throws {
    let list =
      switch topic {
      case .formats: Self.formats
      case .kernels: Self.kernels
      case .schemes: Self.schemes
      case .cures: Self.cures
      case .distributions: Self.distributions
      }
    switch format {
    case .text: try emit(list.text())
    case .markdown: try emit(list.markdown)
    case .json: try emit(list.json(command: "list \(topic.rawValue)").text)
    case .csv: try emit(list.csv)
    }
  }

  static var formats: Table {
    var table = Table(columns: [
      ("dtype", .left), ("bits", .right), ("sign/exp/frac", .left), ("largest", .right),
      ("smallest normal", .right), ("smallest subnormal", .right), ("epsilon", .right), ("infinity", .left),
      ("NaN", .left), ("also called", .left),
    ])
    for entry in FormatRegistry.all {
      let names = entry.aliases.prefix(3).joined(separator: " ")
      switch entry.dtype {
      case .float(let f):
        let nan: String
        switch f.nanEncoding {
        case .ieee: nan = "\(2 * ((1 << Swift.min(f.significandBits, 60)) - 1)) codes"
        case .allOnes: nan = f.hasSign ? "2 codes" : "1 code"
        case .negativeZero: nan = "1 code (-0)"
        case .none: nan = "no"
        }
        table.rows.append([
          f.name, "\(f.bitWidth)", "\(f.hasSign ? 1 : 0)/\(f.exponentBits)/\(f.significandBits)",
          Figures.number(f.largestFinite), Figures.number(f.smallestNormal),
          f.hasZero ? Figures.number(f.smallestPositive) : "none", Figures.number(f.epsilon),
          f.hasInfinity ? "yes" : "no", f.significandBits > 23 ? "yes" : nan, names,
        ])
      case .integer(let f):
        table.rows.append([
          f.name, "\(f.bitWidth)", "\(f.isSigned ? "two's complement" : "unsigned")",
          "\(f.max) x scale", "-", "-", "1 x scale", "no", "no", names,
        ])
      }
    }
    return table
  }

  static var kernels: Table {
    var table = Table(columns: [
      ("command", .left), ("--algorithm", .left), ("dtypes", .left), ("how", .left),
    ])
    for operation in RowOperation.allCases {
      for a in Algorithm.all(for: operation, dtype: .integer(.int8)) {
        table.rows.append([
          operation.rawValue, a.description, a.isInteger ? "integer" : "all",
          a.summary + (a.variant == "pairwise" ? ", summed pairwise" : ""),
        ])
      }
    }
    for a in AttentionAlgorithm.allCases {
      table.rows.append(["attention", a.rawValue, "all", a.summary])
    }
    for scheme in AttentionSchemes.all {
      table.rows.append(["attention --scheme", scheme.name, "its own", scheme.summary])
    }
    return table
  }

  static var schemes: Table {
    var table = Table(columns: [
      ("--scheme", .left), ("bits", .right), ("family", .left), ("tried by default", .left),
    ])
    for family in SchemeRegistry.families {
      for (list, isDefault) in [(family.defaults(), "yes"), (family.variants(), "")] {
        for scheme in list {
          // A matrix that every block divides, large enough for its scales not to count where there are few.
          let bytes = try? scheme.byteCount(rows: 1024, columns: 4096)
          let bits = bytes.map { Figures.short(Double($0) * 8 / Double(1024 * 4096)) } ?? "-"
          table.rows.append([scheme.name, bits, family.file, isDefault])
        }
      }
    }
    return table
  }

  static var cures: Table {
    var table = Table(columns: [("name", .left), ("flag", .left), ("what", .left)])
    for kind in TransformRegistry.kinds { table.rows.append([kind.name, "--transform", kind.summary]) }
    for kind in CalibrationRegistry.kinds { table.rows.append([kind.name, "--calibration", kind.summary]) }
    return table
  }

  static var distributions: Table {
    var table = Table(columns: [("--distribution", .left), ("logits", .left)])
    for d in Distribution.allCases { table.rows.append([d.rawValue, d.summary]) }
    return table
  }
}

extension Table {
  /// One object a row, keyed by column title.
  func json(command: String) -> JSONValue {
    .object([
      ("schema", .string("numcheck/1")), ("command", .string(command)),
      (
        "results",
        .array(
          rows.map { row in
            .object(zip(columns, row).map { ($0.title, JSONValue.string($1)) })
          })
      ),
    ])
  }

  /// RFC 4180.
  var csv: String {
    func cell(_ s: String) -> String {
      s.contains(where: { ",\"\n".contains($0) }) ? "\"" + s.replacing("\"", with: "\"\"") + "\"" : s
    }
    return ([columns.map(\.title)] + rows).map { $0.map(cell).joined(separator: ",") + "\n" }.joined()
  }
}
