import NumKit
import Quant

/// What each scheme costs one tensor.
struct QuantizeReport {
  let tensor: String
  let rows: Int
  let columns: Int
  let entries: [Entry]
  /// Schemes that do not fit the shape, and why.
  let skipped: [(name: String, why: String)]
  let recommended: Entry?
  private let asked: (maxBits: Double?, minSqnr: Double?)?

  struct Entry {
    let measurement: SchemeMeasurement
    let floor: Floor?
    /// Whether no scheme with as few bits has a higher SQNR.
    let isParetoBest: Bool
    var name: String { measurement.scheme }
    var statistics: Quant.ErrorStatistics { measurement.statistics }
  }

  init(
    _ matrix: Matrix, schemes: [any Scheme], isExplicit: Bool, threads: Int,
    recommendation: (maxBits: Double?, minSqnr: Double?)?
  ) throws {
    tensor = matrix.name
    rows = matrix.rows
    columns = matrix.columns
    var fitting: [any Scheme] = []
    var skipped: [(String, String)] = []
    for scheme in schemes {
      do {
        _ = try scheme.byteCount(rows: rows, columns: columns)
        fitting.append(scheme)
      } catch let error as SchemeError {
        if isExplicit { throw UsageError("\(scheme.name): \(error)") }
        skipped.append((scheme.name, error.description))
      }
    }
    guard !fitting.isEmpty else { throw UsageError("no scheme fits \(rows) x \(columns)") }
    let measurements = try Self.measure(fitting, matrix, threads: threads)
    let distribution = EmpiricalDistribution(matrix.values)
    let sorted = measurements.enumerated().sorted {
      ($0.element.bitsPerWeight, $0.offset) < ($1.element.bitsPerWeight, $1.offset)
    }.map(\.element)
    let priced = sorted.map { m in
      let better = measurements.contains {
        $0.statistics.sqnr > m.statistics.sqnr && $0.bitsPerWeight <= m.bitsPerWeight
          || $0.statistics.sqnr == m.statistics.sqnr && $0.bitsPerWeight < m.bitsPerWeight
      }
      return Entry(
        measurement: m,
        floor: Floor(bits: m.bitsPerWeight, distribution: distribution, variance: m.statistics.variance),
        isParetoBest: !better && m.statistics.lostCount == 0)
    }
    entries = priced
    self.skipped = skipped
    asked = recommendation
    recommended = recommendation.flatMap { limits in
      let allowed = priced.filter {
        $0.measurement.bitsPerWeight <= limits.maxBits ?? .infinity
          && $0.statistics.sqnr >= limits.minSqnr ?? -.infinity && $0.statistics.lostCount == 0
      }
      // Within a budget of bits the best; to reach a quality the smallest.
      return limits.maxBits != nil
        ? allowed.max { $0.statistics.sqnr < $1.statistics.sqnr }
        : allowed.min { $0.measurement.bitsPerWeight < $1.measurement.bitsPerWeight }
    }
  }

  private static func measure(
    _ schemes: [any Scheme], _ matrix: Matrix, threads: Int
  ) throws -> [SchemeMeasurement] {
    final class Worker {
      var found: [(Int, SchemeMeasurement)] = []
    }
    let (values, rows, columns) = (matrix.values, matrix.rows, matrix.columns)
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: schemes.count, progress: nil, make: { Worker() },
      body: { worker, k in
        worker.found.append((k, try SchemeMeasurement(schemes[k], values, rows: rows, columns: columns)))
      }, merge: { $0.found += $1.found })
    return worker.found.sorted { $0.0 < $1.0 }.map(\.1)
  }

  private var table: Table {
    var table = Table(columns: [
      ("scheme", .left), ("", .left), ("bits", .right), ("SQNR dB", .right), ("MSE", .right),
      ("max error", .right),
      ("rel L1", .right), ("cosine", .right), ("over floor dB", .right), ("rounding", .right),
      ("clipping", .right),
      ("to zero", .right), ("scales", .right),
    ])
    for e in entries {
      let s = e.statistics
      let floor = e.floor?.decibelsAboveLloydMax(s.mse).map { Figures.short($0) } ?? "-"
      let parts = e.measurement.split.map { split in
        [split.elementRounding, split.clipping, split.flushToZero, split.scaleRounding].map {
          Self.percent($0, of: split.total)
        }
      }
      table.rows.append(
        [
          e.name, e.isParetoBest ? "*" : "", Figures.short(e.measurement.bitsPerWeight),
          Figures.short(s.sqnr),
          Figures.short(s.mse), Figures.short(s.maxAbsoluteError), Figures.short(s.relativeL1),
          s.cosine >= 0.9995 && s.cosine < 1 ? "1 - \(Figures.short(1 - s.cosine))" : Figures.short(s.cosine),
          floor,
        ] + (parts ?? ["-", "-", "-", "-"]))
    }
    return table
  }

  /// What is only the rounding of the measures themselves shows as 0.
  private static func percent(_ part: Double, of total: Double) -> String {
    guard total > 0 else { return "-" }
    let share = 100 * part / total
    return share < 1e-6 ? "0 %" : "\(Figures.short(share)) %"
  }

  private var heading: String { "\(tensor): \(Figures.count(rows)) x \(Figures.count(columns))" }

  private var notes: [String] {
    var lines: [String] = []
    for e in entries {
      for warning in e.measurement.disagreements() { lines.append("\(e.name): \(warning)") }
    }
    if !skipped.isEmpty {
      lines.append("left out, for they do not fit: " + skipped.map(\.name).joined(separator: ", "))
    }
    return lines
  }

  private var conclusion: String {
    guard let asked else {
      let best = entries.filter(\.isParetoBest).map(\.name)
      return "best for their size (*): " + best.joined(separator: ", ")
    }
    let limits = [
      asked.maxBits.map { "at most \(Figures.number($0)) bits" },
      asked.minSqnr.map { "at least \(Figures.number($0)) dB" },
    ].compactMap { $0 }.joined(separator: ", ")
    guard let recommended else { return "no scheme has \(limits)" }
    return "take \(recommended.name): \(Figures.short(recommended.measurement.bitsPerWeight)) bits, "
      + "\(Figures.short(recommended.statistics.sqnr)) dB (\(limits))"
  }

  var text: String {
    heading + "\n\n" + table.text() + "\n" + notes.map { $0 + "\n" }.joined() + conclusion + "\n"
  }

  var markdown: String {
    "### \(heading)\n\n" + table.markdown + "\n" + notes.map { "- \($0)\n" }.joined()
      + "\n**\(conclusion)**\n"
  }

  static func csv(_ reports: [QuantizeReport]) -> String {
    var table = Table(
      columns: [
        "tensor", "scheme", "bits_per_weight", "sqnr_db", "mse", "max_absolute_error", "relative_l1",
        "cosine",
        "pareto",
      ].map { (title: $0, alignment: .left) })
    for report in reports {
      for e in report.entries {
        let s = e.statistics
        table.rows.append(
          [report.tensor, e.name]
            + [e.measurement.bitsPerWeight, s.sqnr, s.mse, s.maxAbsoluteError, s.relativeL1, s.cosine].map(
              Figures.number)
            + [e.isParetoBest ? "1" : "0"])
      }
    }
    return table.csv
  }

  static func json(_ reports: [QuantizeReport]) -> JSONValue {
    let bodies = reports.map(\.members)
    let head: [(String, JSONValue)] = [("schema", .string("numcheck/1")), ("command", .string("quantize"))]
    if bodies.count == 1 { return .object(head + bodies[0]) }
    return .object(head + [("tensors", .array(bodies.map { .object($0) }))])
  }

  private var members: [(String, JSONValue)] {
    [
      ("tensor", .string(tensor)), ("rows", .int(rows)), ("length", .int(columns)),
      ("recommended", recommended.map { .string($0.name) } ?? .null),
      ("results", .array(entries.map(Self.result))),
      (
        "skipped",
        .array(skipped.map { .object([("scheme", .string($0.name)), ("reason", .string($0.why))]) })
      ),
    ]
  }

  private static func result(_ e: Entry) -> JSONValue {
    let s = e.statistics
    func place(_ p: ErrorPlace?) -> JSONValue {
      guard let p else { return .null }
      return .object([
        ("row", .int(p.row)), ("column", .int(p.column)), ("width", .int(p.width)),
        ("squaredError", .number(p.squaredError)), ("relativeL2", .number(p.relativeL2)),
      ])
    }
    return .object([
      ("scheme", .string(e.name)), ("bitsPerWeight", .number(e.measurement.bitsPerWeight)),
      ("sqnr", .number(s.sqnr)), ("mse", .number(s.mse)), ("maxAbsoluteError", .number(s.maxAbsoluteError)),
      ("maxAbsoluteErrorHex", .string(Figures.hex(s.maxAbsoluteError))),
      ("relativeL1", .number(s.relativeL1)),
      ("relativeL2", .number(s.relativeL2)), ("cosine", .number(s.cosine)), ("lost", .int(s.lostCount)),
      ("paretoBest", .bool(e.isParetoBest)),
      (
        "floor",
        e.floor.map {
          .object([("lloydMax", .number($0.lloydMax)), ("gaussianBound", .number($0.gaussianBound))])
        }
          ?? .null
      ),
      (
        "split",
        e.measurement.split.map {
          .object([
            ("elementRounding", .number($0.elementRounding)), ("clipping", .number($0.clipping)),
            ("flushToZero", .number($0.flushToZero)), ("scaleRounding", .number($0.scaleRounding)),
            ("total", .number($0.total)),
          ])
        } ?? .null
      ),
      ("worstChannel", place(e.measurement.places.channel)),
      ("worstBlock", place(e.measurement.places.block)),
      ("warnings", .array(e.measurement.disagreements().map { .string($0.description) })),
    ])
  }
}
