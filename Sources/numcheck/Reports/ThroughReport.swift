import NumKit
import Quant

/// What schemes cost where the tensor is used.
struct ThroughReport: WrittenReport {
  let purpose: Purpose
  let title: String
  /// For `softmax`.
  var softmax: [(name: String, bits: Double, errors: ThroughSoftmax)] = []
  /// For the others: errors of each factor alone, and of all.
  var parts: [(name: String, bits: Double, errors: [(String, ResultErrors)])] = []
  /// Treatments that do not fit.
  var skipped: [SkippedTreatment] = []
  /// What proved all answers that were compared, those of the tensor as given once a treatment.
  var certificate = Certificate()

  private var heading: String {
    switch purpose {
    case .softmax: return "\(title), through softmax"
    case .matmul: return "\(title), through the product"
    case .attention: return "\(title), through attention"
    }
  }

  private var table: Table {
    if purpose == .softmax {
      var table = Table(columns: [
        ("treatment", .left), ("bits", .right), ("KL nats", .right), ("mean KL", .right),
        ("KL bound", .right),
        ("max dp", .right), ("dp bound", .right), ("top-1 flips", .right), ("ties", .right),
        ("lost rows", .right),
      ])
      for r in softmax {
        let e = r.errors
        table.rows.append(
          [
            r.name, Figures.short(r.bits),
          ] + e.figures.map { $0.isNaN ? "-" : Figures.short($0) } + [
            Figures.count(e.topFlips), Figures.count(e.topTies), Figures.count(e.lostRows),
          ])
      }
      return table
    }
    let names = parts.first?.errors.map(\.0) ?? []
    let isProduct = purpose == .matmul
    var table = Table(
      columns: [("treatment", .left), ("bits", .right)] + names.map { (title: "\($0) dB", alignment: .right) }
        + [("cosine", .right), ("rel L1", .right), ("rmse", .right), ("max error", .right)]
        + (isProduct ? [("bound", .right)] : []) + [("lost", .right)])
    for r in parts {
      guard let whole = r.errors.last?.1 else { continue }
      let cosine =
        whole.cosine >= 0.9995 && whole.cosine < 1
        ? "1 - \(Figures.short(1 - whole.cosine))" : Figures.short(whole.cosine)
      table.rows.append(
        [r.name, Figures.short(r.bits)] + r.errors.map { Figures.short($0.1.sqnr) }
          + [
            cosine, Figures.short(whole.relativeL1), Figures.short(whole.rmse),
            Figures.short(whole.maxAbsoluteError),
          ] + (isProduct ? [Figures.short(whole.bound)] : []) + [Figures.count(whole.lostCount)])
    }
    return table
  }

  private var note: String {
    switch purpose {
    case .softmax:
      return
        "each row's exact softmax against that of the decoded logits; KL <= D^2/8 and |dp| <= tanh(D/4) for the "
        + "spread D of a row's errors"
    case .matmul:
      return
        "exact products of what was decoded against exact products of what was given; cosine and what follows: both"
    case .attention:
      return
        "the exact attention of what was decoded against that of what was given, each factor alone and all; cosine and "
        + "what follows: all"
    }
  }

  /// Every treatment proves both sides: the tensor as given anew.
  private var proof: String { KernelReport.proof(certificate) + "; both sides of every treatment" }
  var text: String { "\(heading)\n\n\(table.text())\n\(skipped.text)\(note)\n\(proof)\n" }
  var markdown: String {
    "### \(heading)\n\n\(table.markdown)\n\(skipped.text)\(note)\n\n\(proof)\n"
  }

  var csv: String {
    var table = Table(
      columns: (purpose == .softmax
        ? [
          "treatment", "bits", "max_kl", "mean_kl", "kl_bound", "max_change", "change_bound", "top_flips",
          "top_ties",
          "lost_rows",
        ]
        : [
          "treatment", "bits", "part", "sqnr_db", "cosine", "relative_l1", "rmse", "max_absolute_error",
          "bound", "lost",
        ])
        .map { (title: $0, alignment: .left) })
    for r in softmax {
      let e = r.errors
      table.rows.append(
        [r.name]
          + ([r.bits] + e.figures).map(Figures.number) + ["\(e.topFlips)", "\(e.topTies)", "\(e.lostRows)"])
    }
    for r in parts {
      for (part, e) in r.errors {
        table.rows.append(
          [r.name, Figures.number(r.bits), part]
            + [e.sqnr, e.cosine, e.relativeL1, e.rmse, e.maxAbsoluteError, e.bound].map(Figures.number)
            + ["\(e.lostCount)"])
      }
    }
    return table.csv
  }

  var json: JSONValue {
    let results: [JSONValue] =
      softmax.map { r in
        let e = r.errors
        return .object([
          ("treatment", .string(r.name)), ("bitsPerWeight", .number(r.bits)), ("rows", .int(e.rows)),
          ("maxKL", .number(e.figures[0])), ("meanKL", .number(e.figures[1])),
          ("boundKL", .number(e.figures[2])), ("maxChange", .number(e.figures[3])),
          ("boundChange", .number(e.figures[4])), ("topFlips", .int(e.topFlips)),
          ("topTies", .int(e.topTies)),
          ("lostRows", .int(e.lostRows)),
        ])
      }
      + parts.map { r in
        .object(
          [("treatment", .string(r.name)), ("bitsPerWeight", .number(r.bits))]
            + r.errors.map { ($0.0, Self.json($0.1)) })
      }
    return .object([
      ("schema", .string("numcheck/1")), ("command", .string("quantize --through \(purpose.rawValue)")),
      ("title", .string(title)), ("certificate", KernelReport.certificate(certificate)),
      ("results", .array(results)), ("skipped", skipped.json),
    ])
  }

  private static func json(_ e: ResultErrors) -> JSONValue {
    .object([
      ("sqnr", .number(e.sqnr)), ("cosine", .number(e.cosine)), ("relativeL1", .number(e.relativeL1)),
      ("rmse", .number(e.rmse)), ("maxAbsoluteError", .number(e.maxAbsoluteError)),
      ("maxAbsoluteErrorHex", .string(Figures.hex(e.maxAbsoluteError))),
      ("bound", e.bound.isNaN ? .null : .number(e.bound)), ("aboveBound", .int(e.aboveBound)),
      ("results", .int(e.count)), ("lost", .int(e.lostCount)),
    ])
  }
}

extension ThroughSoftmax {
  /// The largest and the mean KL, what bounds it, the largest change and what bounds it; NaN where nothing was compared.
  fileprivate var figures: [Double] {
    let all = [maxDivergence, meanDivergence, divergenceBound, maxChange, changeBound]
    return isEmpty ? all.map { _ in .nan } : all
  }
}
