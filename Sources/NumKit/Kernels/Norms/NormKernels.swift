import NumKitNumbers
import NumKitQuestions

/// xᵢ/√(E[x²] + ε) as the formula stands: the squares overflow where x² does.
public enum NaiveRMSNorm: NormKernel {
  public static let operation = Normalization.rmsNorm
  public static let name = "naive"
  public static let summary = "sum of squares as it is"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let finishes: [NormFinish] = [.multiply, .divide]
  public static let method: VarianceMethod? = .squares

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: NormSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let square: A = stages.meanSquare(x, setting)
    _ = y.update(fromContentsOf: x)
    stages.normalize(y, square + A(converting: setting.epsilon), setting)
  }
}

/// t = x/s with s = max(max |x|, √ε), then t/√(E[t²] + (√ε/s)²): no square exceeds 1, whatever x and ε.
public enum ScaledRMSNorm: NormKernel {
  public static let operation = Normalization.rmsNorm
  public static let name = "scaled"
  public static let summary = "divided by the largest first, so that squares cannot overflow"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let finishes: [NormFinish] = [.multiply, .divide]
  public static let method: VarianceMethod? = .scaledSquares

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: NormSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let peak = C.peak(x)
    let root = C.sqrt(setting.epsilon)
    // By an infinity nothing can be scaled.
    let scale = peak.isFinite ? C.larger(C(rounding: peak.largest), root) : .one
    for i in x.indices { y[i] = x[i] / scale }
    stages.store(y, .scale)
    let square: A = stages.meanSquare(y, setting)
    let e = root / scale
    stages.normalize(y, square + A(converting: e * e), setting)
  }
}

/// E[x²] − μ² for the variance: one pass, and a difference of two large numbers where the mean is large.
public enum NaiveLayerNorm: NormKernel {
  public static let operation = Normalization.layerNorm
  public static let name = "naive"
  public static let summary = "variance as E[x^2] - mean^2"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let finishes: [NormFinish] = [.multiply, .divide]
  public static let method: VarianceMethod? = .differenceOfSquares

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: NormSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let mean: A = stages.mean(x, .input, setting)
    let square: A = stages.meanSquare(x, setting)
    let variance = square - mean * mean
    stages.center(x, mean, into: y)
    stages.normalize(y, variance + A(converting: setting.epsilon), setting)
  }
}

/// The mean first, then the mean of (x − μ)².
public enum TwoPassLayerNorm: NormKernel {
  public static let operation = Normalization.layerNorm
  public static let name = "two-pass"
  public static let summary = "the mean first, then the mean of (x - mean)^2"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let finishes: [NormFinish] = [.multiply, .divide]
  public static let method: VarianceMethod? = .deviations

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: NormSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let mean: A = stages.mean(x, .input, setting)
    stages.center(x, mean, into: y)
    let variance: A = stages.meanSquare(y, setting)
    stages.normalize(y, variance + A(converting: setting.epsilon), setting)
  }
}

/// Running mean and sum of squared deviations in one pass (Welford, "Note on a method for calculating corrected sums of squares
/// and products", Technometrics 4(3), 1962).
public enum WelfordLayerNorm: NormKernel {
  public static let operation = Normalization.layerNorm
  public static let name = "welford"
  public static let summary = "running mean and squared deviations in one pass"
  public static let summations: [Summation] = [.sequential]
  public static let finishes: [NormFinish] = [.multiply, .divide, .folded]
  public static let method: VarianceMethod? = .running

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: NormSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    var mean = A.zero
    var squares = A.zero
    for i in x.indices {
      let v = A(converting: x[i])
      let d = v - mean
      mean = mean + d / A(rounding: Double(i + 1))
      squares = squares + d * (v - mean)
    }
    mean = stages.store(mean, .mean)
    let variance = stages.divided(stages.store(squares, .sum), by: x.count)
    if setting.finish == .folded {
      _ = y.update(fromContentsOf: x)
      stages.normalize(y, variance + A(converting: setting.epsilon), setting, mean: C(converting: mean))
    } else {
      stages.center(x, mean, into: y)
      stages.normalize(y, variance + A(converting: setting.epsilon), setting)
    }
  }
}

/// What normalisations share.
extension Stages {
  /// sum/n.
  @inlinable
  mutating func divided<A: Scalar>(_ sum: A, by n: Int) -> A {
    // A count is a number of the accumulator, which may be too short for it.
    let count = store(A(rounding: Double(n)), .mean)
    return store(sum / count, .mean)
  }

  /// The mean of `values`, which are stored once more as they were in `stage`.
  @inlinable
  mutating func mean<C: Scalar, A: Scalar>(
    _ values: UnsafeMutableBufferPointer<C>, _ stage: Stage, _ setting: NormSetting<C>
  ) -> A {
    store(values, stage)
    return divided(total(values, setting.summation, in: A.self), by: values.count)
  }

  /// The mean of the squares of `values`, made in the scratch.
  @inlinable
  mutating func meanSquare<C: Scalar, A: Scalar>(
    _ values: UnsafeMutableBufferPointer<C>, _ setting: NormSetting<C>
  ) -> A {
    let squares = setting.scratch
    for i in values.indices { squares[i] = values[i] * values[i] }
    store(squares, .squares)
    return divided(total(squares, setting.summation, in: A.self), by: values.count)
  }

  /// xᵢ − mean in the wider of the two formats.
  @inlinable
  mutating func center<C: Scalar, A: Scalar>(
    _ x: UnsafeMutableBufferPointer<C>, _ mean: A, into y: UnsafeMutableBufferPointer<C>
  ) {
    let opposite = -mean
    for i in x.indices { y[i] = x[i].adding(opposite) }
    store(y, .centered)
  }

  /// Makes results of the numbers in `y`: deviations, or where `mean` is given, elements that it is still to be taken from.
  @inlinable
  mutating func normalize<C: Scalar, A: Scalar>(
    _ y: UnsafeMutableBufferPointer<C>, _ variance: A, _ setting: NormSetting<C>, mean: C = .zero
  ) {
    let v = store(C(converting: store(variance, .variance)), .variance)
    let root = store(C.sqrt(v), .root)
    switch setting.finish {
    case .divide:
      for i in y.indices { y[i] = y[i] / root }
    case .multiply:
      let r = store(C.one / root, .root)
      for i in y.indices { y[i] = y[i] * r }
    case .folded:
      let r = store(C.one / root, .root)
      let shift = -(mean * r)
      for i in y.indices { y[i] = y[i] * r + shift }
    }
    if !setting.weight.isEmpty {
      for i in y.indices { y[i] = y[i] * setting.weight[i] }
    }
    if !setting.bias.isEmpty {
      for i in y.indices { y[i] = y[i] + setting.bias[i] }
    }
    store(y, .output)
  }
}
