import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// A formula with all that judging it takes.
package protocol BoundedFormula: ProvenFormula, ComputedFormula {
  /// How large the errors of one of its kernels can be, for one thread; nil where nothing is derived. `self` is as stored.
  func errors(_ algorithm: FormulaAlgorithm<Self>, _ configuration: KernelConfiguration) -> (
    any FormulaErrors
  )?
}

/// How large the errors of a formula's kernel can be.
package protocol FormulaErrors {
  /// Writes what each result before it is stored may be off by, NaN where nothing can be said; returns false for a row without any
  /// bound. `exact` are the row's exact results in Double.
  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool
  /// Whether results are 1 or 0, whatever they are about: a bound says nothing then only where none of them is certain.
  var isMembership: Bool { get }
}

extension FormulaErrors {
  package var isMembership: Bool { false }
}

/// One of our kernels of a formula, in one configuration.
package struct FormulaCandidate<F: BoundedFormula>: Candidate {
  package typealias Q = FormulaQuestion<F>

  package let algorithm: FormulaAlgorithm<F>
  package let configuration: KernelConfiguration
  private let formula: F
  // A thread's own: `prepared` makes it anew.
  nonisolated(unsafe) private let runner: FormulaRunner<F>

  /// `formula` is as stored.
  ///
  /// - Throws: `FormulaError` where a format cannot be computed in.
  package init(_ algorithm: FormulaAlgorithm<F>, _ configuration: KernelConfiguration, formula: F) throws {
    guard let runner = FormulaRunner(algorithm, configuration, formula: formula) else {
      throw FormulaError.cannotCompute(algorithm.name, configuration)
    }
    (self.algorithm, self.configuration, self.formula, self.runner) = (
      algorithm, configuration, formula, runner
    )
  }

  package var name: String { algorithm.name }

  package func prepared() throws -> FormulaCandidate {
    try FormulaCandidate(algorithm, configuration, formula: formula)
  }

  package func answer(
    _ item: FormulaQuestion<F>.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) {
    item.values.withUnsafeBufferPointer { runner.run(item.row, $0, into: results, trace: &trace) }
  }

  package func errorModel() -> (any ErrorModel<FormulaQuestion<F>>)? {
    guard let precisions = Precisions(configuration), precisions.storage.format.hasZero,
      let errors = formula.errors(algorithm, configuration)
    else { return nil }
    return StoredErrors<F>(errors: errors, precisions: precisions)
  }
}

/// Why a formula cannot run.
package enum FormulaError: Error, Hashable, CustomStringConvertible {
  /// A format cannot be computed in.
  case cannotCompute(String, KernelConfiguration)

  package var description: String {
    switch self {
    case .cannotCompute(let algorithm, let c):
      "'\(algorithm)' cannot run with dtype \(c.storage), compute \(c.compute.name), accumulate \(c.accumulator.name)"
    }
  }
}

/// Storage, a margin for the bound's own arithmetic, and what the bound is worth.
private struct StoredErrors<F: BoundedFormula>: ErrorModel {
  typealias Q = FormulaQuestion<F>
  var errors: any FormulaErrors
  let precisions: Precisions

  mutating func bound(
    _ row: ResultRow, of item: FormulaQuestion<F>.Item, _ profile: Void, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    guard item.formula.hasAnswer(item.row, item.values), exact.allSatisfy(\.isFinite) else { return nil }
    guard errors.bound(item.row, item.values, exact: exact, into: bounds) else { return RowBound.none }
    var worst = 0.0
    var scale = 0.0
    for i in exact.indices {
      let e = precisions.stored(exact[i], bounds[i])
      if e.isNaN { return RowBound.none }
      bounds[i] = e * (1 + 0x1p-28)
      worst = Swift.max(worst, bounds[i])
      scale = Swift.max(scale, exact[i].magnitude)
    }
    if errors.isMembership { return bounds.allSatisfy { $0 >= 1 } ? .vacuous : .sound }
    return worst >= scale && scale > 0 ? .vacuous : .sound
  }
}

/// Rows as given, and as a kernel of one configuration gets them.
package struct FormulaRows<F: Formula, Rows: RowSource>: ItemSource {
  package typealias Q = FormulaQuestion<F>

  private let rows: Rows
  private let formula: F
  private let configuration: KernelConfiguration
  /// The formula as a kernel gets it.
  package let kernelFormula: F

  /// - Throws: what `Formula.check` does where it does not fit the rows.
  package init(_ rows: Rows, _ formula: F, configuration: KernelConfiguration) throws {
    try formula.check(length: rows.length)
    (self.rows, self.formula, self.configuration) = (rows, formula, configuration)
    kernelFormula = formula.rounded(to: configuration)
  }

  package var itemCount: Int { rows.length > 0 ? rows.rowCount : 0 }

  package func makeItem() -> FormulaQuestion<F>.Item {
    FormulaQuestion<F>.Item(values: Array(repeating: 0, count: rows.length), formula: formula)
  }

  package func read(
    _ index: Int, given: inout FormulaQuestion<F>.Item, stored: inout FormulaQuestion<F>.Item
  ) throws -> InputChange {
    given.row = index
    stored.row = index
    stored.formula = kernelFormula
    try given.values.withUnsafeMutableBufferPointer { try rows.read(index, into: $0) }
    let changed = configuration.roundInputs(given.values, into: &stored.values)
    guard changed || kernelFormula != formula else { return InputChange() }
    return InputChange(
      changed: true, overflowed: zip(given.values, stored.values).count { $0.isFinite && !$1.isFinite })
  }
}

extension Trial {
  /// `algorithms` of a formula on rows stored as `configuration` says, held against the proven answer.
  ///
  /// - Throws: `FormulaError` where a format cannot be computed in.
  package init<F: BoundedFormula>(
    _ formula: F, algorithms: [FormulaAlgorithm<F>], configuration: KernelConfiguration, threads: Int = 1
  ) throws where Q == FormulaQuestion<F> {
    let format = configuration.storage.numberFormat ?? .f64
    self.init(
      FormulaQuestion(formula),
      candidates: try algorithms.map {
        try FormulaCandidate($0, configuration, formula: formula.rounded(to: configuration))
      },
      format: format, threads: threads
    ) { _ in FormulaProver<F>(format: format) }
    overflow = configuration.overflow
  }
}

/// Rows without an answer in the reals.
package struct FormulaSights<F: Formula>: Observer {
  package typealias Q = FormulaQuestion<F>

  /// How many, as given.
  package private(set) var rowsWithoutAnswer = 0
  /// The first of them.
  package private(set) var firstRow = Int.max

  package init() {}

  package mutating func see(stored: Answered<FormulaQuestion<F>>, given: Answered<FormulaQuestion<F>>) {
    let item = given.item
    guard !item.formula.hasAnswer(item.row, item.values) else { return }
    rowsWithoutAnswer += 1
    firstRow = Swift.min(firstRow, item.row)
  }

  package mutating func merge(_ other: FormulaSights) {
    rowsWithoutAnswer += other.rowsWithoutAnswer
    firstRow = Swift.min(firstRow, other.firstRow)
  }
}
