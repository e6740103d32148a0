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
    try emit(list.text(as: format))
  }

  private static var formats: FlatReport {
    var list = FlatReport(
      command: "list formats",
      columns: [
        ("dtype", "dtype", .left), ("bits", "bits", .right), ("sign/exp/frac", "layout", .left),
        ("largest", "largest", .right), ("smallest normal", "smallestNormal", .right),
        ("smallest subnormal", "smallestSubnormal", .right), ("epsilon", "epsilon", .right),
        ("infinity", "hasInfinity", .left), ("NaN", "nan", .left), ("also called", "aliases", .left),
      ])
    for entry in FormatRegistry.all {
      let aliases = entry.aliases.prefix(3)
      let names = FlatReport.Cell(
        text: aliases.joined(separator: " "), value: .array(aliases.map { .string($0) }))
      switch entry.dtype {
      case .float(let f):
        let nan: String
        switch f.nanEncoding {
        case .ieee: nan = "\(2 * ((1 << Swift.min(f.significandBits, 60)) - 1)) codes"
        case .allOnes: nan = f.hasSign ? "2 codes" : "1 code"
        case .negativeZero: nan = "1 code (-0)"
        case .none: nan = "no"
        }
        list.rows.append([
          .text(f.name), .count(f.bitWidth),
          .text("\(f.hasSign ? 1 : 0)/\(f.exponentBits)/\(f.significandBits)"), .exact(f.largestFinite),
          .exact(f.smallestNormal), f.hasZero ? .exact(f.smallestPositive) : .none("none"),
          .exact(f.epsilon), .flag(f.hasInfinity), .text(f.significandBits > 23 ? "yes" : nan), names,
        ])
      case .integer(let f):
        list.rows.append([
          .text(f.name), .count(f.bitWidth), .text(f.isSigned ? "two's complement" : "unsigned"),
          .init(text: "\(f.max) x scale", value: .int(f.max)), .none(), .none(),
          .init(text: "1 x scale", value: .int(1)), .flag(false), .text("no"), names,
        ])
      }
    }
    return list
  }

  private static var kernels: FlatReport {
    var list = FlatReport(
      command: "list kernels",
      columns: [
        ("command", "command", .left), ("--algorithm", "algorithm", .left), ("dtypes", "dtypes", .left),
        ("how", "summary", .left),
      ])
    for operation in RowOperation.allCases {
      for a in Algorithm.all(for: operation, dtype: .integer(.int8)) {
        list.rows.append([
          .text(operation.rawValue), .text(a.description), .text(a.isInteger ? "integer" : "all"),
          .text(a.summary + (a.variant == "pairwise" ? ", summed pairwise" : "")),
        ])
      }
    }
    for a in AttentionAlgorithm.allCases {
      list.rows.append([.text("attention"), .text(a.rawValue), .text("all"), .text(a.summary)])
    }
    for scheme in AttentionSchemes.all {
      list.rows.append([
        .text("attention --scheme"), .text(scheme.name), .text("its own"), .text(scheme.summary),
      ])
    }
    return list
  }

  private static var schemes: FlatReport {
    var list = FlatReport(
      command: "list schemes",
      columns: [
        ("--scheme", "scheme", .left), ("bits", "bitsPerWeight", .right), ("family", "family", .left),
        ("tried by default", "isDefault", .left), ("NaN gives", "nanGives", .left),
        ("inf gives", "infinityGives", .left),
      ])
    for family in SchemeRegistry.families {
      for (schemes, isDefault) in [(family.defaults(), true), (family.variants(), false)] {
        for scheme in schemes {
          // A matrix that every block divides, large enough for its scales not to count where there are few.
          let bytes = try? scheme.byteCount(rows: 1024, columns: 4096)
          list.rows.append([
            .text(scheme.name), bytes.map { .number(Double($0) * 8 / Double(1024 * 4096)) } ?? .none(),
            .text(family.file), .flag(isDefault, no: ""), .text(answer(of: scheme, to: .nan)),
            .text(answer(of: scheme, to: .infinity)),
          ])
        }
      }
    }
    return list
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

  private static var cures: FlatReport {
    var list = FlatReport(
      command: "list cures",
      columns: [("name", "name", .left), ("flag", "flag", .left), ("what", "summary", .left)])
    let kinds =
      TransformRegistry.kinds.map { ($0.name, "--transform", $0.summary) }
      + CalibrationRegistry.kinds.map { ($0.name, "--calibration", $0.summary) }
    list.rows = kinds.map { [.text($0.0), .text($0.1), .text($0.2)] }
    return list
  }

  private static var distributions: FlatReport {
    FlatReport(
      command: "list distributions",
      columns: [("--distribution", "distribution", .left), ("logits", "summary", .left)],
      rows: Distribution.allCases.map { [.text($0.rawValue), .text($0.summary)] })
  }
}
