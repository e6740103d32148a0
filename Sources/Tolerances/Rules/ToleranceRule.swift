import NumKit

/// A rule by which a test accepts results beside expected ones, with where it comes from.
public struct ToleranceRule: Sendable {
  /// What is held against what.
  public enum Limit: Sendable, Hashable {
    /// |y − r| ≤ atol + rtol |r|, every element.
    case close(atol: Double, rtol: Double)
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
  }

  /// What it is called.
  public let name: String
  /// Whose it is, and where it is written.
  public let source: String
  private let limits: [(NumberFormat, Limit)]
  private let other: Limit

  init(_ name: String, _ source: String, _ other: Limit, _ limits: [(NumberFormat, Limit)] = []) {
    self.name = name
    self.source = source
    self.limits = limits
    self.other = other
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

/// Rules of public test suites, each as it is written where it comes from.
public enum RuleRegistry {
  /// One line each.
  public static let all: [ToleranceRule] = [
    ToleranceRule("bound", "numcheck: the sound bound of the kernel's plan", .bound),
    ToleranceRule("ulp16", "16 ulp of the result's format", .ulp(16)),
    ToleranceRule("numpy", "numpy.testing.assert_allclose, defaults", .close(atol: 0, rtol: 1e-7)),
    ToleranceRule("allclose", "numpy.allclose and torch.allclose, defaults", .close(atol: 1e-8, rtol: 1e-5)),
    ToleranceRule(
      "torch", "torch.testing.assert_close, defaults by dtype", .close(atol: 1e-5, rtol: 1.3e-6),
      [
        (.f64, .close(atol: 1e-7, rtol: 1e-7)), (.f16, .close(atol: 1e-5, rtol: 1e-3)),
        (.bf16, .close(atol: 1e-5, rtol: 1.6e-2)),
      ]),
    ToleranceRule("onnx", "onnx.backend.test, defaults", .close(atol: 1e-7, rtol: 1e-3)),
    ToleranceRule("polygraphy", "polygraphy run, defaults", .close(atol: 1e-5, rtol: 1e-5)),
    ToleranceRule(
      "kernelbench", "KernelBench, as published: atol and rtol 1e-2", .close(atol: 1e-2, rtol: 1e-2)),
    ToleranceRule("ggml-nmse", "ggml's test-backend-ops, default", .normalizedMeanSquare(1e-7)),
    ToleranceRule(
      "flash-attention", "flash-attention's tests: twice the error of a plain kernel in the dtype",
      .baseline(factor: 2, atol: 0)),
  ]
}
