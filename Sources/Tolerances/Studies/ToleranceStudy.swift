import NumKit

/// What tolerance right kernels of a plan deserve: what no one of them can exceed, what they rarely do, and what tests' rules make
/// of them.
public struct ToleranceStudy<Q: Question>: Sendable {
  /// Right kernels, a prover, and the formats.
  public var trial: Trial<Q>
  /// Rules to try on them.
  public var rules: [ToleranceRule]
  /// Whether results are sums that may cancel: see `KernelTolerance.cancels`.
  public var cancels: Bool
  /// Whether rules are tried on right results with defects, where no kernel with one is run beside.
  public var triesDefects = true

  /// Without rules unless said otherwise.
  public init(_ trial: Trial<Q>, rules: [ToleranceRule] = [], cancels: Bool = false) {
    self.trial = trial
    self.rules = rules
    self.cancels = cancels
  }

  /// What was found.
  public struct Result: Sendable {
    /// The kernels' names.
    public let kernels: [String]
    /// One for each kernel.
    public let tolerances: [KernelTolerance]
    /// Of the correctly rounded results.
    public let rounded: KernelTolerance
    /// For each rule the names of `ResultDefect` that do harm and that it accepts; nil where a rule cannot be asked.
    public let passing: [[String]?]
    /// How the truth was proven.
    public let certificate: Certificate
  }

  /// Asks every kernel about every item.
  ///
  /// - Throws: what the trial does.
  public func run(
    on source: some ItemSource<Q>, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> Result {
    let format = trial.formats[0]
    let limits = rules.map { $0.limit(format) }
    let (found, seen) = try trial.run(
      on: source,
      observer: ToleranceObserver(
        trial.question, format, trial.candidates, limits, cancels: cancels, triesDefects: triesDefects),
      progress: progress)
    return Result(
      kernels: trial.candidates.map(\.name), tolerances: seen.tolerances, rounded: seen.rounded,
      passing: seen.defective?.passing(rules) ?? rules.map { _ in nil }, certificate: found.certificate)
  }
}
