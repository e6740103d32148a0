import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// A formula of which it is known what kernels get wrong.
package protocol SuspectedFormula: BoundedFormula {
  /// Whether a kernel that promises nothing may compute so: nothing is lost to cancellation, nothing approximate.
  static func isUsual(_ method: Method) -> Bool
  /// Other questions that kernels answer instead; those equal to what was asked may stand among them.
  static func changes(_ context: FormulaContext<Self>) -> [FormulaChange<Self>]
  /// The same where row `row` is asked what row `other` is: its own target or position.
  func asking(_ row: Int, as other: Int, length: Int) -> Self
}

extension SuspectedFormula {
  package static func isUsual(_ method: Method) -> Bool { true }
  package static func changes(_ context: FormulaContext<Self>) -> [FormulaChange<Self>] { [] }
  package func asking(_ row: Int, as other: Int, length: Int) -> Self { self }
}

/// What kernels of formulas get wrong: each formula's own, and what all may.
enum FormulaHypothesisRegistry {
  /// All that may be wrong where this was asked and `results` were given.
  static func suspects<F: SuspectedFormula>(
    _ context: FormulaContext<F>, _ results: any ResultSource<FormulaQuestion<F>>
  ) -> Suspects<FormulaQuestion<F>> {
    let changes = (F.changes(context) + AnyFormula.changes(context)).filter { $0.isAny(of: context) }
    var suspects = Suspects<FormulaQuestion<F>>()
    suspects.alternatives = [{ changes.compactMap { $0.alternative(context, results) } }]
    suspects.forEachPair = { body in
      for i in changes.indices {
        for other in changes[(i + 1)...] {
          if let both = changes[i].and(other)?.alternative(context, results) { try body(both) }
        }
      }
    }
    let format = context.format
    // Of results that are 0 or 1 any other one counts.
    if format.precision == 1 { suspects.leastMeanUlp = 0 }
    suspects.signs = { [NarrowResultSign<FormulaQuestion<F>>(format)] }
    return suspects
  }
}

/// One change of a question about a formula, or of how results are read; two may be combined.
package struct FormulaChange<F: SuspectedFormula>: Sendable {
  /// What the kernel got wrong.
  var name: String
  /// Changes the formula, the same for all rows of a length.
  var formula: (@Sendable (inout F, _ length: Int) -> Void)?
  /// Changes a row.
  var item: (@Sendable (inout FormulaQuestion<F>.Item) throws -> Void)?
  /// Where the answer to place `i` of `n` stands among the results, and its sign.
  var reading: (@Sendable (_ i: Int, _ n: Int) -> (place: Int, sign: Double))?

  /// A change of the formula.
  package init(_ name: String, _ formula: @escaping @Sendable (inout F, _ length: Int) -> Void) {
    self.name = name
    self.formula = formula
  }

  /// A change of rows.
  package init(_ name: String, item: @escaping @Sendable (inout FormulaQuestion<F>.Item) throws -> Void) {
    self.name = name
    self.item = item
  }

  /// Results that stand elsewhere, or with another sign.
  package init(
    _ name: String,
    reading: @escaping @Sendable (_ i: Int, _ n: Int) -> (place: Int, sign: Double)
  ) {
    self.name = name
    self.reading = reading
  }

  /// Whether it changes anything.
  func isAny(of context: FormulaContext<F>) -> Bool {
    guard let formula, let length = try? context.read(0).values.count else { return true }
    var changed = context.formula
    formula(&changed, length)
    return changed != context.formula
  }

  /// The same with another change; nil where both change the same.
  func and(_ other: FormulaChange) -> FormulaChange? {
    guard item == nil || other.item == nil, reading == nil || other.reading == nil else { return nil }
    var both = self
    both.name = "\(name) and \(other.name)"
    both.item = item ?? other.item
    both.reading = reading ?? other.reading
    if let first = formula, let second = other.formula {
      both.formula = {
        first(&$0, $1)
        second(&$0, $1)
      }
    } else {
      both.formula = formula ?? other.formula
    }
    return both
  }

  /// As something to hold results against; nil where that is no question.
  func alternative(
    _ context: FormulaContext<F>, _ results: any ResultSource<FormulaQuestion<F>>
  ) -> Alternative<FormulaQuestion<F>>? {
    guard let length = try? context.read(0).values.count else { return nil }
    var changed = context.formula
    formula?(&changed, length)
    let count = context.formula.resultCount(length: length)
    guard (try? changed.check(length: length)) != nil, changed.resultCount(length: length) == count,
      let plans = try? context.promised(changed)
    else { return nil }
    let (item, format, all) = (item, context.format, changed)
    return Alternative(
      name, plans: plans,
      change: {
        $0.formula = all
        try item?(&$0)
      }, results: reading.map { ResultsRead(source: results, count: count, reading: $0) }
    ) { _ in FormulaProver<F>(format: format) }
  }
}

/// Results that stand in another order, or with another sign.
private struct ResultsRead<Q: Question>: ResultSource {
  let source: any ResultSource<Q>
  let count: Int
  let reading: @Sendable (Int, Int) -> (place: Int, sign: Double)

  func results(of item: Q.Item, into results: UnsafeMutableBufferPointer<Double>) throws {
    try source.results(of: item, into: results)
    let given = Array(results.prefix(count))
    for i in given.indices {
      let (place, sign) = reading(i, count)
      results[i] = sign * given[place]
    }
  }
}

/// Right answers of another row, of inputs cut short, in another order, of another sign.
enum AnyFormula {
  static func changes<F: SuspectedFormula>(_ context: FormulaContext<F>) -> [FormulaChange<F>] {
    let (rows, read) = (context.rows, context.read)
    var list = [
      FormulaChange<F>("the sign turned round") { i, _ in (i, -1) },
      FormulaChange<F>("results in reverse order") { i, n in (n - 1 - i, 1) },
    ]
    list += NarrowInputs.cuts(of: context.format).map { name, cut in
      FormulaChange<F>(name, item: { $0.values = $0.values.map(cut) })
    }
    guard rows > 1 else { return list }
    let others: [(String, @Sendable (Int) -> Int)] = [
      ("stale: the answer to the row before", { $0 - 1 }), ("the answer to the row after", { $0 + 1 }),
      ("the first row's answer in every row", { _ in 0 }),
    ]
    list += others.map { name, other in
      FormulaChange<F>(name) { (item: inout FormulaQuestion<F>.Item) in
        let from = other(item.row)
        guard (0..<rows).contains(from), from != item.row else { return }
        item.values = try read(from).values
        item.formula = item.formula.asking(item.row, as: from, length: item.values.count)
      }
    }
    return list
  }
}
