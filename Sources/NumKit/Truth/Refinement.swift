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
    let rounded = enclosure.rounded(to: format)
    let scaled = enclosure.scaled(scratch: result[1])
    let isLast = precision >= Self.precisionLimit
    guard let rounded, let scaled, scaled.relativeError <= Self.relativeWidth else {
      if isLast { settle(i, enclosure, rounded, scaled, format, into: &truth) }
      return isLast
    }
    truth.set(rounded, scaled, at: i)
    if case .rational = kind { truth.certificate.exact += 1 } else { truth.certificate.mpfr += 1 }
    truth.certificate.maxPrecision = Swift.max(truth.certificate.maxPrecision, precision)
    return true
  }

  /// Reports what the last enclosure knows.
  private func settle(
    _ i: Int, _ enclosure: Enclosure, _ rounded: Double?, _ scaled: ScaledValue?, _ format: NumberFormat,
    into truth: inout Truth
  ) {
    let middle = enclosure.middle(in: .f64)
    truth.set(rounded ?? format.round(middle), scaled ?? enclosure.unscaled, at: i)
    truth.certificate.maxPrecision = Self.precisionLimit
    if rounded == nil { truth.certificate.undecided += 1 } else { truth.certificate.mpfr += 1 }
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
