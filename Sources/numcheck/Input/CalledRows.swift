import Guests
import NumKit
import TensorFiles

extension GuestOptions {
  /// Calls the kernel, where one is, about the rows of `source`; `results` are then what it gave.
  func call(
    _ operation: RowOperation, _ source: RowInput, _ verification: inout RowVerification,
    _ results: inout GuestRows, seed: UInt64
  ) throws -> CalledResults? {
    guard called.isCalled else { return nil }
    // It gets arrays of a dtype: inputs are rounded to that before they are asked about.
    verification.inputs = inputFormat ?? results.format
    verification.roundsInputs = true
    let answer = try called.rows(operation, source, verification, seed: seed)
    let perRow = operation.resultCount(length: source.rows.length)
    results = GuestRows(
      name: answer.name, format: results.format, source: HeldResults(answer.arrays[0], perRow: perRow))
    return answer
  }
}

/// A kernel over rows that is called: its question as arrays, and its results as rows.
extension CalledOptions {
  /// Calls it about all rows of `source`, rounded to `format`.
  func rows(
    _ operation: RowOperation, _ source: RowInput, _ verification: RowVerification, seed: UInt64
  ) throws -> CalledResults {
    let problem = try Self.problem(operation, source, verification)
    var small = verification
    small.triesPlans = false
    small.threads = 1
    return try run(problem, seed: seed) { call, results in
      guard let input = call.inputs.first, let result = results.first, input.shape.count == 2 else {
        return CallJudgement(wrong: 0, of: 0)
      }
      let rows = HeldRows(input.values, length: input.shape[1])
      var asked = small
      if let targets = call.inputs.first(where: { $0.name == "target" }) {
        asked.targets = targets.values.map { Int($0) }
      }
      let length = input.shape[1]
      if asked.parameters.cotangent.count > length {
        asked.parameters.cotangent = Array(asked.parameters.cotangent.prefix(length))
      }
      let perRow = operation.resultCount(length: length)
      let found = try asked.run("call", HeldResults(result, perRow: perRow), on: rows)
      return CallJudgement(wrong: found.findings.wrong[0].count, of: rows.rowCount * perRow)
    }
  }

  private static func problem(
    _ operation: RowOperation, _ source: RowInput, _ verification: RowVerification
  ) throws -> GuestProblem {
    let (rows, length) = (source.rows.rowCount, source.rows.length)
    guard let type = ElementType(.float(verification.inputs)), type.unit.elements == 1 else {
      throw UsageError("--dtype \(verification.inputs.name): no array that a kernel is called with has it")
    }
    let perRow = operation.resultCount(length: length)
    let bytes = Memory.product(rows, length + perRow, 8)
    try Memory.require(bytes, for: "inputs and results of \(rows) rows")
    var input = GuestArray("input", type, [rows, length], bytes: [])
    input.bytes.reserveCapacity(rows * length * type.guestWidth)
    var row = [Double](repeating: 0, count: length)
    for k in 0..<rows {
      try row.withUnsafeMutableBufferPointer { try source.rows.read(k, into: $0) }
      input.bytes += try GuestArray("input", type, [length], values: row, overflow: verification.overflow)
        .bytes
    }
    let hasTarget = operation == .crossEntropy || operation == .crossEntropyGradient
    // A target may lie beyond a shorter length.
    let lengthAxes = hasTarget ? [] : [1]
    var inputs = [GuestProblem.Input(input, perItem: 1, lengthAxes: lengthAxes)]
    if hasTarget {
      let targets = verification.targets ?? Array(repeating: verification.parameters.target, count: rows)
      inputs.append(
        .init(try GuestArray("target", .int64, [rows], values: targets.map(Double.init)), perItem: 1))
    }
    if operation == .softmaxVJP {
      inputs.append(
        .init(
          try GuestArray("cotangent", type, [length], values: verification.parameters.cotangent), perItem: 0,
          lengthAxes: [0]))
    }
    guard let resultType = ElementType(.float(verification.format)), resultType.unit.elements == 1 else {
      throw UsageError("--dtype \(verification.format.name): no array that a kernel is called with has it")
    }
    let shape = RowFile.results(operation, [rows, length], 1)
    let axes = operation == .softmaxJacobian ? [1, 2] : operation.hasOneResult || hasTarget ? [] : [1]
    return GuestProblem(
      operation.rawValue, inputs: inputs,
      outputs: [.init(GuestResult("results", resultType, shape), perItem: 1, lengthAxes: axes)],
      parameters: [GuestParameter("temperature", verification.parameters.temperature)])
  }
}

/// Rows in memory.
struct HeldRows: RowSource {
  let rowCount: Int
  let length: Int
  private let values: [Double]

  init(_ values: [Double], length: Int) {
    self.values = values
    self.length = length
    rowCount = length == 0 ? 0 : values.count / length
  }

  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
    for k in 0..<length { buffer[k] = values[row * length + k] }
  }
}

/// Results in memory, `perRow` of each row.
struct HeldResults: ResultSource {
  typealias Q = RowQuestion
  private let array: GuestArray
  private let perRow: Int

  init(_ array: GuestArray, perRow: Int) {
    self.array = array
    self.perRow = perRow
  }

  func results(of item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) {
    for k in 0..<perRow { results[k] = array.value(item.row * perRow + k) }
  }
}
