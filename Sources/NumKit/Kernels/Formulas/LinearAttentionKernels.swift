import NumKitNumbers
import NumKitQuestions

extension LinearAttentionFormula: ComputedFormula {
  /// How sums over tokens are taken.
  public enum Method: Sendable, Hashable {
    /// Weights of all keys, then their sums: the quadratic form.
    case quadratic
    /// Σ φ(k)vᵀ and Σ φ(k) carried from token to token.
    case running
    /// Carried from chunk to chunk; within a chunk the quadratic form.
    case chunked
  }

  public static let algorithms: [FormulaAlgorithm<LinearAttentionFormula>] = [
    LinearAttentionKernel(method: .quadratic).algorithm(
      "quadratic", "the weights of all keys, then their sums", .quadratic),
    LinearAttentionKernel(method: .running).algorithm(
      "running", "sums of phi(k) v^T carried from token to token", .running),
    LinearAttentionKernel(method: .chunked).algorithm(
      "chunked", "carried from chunk to chunk, within a chunk as 'quadratic'", .chunked),
  ]
}

/// Products in the compute format, sums over tokens in the accumulator.
private struct LinearAttentionKernel: FormulaMaker {
  typealias F = LinearAttentionFormula
  let method: LinearAttentionFormula.Method

  func body<C: Scalar, A: Scalar>(
    _ formula: LinearAttentionFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    func map(_ x: Double) -> C {
      let x = C(rounding: x)
      switch formula.map {
      case .relu: return C.larger(x, .zero)
      case .exp: return C.exp(x)
      case .elu: return x > .zero ? x + C.one : C.exp(x)
      }
    }
    let keys = formula.keys.map { $0.map(map) }
    let values = formula.values.map { $0.map { C(rounding: $0) } }
    let (d, width) = (keys.first?.count ?? 0, values.first?.count ?? 0)
    let form = method
    let chunk = formula.chunk
    // States before a token, as far as they have been made: d × width sums of φ(k)vᵀ, then d of φ(k).
    let step = form == .running ? 1 : chunk
    var states: [[A]] = [Array(repeating: .zero, count: d * width + d)]
    func state(_ tokens: Int) -> [A] {
      while states.count <= tokens / step {
        var next = states[states.count - 1]
        for t in (states.count - 1) * step..<states.count * step {
          for i in 0..<d {
            for c in 0..<width {
              next[i * width + c] = next[i * width + c] + A(converting: keys[t][i] * values[t][c])
            }
            next[d * width + i] = next[d * width + i] + A(converting: keys[t][i])
          }
        }
        states.append(next)
      }
      return states[tokens / step]
    }
    return { row, x, results, trace in
      let query = x.map(map)
      // Tokens whose sums are carried, and those that are met one by one.
      let tokens = formula.tokens(row)
      let carried = form == .quadratic ? 0 : tokens / step * step
      var (sums, total) = ([A](repeating: .zero, count: width), A.zero)
      if carried > 0 {
        let known = state(carried)
        for i in 0..<d {
          for c in 0..<width {
            sums[c] = sums[c] + A(converting: query[i] * C(converting: known[i * width + c]))
          }
          total = total + A(converting: query[i] * C(converting: known[d * width + i]))
        }
      }
      for j in carried..<tokens {
        var weight = A.zero
        for i in 0..<d { weight = weight + A(converting: query[i] * keys[j][i]) }
        let w = C(converting: weight)
        for c in 0..<width { sums[c] = sums[c] + A(converting: w * values[j][c]) }
        total = total + A(converting: w)
      }
      trace.observe(total, .sum)
      let divisor = C(converting: total)
      for c in 0..<width {
        let sum = C(converting: sums[c])
        let y = formula.isNormalized ? sum / divisor : sum
        trace.observe(y, .output)
        results[c] = configuration.store(y.exact)
      }
    }
  }
}
