import Decoding
import Guests
import NumKit
import TensorFiles

/// A question about a formula as the arrays and numbers that a called kernel gets.
struct FormulaCall {
  /// An array beside the rows.
  struct Array {
    var name: String
    var values: [Double]
    var shape: [Int]
    /// Whether they are whole numbers, of 64 bits; else numbers of the inputs' dtype.
    var isWhole = false
    /// Whether it has a row for each row of the question.
    var isPerRow = false
    /// The axes that get shorter with the rows.
    var lengthAxes: [Int] = []
  }

  /// Whether it gets the rows themselves, as `input`.
  var takesRows = true
  /// Whether rows can be answered one without the others.
  var isCutByRows = true
  /// Whether it can be asked of shorter rows.
  var isCutByLength = false
  /// What results are, and how many a row has, where they are not the formula's numbers in --dtype.
  var results: (type: ElementType, count: Int)?
  var arrays: [Array] = []
  var parameters: [(String, Double)] = []

  /// Arrays beside the rows, and numbers.
  init(_ arrays: [Array] = [], _ parameters: [(String, Double)] = []) {
    (self.arrays, self.parameters) = (arrays, parameters)
  }

  /// A matrix of rows of one length.
  static func matrix(_ name: String, _ rows: [[Double]]) -> Array {
    Array(name: name, values: rows.flatMap { $0 }, shape: [rows.count, rows.first?.count ?? 0])
  }
}

extension GuestCall {
  /// The numbers of the input of that name, if there is one.
  func values(_ name: String) -> [Double]? { inputs.first { $0.name == name }?.values }

  /// Its rows.
  func rows(_ name: String) -> [[Double]]? {
    guard let array = inputs.first(where: { $0.name == name }), array.shape.count == 2 else { return nil }
    let (values, n) = (array.values, array.shape[1])
    return (0..<array.shape[0]).map { Swift.Array(values[$0 * n..<($0 + 1) * n]) }
  }
}

extension RowPositions {
  /// Those of the first rows.
  func first(_ rows: Int) -> [Double] { (0..<rows).map { Double(self[$0]) } }
}

extension RowInput {
  /// The shapes that results may have, of which a row has `count`, and the axis that a row's run along.
  func resultShapes(_ count: Int) -> (shapes: [[Int]], axis: Int?) {
    if count == rows.length { return ([shape], givenAxis) }
    var other = shape
    let axis = givenAxis
    guard other.indices.contains(axis) else {
      return ([[count], []].filter { count == 1 || !$0.isEmpty }, nil)
    }
    other[axis] = count
    if count > 1 { return ([other], axis) }
    var without = other
    without.remove(at: axis)
    return ([without, other], nil)
  }
}

extension GuestOptions {
  /// Results of a formula of which a row has `count`: a file's, or what a kernel gave that was called.
  func judged<O: FormulaFlags>(
    _ flags: O, _ source: RowInput, count: Int, called answer: CalledResults?, threads: Int
  ) throws -> JudgedResults<O.F> {
    let (shapes, axis) = source.resultShapes(count)
    guard let form = flags.kept else {
      let file = try self.file(shapes: shapes, axis: axis, called: answer)
      return JudgedResults(
        name: file.name, format: file.format,
        source: SerialFile<FormulaQuestion<O.F>>([file], counts: [count]) { item, _ in item.row },
        claims: try claimed, threads: threads)
    }
    let (tensor, name) = try tensor("results", called: answer)
    let sets = try KeptSets<FormulaQuestion<O.F>>(tensor, name: name, form: form, shapes: shapes, axis: axis)
    {
      $0.row
    }
    return JudgedResults(name: name, format: .mask, source: sets, claims: try claimed, threads: threads)
  }

  /// Calls the kernel, where one is, about what `flags` ask of the rows of `source`; the formula's numbers are ones of the inputs' format.
  func call<O: FormulaFlags>(_ flags: O, _ formula: O.F, _ source: RowInput, seed: UInt64) throws
    -> CalledResults?
  {
    guard called.isCalled else { return nil }
    let (inputs, length, rows) = (inputFormat ?? calledFormat, source.rows.length, source.rows.rowCount)
    let asked = flags.call(formula, rows: rows, length: length)
    let count = asked.results?.count ?? formula.resultCount(length: length)
    try Self.require(
      Memory.product(rows, length), Memory.product(rows, count),
      asked.arrays.reduce(0) { $0 + $1.values.count })
    let perItem = asked.isCutByRows ? 1 : 0
    let lengthAxes = asked.isCutByLength ? [1] : []
    var arrays: [GuestProblem.Input] = []
    if asked.takesRows {
      arrays.append(.init(try rowsArray(source.rows, inputs), perItem: perItem, lengthAxes: lengthAxes))
    }
    for a in asked.arrays {
      let made =
        a.isWhole
        ? try GuestArray(a.name, .int64, a.shape, values: a.values)
        : try array(a.name, a.values, a.shape, inputs)
      arrays.append(
        .init(made, perItem: a.isPerRow ? perItem : 0, lengthAxes: asked.isCutByLength ? a.lengthAxes : []))
    }
    let problem = GuestProblem(
      O.commandName, inputs: arrays,
      outputs: [
        .init(
          GuestResult(
            "results", try asked.results?.type ?? Self.element(calledFormat),
            count == 1 && length > 1 ? [rows] : [rows, count]), perItem: perItem,
          lengthAxes: count == length ? lengthAxes : [])
      ], parameters: asked.parameters.map { GuestParameter($0.0, $0.1) })
    let form = flags.kept
    var verification = FormulaVerification(formula, format: form == nil ? calledFormat : .mask)
    verification.overflow = overflow
    verification.claims = try claimed
    verification.triesPlans = false
    return try self.called.run(problem, seed: seed) { [verification] call, results in
      guard let result = results.first else { return CallJudgement(wrong: 0, of: 0) }
      var again = verification
      let input = call.inputs.first { $0.name == "input" }
      let (items, n) = (result.shape[0], asked.takesRows ? input?.shape[1] ?? length : length)
      again.formula = flags.formula(formula, of: call, length: n)
      let held = HeldRows(input?.values ?? [Double](repeating: 0, count: items * n), length: n)
      let count = again.formula.resultCount(length: n)
      let given: any ResultSource<FormulaQuestion<O.F>> =
        try form.map {
          try KeptSets(result.view(), name: "call", form: $0, shapes: [result.shape], axis: 1) { $0.row }
        } ?? HeldResults([result], counts: [count]) { $0.row }
      let (found, _) = try again.run("call", given, on: held)
      return CallJudgement(wrong: found.findings.wrong[0].count, of: result.count)
    }
  }
}
