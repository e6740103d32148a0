import NumKitNumbers
import NumKitQuestions

/// pᵢ (δᵢⱼ − pⱼ), row by row, with p the shifted softmax.
public enum ShiftedSoftmaxJacobian: Kernel {
  public static let operation = RowOperation.softmaxJacobian
  public static let name = "shifted"
  public static let summary = "p_i (1 - p_i) on the diagonal, -p_i p_j beside it"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .quotient)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let p = setting.scratch
    softmaxProbabilities(x, into: p, setting.summation, in: A.self, &stages)
    let n = x.count
    for i in 0..<n {
      for j in 0..<n { y[i * n + j] = i == j ? p[i] * (C.one - p[i]) : -(p[i] * p[j]) }
    }
    stages.store(y, .output)
  }
}

/// pᵢ Σ_{k≠i} pₖ on the diagonal: what is left of 1 is added up from the others, so that nothing cancels where one logit leads.
public enum ComplementSoftmaxJacobian: Kernel {
  public static let operation = RowOperation.softmaxJacobian
  public static let name = "complement"
  public static let summary = "p_i times the sum of the others on the diagonal: nothing cancels"
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .productWithOthers)
  public static let summations: [Summation] = [.sequential, .pairwise]

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let p = setting.scratch
    softmaxProbabilities(x, into: p, setting.summation, in: A.self, &stages)
    let n = x.count
    for i in 0..<n {
      let row = UnsafeMutableBufferPointer(rebasing: y[i * n..<(i + 1) * n])
      _ = row.update(fromContentsOf: p)
      // The last one stands in for this one, so that n − 1 are added.
      row[i] = row[n - 1]
      let others = UnsafeMutableBufferPointer(rebasing: row[..<(n - 1)])
      let rest = stages.store(others.sum(setting.summation, in: A.self), .sum)
      for j in 0..<n { row[j] = -(p[i] * p[j]) }
      row[i] = p[i] * C(converting: rest)
    }
    stages.store(y, .output)
  }
}

/// pᵢ (vᵢ − Σⱼ pⱼ vⱼ): the inner product first, as frameworks' backward passes do.
public enum DotSoftmaxVJP: Kernel {
  public static let operation = RowOperation.softmaxVJP
  public static let name = "dot"
  public static let summary = "p_i (v_i - p.v)"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .productOfDifference)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let p = setting.scratch
    softmaxProbabilities(x, into: p, setting.summation, in: A.self, &stages)
    for i in y.indices { y[i] = p[i] * setting.cotangent[i] }
    let dot = C(converting: stages.total(y, setting.summation, in: A.self))
    for i in y.indices { y[i] = p[i] * (setting.cotangent[i] - dot) }
    stages.store(y, .output)
  }
}

/// pᵢvᵢ − pᵢ Σⱼ pⱼ vⱼ: the products already made for the inner product are used again, at the price of cancellation.
public enum ProductSoftmaxVJP: Kernel {
  public static let operation = RowOperation.softmaxVJP
  public static let name = "product"
  public static let summary = "p_i v_i - p_i (p.v), reusing the products"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .differenceOfProducts)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let p = setting.scratch
    softmaxProbabilities(x, into: p, setting.summation, in: A.self, &stages)
    for i in y.indices { y[i] = p[i] * setting.cotangent[i] }
    let dot = C(converting: stages.total(y, setting.summation, in: A.self))
    for i in y.indices { y[i] = y[i] - p[i] * dot }
    stages.store(y, .output)
  }
}

@inlinable
func softmaxProbabilities<C: Scalar, A: Scalar, S: Stages>(
  _ x: UnsafeMutableBufferPointer<C>, into p: UnsafeMutableBufferPointer<C>, _ order: Summation, in: A.Type,
  _ stages: inout S
) {
  let s = shiftedExponentials(x, into: p, order, in: A.self, &stages).sum
  for i in p.indices { p[i] = p[i].divided(by: s) }
  stages.store(p, .probabilities)
}
