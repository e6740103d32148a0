import ArgumentParser
import NumKit
import Reports

/// Flags that turn a run into a check: short names for limits that are asked for most.
struct Thresholds: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Check: fail if an error is more than this many ulps, or an input overflows the dtype.",
      valueName: "ulp"))
  var maxUlp: NumberArgument?

  @Option(
    help: ArgumentHelp(
      "Check: fail if a relative error is more than this, or an input overflows the dtype.", valueName: "x"))
  var maxRelative: NumberArgument?

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
  var isEmpty: Bool { limits.isEmpty }

  /// The same as `--check` would have them.
  var limits: [Limit] {
    var list: [Limit] = []
    if let limit = maxUlp?.value {
      list.append(Limit(ErrorColumns.maxUlp.path, .atMost, Figures.number(limit), flag: "--max-ulp"))
    }
    if let limit = maxRelative?.value {
      list.append(
        Limit(ErrorColumns.maxRelative.path, .atMost, Figures.number(limit), flag: "--max-relative"))
    }
    if noNaN { list.append(Limit(ErrorColumns.nanRows.path, .equal, "0", flag: "--no-nan")) }
    if noOverflow { list.append(Limit(ErrorColumns.overflow.path, .equal, "0", flag: "--no-overflow")) }
    if noBug {
      list.append(Limit(ErrorColumns.verdict.path, .unequal, Verdict.bug.rawValue, flag: "--no-bug"))
    }
    return list
  }
}
