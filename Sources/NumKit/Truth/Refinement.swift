import CMPFR
import NumKitNumbers
import NumKitQuestions

/// The tier that always answers: MPFR enclosures, refined until they decide (Ziv's strategy).
final class Refinement {
  private let row = EnclosedRow()
  private let result = EnclosureStorage()
  /// Enclosures are refined to this relative width, so that errors can be measured against them.
  static let relativeWidth = 0x1p-100
  /// Where refinement gives up.
  static let precisionLimit = 1 << 16

  init() {}

  /// Answers for the results listed in `pending`, which it empties.
  func answer(
    _ operation: RowOperation, _ format: NumberFormat, _ logits: UnsafeBufferPointer<Double>,
    _ shape: RowShape,
    _ parameters: OperationParameters, pending: inout [Int], into truth: inout Truth
  ) {
    row.load(logits, shape: shape, parameters: parameters)
    let method = operation.enclosed
    // ⌈log2 n⌉ bits for the sum, so that the first round has a relative width below 2^−100 on ordinary rows.
    let growth = Int.bitWidth - logits.count.leadingZeroBitCount
    var precision = 112 + growth <= 128 ? 128 : 192
    while !pending.isEmpty {
      row.prepare(precision: precision, exponentials: operation != .sigmoid && !shape.isLevel)
      result.reserve(2, precision: precision)
      method.begin(row)
      var kept = 0
      for i in pending {
        if !decide(i, method, format, precision: precision, into: &truth) {
          pending[kept] = i
          kept += 1
        }
      }
      pending.removeSubrange(kept...)
      precision *= 2
    }
  }

  /// Whether result `i` could be settled at this precision; at the limit it always is, decided or not.
  private func decide(
    _ i: Int, _ method: any EnclosedOperation.Type, _ format: NumberFormat, precision: Int,
    into truth: inout Truth
  ) -> Bool {
    let enclosure = result[0]
    let kind = method.enclose(i, row, into: enclosure)
    if case .known(let value) = kind {
      truth.setKnown(value, at: i, format)
      return true
    }
    var isRational = false
    if case .rational = kind { isRational = true }
    return truth.settle(
      enclosure, at: i, format, precision: precision, isLast: precision >= Self.precisionLimit,
      isRational: isRational, scratch: result[1])
  }
}

extension RowOperation {
  /// The MPFR answer: one line an operation.
  var enclosed: any EnclosedOperation.Type {
    switch self {
    case .softmax: EnclosedSoftmax.self
    case .logSoftmax: EnclosedLogSoftmax.self
    case .logSumExp: EnclosedLogSumExp.self
    case .sigmoid: EnclosedSigmoid.self
    case .crossEntropy: EnclosedCrossEntropy.self
    case .crossEntropyGradient: EnclosedCrossEntropyGradient.self
    case .softmaxJacobian: EnclosedSoftmaxJacobian.self
    case .softmaxVJP: EnclosedSoftmaxVJP.self
    }
  }
}
