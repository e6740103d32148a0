import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Results of a formula from outside, held against proof.
package struct FormulaVerification<F: SuspectedFormula>: Sendable {
  /// The question.
  package var formula: F
  /// What results are stored in.
  package var format: NumberFormat
  /// What becomes of results too large for the format.
  package var overflow = Overflow.special
  /// What the kernel promises.
  package var claims = Claims()
  /// On how many threads.
  package var threads = 1
  /// Whether it is said which plans the figures fit, and what may be wrong.
  package var triesPlans = true

  /// The rest is as usual.
  package init(_ formula: F, format: NumberFormat) {
    self.formula = formula
    self.format = format
  }

  /// Holds `results` against the answers for `rows`, taken as they are.
  ///
  /// - Throws: `ClaimError` for claims that say nothing here; `UnfitFormula` where the formula does not fit the rows; what reading throws.
  package func run(
    _ name: String, _ results: any ResultSource<FormulaQuestion<F>>, on rows: some RowSource,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> (JudgedGuest<FormulaQuestion<F>>, FormulaSights<F>) {
    let compute = claims.compute ?? RowPlans.usual(format)
    let configuration = KernelConfiguration(
      storage: .float(.f64), compute: compute, accumulator: claims.accumulate ?? compute, overflow: overflow)
    let source = try FormulaRows(rows, formula, configuration: configuration)
    let context = FormulaContext(formula: formula, format: format, claims: claims, rows: rows.rowCount) {
      row in
      var item = source.makeItem()
      var given = item
      _ = try source.read(row, given: &given, stored: &item)
      return item
    }
    let (format, overflow) = (format, overflow)
    var verification = Verification(
      FormulaQuestion(formula), name, results: results, formats: [format],
      promised: try context.promised(formula)
    ) { _ in FormulaProver<F>(format: format, overflow: overflow) }
    verification.overflow = overflow
    verification.threads = threads
    if triesPlans {
      verification.known = context.known
      verification.suspects = FormulaHypothesisRegistry.suspects(context, results)
    }
    let (findings, sights) = try verification.run(
      on: source, observer: FormulaSights<F>(), progress: progress)
    return (JudgedGuest(findings: findings, promised: verification.promised.map(\.name)), sights)
  }
}

/// What was asked of a formula, for those who think up what else may have been answered.
package struct FormulaContext<F: SuspectedFormula>: Sendable {
  /// The question.
  package let formula: F
  /// What results are stored in.
  package let format: NumberFormat
  /// What the kernel promises.
  package let claims: Claims
  /// How many rows there are.
  package let rows: Int
  /// Any row, as a kernel gets it.
  package let read: @Sendable (Int) throws -> FormulaQuestion<F>.Item

  /// The plans whose widest bound counts: those of algorithms that people take for right.
  func promised(_ formula: F) throws(ClaimError) -> [GuestPlan<FormulaQuestion<F>>] {
    if claims.probabilities != nil { throw .unfit("probabilities") }
    var chosen = F.algorithms.filter { F.isUsual($0.method) }
    if let name = claims.algorithm {
      chosen = F.algorithms.filter { $0.name == name }
      if chosen.isEmpty { throw .algorithm(name, known: F.algorithms.map(\.name)) }
    }
    let compute = claims.compute ?? RowPlans.usual(format)
    return chosen.map { plan($0, compute, claims.accumulate ?? compute, formula) }
  }

  /// Every algorithm in the usual pairs of formats.
  var known: [GuestPlan<FormulaQuestion<F>>] {
    let usual = RowPlans.usual(format)
    var pairs = [(usual, usual)]
    if format != usual { pairs += [(format, usual), (format, format)] }
    // Nothing is computed in a bit.
    return pairs.filter { $0.0.hasZero && $0.0.precision > 1 && $0.1.precision > 1 }.flatMap { c, a in
      F.algorithms.map { plan($0, c, a, formula) }
    }
  }

  private func plan(
    _ algorithm: FormulaAlgorithm<F>, _ compute: NumberFormat, _ accumulate: NumberFormat, _ formula: F
  ) -> GuestPlan<FormulaQuestion<F>> {
    let configuration = KernelConfiguration(
      storage: .float(format), compute: compute, accumulator: accumulate)
    let claims = "algorithm=\(algorithm.name),compute=\(compute.name),accumulate=\(accumulate.name)"
    return GuestPlan(
      "\(algorithm), \(RowPlans.precisions(compute, accumulate))", claims: claims
    ) {
      // Numbers of the formula are taken as they are given, and rounded by what computes.
      (try? FormulaCandidate(algorithm, configuration, formula: formula))?.errorModel()
    }
  }
}
