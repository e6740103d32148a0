import NumKitNumbers
import NumKitQuestions

extension BinaryCrossEntropyFormula: ComputedFormula {
  /// How losses are made.
  public enum Method: Sendable, Hashable {
    /// max(x, 0) − xy + log1p(e^−|x|).
    case stable
    /// −y log p − (1 − y) log(1 − p), p the sigmoid of a logit or what stands there.
    case logarithms
    /// The same, no logarithm below −100 (PyTorch's `BCELoss`).
    case clamped
    /// The same, log(1 − p) as log1p(−p).
    case logarithmOfOnePlus
  }

  public static let algorithms: [FormulaAlgorithm<BinaryCrossEntropyFormula>] = [
    BinaryCrossEntropyKernel(method: .logarithms).algorithm(
      "naive", "-y log p - (1 - y) log(1 - p); of logits with p = 1/(1 + e^-x)", .logarithms),
    BinaryCrossEntropyKernel(method: .clamped).algorithm(
      "clamped", "the same, no logarithm below -100 (PyTorch's BCELoss)", .clamped),
    BinaryCrossEntropyKernel(method: .logarithmOfOnePlus).algorithm(
      "log1p", "the same, log(1 - p) as log1p(-p)", .logarithmOfOnePlus),
    BinaryCrossEntropyKernel(method: .stable).algorithm(
      "stable", "max(x, 0) - x y + log1p(e^-|x|); of probabilities with x = log p - log1p(-p)", .stable),
  ]
}

private struct BinaryCrossEntropyKernel: FormulaMaker {
  typealias F = BinaryCrossEntropyFormula
  let method: BinaryCrossEntropyFormula.Method

  func body<C: Scalar, A: Scalar>(
    _ formula: BinaryCrossEntropyFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    { row, x, results, trace in
      for i in x.indices {
        let y = C(rounding: formula.target(row, i, length: x.count))
        let given = C(rounding: x[i])
        let loss: C
        if method == .stable {
          loss = stable(formula.isOnProbabilities ? C.log(given) - C.log1p(-given) : given, y)
        } else {
          let p = formula.isOnProbabilities ? given : C.one / (C.one + C.exp(-given))
          let (yes, no) = logarithms(p)
          loss = -(y * yes + (C.one - y) * no)
        }
        trace.observe(loss, .output)
        results[i] = configuration.store(loss.exact)
      }
    }
  }

  private func stable<C: Scalar>(_ x: C, _ y: C) -> C {
    let size = x < C.zero ? x : -x
    return C.larger(x, C.zero) - x * y + C.log1p(C.exp(size))
  }

  private func logarithms<C: Scalar>(_ p: C) -> (C, C) {
    let (yes, no) = (C.log(p), method == .logarithmOfOnePlus ? C.log1p(-p) : C.log(C.one - p))
    if method != .clamped { return (yes, no) }
    let least = C(rounding: -100)
    return (C.larger(yes, least), C.larger(no, least))
  }
}

extension SigmoidGradientFormula: ComputedFormula {
  /// How the derivative is made.
  public enum Method: Sendable, Hashable {
    /// s(1 − s): cancels where s is near 1.
    case difference
    /// σ(x)σ(−x).
    case product
    /// e^−|x|/(1 + e^−|x|)².
    case quotient
  }

  public static let algorithms: [FormulaAlgorithm<SigmoidGradientFormula>] = [
    SigmoidGradientKernel(method: .difference).algorithm(
      "difference", "s (1 - s), s = sigmoid(x)", .difference),
    SigmoidGradientKernel(method: .product).algorithm("product", "sigmoid(x) sigmoid(-x)", .product),
    SigmoidGradientKernel(method: .quotient).algorithm("quotient", "e^-|x| / (1 + e^-|x|)^2", .quotient),
  ]
}

private struct SigmoidGradientKernel: FormulaMaker {
  typealias F = SigmoidGradientFormula
  let method: SigmoidGradientFormula.Method

  func body<C: Scalar, A: Scalar>(
    _ formula: SigmoidGradientFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    { _, x, results, trace in
      for i in x.indices {
        let x = C(rounding: x[i])
        let e = C.exp(x < C.zero ? x : -x)
        let sum = C.one + e
        // σ(|x|) and σ(−|x|).
        let (large, small) = (C.one / sum, e / sum)
        let y: C =
          switch method {
          case .difference: x < C.zero ? small * (C.one - small) : large * (C.one - large)
          case .product: large * small
          case .quotient: e / (sum * sum)
          }
        trace.observe(y, .output)
        results[i] = configuration.store(y.exact)
      }
    }
  }
}

extension SmoothedCrossEntropyFormula: ComputedFormula {
  /// How the loss is made.
  public enum Method: Sendable, Hashable {
    /// −(1 − ε)·log pₜ − (ε/n)·Σ log pⱼ, log pⱼ = (xⱼ − m) − log s.
    case logarithms
    /// (m − xₜ) + log s + ε·(xₜ − mean x).
    case differences
  }

  public static let algorithms: [FormulaAlgorithm<SmoothedCrossEntropyFormula>] = [
    SmoothedCrossEntropyKernel(method: .logarithms).algorithm(
      "log-softmax", "(1 - eps) of the target's log-softmax, eps of the mean of all", .logarithms),
    SmoothedCrossEntropyKernel(method: .differences).algorithm(
      "differences", "(max - x_t) + log of the sum + eps (x_t - mean x)", .differences),
  ]
}

private struct SmoothedCrossEntropyKernel: FormulaMaker {
  typealias F = SmoothedCrossEntropyFormula
  let method: SmoothedCrossEntropyFormula.Method

  func body<C: Scalar, A: Scalar>(
    _ formula: SmoothedCrossEntropyFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    let smoothing = C(rounding: formula.smoothing)
    return { row, x, results, trace in
      guard let target = formula.target(row) else { return results[0] = 0 }
      let m = x.reduce(C.lowest) { C.larger($0, C(rounding: $1)) }
      var s = A.zero
      for v in x { s = s + A(converting: C.exp(C(rounding: v) - m)) }
      let log = C(converting: A.log(s))
      let count = A(rounding: Double(x.count))
      let loss: C
      switch method {
      case .logarithms:
        var total = A.zero
        for v in x { total = total + A(converting: (C(rounding: v) - m) - log) }
        let own = (C(rounding: x[target]) - m) - log
        loss = -((C.one - smoothing) * own) - smoothing * C(converting: total / count)
      case .differences:
        var total = A.zero
        for v in x { total = total + A(rounding: v) }
        let t = C(rounding: x[target])
        loss = ((m - t) + log) + smoothing * (t - C(converting: total / count))
      }
      trace.observe(loss, .output)
      results[0] = configuration.store(loss.exact)
    }
  }
}

extension ZLossFormula: ComputedFormula {
  /// How the log-sum-exp is made.
  public enum Method: Sendable, Hashable {
    /// Without a shift.
    case naive
    /// The maximum subtracted first.
    case shifted
  }

  public static let algorithms: [FormulaAlgorithm<ZLossFormula>] = [
    ZLossKernel(method: .naive).algorithm("naive", "weight lse^2, lse without a shift", .naive),
    ZLossKernel(method: .shifted).algorithm(
      "shifted", "weight lse^2, the maximum subtracted first", .shifted),
  ]
}

private struct ZLossKernel: FormulaMaker {
  typealias F = ZLossFormula
  let method: ZLossFormula.Method

  func body<C: Scalar, A: Scalar>(
    _ formula: ZLossFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    let weight = C(rounding: formula.weight)
    return { _, x, results, trace in
      let m = method == .naive ? C.zero : x.reduce(C.lowest) { C.larger($0, C(rounding: $1)) }
      var s = A.zero
      for v in x { s = s + A(converting: C.exp(C(rounding: v) - m)) }
      trace.observe(s, .sum)
      let log = C(converting: A.log(s))
      let lse = m + log
      let y = weight * (lse * lse)
      trace.observe(y, .output)
      results[0] = configuration.store(y.exact)
    }
  }
}
