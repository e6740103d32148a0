import NumKit

/// A rule by which a test accepts results beside expected ones, with where it comes from.
public struct ToleranceRule: Sendable {
  /// What is held against what.
  public enum Limit: Sendable, Hashable {
    /// |y − r| ≤ atol + rtol |r|, every element.
    case close(atol: Double, rtol: Double)
    /// |y − r| ≤ rtol |r| where |r| is above `floor`, ≤ rtol itself where it is not; or |y − r| < atol, wherever that is more. Every
    /// element.
    case relative(above: Double, rtol: Double, atol: Double)
    /// Σ (y − r)² ≤ limit · Σ r².
    case normalizedMeanSquare(Double)
    /// |y − r| ≤ limit units in the last place of the exact result, every element.
    case ulp(Double)
    /// 1 − cosine ≤ limit.
    case cosine(Double)
    /// The largest |y − r| is at most `factor` times that of a plain kernel in the dtype, plus `atol`.
    case baseline(factor: Double, atol: Double)
    /// Each result is within the sound bound of its plan.
    case bound

    /// What |y − r| may be beside an expected `r`; nil for limits on anything else.
    func allowed(beside r: Double) -> Double? {
      switch self {
      case .close(let atol, let rtol): atol + rtol * r.magnitude
      case .relative(let floor, let rtol, let atol):
        Swift.max(r.magnitude > floor ? rtol * r.magnitude : rtol, atol.nextDown)
      case .normalizedMeanSquare, .ulp, .cosine, .baseline, .bound: nil
      }
    }
  }

  /// What it is called.
  public let name: String
  /// Whose it is, and where it is written.
  public let source: String
  private let limits: [(NumberFormat, Limit)]
  private let other: Limit
  private let own: [RowOperation: [(NumberFormat, Limit)]]

  /// `limits` are those by format, `other` that of all others; `own` are those of operations with limits of their own.
  init(
    _ name: String, _ source: String, _ other: Limit, _ limits: [(NumberFormat, Limit)] = [],
    of own: [RowOperation: [(NumberFormat, Limit)]] = [:]
  ) {
    self.name = name
    self.source = source
    self.limits = limits
    self.other = other
    self.own = own
  }

  /// The rule as it is for results of `operation`.
  public func of(_ operation: RowOperation) -> ToleranceRule {
    own[operation].map { ToleranceRule(name, source, other, $0) } ?? self
  }

  /// The limit for results of `format`.
  public func limit(_ format: NumberFormat) -> Limit { limits.first { $0.0 == format }?.1 ?? other }

  /// `atol=1e-2,rtol=1e-3`, `ulp=16`, `nmse=1e-7`, `cosine=1e-5`, or a name of the registry.
  ///
  /// Throws `UnknownRule`.
  public init(parsing text: String) throws {
    if let known = RuleRegistry.all.first(where: { $0.name == text.lowercased() }) {
      self = known
      return
    }
    var values: [String: Double] = [:]
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2, let x = Double(sides[1]), x >= 0, x < .infinity, values[String(sides[0])] == nil
      else { throw UnknownRule(text) }
      values[String(sides[0])] = x
    }
    let limit: Limit
    switch Set(values.keys) {
    case ["atol"], ["rtol"], ["atol", "rtol"]:
      limit = .close(atol: values["atol"] ?? 0, rtol: values["rtol"] ?? 0)
    case ["ulp"]: limit = .ulp(values["ulp"] ?? 0)
    case ["nmse"]: limit = .normalizedMeanSquare(values["nmse"] ?? 0)
    case ["cosine"]: limit = .cosine(values["cosine"] ?? 0)
    default: throw UnknownRule(text)
    }
    self.init(text, "given", limit)
  }
}

/// A rule that is no name of the registry and no limit.
public struct UnknownRule: Error, CustomStringConvertible {
  /// What was given.
  public let text: String
  init(_ text: String) { self.text = text }
  public var description: String {
    "no rule '\(text)'; there are: \(RuleRegistry.all.map(\.name).joined(separator: ", ")), or 'atol=X,rtol=X', "
      + "'ulp=X', 'nmse=X', 'cosine=X'"
  }
}
