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
    /// Whether it loses no number, and no such scheme with as few bits has a higher SQNR.
    let isParetoBest: Bool
    var name: String { measurement.scheme }
    var statistics: ErrorSums { measurement.statistics }
  }

  init(
    _ source: MatrixSource, schemes: [any Scheme], threads: Int,
    recommendation: (maxBits: Double?, minSqnr: Double?)?
  ) throws {
    tensor = source.name
    rows = source.rows
    columns = source.columns
    asked = recommendation
    var fitting: [any Scheme] = []
    var skipped: [(String, String)] = []
    for scheme in schemes {
      do {
        _ = try scheme.byteCount(rows: rows, columns: columns)
        fitting.append(scheme)
      } catch let error as SchemeError {
        skipped.append((scheme.name, error.description))
      }
    }
    self.skipped = skipped
    guard !fitting.isEmpty else {
      (entries, recommended) = ([], nil)
      return
    }
    let run = try StreamedMeasurement(fitting, source, threads: threads)
    let measurements = run.measurements
    let floors = try Self.floors(measurements, run.distribution, threads: threads)
    let sorted = measurements.enumerated().sorted {
      ($0.element.bitsPerWeight, $0.offset) < ($1.element.bitsPerWeight, $1.offset)
    }.map(\.element)
    // Averages over what is left say nothing beside averages over all.
    let whole = measurements.filter { $0.statistics.lostCount == 0 }
    let priced = sorted.map { m in
      let better = whole.contains {
        $0.statistics.sqnr > m.statistics.sqnr && $0.bitsPerWeight <= m.bitsPerWeight
          || $0.statistics.sqnr == m.statistics.sqnr && $0.bitsPerWeight < m.bitsPerWeight
      }
      return Entry(
        measurement: m,
        floor: floors[m.bitsPerWeight],
        isParetoBest: !better && m.statistics.lostCount == 0 && m.statistics.finiteCount > 0)
    }
    entries = priced
    recommended = recommendation.flatMap { limits in
      let allowed = priced.filter {
        $0.measurement.bitsPerWeight <= limits.maxBits ?? .infinity
          && $0.statistics.sqnr >= limits.minSqnr ?? -.infinity && $0.statistics.lostCount == 0
          && $0.statistics.finiteCount > 0
      }
      // Within a budget of bits the best; to reach a quality the smallest.
      return limits.maxBits != nil
        ? allowed.max { $0.statistics.sqnr < $1.statistics.sqnr }
        : allowed.min { $0.measurement.bitsPerWeight < $1.measurement.bitsPerWeight }
    }
  }

  /// The floor at each number of bits that occurs.
  private static func floors(
    _ measurements: [SchemeMeasurement], _ distribution: EmpiricalDistribution, threads: Int
  ) throws -> [Double: Floor] {
    final class Worker {
      var found: [Double: Floor] = [:]
    }
    // Of as many elements as any scheme kept.
    let variance =
      measurements.min { $0.statistics.lostCount < $1.statistics.lostCount }?.statistics.variance ?? 0
    // Those with the most levels take longest.
    let bits = Set(measurements.map(\.bitsPerWeight)).sorted(by: >)
    return try ParallelRows(threads: threads, chunk: 1).reduce(
      count: bits.count, progress: nil, make: { Worker() },
      body: { worker, k in
        worker.found[bits[k]] = Floor(bits: bits[k], distribution: distribution, variance: variance)
      }, merge: { $0.found.merge($1.found) { first, _ in first } }
    ).found
  }

  private var table: Table {
    var table = Table(columns: [
      ("scheme", .left), ("", .left), ("bits", .right), ("SQNR dB", .right), ("MSE", .right),
      ("max error", .right),
      ("rel L1", .right), ("cosine", .right), ("over floor dB", .right), ("rounding", .right),
      ("clipping", .right),
      ("to zero", .right), ("scales", .right), ("worst channel", .right), ("worst block", .right),
    ])
    let isLossy = entries.contains { $0.statistics.lostCount > 0 }
    if isLossy { table.columns.insert(("lost", .right), at: 3) }
    for e in entries {
      let s = e.statistics
      let floor = e.floor?.decibelsAboveLloydMax(s.mse).map { Figures.short($0) } ?? "-"
      let parts = e.measurement.split.map { split in
        [split.elementRounding, split.clipping, split.flushToZero].map { Self.percent($0, of: split.total) }
          + [e.measurement.splitsScale ? Self.percent(split.scaleRounding, of: split.total) : "-"]
      }
      func figure(_ x: Double) -> String { x.isNaN || s.isAllLost ? "-" : Figures.short(x) }
      table.rows.append(
        [e.name, e.isParetoBest ? "*" : "", Figures.short(e.measurement.bitsPerWeight)]
          + (isLossy ? [Figures.count(s.lostCount)] : [])
          + [
            figure(s.sqnr), figure(s.mse), figure(s.maxAbsoluteError), figure(s.relativeL1),
            s.cosine >= 0.9995 && s.cosine < 1 ? "1 - \(Figures.short(1 - s.cosine))" : figure(s.cosine),
            floor,
          ] + (parts ?? ["-", "-", "-", "-"])
          + [
            e.measurement.places.channel.map { "\($0.column): \(Figures.short($0.relativeL2))" } ?? "-",
            e.measurement.places.block.map { "\($0.row),\($0.column): \(Figures.short($0.relativeL2))" }
              ?? "-",
          ])
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
    for scheme in skipped { lines.append("left out: \(scheme.why)") }
    return lines
  }

  private var conclusion: String {
    if entries.isEmpty { return "no scheme fits \(Figures.count(rows)) x \(Figures.count(columns))" }
    guard let asked else {
      let best = entries.filter(\.isParetoBest).map(\.name)
      if best.isEmpty { return "none keeps every number finite" }
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
}
