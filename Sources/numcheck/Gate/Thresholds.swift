import ArgumentParser
import NumKit

/// Flags that turn a run into a check.
struct Thresholds: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Check: fail if an error is more than this many ulps, or an input overflows the dtype.",
      valueName: "ulp"))
  var maxUlp: Number?

  @Option(
    help: ArgumentHelp(
      "Check: fail if a relative error is more than this, or an input overflows the dtype.", valueName: "x"))
  var maxRelative: Number?

  @Flag(
    name: .customLong("no-nan"),
    help: "Check: fail if a row has a NaN whose truth has none, or an input overflows the dtype.")
  var noNaN = false

  @Flag(
    name: .customLong("no-overflow"),
    help: "Check: fail if a finite result came out infinite, or an input overflows the dtype.")
  var noOverflow = false

  @Flag(name: .customLong("no-bug"), help: "Check: fail if a verdict is 'bug'.")
  var noBug = false

  func validate() throws {
    for (flag, limit) in [("--max-ulp", maxUlp), ("--max-relative", maxRelative)] {
      if let limit, !(limit.value >= 0 && limit.value.isFinite) {
        throw ValidationError("\(flag) must be finite and 0 or more")
      }
    }
  }

  /// Whether nothing is checked.
  var isEmpty: Bool { maxUlp == nil && maxRelative == nil && !noNaN && !noOverflow && !noBug }

  /// The outcome of each check on each algorithm.
  func checks(_ result: ExperimentResult) -> [Check] {
    checks(result.entries.map { ($0.algorithm.description, $0.kernel, $0.verdict) })
      + inputChecks(overflowed: result.overflowedInputs)
  }

  /// Inputs that are infinite or NaN as stored make what follows so by right: no kernel can be blamed, but no result is of use.
  func inputChecks(overflowed: Int) -> [Check] {
    if overflowed == 0 { return [] }
    let flags = [
      ("max-ulp", maxUlp != nil), ("max-relative", maxRelative != nil), ("no-nan", noNaN),
      ("no-overflow", noOverflow),
    ]
    return flags.filter(\.1).map {
      Check(
        algorithm: Check.inputs, flag: $0.0, limit: 0, observed: Double(overflowed), passed: false,
        witness: nil)
    }
  }

  /// The same for anything that has errors and a verdict.
  func checks(_ entries: [(name: String, kernel: ErrorStatistics, verdict: Verdict)]) -> [Check] {
    var list: [Check] = []
    for (name, k, verdict) in entries {
      // A wrong special value has no size: it fails every limit on size.
      let special = k.nanRows > 0 || k.overflow > 0 || k.specialMismatches > 0
      func add(_ flag: String, _ limit: Double, _ observed: Double, fails: Bool) {
        list.append(
          Check(
            algorithm: name, flag: flag, limit: limit, observed: observed, passed: !fails, witness: k.witness)
        )
      }
      if let limit = maxUlp?.value {
        add("max-ulp", limit, special ? .infinity : k.maxUlp, fails: special || k.maxUlp > limit)
      }
      if let limit = maxRelative?.value {
        add(
          "max-relative", limit, special ? .infinity : k.maxRelative, fails: special || k.maxRelative > limit)
      }
      if noNaN { add("no-nan", 0, Double(k.nanRows), fails: k.nanRows > 0) }
      if noOverflow { add("no-overflow", 0, Double(k.overflow), fails: k.overflow > 0) }
      if noBug { add("no-bug", 0, verdict == .bug ? 1 : 0, fails: verdict == .bug) }
    }
    return list
  }
}

/// One limit held against one algorithm.
struct Check {
  /// What `algorithm` is where the inputs are looked at.
  static let inputs = "inputs"

  /// The algorithm, or `inputs`.
  let algorithm: String
  let flag: String
  let limit: Double
  let observed: Double
  let passed: Bool
  let witness: ErrorStatistics.Witness?

  /// What failed, by how much, where.
  var message: String {
    var text: String
    switch flag {
    case _ where algorithm == Self.inputs: text = "\(Int(observed)) inputs overflow the dtype (--\(flag))"
    case "no-nan": text = "\(algorithm): NaN in \(Int(observed)) rows (--no-nan)"
    case "no-overflow": text = "\(algorithm): \(Int(observed)) results overflowed (--no-overflow)"
    case "no-bug": text = "\(algorithm): verdict 'bug' (--no-bug)"
    default:
      let seen = observed.isInfinite ? "a wrong special value" : "\(Figures.number(observed))"
      text = "\(algorithm): \(seen) exceeds --\(flag) \(Figures.number(limit))"
    }
    if let witness {
      text +=
        "; row \(witness.row), index \(witness.index): computed \(Figures.number(witness.computed)) "
        + "(\(Figures.hex(witness.computed))), exact \(Figures.number(witness.exact)) (\(Figures.hex(witness.exact)))"
    }
    return text
  }
}
