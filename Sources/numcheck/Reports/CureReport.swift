import NumKit
import Quant

/// What cures restore of a tensor under some schemes.
struct CureReport {
  let tensor: String
  let rows: Int
  let columns: Int
  let profile: TensorProfile
  let groups: [Group]
  /// Schemes that do not fit as they are.
  let skipped: [SkippedTreatment]
  private let isList: Bool
  /// The tokens that cures saw and those that products are judged by: how many, and max |a|.
  private let tokens: (seen: (Int, Float), judging: (Int, Float))?

  /// A scheme and what helps it.
  struct Group {
    let results: [TreatmentResult]
    /// Treatments that do not fit, and why.
    let skipped: [SkippedTreatment]

    var plain: TreatmentResult { results[0] }

    /// dB that a treatment restores: of the product with the activations where there are any, else of what is not massive.
    func restored(_ r: TreatmentResult) -> Double {
      let (now, before) = (r.outputSqnr ?? r.rest.sqnr, plain.outputSqnr ?? plain.rest.sqnr)
      return now == before ? 0 : now - before
    }

    /// Whether a treatment buys the rest with the massive ones: the whole is clearly worse off, or less of it is left.
    func sacrifices(_ r: TreatmentResult) -> Bool {
      // Judged by its product a weight may well err more: where that does not matter.
      r.outputSqnr == nil && r.statistics.sqnr < plain.statistics.sqnr - 3
        || r.statistics.lostCount > plain.statistics.lostCount
    }

    /// What a treatment restores beyond what its bits would in a finer grid, 6.02 dB each.
    func gain(_ r: TreatmentResult) -> Double {
      restored(r) - 6.02 * (r.bitsPerWeight - plain.bitsPerWeight)
    }

    /// The treatment that loses least and of those gains most; nil where none saves a lost number or gains 1 dB.
    var best: TreatmentResult? {
      let helping = results.dropFirst().filter {
        !sacrifices($0)
          && ($0.statistics.lostCount < plain.statistics.lostCount || restored($0) > 1 && gain($0) > 0)
      }
      return helping.min {
        ($0.statistics.lostCount, -gain($0)) < ($1.statistics.lostCount, -gain($1))
      }
    }
  }

  init(
    tensor: String, _ matrix: TensorMatrix, schemes: [[Treatment]], context: CureContext, isList: Bool,
    skipsUnfit: Bool, threads: Int
  ) throws {
    self.tensor = tensor
    self.isList = isList
    func extent(_ matrix: TensorMatrix) -> (Int, Float) { (matrix.rows, matrix.columnMaxima.max() ?? 0) }
    tokens = context.judges.flatMap { judges in context.activations.map { (extent($0), extent(judges)) } }
    (rows, columns) = (matrix.rows, matrix.columns)
    let profile = try matrix.values.withUnsafeBufferPointer {
      try TensorProfile(MemorySource($0, rows: matrix.rows, columns: matrix.columns), threads: threads)
    }
    self.profile = profile
    let flags = matrix.values.map {
      $0.isFinite && profile.settings.isMassive(Double($0.magnitude), median: profile.medianMagnitude)
    }
    var groups: [Group] = []
    var unfit: [SkippedTreatment] = []
    for treatments in schemes {
      var results: [TreatmentResult] = []
      var skipped: [SkippedTreatment] = []
      for (k, treatment) in treatments.enumerated() {
        do {
          results.append(try TreatmentResult(treatment, matrix, isMassive: flags, context: context))
        } catch {
          guard k > 0 ? skipsUnfit : schemes.count > 1, let one = SkippedTreatment(treatment, error) else {
            throw error
          }
          skipped.append(one)
          if k == 0 { break }
        }
      }
      // The scheme as it is comes first: without it there is nothing to cure.
      if results.isEmpty {
        unfit += skipped
      } else {
        groups.append(Group(results: results, skipped: skipped))
      }
    }
    if groups.isEmpty, let first = unfit.first {
      throw UsageError("\(tensor): no scheme fits: \(first.reason)")
    }
    self.groups = groups
    skipped = unfit
  }

  private var hasOutput: Bool { groups.contains { $0.results.contains { $0.outputSqnr != nil } } }

  private func table(_ group: Group) -> Table {
    let hasMassive = profile.massive.count > 0
    var table = Table(columns: [
      ("treatment", .left), ("bits", .right), ("SQNR dB", .right), ("rest dB", .right),
      ("restored dB", .right),
      ("to zero", .right), ("max error", .right),
    ])
    if hasOutput { table.columns.append(("output dB", .right)) }
    let isLossy = group.results.contains { $0.statistics.lostCount > 0 }
    if isLossy { table.columns.insert(("lost", .right), at: 2) }
    func figure(_ x: Double) -> String { x.isNaN ? "-" : Figures.short(x) }
    let sorted =
      isList
      ? [group.plain]
        + group.results.dropFirst().enumerated().sorted {
          let (a, b) = ($0.element, $1.element)
          if a.statistics.lostCount != b.statistics.lostCount {
            return a.statistics.lostCount < b.statistics.lostCount
          }
          return (group.restored(b), $0.offset) < (group.restored(a), $1.offset)
        }.map(\.element) : group.results
    for r in sorted {
      let restored = group.restored(r)
      table.rows.append(
        [r.name, Figures.short(r.bitsPerWeight)]
          + (isLossy ? [Figures.count(r.statistics.lostCount)] : [])
          + [
            figure(r.statistics.sqnr),
            hasMassive ? figure(r.rest.sqnr) : "-",
            r.name == group.plain.name ? "" : (restored > 0 ? "+" : "") + figure(restored),
            Figures.percent(r.flushed, of: r.rest.count - profile.massive.count),
            Figures.short(r.statistics.maxAbsoluteError),
          ] + (hasOutput ? [r.outputSqnr.map(Figures.short) ?? "-"] : []))
    }
    return table
  }

  private var heading: String {
    let name = Figures.line(tensor)
    var out = "\(name): \(Figures.count(rows)) x \(Figures.count(columns))"
    if let first = profile.massive.places.first {
      let n = profile.massive.count
      out += ", \(n == 1 ? "1 massive activation" : "\(Figures.count(n)) massive activations"), "
      out +=
        "the largest \(Figures.short(Double(first.value))) at token \(first.row), channel \(first.column)"
    }
    return out
  }

  private func finding(_ group: Group) -> String {
    let plain = group.plain
    let lost =
      plain.statistics.lostCount == 0
      ? ""
      : "\(plain.name) makes \(Figures.count(plain.statistics.lostCount)) finite numbers NaN or infinite\n"
    guard profile.massive.count > 0, lost.isEmpty else { return lost }
    return
      "\(plain.name) leaves \(Figures.percent(plain.flushed, of: plain.rest.count - profile.massive.count)) of the rest at zero: "
      + "SQNR \(Figures.short(plain.rest.sqnr)) dB without the massive ones, who alone carry the "
      + "\(Figures.short(plain.statistics.sqnr)) dB of the whole\n"
  }

  private func advice(_ group: Group) -> String {
    guard isList else { return "" }
    let sacrificing = group.results.dropFirst().filter { group.restored($0) > 1 && group.sacrifices($0) }
    let warning =
      sacrificing.isEmpty
      ? ""
      : "not to be taken, the whole is worse for it (the massive ones are clipped or lost): "
        + sacrificing.map(\.name).joined(separator: ", ") + "\n"
    return warning + recommendation(group)
  }

  private func recommendation(_ group: Group) -> String {
    guard let best = group.best else {
      return "nothing tried helps \(group.plain.name) by more than 1 dB and 6.02 dB a bit\n"
    }
    let more = best.bitsPerWeight - group.plain.bitsPerWeight
    let cost =
      more < -0.0005
      ? "for \(Figures.short(-more)) bits an element less"
      : more < 0.0005 ? "for no bits more" : "for \(Figures.short(more)) bits an element more"
    let saved = group.plain.statistics.lostCount - best.statistics.lostCount
    let merit =
      saved > 0
      ? "it saves \(Figures.count(saved)) of the \(Figures.count(group.plain.statistics.lostCount)) lost"
      : "it restores \(Figures.short(group.restored(best))) dB"
    return "take \(best.name): \(merit) \(cost)\n"
  }

  var text: String { body { $0.text() } }
  var markdown: String { body { $0.markdown } }

  private func body(_ show: (Table) -> String) -> String {
    var out = heading + "\n"
    if let tokens {
      out +=
        "cures saw \(Figures.count(tokens.seen.0)) tokens of the activations, |a| up to "
        + "\(Figures.short(Double(tokens.seen.1))); output dB is that of the other "
        + "\(Figures.count(tokens.judging.0)), |a| up to \(Figures.short(Double(tokens.judging.1)))\n"
    }
    for group in groups {
      out += finding(group) + "\n" + show(table(group)) + "\n"
      out += group.skipped.text
      out += advice(group)
    }
    out += skipped.text
    while out.hasSuffix("\n\n") { out.removeLast() }
    return out
  }

  var members: JSONValue {
    .object([
      ("tensor", .string(tensor)), ("rows", .int(rows)), ("length", .int(columns)),
      ("massive", .int(profile.massive.count)),
      (
        "schemes",
        .array(
          groups.map { group in
            .object([
              ("scheme", .string(group.plain.name)),
              ("take", isList ? group.best.map { .string($0.name) } ?? .null : .null),
              ("results", .array(group.results.map { result($0, group) })),
              ("skipped", group.skipped.json),
            ])
          })
      ), ("skipped", skipped.json),
    ])
  }

  private func result(_ r: TreatmentResult, _ group: Group) -> JSONValue {
    .object([
      ("treatment", .string(r.name)), ("bitsPerWeight", .number(r.bitsPerWeight)),
      ("sqnr", .number(r.statistics.sqnr)), ("restSqnr", .number(r.rest.sqnr)),
      ("restored", .number(group.restored(r))), ("flushed", .int(r.flushed)),
      ("lost", .int(r.statistics.lostCount)),
      ("maxAbsoluteError", .number(r.statistics.maxAbsoluteError)),
      ("outputSqnr", r.outputSqnr.map { .number($0) } ?? .null),
    ])
  }
}
