import ArgumentParser
import Decoding
import Guests
import NumKit
import Reports

/// The cuts that a sampler makes, as `sample` and `verify sample` take them.
struct SamplingCuts: ParsableArguments {
  @Option(help: ArgumentHelp("Divides the logits.", valueName: "X"))
  var temperature: NumberArgument = NumberArgument(1)

  @Option(help: ArgumentHelp("Keep the K largest.", valueName: "K"), transform: Whole.number)
  var topK: Int?

  @Option(
    help: ArgumentHelp("Keep the fewest of the largest whose probabilities add up to P.", valueName: "P"))
  var topP: NumberArgument?

  @Option(help: ArgumentHelp("Keep those with at least P times the largest probability.", valueName: "P"))
  var minP: NumberArgument?

  var rule: SamplingRule {
    SamplingRule(temperature: temperature.value, topK: topK, topP: topP?.value, minP: minP?.value)
  }

  func validate() throws {
    do { try rule.check() } catch { throw ValidationError("\(error)") }
  }
}

extension SamplingRule {
  /// In a few words.
  var described: String {
    var parts: [String] = []
    if temperature != 1 { parts.append("temperature \(Figures.number(temperature))") }
    if let k = topK { parts.append("top-k \(k)") }
    if let p = topP { parts.append("top-p \(Figures.number(p))") }
    if let p = minP { parts.append("min-p \(Figures.number(p))") }
    return parts.isEmpty ? "nothing cut" : parts.joined(separator: ", ")
  }
}

extension SamplingRule {
  /// For machines, by paths that begin with `prefix`.
  func facts(below prefix: String) -> [Fact] {
    [
      Fact(prefix + "temperature", .number(temperature)),
      Fact(prefix + "topK", topK.map { .integer($0) } ?? .none),
      Fact(prefix + "topP", topP.map { .number($0) } ?? .none),
      Fact(prefix + "minP", minP.map { .number($0) } ?? .none),
    ]
  }
}

extension KeptSights {
  /// The sets that are others, and those that rounding may make others, by name.
  var findings: [Finding] {
    func named(_ list: [Int]) -> String {
      list.prefix(4).map { "\($0)" }.joined(separator: ", ") + (list.count > 4 ? " ..." : "")
    }
    func row(_ r: Row) -> String {
      "row \(r.row)" + (r.added.isEmpty ? "" : " keeps \(named(r.added))")
        + (r.added.isEmpty || r.lost.isEmpty ? "" : ",") + (r.lost.isEmpty ? "" : " lacks \(named(r.lost))")
    }
    func counted(_ n: Int) -> String { "\(Figures.count(n)) of \(Figures.count(rows))" }
    var list: [Finding] = []
    if other > 0 {
      let more = other > firstOther.count ? "; ..." : ""
      list.append(
        Finding(
          "other-sets", "",
          "\(counted(other)) rows keep other tokens than exact arithmetic, of which rounding explains "
            + "\(Figures.count(other - wrong)): \(firstOther.map { row($0.row) }.joined(separator: "; "))\(more)",
          warns: true))
    }
    if open > 0 {
      list.append(
        Finding(
          "undecided-sets", "",
          "in \(counted(open)) rows tokens stand so near a cut that rounding may decide either way: rows "
            + named(firstOpen) + (open > firstOpen.count ? " ..." : ""), leads: false))
    }
    return list
  }
}

/// Decoding as `verify` asks about it: which tokens are kept, or their probabilities.
struct SamplingFlags: FormulaFlags {
  static let commandName = "sample"
  static let abstract =
    "Decoding: the tokens that temperature, top-k, top-p and min-p keep of rows of logits."
  static let noun = "logits"
  static let place = "token"

  /// What results hold.
  enum Form: String, CaseIterable, ExpressibleByArgument { case probabilities, logits, mask, ids }

  @OptionGroup var cuts: SamplingCuts

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp(
      "What results hold: 'probabilities' (0 where a token is not kept), 'logits' (-inf there), 'mask' (0 there, 1 elsewhere) or 'ids' "
        + "(the tokens of each row in any order, -1 where there are no more).",
      valueName: "form"))
  var form: Form = .probabilities

  var kept: KeptForm? { KeptForm(rawValue: form.rawValue) }

  func formula(_ source: RowInput, seed: UInt64) throws -> SamplingFormula {
    SamplingFormula(cuts.rule, isMask: kept != nil)
  }

  func call(_ formula: SamplingFormula, rows: Int, length: Int) -> FormulaCall {
    let rule = cuts.rule
    var call = FormulaCall(
      [],
      [
        ("temperature", rule.temperature), ("top_k", Double(rule.topK ?? 0)), ("top_p", rule.topP ?? 1),
        ("min_p", rule.minP ?? 0),
      ])
    if form == .ids {
      call.results = (.int64, Swift.min(rule.topK ?? length, length))
    } else {
      call.isCutByLength = true
    }
    return call
  }

  func facts(_ formula: SamplingFormula) -> [Fact] {
    cuts.rule.facts(below: "formula.") + [Fact("formula.as", .text(form.rawValue))]
  }

  func described(_ formula: SamplingFormula) -> String { cuts.rule.described }

  func extend(
    _ report: inout VerifyReport, _ formula: SamplingFormula, _ guest: JudgedResults<SamplingFormula>,
    on rows: any RowSource
  ) throws {
    let compute = guest.claims.compute ?? RowPlans.usual(guest.format)
    func look(_ rows: some RowSource) throws -> KeptSights {
      try KeptSights.look(
        formula, at: guest.source, guest.format, on: rows, compute: compute,
        accumulator: guest.claims.accumulate ?? compute, threads: guest.threads)
    }
    let sights = try look(rows)
    report.facts += [
      Fact("sets.other", .integer(sights.other)), Fact("sets.wrong", .integer(sights.wrong)),
      Fact("sets.open", .integer(sights.open)),
    ]
    report.findings += sights.findings
  }
}
