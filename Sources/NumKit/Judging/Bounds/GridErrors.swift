import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// How far the results of kernels over `Scalar` may be off where their rows are stored on integer grids between the stages: between which
/// numbers each stage's are, from the row's own (Documentation/Bounds.md, "Integer grids").
///
/// A code is a rounded quotient: where what is rounded is known to a few roundings its code is known too, as a rule, and what is left open
/// is one code of some numbers. No bound on half a step of each would say as much.
public struct GridErrors: ErrorModel {
  public typealias Q = RowQuestion

  private let algorithm: Algorithm
  private let parameters: OperationParameters
  private let c: Precision
  private let a: Precision
  private var grid: EnclosedGrid
  private var isWide: Bool { a.format.precision > c.format.precision }

  /// nil for other storage, for kernels that are not in the registry, and at the limits of the temperature.
  public init?(
    _ algorithm: Algorithm, _ configuration: KernelConfiguration, parameters: OperationParameters
  ) {
    // Where each stage is stored is a kernel's own: a client's may do it elsewhere.
    guard let type = algorithm.type, KernelRegistry.all.contains(where: { $0 == type }),
      case .integer(let format) = configuration.storage, parameters.temperature > 0,
      parameters.temperature < .infinity,
      configuration.compute.round(parameters.temperature) == parameters.temperature,
      !BoundBasis(algorithm, configuration).isHopeless
    else { return nil }
    self.algorithm = algorithm
    self.parameters = parameters
    c = Precision(configuration.compute)
    a = Precision(configuration.accumulator)
    grid = EnclosedGrid(format)
  }

  public mutating func bound(
    _ row: ResultRow, of item: RowQuestion.Item, _ profile: RowProfile,
    exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    if profile.isUnanswerable && algorithm.operation != .sigmoid { return nil }
    return bound(profile, target: item.parameters.target, truth: exact, into: bounds)
  }

  /// Writes a bound on each result's absolute error into `bounds`, for a row whose exact results are `truth`.
  public mutating func bound(
    _ profile: RowProfile, target: Int, truth: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    // No code says −∞.
    guard profile.isRegular, !profile.hasMinusInfinity,
      let results = try? results(Row(loaded(profile), profile), target),
      results.count == truth.count
    else { return .none }
    var (worst, scale) = (0.0, 0.0)
    for i in truth.indices {
      let t = truth[i]
      guard t.isFinite else { return .none }
      bounds[i] = Swift.max(results[i].high - t, t - results[i].low, 0) + t.magnitude * 0x1p-50
      worst = Swift.max(worst, bounds[i])
      scale = Swift.max(scale, t.magnitude)
    }
    return worst >= scale && scale > 0 ? .vacuous : .sound
  }

  /// Exponents as computed, and what they were made of.
  private struct Row {
    let x: [Enclosure]
    let given: [Double]
    let argmax: Int

    init(_ x: [Enclosure], _ profile: RowProfile) {
      self.x = x
      given = profile.x
      argmax = profile.argmax
    }

    /// Whether two are equal whatever is rounded.
    func isSame(_ i: Int, _ j: Int) -> Bool { given[i] == given[j] }

    /// Loading and division are monotone.
    var maximum: Enclosure { x.reduce(x[0]) { $0.larger($1) } }
  }

  private func loaded(_ profile: RowProfile) throws(Unenclosed) -> [Enclosure] {
    var x: [Enclosure] = []
    for v in profile.x {
      var y = try c.enclosing(Enclosure(v))
      if parameters.temperature != 1 { y = try c.enclosing(y / Enclosure(parameters.temperature)) }
      x.append(y)
    }
    return x
  }

  private mutating func results(_ row: Row, _ target: Int) throws(Unenclosed) -> [Enclosure] {
    let name = algorithm.kernel
    switch algorithm.operation {
    case .softmax:
      if name == TwoPassLogSoftmax.name { return try divisionFree(row) }
      return try stored(try softmax(row, isShifted: name != NaiveSoftmax.name))
    case .logSoftmax: return try stored(try logSoftmax(row))
    case .logSumExp: return try stored([try logSumExp(row)])
    case .crossEntropy: return try stored([try crossEntropy(row, target)])
    case .crossEntropyGradient:
      var p = try stored(try softmax(row, isShifted: true))
      p[target] = try c.enclosing(p[target] - Enclosure(1))
      return try stored(p)
    case .sigmoid: return try sigmoid(row)
    case .softmaxJacobian: return try jacobian(row)
    case .softmaxVJP: return try product(row)
    }
  }

  // MARK: Stages

  /// Numbers on a grid of their own.
  private mutating func stored(_ x: [Enclosure]) throws(Unenclosed) -> [Enclosure] {
    try grid.fit(x)
    var y = x
    for i in y.indices { y[i] = try grid.stored(x[i], in: c) }
    return y
  }

  private func exponential(_ x: Enclosure, _ function: (Double) -> Double = { Double.exp($0) })
    throws(Unenclosed) -> Enclosure
  {
    if x.low == 0 && x.high == 0 { return Enclosure(1) }
    let e = try c.enclosing(x, c.exp, function)
    return Enclosure(Swift.max(e.low, 0), e.high)
  }

  private func logarithm(_ s: Enclosure, in p: Precision) throws(Unenclosed) -> Enclosure {
    guard s.low > 0 else { throw Unenclosed() }
    if s.low == 1 && s.high == 1 { return Enclosure(0) }
    return try p.enclosing(s, p.log) { Double.log($0) }
  }

  /// x / sum in the wider format.
  private func quotient(_ x: Enclosure, _ sum: Enclosure) throws(Unenclosed) -> Enclosure {
    if isWide {
      guard sum.low > 0 else { throw Unenclosed() }
      return try c.enclosing(try a.enclosing(try a.enclosing(x) / sum))
    }
    let divisor = try c.enclosing(sum)
    guard divisor.low > 0 else { throw Unenclosed() }
    return try c.enclosing(x / divisor)
  }

  /// x + y, y of the accumulator, in the wider format.
  private func sum(_ x: Enclosure, _ y: Enclosure) throws(Unenclosed) -> Enclosure {
    if isWide { return try c.enclosing(try a.enclosing(try a.enclosing(x) + y)) }
    return try c.enclosing(x + (try c.enclosing(y)))
  }

  /// x − the maximum: never above 0.
  private func difference(_ x: Enclosure, _ m: Enclosure, isLargest: Bool) throws(Unenclosed)
    -> Enclosure
  {
    if isLargest { return Enclosure(0) }
    let d = try c.enclosing(x - m)
    return Enclosure(Swift.min(d.low, 0), Swift.min(d.high, 0))
  }

  private func differences(_ row: Row) throws(Unenclosed) -> [Enclosure] {
    let m = row.maximum
    var y = row.x
    for i in y.indices { y[i] = try difference(row.x[i], m, isLargest: row.isSame(i, row.argmax)) }
    return y
  }

  /// Exponentials, stored; shifted ones' differences are stored before.
  private mutating func exponentials(_ row: Row, isShifted: Bool) throws(Unenclosed) -> [Enclosure] {
    var y = isShifted ? try stored(try differences(row)) : row.x
    for i in y.indices { y[i] = try exponential(y[i]) }
    return try stored(y)
  }

  /// Powers of two of exponents times log₂e, which are stored too.
  private mutating func powers(_ row: Row) throws(Unenclosed) -> [Enclosure] {
    let constant = Enclosure(c.format.round(1.442695040888963407359924681))
    var y = row.x
    for i in y.indices { y[i] = try c.enclosing(y[i] * constant) }
    y = try stored(y)
    let m = y.reduce(y[0]) { $0.larger($1) }
    for i in y.indices { y[i] = try difference(y[i], m, isLargest: row.isSame(i, row.argmax)) }
    y = try stored(y)
    for i in y.indices { y[i] = try exponential(y[i]) { Double.exp2($0) } }
    return try stored(y)
  }

  /// The sum of one pass, in the accumulator, beside the largest.
  private func online(_ row: Row) throws(Unenclosed) -> Enclosure {
    var top = 0
    var s = Enclosure(1)
    func power(_ i: Int, _ m: Int) throws(Unenclosed) -> Enclosure {
      try a.enclosing(
        try exponential(try difference(row.x[i], row.x[m], isLargest: row.isSame(i, m))))
    }
    for i in row.x.indices.dropFirst() {
      if row.given[i] > row.given[top] {
        s = try a.enclosing(try a.enclosing(s * (try power(top, i))) + Enclosure(1))
        top = i
      } else {
        s = try a.enclosing(s + (try power(i, top)))
      }
    }
    return s
  }

  // MARK: Operations

  private mutating func softmax(_ row: Row, isShifted: Bool) throws(Unenclosed) -> [Enclosure] {
    var e: [Enclosure]
    let total: Enclosure
    switch (algorithm.operation, algorithm.kernel) {
    case (.softmax, OnlineSoftmax.name):
      total = try online(row)
      e = try exponentials(row, isShifted: true)
    case (.softmax, Base2Softmax.name):
      e = try powers(row)
      total = try grid.sum(e, in: a)
    default:
      e = try exponentials(row, isShifted: isShifted)
      total = try grid.sum(e, in: a)
    }
    for i in e.indices { e[i] = try quotient(e[i], total) }
    return e
  }

  /// e^(x − (m + log s)).
  private mutating func divisionFree(_ row: Row) throws(Unenclosed) -> [Enclosure] {
    let s = try total(row)
    let l = try sum(row.maximum, try logarithm(s, in: a))
    var y = row.x
    for i in y.indices { y[i] = try c.enclosing(row.x[i] - l) }
    y = try stored(y)
    for i in y.indices { y[i] = try exponential(y[i]) }
    return try stored(y)
  }

  /// The sum of a row's exponentials.
  private mutating func total(_ row: Row, isShifted: Bool = true) throws(Unenclosed) -> Enclosure {
    let e = try exponentials(row, isShifted: isShifted)
    return try grid.sum(e, in: a)
  }

  private mutating func logSoftmax(_ row: Row) throws(Unenclosed) -> [Enclosure] {
    var y: [Enclosure]
    if algorithm.kernel == NaiveLogSoftmax.name {
      y = try stored(try softmax(row, isShifted: true))
      for i in y.indices { y[i] = try logarithm(y[i], in: c) }
      return y
    }
    let l = try logarithm(try total(row), in: a)
    y = try differences(row)
    for i in y.indices { y[i] = try sum(y[i], -l) }
    return y
  }

  private mutating func logSumExp(_ row: Row) throws(Unenclosed) -> Enclosure {
    let m = row.maximum
    switch algorithm.kernel {
    case NaiveLogSumExp.name:
      return try c.enclosing(
        try logarithm(try total(row, isShifted: false), in: a))
    case OnlineLogSumExp.name:
      return try sum(m, try logarithm(try online(row), in: a))
    case ShiftedLog1pLogSumExp.name:
      if row.x.count == 1 { return m }
      var e = try exponentials(row, isShifted: true)
      e.remove(at: row.argmax)
      let rest = try grid.sum(e, in: a)
      let log = try a.enclosing(rest, a.log1p) { Double.log(onePlus: $0) }
      return try sum(m, Enclosure(Swift.max(log.low, 0), log.high))
    default:
      return try sum(m, try logarithm(try total(row), in: a))
    }
  }

  private mutating func crossEntropy(_ row: Row, _ target: Int) throws(Unenclosed) -> Enclosure {
    let e = try exponentials(row, isShifted: true)
    let s = try grid.sum(e, in: a)
    if algorithm.kernel == NaiveCrossEntropy.name {
      return -(try logarithm(try quotient(e[target], s), in: c))
    }
    return try sum(-(try differences(row)[target]), try logarithm(s, in: a))
  }

  private mutating func sigmoid(_ row: Row) throws(Unenclosed) -> [Enclosure] {
    let (one, half) = (Enclosure(1), Enclosure(0.5))
    var y = row.x
    switch algorithm.kernel {
    case NaiveSigmoid.name, StableSigmoid.name:
      let isStable = algorithm.kernel == StableSigmoid.name
      for i in y.indices {
        let x = row.x[i]
        y[i] = try exponential(isStable ? (x.low < 0 ? x.high < 0 ? x : x.or(-x) : -x) : -x)
      }
      y = try stored(y)
      var sums = y
      for i in y.indices { sums[i] = try c.enclosing(one + y[i]) }
      sums = try stored(sums)
      for i in y.indices {
        let x = row.x[i]
        let above = !isStable || x.low >= 0 ? one : x.high < 0 ? y[i] : y[i].or(one)
        guard sums[i].low > 0 else { throw Unenclosed() }
        y[i] = try c.enclosing(above / sums[i])
      }
    default:
      for i in y.indices { y[i] = try c.enclosing(half * y[i]) }
      y = try stored(y)
      for i in y.indices {
        let t = try c.enclosing(y[i], c.tanh) { Double.tanh($0) }
        y[i] = try c.enclosing(one + t)
      }
      y = try stored(y)
      for i in y.indices { y[i] = try c.enclosing(half * y[i]) }
    }
    return try stored(y)
  }

  private mutating func jacobian(_ row: Row) throws(Unenclosed) -> [Enclosure] {
    let p = try stored(try softmax(row, isShifted: true))
    var y: [Enclosure] = []
    for i in p.indices {
      for j in p.indices {
        if i != j {
          y.append(-(try c.enclosing(p[i] * p[j])))
        } else if algorithm.kernel == ComplementSoftmaxJacobian.name {
          y.append(try c.enclosing(p[i] * (try c.enclosing(try others(p, i)))))
        } else {
          y.append(try c.enclosing(p[i] * (try c.enclosing(Enclosure(1) - p[i]))))
        }
      }
    }
    return try stored(y)
  }

  /// All but one, whose place the last one takes, added up in the accumulator.
  private func others(_ p: [Enclosure], _ left: Int) throws(Unenclosed) -> Enclosure {
    var x = p
    x[left] = p[p.count - 1]
    x.removeLast()
    func sum(_ start: Int, _ end: Int) throws(Unenclosed) -> Enclosure {
      if start == end { return Enclosure(0) }
      if algorithm.summation == .sequential || end - start <= 8 {
        var s = try a.enclosing(x[start])
        for i in start + 1..<Swift.max(end, start + 1) {
          s = try a.enclosing(s + (try a.enclosing(x[i])))
        }
        return s
      }
      let middle = start + (end - start) / 2
      return try a.enclosing(try sum(start, middle) + (try sum(middle, end)))
    }
    return try sum(0, x.count)
  }

  private mutating func product(_ row: Row) throws(Unenclosed) -> [Enclosure] {
    let p = try stored(try softmax(row, isShifted: true))
    guard parameters.cotangent.count == p.count else { throw Unenclosed() }
    var v: [Enclosure] = []
    for x in parameters.cotangent { v.append(try c.enclosing(Enclosure(x))) }
    var y = p
    for i in p.indices { y[i] = try c.enclosing(p[i] * v[i]) }
    // Codes of the probabilities' grid.
    let dot = try c.enclosing(try grid.sum(y, in: a))
    for i in p.indices {
      y[i] =
        algorithm.kernel == ProductSoftmaxVJP.name
        ? try c.enclosing(y[i] - (try c.enclosing(p[i] * dot)))
        : try c.enclosing(p[i] * (try c.enclosing(v[i] - dot)))
    }
    return try stored(y)
  }
}
