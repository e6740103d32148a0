/// The truth of one operation in one result format. One instance serves one thread.
///
/// Special rows, beside what `SpecialValues` says: the log-softmax of a special row is the logarithm of the softmax
/// that the policy gives it (so −∞ where that is 0), the cross-entropy its negative at the target; gradient, Jacobian
/// and vector–Jacobian product are their formulas in that softmax. A −∞ logit has probability exactly 0 at every
/// temperature, ∞ included. The log-sum-exp of a row without elements is −∞, its cross-entropy NaN.
public final class Reference {
  /// The question.
  public let operation: Operation
  /// What results are rounded to.
  public let format: NumberFormat

  private let refinement = Refinement()
  private var replacement: [Double] = []
  private var pending: [Int] = []

  /// Prepares to answer `operation` with results rounded to `format`.
  public init(_ operation: Operation, format: NumberFormat) {
    self.operation = operation
    self.format = format
  }

  /// Answers for `row`, whose elements are taken exactly as they are.
  ///
  /// - Precondition: the temperature is not NaN and not negative; the target is an index of the row where the
  ///   operation has one; there are as many cotangents as logits where it needs them.
  public func answer(
    _ row: UnsafeBufferPointer<Double>, parameters: OperationParameters, into truth: inout Truth
  ) {
    precondition(parameters.temperature >= 0, "a temperature is at least 0")
    let count = operation.resultCount(length: row.count)
    truth.reset(count: count)
    if row.isEmpty {
      for i in 0..<count { truth.setKnown(operation == .logSumExp ? -.infinity : .nan, at: i, format) }
      return
    }
    if operation == .crossEntropy || operation == .crossEntropyGradient {
      precondition(row.indices.contains(parameters.target), "a target is an index of its row")
    }
    if operation == .softmaxVJP {
      precondition(parameters.cotangent.count == row.count, "a cotangent for each logit")
    }
    let shape = RowShape(
      row, temperature: parameters.temperature, specialValues: parameters.specialValues,
      replacement: &replacement)
    if operation == .sigmoid {
      pending.append(contentsOf: 0..<count)
      refinement.answer(operation, format, row, shape, parameters, pending: &pending, into: &truth)
      return
    }
    if let value = special(shape, parameters) {
      for i in 0..<count { truth.setKnown(value, at: i, format) }
      return
    }
    if shape.kind == .masked {
      let method = operation.enclosed
      for i in 0..<count {
        truth.setKnown(method.masked(i, length: row.count, parameters: parameters), at: i, format)
      }
      return
    }
    pending.append(contentsOf: 0..<count)
    if shape.usesReplacement {
      replacement.withUnsafeBufferPointer {
        refinement.answer(operation, format, $0, shape, parameters, pending: &pending, into: &truth)
      }
    } else {
      refinement.answer(operation, format, row, shape, parameters, pending: &pending, into: &truth)
    }
  }

  /// A value that every result of the row has, if its shape alone says so.
  private func special(_ shape: RowShape, _ parameters: OperationParameters) -> Double? {
    if shape.hasNaN { return .nan }
    if operation == .logSumExp {
      if let value = EnclosedLogSumExp.special(shape, temperature: parameters.temperature) { return value }
    } else if shape.kind == .nan {
      return .nan
    }
    if operation == .softmaxVJP && !parameters.cotangent.allSatisfy(\.isFinite) { return .nan }
    return nil
  }
}
