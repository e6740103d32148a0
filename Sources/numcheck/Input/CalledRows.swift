import Guests
import NumKit
import TensorFiles

/// What all questions to called kernels share.
extension GuestOptions {
  /// The format that a called kernel's results have.
  var calledFormat: NumberFormat { dtype?.numberFormat ?? .f32 }

  /// What inputs are rounded to before they are asked about: what is asked for, else the results' format where inputs are generated or
  /// handed to a kernel, which gets arrays of one dtype; nil where they are taken as they are.
  func rounding(isGenerated: Bool, _ format: NumberFormat) -> NumberFormat? {
    inputFormat ?? (isGenerated || called.isCalled ? format : nil)
  }

  /// Numbers as an array for a kernel, rounded to `format`.
  func array(_ name: String, _ values: [Double], _ shape: [Int], _ format: NumberFormat) throws -> GuestArray
  {
    try GuestArray(name, try Self.element(format), shape, values: values, overflow: overflow)
  }

  /// What an array's elements of that format are.
  static func element(_ format: NumberFormat) throws -> ElementType {
    guard let type = ElementType(.float(format)), type.unit.elements == 1, type.guestNumber != nil else {
      throw UsageError("--dtype \(format.name): no array that a kernel is called with has it")
    }
    return type
  }

  /// Throws where arrays of so many numbers do not fit memory.
  static func require(_ numbers: Int...) throws {
    let bytes = numbers.reduce(0) { sum, count in
      sum.addingReportingOverflow(Memory.product(count, 24)).overflow ? .max : sum + Memory.product(count, 24)
    }
    try Memory.require(bytes, for: "the arrays of a called kernel")
  }
}

extension GuestOptions {
  /// Calls the kernel, where one is, about the rows of `source`.
  func call(
    _ operation: RowOperation, _ source: RowInput, _ question: QuestionInput, seed: UInt64
  ) throws -> CalledResults? {
    guard called.isCalled else { return nil }
    let (inputs, length) = (inputFormat ?? calledFormat, source.rows.length)
    var verification = RowVerification(
      operation, format: calledFormat, inputs: inputs, parameters: question.parameters,
      targets: question.targets)
    verification.roundsInputs = true
    verification.triesPlans = false
    verification.overflow = overflow
    verification.claims = try claimed
    return try called.run(try problem(operation, source, verification), seed: seed) {
      [verification] call, results in
      guard let input = call.inputs.first, let result = results.first else {
        return CallJudgement(wrong: 0, of: 0)
      }
      var asked = verification
      if let targets = call.inputs.first(where: { $0.name == "target" }) {
        asked.targets = targets.values.map { Int($0) }
      }
      let n = input.shape[1]
      if asked.parameters.cotangent.count > n, n < length {
        asked.parameters.cotangent = Array(asked.parameters.cotangent.prefix(n))
      }
      let perRow = operation.resultCount(length: n)
      let found = try asked.run(
        "call", HeldResults([result], counts: [perRow]) { $0.row }, on: HeldRows(input.values, length: n))
      return CallJudgement(wrong: found.findings.wrong[0].count, of: result.count)
    }
  }

  private func problem(
    _ operation: RowOperation, _ source: RowInput, _ verification: RowVerification
  ) throws -> GuestProblem {
    let (rows, length) = (source.rows.rowCount, source.rows.length)
    let perRow = operation.resultCount(length: length)
    try Self.require(Memory.product(rows, length), Memory.product(rows, perRow))
    let input = try rowsArray(source.rows, verification.inputs)
    let hasTarget = operation == .crossEntropy || operation == .crossEntropyGradient
    // A target may lie beyond a shorter length.
    var inputs = [GuestProblem.Input(input, perItem: 1, lengthAxes: hasTarget ? [] : [1])]
    if hasTarget {
      let targets = verification.targets ?? Array(repeating: verification.parameters.target, count: rows)
      inputs.append(
        .init(try GuestArray("target", .int64, [rows], values: targets.map(Double.init)), perItem: 1))
    }
    if operation == .softmaxVJP {
      inputs.append(
        .init(
          try array("cotangent", verification.parameters.cotangent, [length], verification.inputs),
          perItem: 0, lengthAxes: [0]))
    }
    let shape = RowFile.results(operation, [rows, length], 1)
    let axes = operation == .softmaxJacobian ? [1, 2] : operation.hasOneResult || hasTarget ? [] : [1]
    var problem = GuestProblem(
      operation.rawValue, inputs: inputs,
      outputs: [
        .init(
          GuestResult("results", try Self.element(verification.format), shape), perItem: 1, lengthAxes: axes)
      ],
      parameters: [GuestParameter("temperature", verification.parameters.temperature)])
    problem.largeSize = largeSize(operation, verification)
    return problem
  }

  /// Logits of which e^x overflows in what is computed in, where the question is one for kernels that subtract the largest.
  private func largeSize(_ operation: RowOperation, _ verification: RowVerification) -> Double? {
    let compute = verification.claims.compute ?? RowPlans.usual(verification.format)
    let size = (compute == .f64 ? 1000 : 400) * verification.parameters.temperature
    let shifts: Set<RowOperation> = [.softmax, .logSoftmax, .logSumExp, .crossEntropy, .crossEntropyGradient]
    let isNaive = verification.claims.algorithm?.hasPrefix("naive") ?? false
    return shifts.contains(operation) && !isNaive && size > 0 && size < verification.inputs.largestFinite
      && size < verification.format.largestFinite ? size : nil
  }

  /// All rows as one array.
  func rowsArray(_ rows: any RowSource, _ format: NumberFormat) throws -> GuestArray {
    var all = GuestArray("input", try Self.element(format), [rows.rowCount, rows.length], bytes: [])
    all.bytes.reserveCapacity(rows.rowCount * rows.length * all.width)
    var row = [Double](repeating: 0, count: rows.length)
    for k in 0..<rows.rowCount {
      try row.withUnsafeMutableBufferPointer { try rows.read(k, into: $0) }
      all.bytes += try array("input", row, [rows.length], format).bytes
    }
    return all
  }

  /// Calls the kernel, where one is, about the rows of `source` with `parameters`, whose weight and bias are numbers of the inputs'
  /// format.
  func call(
    _ operation: Normalization, _ source: RowInput, _ parameters: NormParameters, seed: UInt64
  ) throws -> CalledResults? {
    guard called.isCalled else { return nil }
    let (inputs, length, rows) = (inputFormat ?? calledFormat, source.rows.length, source.rows.rowCount)
    try Self.require(Memory.product(rows, length, 2))
    var arrays = [GuestProblem.Input(try rowsArray(source.rows, inputs), perItem: 1, lengthAxes: [1])]
    for (name, values) in [("weight", parameters.weight), ("bias", parameters.bias)] where !values.isEmpty {
      arrays.append(.init(try array(name, values, [length], inputs), perItem: 0, lengthAxes: [0]))
    }
    let problem = GuestProblem(
      operation.rawValue, inputs: arrays,
      outputs: [
        .init(
          GuestResult("results", try Self.element(calledFormat), [rows, length]), perItem: 1, lengthAxes: [1])
      ],
      parameters: [GuestParameter("epsilon", parameters.epsilon)])
    var verification = NormVerification(operation, format: calledFormat, parameters: parameters)
    verification.overflow = overflow
    verification.claims = try claimed
    verification.triesPlans = false
    return try called.run(problem, seed: seed) { [verification] call, results in
      guard let input = call.inputs.first, let result = results.first else {
        return CallJudgement(wrong: 0, of: 0)
      }
      var asked = verification
      let n = input.shape[1]
      asked.parameters.weight = Array(asked.parameters.weight.prefix(n))
      asked.parameters.bias = Array(asked.parameters.bias.prefix(n))
      let found = try asked.run(
        "call", HeldResults([result], counts: [n]) { $0.row }, on: HeldRows(input.values, length: n))
      return CallJudgement(wrong: found.findings.wrong[0].count, of: result.count)
    }
  }
}
