import NumKitNumbers
import NumKitQuestions

/// The truth of one operation in one result format. One instance serves one thread.
///
/// Special rows, beside what `SpecialValues` says: the log-softmax of a special row is the logarithm of the softmax
/// that the policy gives it (so −∞ where that is 0), the cross-entropy its negative at the target; gradient, Jacobian
/// and vector–Jacobian product are their formulas in that softmax. A −∞ logit has probability exactly 0 at every
/// temperature, ∞ included. The log-sum-exp of a row without elements is −∞, its cross-entropy NaN.
public final class Reference {
  /// The question.
  public let operation: RowOperation
  /// What results are rounded to.
  public let format: NumberFormat
  /// What results too large, and exact infinities, are rounded to.
  public let overflow: Overflow

  private let refinement = Refinement()
  private let fast = FastReference()
  private let usesFastTiers: Bool
  private var replacement: [Double] = []
  private var pending: [Int] = []
  private let light = LightRow()
  private let lowWord = LowWordRow()
  private var widened: [Double] = []
  private let narrowed = Buffer<Float>()
  private let narrowResults = Buffer<Float>()
  private var wideTruth = Truth()

  /// Prepares to answer `operation` with results rounded to `format`; without the fast tiers MPFR answers all.
  public init(
    _ operation: RowOperation, format: NumberFormat, overflow: Overflow = .special, usesFastTiers: Bool = true
  ) {
    ArithmeticFault.refuse()
    self.usesFastTiers = usesFastTiers
    self.overflow = overflow
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
    answerSpecial(row, parameters: parameters, into: &truth)
    if overflow == .saturate { truth.saturate(format) }
  }

  /// The same, with what is too large as `Overflow.special` says.
  private func answerSpecial(
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
      refine(row, shape, parameters, count, &truth)
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
    if shape.usesReplacement {
      replacement.withUnsafeBufferPointer { refine($0, shape, parameters, count, &truth) }
    } else {
      refine(row, shape, parameters, count, &truth)
    }
  }

  /// The proven roundings alone, of a row of Floats, for a format whose numbers a Float holds: plain Double proves all but
  /// about one in a million, and nothing else is computed. The other tiers prove those.
  ///
  /// - Precondition: as for `answer`; `results` has room for every result, and the format at most 24 bits of precision.
  public func round(
    _ row: UnsafeBufferPointer<Float>, parameters: OperationParameters,
    into results: UnsafeMutableBufferPointer<Float>
  ) -> Certificate {
    let certificate = roundSpecial(row, parameters: parameters, into: results)
    guard overflow == .saturate, !results.allSatisfy(\.isFinite) else { return certificate }
    widened.removeAll(keepingCapacity: true)
    widened.append(contentsOf: row.lazy.map { Double($0) })
    widened.withUnsafeBufferPointer { answer($0, parameters: parameters, into: &wideTruth) }
    for i in results.indices { results[i] = Float(wideTruth.rounded[i]) }
    return wideTruth.certificate
  }

  private func roundSpecial(
    _ row: UnsafeBufferPointer<Float>, parameters: OperationParameters,
    into results: UnsafeMutableBufferPointer<Float>
  ) -> Certificate {
    let count = operation.resultCount(length: row.count)
    precondition(parameters.temperature >= 0, "a temperature is at least 0")
    precondition(results.count == count, "room for every result")
    precondition(format.significandBits <= 23, "a Float holds the results")
    if operation == .crossEntropy || operation == .crossEntropyGradient {
      precondition(row.indices.contains(parameters.target), "a target is an index of its row")
    }
    var certificate = Certificate()
    let isTried = usesFastTiers && light.answer(operation, format, row, parameters, into: results)
    if isTried {
      certificate.double = count - light.unproven.count
      if light.unproven.isEmpty { return certificate }
    }
    widened.removeAll(keepingCapacity: true)
    widened.append(contentsOf: row.lazy.map { Double($0) })
    let open = isTried ? light.unproven : nil
    widened.withUnsafeBufferPointer { prove(open, of: $0, parameters) }
    for i in open ?? Array(0..<count) { results[i] = Float(wideTruth.rounded[i]) }
    certificate.merge(wideTruth.certificate)
    return certificate
  }

  /// The proven roundings alone, of a row of Doubles. To f64, Double with a low word proves all but about one in 10⁵ where no
  /// logit is infinite, and nothing else is computed; rows of numbers that Floats hold go the way of Floats; others are
  /// answered as by `answer`.
  ///
  /// - Precondition: as for `answer`; `results` has room for every result.
  public func round(
    _ row: UnsafeBufferPointer<Double>, parameters: OperationParameters,
    into results: UnsafeMutableBufferPointer<Double>
  ) -> Certificate {
    let certificate = roundSpecial(row, parameters: parameters, into: results)
    // Too large, or an exact infinity, or NaN: the exact values say.
    guard overflow == .saturate, !results.allSatisfy(\.isFinite) else { return certificate }
    answer(row, parameters: parameters, into: &wideTruth)
    for i in results.indices { results[i] = wideTruth.rounded[i] }
    return wideTruth.certificate
  }

  private func roundSpecial(
    _ row: UnsafeBufferPointer<Double>, parameters: OperationParameters,
    into results: UnsafeMutableBufferPointer<Double>
  ) -> Certificate {
    let count = operation.resultCount(length: row.count)
    precondition(parameters.temperature >= 0, "a temperature is at least 0")
    precondition(results.count == count, "room for every result")
    if operation == .crossEntropy || operation == .crossEntropyGradient {
      precondition(row.indices.contains(parameters.target), "a target is an index of its row")
    }
    var certificate = Certificate()
    if format.significandBits <= 23 && usesFastTiers && narrow(row) {
      narrowResults.reserve(count)
      certificate = roundSpecial(
        UnsafeBufferPointer(start: narrowed.base, count: row.count), parameters: parameters,
        into: UnsafeMutableBufferPointer(start: narrowResults.base, count: count))
      for i in 0..<count { results[i] = Double(narrowResults.base[i]) }
      return certificate
    }
    var open: [Int]?
    if usesFastTiers && format.significandBits == 52 && !row.isEmpty && operation != .sigmoid {
      let shape = RowShape(
        row, temperature: parameters.temperature, specialValues: parameters.specialValues,
        replacement: &replacement)
      if !shape.usesReplacement && lowWord.answer(operation, row, shape, parameters, into: results) {
        certificate.doubleLow = count - lowWord.unproven.count
        if lowWord.unproven.isEmpty { return certificate }
        open = lowWord.unproven
      }
    }
    prove(open, of: row, parameters)
    for i in open ?? Array(0..<count) { results[i] = wideTruth.rounded[i] }
    certificate.merge(wideTruth.certificate)
    return certificate
  }

  /// Puts the row into `narrowed`; false where a Float does not hold some element.
  private func narrow(_ row: UnsafeBufferPointer<Double>) -> Bool {
    narrowed.reserve(row.count)
    let narrow = narrowed.base
    // No branch: this loop is a vector's.
    var differs: UInt64 = 0
    for i in row.indices {
      narrow[i] = Float(row[i])
      differs |= Double(narrow[i]) == row[i] ? 0 : 1
    }
    return differs == 0
  }

  /// Answers into `wideTruth` for the results `open` alone, or for all where that is nil.
  private func prove(_ open: [Int]?, of row: UnsafeBufferPointer<Double>, _ parameters: OperationParameters) {
    guard let open else { return answerSpecial(row, parameters: parameters, into: &wideTruth) }
    wideTruth.reset(count: operation.resultCount(length: row.count))
    let shape = RowShape(
      row, temperature: parameters.temperature, specialValues: parameters.specialValues,
      replacement: &replacement)
    fast.answer(operation, format, row, shape, parameters, only: open, pending: &pending, into: &wideTruth)
    refinement.answer(operation, format, row, shape, parameters, pending: &pending, into: &wideTruth)
  }

  /// The tiers, one after the other, each for what the one before could not prove.
  private func refine(
    _ row: UnsafeBufferPointer<Double>, _ shape: RowShape, _ parameters: OperationParameters, _ count: Int,
    _ truth: inout Truth
  ) {
    let mayBeFast = usesFastTiers && (operation == .sigmoid || !shape.isLevel)
    if !mayBeFast
      || !fast.answer(operation, format, row, shape, parameters, pending: &pending, into: &truth)
    {
      pending.append(contentsOf: 0..<count)
    }
    if pending.isEmpty { return }
    refinement.answer(operation, format, row, shape, parameters, pending: &pending, into: &truth)
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
