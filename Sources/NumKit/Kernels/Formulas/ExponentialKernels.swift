import NumKitNumbers
import NumKitQuestions

extension ExponentialFormula: ComputedFormula {
  /// How e^x or 2^x is made.
  public enum Method: Sendable, Hashable {
    /// By the format's own function, correctly rounded but in f32 and f64.
    case library
    /// e^x as 2^(x·log₂ e).
    case base2
    /// In a shorter way.
    case approximate(ExponentialAccuracy)
  }

  public static let algorithms: [FormulaAlgorithm<ExponentialFormula>] =
    [
      LibraryKernel(isBase2: false).algorithm("library", "the platform's function", .library),
      LibraryKernel(isBase2: true).algorithm("base2", "2^(x log2(e))", .base2),
    ]
    + ExponentialMethods.all.map { method in
      func algorithm<M: ExponentialMethod>(_: M.Type) -> FormulaAlgorithm<ExponentialFormula> {
        ApproximateKernel<M>().algorithm(M.name, M.summary, .approximate(M.accuracy))
      }
      return algorithm(method)
    }
}

private struct LibraryKernel: FormulaMaker {
  typealias F = ExponentialFormula
  let isBase2: Bool

  func body<C: Scalar, A: Scalar>(
    _ formula: ExponentialFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    let log2e = C(rounding: 1.442695040888963407359924681)
    let isPlain = !isBase2
    return { _, x, results, trace in
      for i in x.indices {
        let t = C(rounding: x[i])
        let y = formula.isBase2 ? C.exp2(t) : isPlain ? C.exp(t) : C.exp2(t * log2e)
        trace.observe(y, .output)
        results[i] = configuration.store(y.exact)
      }
    }
  }
}

private struct ApproximateKernel<M: ExponentialMethod>: FormulaMaker {
  typealias F = ExponentialFormula

  func body<C: Scalar, A: Scalar>(
    _ formula: ExponentialFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    { _, x, results, trace in
      for i in x.indices {
        let t = C(rounding: x[i])
        let y = formula.isBase2 ? M.power(t) : M.exponential(t)
        trace.observe(y, .output)
        results[i] = configuration.store(y.exact)
      }
    }
  }
}
