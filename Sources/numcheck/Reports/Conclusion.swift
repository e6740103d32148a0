import NumKit

extension KernelReport {
  /// One line that a person can act on.
  var conclusion: String {
    if result.entries.allSatisfy({ $0.kernel.finiteCount == 0 && $0.verdict == .ok }) {
      return warning + "no row has a finite truth: nothing to measure"
    }
    let entries = readingOrder.map { result.entries[$0] }
    let bugs = entries.filter { $0.verdict == .bug }
    let rest = entries.filter { $0.verdict != .bug && $0.kernel.finiteCount > 0 }
    var parts: [String] = []
    if let first = bugs.first {
      let names = bugs.map(\.algorithm.description)
      parts.append("\(Self.list(names)) \(names.count == 1 ? "is" : "are") wrong here: \(reason(first))")
    }
    // A promise that holds before a small error that nothing promises.
    let best = rest.min {
      if $0.verdict != $1.verdict { return Self.rank($0.verdict) < Self.rank($1.verdict) }
      if $0.kernel.maxUlp != $1.kernel.maxUlp { return $0.kernel.maxUlp < $1.kernel.maxUlp }
      return $0.boundUlp < $1.boundUlp
    }
    if let best {
      parts.append(advice(best))
    } else if entries.allSatisfy({ $0.kernel.finiteCount == 0 }) {
      parts.append("no row has a finite truth: nothing else to measure")
    } else if !bugs.isEmpty {
      parts.append("no algorithm that was tried holds in \(configuration.storage) on these rows")
    }
    return warning + parts.joined(separator: "; ")
  }

  private func reason(_ e: ExperimentResult.Entry) -> String {
    let k = e.kernel
    if k.nanRows > 0 {
      let birth = e.trace.firstOverflow.map { ", after an overflow in '\($0.stage.rawValue)'" } ?? ""
      return "NaN in \(Figures.count(k.nanRows)) of \(Figures.count(k.rows)) rows\(birth)"
    }
    if k.overflow > 0 { return "\(Figures.count(k.overflow)) finite results came out infinite" }
    if k.specialMismatches > 0 {
      return "\(Figures.count(k.specialMismatches)) results should be NaN or infinite under policy "
        + "'\(parameters.specialValues.rawValue)' and are not"
    }
    if k.aboveBound == 0, let birth = e.trace.firstOverflow {
      let loss = k.underflow > 0 ? "loses \(Figures.count(k.underflow)) results to zero" : "spoils results"
      return "an overflow in '\(birth.stage.rawValue)' \(loss)"
    }
    return "\(Figures.count(k.aboveBound)) results err by more than a sound bound allows"
  }

  private func advice(_ best: ExperimentResult.Entry) -> String {
    let name = best.algorithm.description
    let ulp = Figures.short(best.kernel.maxUlp)
    switch best.verdict {
    case .vacuous:
      let isLong = Double(result.length) * configuration.accumulator.unitRoundoff >= 0.25
      let why =
        isLong
        ? "rows of \(Figures.count(result.length)) are too long for sums in \(configuration.accumulator.name); "
          + "try a pairwise sum or --accumulate f32"
        : "logits of this size are too large for \(configuration.compute.name); try --compute f32"
      return "\(name) errs by \(ulp) ulp at most, but no bound can promise it: \(why)"
    case .illConditioned:
      if result.inherent > best.kernel.maxNormwise {
        return "\(name) is right to \(ulp) ulp for the inputs it got, but rounding the inputs to "
          + "\(configuration.storage) alone moves results by \(percent(result.inherent)): no kernel can mend that, "
          + "a finer input format or smaller logits can"
      }
      if best.kernel.borderlineSpecials > 0 {
        return
          "\(name) is within its bound, and \(Figures.count(best.kernel.borderlineSpecials)) results are as near to the "
          + "largest number of \(configuration.storage) as that bound is wide: rounding decides whether they overflow"
      }
      return "\(name) is within its bound, yet the rows are ill-conditioned (condition number "
        + "\(Figures.short(result.conditioning))): results may be off by \(percent(best.kernel.maxNormwise))"
    default:
      let bound = best.bound == .sound ? ", bound \(Figures.short(best.boundUlp))" : ", no bound derived"
      return "\(name) holds: \(ulp) ulp at most\(bound)"
    }
  }

  /// How good news a verdict is: the best first.
  static func rank(_ v: Verdict) -> Int {
    switch v {
    case .ok: return 0
    case .illConditioned: return 1
    case .vacuous: return 2
    case .bug: return 3
    }
  }

  private func percent(_ x: Double) -> String {
    x > 10 ? "a factor of \(Figures.short(1 + x))" : "\(Figures.short(100 * x)) %"
  }

  /// a; a and b; a, b and c.
  private static func list(_ names: [String]) -> String {
    guard names.count > 1, let last = names.last else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " and " + last
  }
}
