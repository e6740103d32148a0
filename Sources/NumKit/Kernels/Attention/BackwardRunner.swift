import NumKitNumbers
import NumKitQuestions

/// The backward pass of one attention algorithm in one configuration: dQ, dK and dV from q, k, v and dO.
///
/// - `standard` keeps the whole row of probabilities and takes D = Σⱼ pⱼ dPⱼ from them: the softmax's full Jacobian.
/// - `flash` recomputes p = e^(s − lse) from the forward pass's log-sum-exp and takes D = Σ dO∘o from its stored output
///   (FlashAttention-2, arXiv 2307.08691, algorithm 2); dQ gathers a partial sum from each tile of keys.
///
/// P is cast to the format of P before it meets dO, dS before it meets k and q; elements are of the compute format, sums of the
/// accumulator's. dK and dV run over all queries of all heads that use the key head in one accumulator.
public struct BackwardRunner: Sendable {
  /// The forward pass: algorithm, formats, tile.
  public var forward: AttentionRunner

  /// The backward pass of `forward`; nil where that is neither standard nor flash.
  public init?(_ forward: AttentionRunner) {
    guard forward.algorithm == .standard || forward.algorithm == .flash else { return nil }
    self.forward = forward
  }

  /// dO as the kernel gets it.
  public func stored(_ gradient: [Double], width: Int) -> [Double] {
    let shape = AttentionShape(
      queries: Swift.max(gradient.count / Swift.max(width, 1), 1), keys: 1, headSize: width)
    let zeros = [Double](repeating: 0, count: width)
    guard let tensors = AttentionInputs(q: gradient, k: zeros, v: zeros, shape: shape) else {
      guard case .float(let format) = forward.configuration.storage else { return gradient }
      return gradient.map { format.round($0, overflow: forward.configuration.overflow) }
    }
    return forward.stored(tensors).q
  }

  /// The gradients of one key head; nil where sizes do not fit or a format cannot be computed in, as in the forward pass, and where
  /// there is no derivative.
  public func run(
    _ tensors: AttentionInputs, gradient: [Double], _ parameters: AttentionParameters, keyHead: Int
  ) -> AttentionGradients? {
    let shape = tensors.shape
    let configuration = forward.configuration
    guard parameters.isDifferentiable, keyHead >= 0, keyHead < shape.keyHeads,
      gradient.count == shape.heads * shape.queries * shape.valueSize,
      // What flash keeps of the forward pass, and the check of everything else.
      let kept = forward.run(
        tensors, parameters, rows: forward.algorithm == .flash ? shape.rows(ofKeyHead: keyHead) : 0..<0),
      let compute = ScalarDispatch.type(configuration.compute, configuration.overflow),
      let accumulator = ScalarDispatch.type(configuration.accumulator, configuration.overflow),
      let cast = ScalarDispatch.type(forward.probabilities ?? configuration.compute, configuration.overflow)
    else { return nil }
    let call = BackwardCall(
      forward: AttentionCall(
        runner: forward, tensors: tensors, parameters: parameters, rows: shape.rows(ofKeyHead: keyHead),
        inspect: nil), gradient: gradient, kept: kept, keyHead: keyHead)
    func special<C: Scalar, A: Scalar, P: Scalar>(_: C.Type, _: A.Type, _: P.Type) -> AttentionGradients? {
      compute == C.self && accumulator == A.self && cast == P.self ? call.run(C.self, A.self, P.self) : nil
    }
    if let done = special(Float.self, Float.self, Float.self)
      ?? special(Float16.self, Float.self, Float16.self) ?? special(BFloat16.self, Float.self, BFloat16.self)
      ?? special(Double.self, Double.self, Double.self)
    {
      return done
    }
    func first<C: Scalar>(_: C.Type) -> AttentionGradients {
      func second<A: Scalar>(_: A.Type) -> AttentionGradients {
        func third<P: Scalar>(_: P.Type) -> AttentionGradients { call.run(C.self, A.self, P.self) }
        return third(cast)
      }
      return second(accumulator)
    }
    return first(compute)
  }
}
