import NumKit

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What a check that held did.
public struct CheckSummary: Sendable, Hashable {
  /// Values that were tried.
  public var runs = 0
  /// Of these, failures of before that were tried again.
  public var replayed = 0
  /// Failures of before that this generator does not make.
  public var stale = 0
}

/// Tries a property on many values of a generator, those that failed before first, and throws the simplest failure found: in a test of
/// Swift Testing `try checkProperty(…)` is all there is to write.
///
/// The same seed gives the same values everywhere. In the environment `STABILITY_SEED` and `STABILITY_RUNS` take the place of the
/// arguments, and `STABILITY_REPLAY` (choices, as failures print them) of all values, for tests whose generator makes it.
///
/// - Parameters:
///   - generator: what makes values.
///   - property: what they are held to.
///   - runs: how many values are tried.
///   - seed: of the values.
///   - replay: choices of a failure: only that value is tried.
///   - regressions: a file in which failures are kept; see `RegressionFile`.
///   - shrinks: the most simpler values that are tried for a failure.
///   - name: what the test is called.
/// - Throws: `PropertyFailure`; `CheckError` where nothing could be tried; `RegressionFileError` where the file is none.
@discardableResult
public func checkProperty<Value>(
  _ generator: Generator<Value>, _ property: Property<Value>, runs: Int = 100, seed: UInt64 = 1,
  replay: String? = nil, regressions: RegressionFile? = nil, shrinks: Int = 5000, name: String = #function
) throws -> CheckSummary {
  let checker = Checker(
    generator: generator, property: property, test: try property.make(), name: name, seed: seed,
    regressions: regressions, shrinks: shrinks)
  var summary = CheckSummary()
  if let replay {
    try checker.replay(try ChoiceText.choices(replay), &summary, mustFit: true)
    return summary
  }
  if let given = setting("STABILITY_REPLAY") {
    try checker.replay(try ChoiceText.choices(given), &summary, mustFit: false)
    if summary.runs > 0 { return summary }
  }
  for entry in try regressions?.entries(of: checker.key) ?? [] {
    try checker.replay(entry.choices, &summary, mustFit: false)
  }
  summary.replayed = summary.runs
  try checker.run(
    setting("STABILITY_RUNS").flatMap { Int($0) } ?? runs,
    seed: setting("STABILITY_SEED").flatMap { UInt64($0) } ?? seed, &summary)
  return summary
}

/// The same for a condition that must hold of every value.
@discardableResult
public func checkProperty<Value>(
  _ generator: Generator<Value>, runs: Int = 100, seed: UInt64 = 1, replay: String? = nil,
  regressions: RegressionFile? = nil, shrinks: Int = 5000, name: String = #function,
  _ holds: @escaping (Value) throws -> Bool
) throws -> CheckSummary {
  try checkProperty(
    generator, Property("condition") { Violation.unless(try holds($0), "false", "the condition is false") },
    runs: runs, seed: seed, replay: replay, regressions: regressions, shrinks: shrinks, name: name)
}

private func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// Why a check tried nothing.
public enum CheckError: Error, Hashable, CustomStringConvertible {
  /// Hardly a value passed the generator's filters.
  case tooFewValues(String, tried: Int, of: Int)
  /// The choices to replay are none of the generator's.
  case otherChoices(String)
  /// No values were asked for.
  case noRuns(String)

  public var description: String {
    switch self {
    case .tooFewValues(let name, let tried, let count):
      "\(name): only \(tried) of \(count) values pass the generator's filters"
    case .otherChoices(let name): "\(name): the choices to replay are none that the generator makes"
    case .noRuns(let name): "\(name): a check of less than one value"
    }
  }
}

/// One check under way.
private struct Checker<Value> {
  let generator: Generator<Value>
  let property: Property<Value>
  let test: (Value) throws -> Violation?
  let name: String
  let seed: UInt64
  let regressions: RegressionFile?
  let shrinks: Int

  /// What entries in files are kept under.
  var key: String { "\(name) \(property.name)" }

  func violation(_ value: Value) -> Violation? {
    do { return try test(value) } catch let violation as Violation {
      return violation
    } catch { return Violation("throws \(type(of: error))", "throws \(error)") }
  }

  func replay(_ choices: [Choice], _ summary: inout CheckSummary, mustFit: Bool) throws {
    guard let value = try generator.value(of: choices) else {
      if mustFit { throw CheckError.otherChoices(name) }
      summary.stale += 1
      return
    }
    summary.runs += 1
    if let violation = violation(value) { throw try failure(violation, choices, run: nil, seed: seed) }
  }

  func run(_ runs: Int, seed: UInt64, _ summary: inout CheckSummary) throws {
    guard runs > 0 else { throw CheckError.noRuns(name) }
    var (tried, run) = (0, 0)
    while tried < runs {
      // Nine of ten may be refused, not more.
      if run >= 100 && run > 10 * (tried + 1) {
        throw CheckError.tooFewValues(name, tried: tried, of: run)
      }
      defer { run += 1 }
      guard let (value, choices) = try generator.value(seed: seed, run: run) else { continue }
      tried += 1
      summary.runs += 1
      if let violation = violation(value) { throw try failure(violation, choices, run: run, seed: seed) }
    }
  }

  /// Shrinks a failure, keeps it, and puts it in words.
  func failure(_ first: Violation, _ choices: [Choice], run: Int?, seed: UInt64) throws -> PropertyFailure {
    var shrinker = Shrinker(limit: shrinks)
    let shrunk = try shrinker.shrink(
      choices,
      replaying: { candidate in
        guard let (value, made) = try generator.replay(candidate), violation(value)?.kind == first.kind else {
          return nil
        }
        return made
      })
    let draw = Draw(replaying: shrunk)
    let last = (try? generator.make(draw)).flatMap { violation($0) } ?? first
    var failure = PropertyFailure(
      name: name, property: property.name, violation: last, choices: shrunk, formats: draw.formats,
      seed: seed,
      run: run, given: choices, shrinkSteps: shrinker.steps)
    if let regressions {
      do {
        try regressions.add(RegressionFile.Entry(name: key, kind: last.kind, choices: shrunk))
        failure.savedIn = regressions.path
      } catch { failure.notSaved = "\(error)" }
    }
    return failure
  }
}
