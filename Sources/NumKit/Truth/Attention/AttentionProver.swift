import NumKitNumbers
import NumKitQuestions

/// The proven answers of attention's forward pass on one set of tensors.
public struct AttentionProver: Prover {
  public typealias Q = AttentionForward

  private let reference: AttentionReference

  /// Outputs rounded to `format`, log-sum-exps to `lseFormat` (nil: f32, or f64 where outputs have more bits). Where outputs have at
  /// most 24 bits their values are known to within a relative `accuracy`: 2⁻³⁶, or 2⁻¹⁴ ulps where those are larger, unless said
  /// otherwise.
  ///
  /// - Throws: `UnfitAttention` where the parameters do not fit the tensors.
  public init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, format: NumberFormat,
    lseFormat: NumberFormat? = nil, accuracy: Double? = nil, overflow: Overflow = .special
  ) throws {
    reference = try AttentionReference(
      tensors, parameters, format: format, lseFormat: lseFormat ?? (format.precision <= 24 ? .f32 : .f64),
      overflow: overflow)
    if let accuracy { reference.accuracy = accuracy }
  }

  public mutating func answer(_ item: AttentionForward.Item, into truths: inout [Truth]) {
    reference.expect(item.block)
    if truths.count == 1 {
      reference.answer(head: item.head, query: item.query, into: &truths[0])
      return
    }
    truths.withUnsafeMutableBufferPointer { t in
      guard let first = t.baseAddress else { return }
      reference.answer(
        head: item.head, query: item.query, into: &first.pointee, logSumExp: &(first + 1).pointee)
    }
  }

  public func profile(of item: AttentionForward.Item, into profile: inout AttentionProfile) {
    profile = reference.profile
  }

  public func makeProfile() -> AttentionProfile { AttentionProfile() }
}

/// The proven answers of attention's backward pass on one set of tensors.
public struct BackwardProver: Prover {
  public typealias Q = AttentionBackward

  private let reference: BackwardReference
  private var truth = BackwardTruth()

  /// Gradients rounded to `format`; where `roundsOnly` their values tell no more than the roundings.
  ///
  /// - Throws: `BackwardError` where something does not fit, is not finite or has no derivative here.
  public init(
    _ tensors: AttentionInputs, gradient: [Double], _ parameters: AttentionParameters, format: NumberFormat,
    overflow: Overflow = .special, roundsOnly: Bool = false
  ) throws {
    reference = try BackwardReference(
      tensors, gradient: gradient, parameters, format: format, overflow: overflow, roundsOnly: roundsOnly)
  }

  public mutating func answer(_ item: AttentionBackward.Item, into truths: inout [Truth]) {
    reference.answer(keyHead: item.keyHead, into: &truth)
    truths = truth.q + truth.k + truth.v
  }
}
