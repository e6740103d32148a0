import NumKit
import Quant
import Reports

/// Which scheme each matrix of a model is to have, and what the whole comes to.
struct PlanReport {
  let model: String
  let plan: QuantizationPlan
  let target: any PlanTarget.Type
  /// Tensors that could not be read.
  let leftOut: [LeftOut]
  /// Matrices that hold NaN or infinities, and how many in what was measured.
  let nonFinite: [(tensor: String, count: Int)]
  /// Recipes that were written: format and file.
  let recipes: [(format: String, file: String)]
  /// Matrices that a recipe says nothing of, for want of a name.
  let nameless: [(program: String, tensors: [String])]
  /// How many tokens are used of activations at most.
  let tokens: Int
  /// The figure that rows are sorted by, and how many are shown.
  let view: TableView

  /// By so many bits more the next step is told.
  private static let step = 0.1

  func report() throws -> Report {
    var report = Report("plan", title: headline)
    let next = plan.changed(byBits: Self.step)
    report.facts = facts(next)
    report.notes = notes(next)
    report.findings = findings
    let (uniform, curve) = (plan.uniform(), plan.curve())
    var whole = Section()
    whole.blocks = [
      .table(groupTable("byKind", "by kind", plan.byKind, PlanColumns.kindKey) { .text($0.name) })
    ]
    let layers = plan.byLayer
    whole.blocks.append(
      .table(
        groupTable("byLayer", "by layer", layers, PlanColumns.layerKey) { group in
          Int(group.name).map { .count($0) } ?? .none("outside layers", text: "none")
        }))
    whole.charts = [
      .budget(curve, uniform, plan), .heat(plan), .layers(plan),
    ]
    report.sections.append(whole)
    if !uniform.isEmpty { report.add(uniformTable(uniform)) }
    var results = table
    try view.arrange(&results)
    report.add(results)
    if let hidden = view.hiddenNote(results) { report.notes.append(hidden) }
    report.gaps = leftOut.map { "not all was planned: \($0)" }
    report.conclusion = conclusion
    return report
  }

  private var headline: String {
    "\(model): \(Figures.count(plan.entries.count)) matrices for \(target.name), \(Figures.short(plan.bits)) bits an element "
      + "(budget \(Figures.short(Self.bits(plan.budget - plan.keptBytes, plan.count)))), \(Figures.count(plan.bytes)) bytes in all, "
      + "\(Figures.short(plan.sqnr)) dB as a whole"
  }

  private static func bits(_ bytes: Int, _ count: Int) -> Double { Double(8 * bytes) / Double(max(1, count)) }

  private func facts(
    _ next: (point: QuantizationPlan.Point, changes: [(entry: QuantizationPlan.Entry, to: SampledCost)])?
  )
    -> [Fact]
  {
    var facts = [
      Fact("input.origin", .text("file")), Fact("input.name", .text(model)),
      Fact("plan.target", .text(target.name)),
      Fact("plan.bitsPerWeight", .number(plan.bits)), Fact("plan.wholeBits", .number(plan.wholeBits)),
      Fact("plan.bytes", .integer(plan.bytes)),
      Fact("plan.budget", .integer(plan.budget)), Fact("plan.sqnr", .number(plan.sqnr)),
      Fact("plan.tensors", .integer(plan.entries.count)), Fact("plan.elements", .integer(plan.count)),
      Fact("plan.kept", .integer(plan.kept.count)), Fact("plan.keptBytes", .integer(plan.keptBytes)),
      Fact("plan.gap", .number(plan.allocation.gap)),
      Fact("plan.isOptimal", .flag(plan.allocation.isOptimal)),
    ]
    if let worst = plan.worst {
      facts += [
        Fact("plan.worst.tensor", .text(worst.name)), Fact("plan.worst.sqnr", .number(worst.taken.sqnr)),
      ]
    }
    if let next {
      facts += [
        Fact("plan.next.bitsPerWeight", .number(next.point.bits)),
        Fact("plan.next.sqnr", .number(next.point.sqnr)),
        Fact(
          "plan.next.changes",
          .list(
            next.changes.map {
              .object([
                "tensor": .text($0.entry.name), "from": .text($0.entry.taken.scheme.ofWeights),
                "to": .text($0.to.scheme.ofWeights),
              ])
            })),
      ]
    }
    return facts
  }

  private func notes(
    _ next: (point: QuantizationPlan.Point, changes: [(entry: QuantizationPlan.Entry, to: SampledCost)])?
  )
    -> [String]
  {
    var notes: [String] = []
    let kept = plan.kept
    if !kept.isEmpty {
      notes.append(
        "kept as they are: \(Figures.count(kept.count)) tensors, \(Figures.percent(plan.keptBytes, of: plan.bytes)) of the bytes: "
          + Reasons.grouped(kept.map { ($0.name, $0.reason) }))
    }
    let allocation = plan.allocation
    notes.append(
      allocation.isOptimal
        ? "no other choice within the budget costs less (proven)"
        : "no choice within the budget costs less by more than \(Figures.short(100 * allocation.gap)) % (proven)"
    )
    if plan.entries.contains(where: { $0.tensor.costs.measuredRows < $0.tensor.costs.rows }) {
      let most = plan.entries.filter { $0.taken.uncertainty > 0 }.map(\.taken.uncertainty).max() ?? 0
      notes.append(
        "measured on a sample of rows (--sample all for all): errors are known to \(Figures.short(4.343 * most)) dB, one "
          + "standard error, or better")
    }
    for judge in [CostJudge.activationsName, CostJudge.importanceName] {
      let judged = plan.entries.count { $0.tensor.costs.judge == judge }
      if judged > 0 {
        let isCut = judge == CostJudge.activationsName
        let most = isCut ? ", \(Figures.count(tokens)) tokens at most (--tokens)" : ""
        notes.append(
          "judged by \(judge)\(most): \(Figures.count(judged)) of \(Figures.count(plan.entries.count)) matrices"
            + (judged < plan.entries.count ? "; the others by themselves" : ""))
      }
    }
    if let worst = plan.worst, worst.taken.noise > 0 {
      notes.append(
        "worst: \(worst.name), \(Figures.short(worst.taken.sqnr)) dB as \(worst.taken.scheme.ofWeights)")
    }
    if let next, next.point.sqnr > plan.sqnr {
      let shown = next.changes.prefix(3).map {
        "\($0.entry.name) \($0.entry.taken.scheme.ofWeights) to \($0.to.scheme.ofWeights)"
      }
      let more = next.changes.count - shown.count
      notes.append(
        "\(Figures.short(Self.step)) bits more would buy \(Figures.short(next.point.sqnr - plan.sqnr)) dB: "
          + shown.joined(separator: ", ") + (more > 0 ? ", and \(Figures.count(more)) more" : ""))
    }
    return notes
  }

  private var findings: [Finding] {
    var list = LeftOut.lacks(leftOut)
    list += nonFinite.map {
      Finding(
        "input", $0.tensor, "\(Figures.count($0.count)) elements are NaN or infinite; no figure is of them",
        warns: true)
    }
    let coded = plan.entries.filter { !["f64", "f32", "f16", "bf16"].contains($0.tensor.type) }
    if !coded.isEmpty {
      list.append(
        Finding(
          "already-quantized", coded.count == 1 ? coded[0].name : "\(Figures.count(coded.count)) matrices",
          "are quantized already: errors are against what they decode to, "
            + (coded.allSatisfy(\.tensor.canStay)
              ? "so a type that they have costs nothing"
              : "and \(target.name) has not all of their types: what stays counts 16 bits an element")
            + "; plan from the original where there is one", warns: true))
    }
    list += nameless.map { program, tensors in
      Finding(
        "no-name", tensors.count == 1 ? tensors[0] : "\(Figures.count(tensors.count)) matrices",
        "\(program) has no name for \(tensors.count == 1 ? "it" : "them"), so its recipe has no line"
          + (tensors.count == 1
            ? "" : ": \(tensors.prefix(4).joined(separator: ", "))\(tensors.count > 4 ? ", …" : "")"),
        warns: true)
    }
    return list + LeftOut.findings(leftOut)
  }

  private func groupTable(
    _ key: String, _ title: String, _ groups: [QuantizationPlan.Group], _ name: Column,
    _ cell: (QuantizationPlan.Group) -> Cell
  ) -> Table {
    typealias P = PlanColumns
    var table = Table(key, rows: groups.count)
    table.title = title
    table.add(name) { cell(groups[$0]) }
    table.add(P.tensors) { .count(groups[$0].entries.count) }
    table.add(P.count) { .count(groups[$0].count) }
    table.add(SchemeColumns.bits) { .number(groups[$0].bits) }
    table.add(SchemeColumns.sqnr) { .number(groups[$0].sqnr, unless: "its matrices are all 0") }
    table.add(P.share) { .percent(groups[$0].share, unless: "nothing costs anything") }
    table.add(P.worst) { i in
      let worst = groups[i].worst
      return Cell(text: worst?.place.shown ?? "", value: .text(worst?.name ?? ""))
    }
    table.add(P.worstSqnr) { .number(groups[$0].worst?.taken.sqnr ?? .nan, unless: "there is none") }
    table.add(P.schemes) { i in
      .text(groups[i].schemes.map { "\($0.scheme.ofWeights) \($0.count)" }.joined(separator: ", "))
    }
    return table
  }

  private func uniformTable(_ uniform: [(scheme: String, point: QuantizationPlan.Point)]) -> Table {
    let list = uniform.sorted { ($0.point.bits, $1.point.sqnr) < ($1.point.bits, $0.point.sqnr) }
    var table = Table("byScheme", rows: list.count)
    table.title =
      "one scheme for every matrix, beside the plan's \(Figures.short(plan.bits)) bits and \(Figures.short(plan.sqnr)) dB"
    table.add(SchemeColumns.scheme) { .text(list[$0].scheme.ofWeights) }
    table.add(SchemeColumns.bits) { .number(list[$0].point.bits) }
    table.add(SchemeColumns.sqnr) { .number(list[$0].point.sqnr) }
    return table
  }

  private var table: Table {
    typealias P = PlanColumns
    let entries = plan.entries
    var table = Table(rows: entries.count)
    table.title = "by matrix"
    table.add(P.tensor) { Cell(text: entries[$0].place.shown, value: .text(entries[$0].name)) }
    table.add(P.kind) { .text(entries[$0].place.kind) }
    table.add(P.layer) { i in entries[i].place.layer.map { .count($0) } ?? .none("outside layers") }
    table.add(P.type) { .text(entries[$0].tensor.type) }
    table.add(P.count) { .count(entries[$0].tensor.count) }
    table.add(P.scheme) { .text(entries[$0].taken.scheme.ofWeights) }
    table.add(SchemeColumns.bits) { .number(entries[$0].bits) }
    table.add(P.bytes) { .count(entries[$0].taken.bytes) }
    table.add(SchemeColumns.sqnr) { .number(entries[$0].taken.sqnr, unless: "the matrix is all 0") }
    table.add(P.share) { .percent(entries[$0].share, unless: "nothing costs anything") }
    table.add(P.sensitivity) { .number(entries[$0].sensitivity) }
    table.add(P.uncertainty) { .number(entries[$0].taken.uncertainty) }
    table.add(P.measuredRows) { .count(entries[$0].tensor.costs.measuredRows) }
    table.add(P.runnerUp) { i in
      entries[i].runnerUp.map { .text($0.scheme.ofWeights) } ?? .none("there is no other")
    }
    table.add(P.runnerUpBits) { i in
      let e = entries[i]
      return e.runnerUp.map { .number(QuantizationPlan.Entry.bits($0, e.tensor.count)) }
        ?? .none("there is no other")
    }
    table.add(P.runnerUpSqnr) { i in
      entries[i].runnerUp.map { .number($0.sqnr) } ?? .none("there is no other")
    }
    table.add(P.judgedBy) { .text(entries[$0].tensor.costs.judge) }
    return table
  }

  private var conclusion: String {
    guard !recipes.isEmpty else {
      return "write it with --recipe \(target.name)=FILE (\(target.summary))"
    }
    return recipes.map { recipe -> String in
      switch recipe.format {
      case LlamaCppTarget.name:
        "llama-quantize --tensor-type-file \(Invocation.quoted(recipe.file)) MODEL.gguf OUT.gguf Q8_0"
      case CompressedTensorsTarget.name: "llm-compressor takes \(recipe.file) as its recipe"
      default: "\(recipe.file) has quantize(model)"
      }
    }.joined(separator: "; ")
  }
}

extension ModelPlace {
  /// `3.attn_v`, which tells tensors apart in less room than their names.
  var shown: String { layer.map { "\($0).\(kind)" } ?? kind }
}

extension String {
  /// A scheme's name as weights have it: their outputs are rows.
  var ofWeights: String {
    replacing("@token", with: "@row", maxReplacements: 1).replacing(
      "@channel", with: "@column", maxReplacements: 1)
  }
}
