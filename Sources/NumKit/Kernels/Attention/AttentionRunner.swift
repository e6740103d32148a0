/// What attention gave: the outputs, each query's log-sum-exp, and what was seen on the way.
public struct AttentionResult: Sendable {
  /// o [heads, queries, valueSize], numbers of the storage format.
  public internal(set) var output: [Double]
  /// log Σ e^s [heads, queries], numbers of the compute format.
  public internal(set) var logSumExp: [Double]
  /// NaN, overflow and headroom by stage; rows are head·queries + query.
  public internal(set) var trace = StageTrace()
}

/// One attention algorithm in one configuration.
public struct AttentionRunner: Sendable {
  /// The algorithm.
  public var algorithm: AttentionAlgorithm
  /// Storage, compute and accumulator formats; storage must be a floating-point format.
  public var configuration: KernelConfiguration
  /// What probabilities are cast to before P·V; nil for the compute format.
  public var probabilities: NumberFormat?
  /// Keys a tile (flash) or a share (split-kv).
  public var blockKeys: Int
  /// A finite score in place of hidden ones, as kernels without an exact mask use; nil leaves hidden keys out.
  public var sentinel: Double?

  /// Tiles of 64 keys unless given.
  public init(
    _ algorithm: AttentionAlgorithm, _ configuration: KernelConfiguration,
    probabilities: NumberFormat? = nil, blockKeys: Int = 64, sentinel: Double? = nil
  ) {
    self.algorithm = algorithm
    self.configuration = configuration
    self.probabilities = probabilities
    self.blockKeys = blockKeys
    self.sentinel = sentinel
  }

  /// Answers for q, k, v, rounded to the storage format first; nil where sizes do not fit, the mask has another size or a
  /// format cannot be computed in.
  public func run(
    q: [Double], k: [Double], v: [Double], shape: AttentionShape, parameters: AttentionParameters
  ) -> AttentionResult? {
    let mask = parameters.mask.additive.count
    guard shape.isValid, blockKeys > 0, let storage = configuration.storage.numberFormat,
      q.count == shape.heads * shape.queries * shape.headSize,
      k.count == shape.keyHeads * shape.keys * shape.headSize,
      v.count == shape.keyHeads * shape.keys * shape.valueSize,
      mask == 0 || mask == shape.queries * shape.keys,
      let compute = ScalarDispatch.type(configuration.compute, configuration.overflow),
      let accumulator = ScalarDispatch.type(configuration.accumulator, configuration.overflow),
      let cast = ScalarDispatch.type(probabilities ?? configuration.compute, configuration.overflow)
    else { return nil }
    let call = AttentionCall(
      runner: self, storage: storage, q: q, k: k, v: v, shape: shape, parameters: parameters)
    // These run specialised code; other triples generic code, with the same answer.
    if cast == compute && accumulator == compute || cast == compute && accumulator == Float.self {
      let wide = accumulator != compute
      switch configuration.compute {
      case .f64 where !wide: return call.run(Double.self, Double.self, Double.self)
      case .f32: return call.run(Float.self, Float.self, Float.self)
      case .f16 where wide: return call.run(Float16.self, Float.self, Float16.self)
      case .f16: return call.run(Float16.self, Float16.self, Float16.self)
      case .bf16 where wide && compute == BFloat16.self:
        return call.run(BFloat16.self, Float.self, BFloat16.self)
      default: break
      }
    }
    func first<C: Scalar>(_: C.Type) -> AttentionResult {
      func second<A: Scalar>(_: A.Type) -> AttentionResult {
        func third<P: Scalar>(_: P.Type) -> AttentionResult { call.run(C.self, A.self, P.self) }
        return third(cast)
      }
      return second(accumulator)
    }
    return first(compute)
  }
}

/// One call of a runner with its inputs.
private struct AttentionCall {
  let runner: AttentionRunner
  let storage: NumberFormat
  let q: [Double]
  let k: [Double]
  let v: [Double]
  let shape: AttentionShape
  let parameters: AttentionParameters

  private func load<C: Scalar>(_ x: ArraySlice<Double>, into y: UnsafeMutableBufferPointer<C>) {
    let overflow = runner.configuration.overflow
    for (i, value) in x.enumerated() { y[i] = C(rounding: storage.round(value, overflow: overflow)) }
  }

  func run<C: Scalar, A: Scalar, P: Scalar>(_: C.Type, _: A.Type, _: P.Type) -> AttentionResult {
    let (n, m, d, dv) = (shape.queries, shape.keys, shape.headSize, shape.valueSize)
    var result = AttentionResult(output: [], logSumExp: [])
    result.output.reserveCapacity(shape.heads * n * dv)
    var stages = Observed(trace: StageTrace())
    let memory = UnsafeMutableBufferPointer<C>.allocate(capacity: d + m * d + m * dv + m + dv)
    memory.initialize(repeating: .zero)
    let bias = UnsafeMutableBufferPointer<Double>.allocate(capacity: m)
    bias.initialize(repeating: 0)
    let total = UnsafeMutableBufferPointer<A>.allocate(capacity: dv)
    total.initialize(repeating: .zero)
    defer {
      memory.deallocate()
      bias.deallocate()
      total.deallocate()
    }
    var used = 0
    func take(_ count: Int) -> UnsafeMutableBufferPointer<C> {
      defer { used += count }
      return UnsafeMutableBufferPointer(rebasing: memory[used..<used + count])
    }
    let row = AttentionRow<C, A>(
      query: take(d), keys: take(m * d), values: take(m * dv), bias: bias, scores: take(m), total: total,
      output: take(dv), scale: C(rounding: parameters.scale ?? 1 / Double(d).squareRoot()),
      placement: parameters.placement, cap: parameters.softcap.map { C(rounding: $0) },
      sentinel: runner.sentinel.map { C(rounding: $0) })
    for h in 0..<shape.heads {
      let kv = shape.keyHead(of: h)
      load(k[kv * m * d..<(kv + 1) * m * d], into: row.keys)
      load(v[kv * m * dv..<(kv + 1) * m * dv], into: row.values)
      for i in 0..<n {
        load(q[(h * n + i) * d..<(h * n + i + 1) * d], into: row.query)
        stages.trace.startRow(h * n + i)
        stages.trace.observe(row.query, .input)
        stages.trace.observe(row.keys, .input)
        stages.trace.observe(row.values, .input)
        for j in 0..<m { bias[j] = parameters.mask.bias(query: i, key: j, queries: n, keys: m) }
        var lse = -Double.infinity
        if row.scores.indices.contains(where: row.isSeen) {
          lse = row.attend(runner.algorithm, block: runner.blockKeys, in: P.self, &stages).exact
        } else {
          fillMasked(row)
        }
        result.logSumExp.append(lse)
        for x in row.output {
          result.output.append(storage.round(x.exact, overflow: runner.configuration.overflow))
        }
      }
    }
    result.trace = stages.trace
    return result
  }

  /// The output of a query that sees nothing.
  private func fillMasked<C: Scalar, A: Scalar>(_ row: AttentionRow<C, A>) {
    switch parameters.specialValues {
    case .ieee: row.output.update(repeating: C(rounding: .nan))
    case .safe: row.output.update(repeating: .zero)
    case .uniform:
      for c in row.output.indices {
        var s = A.zero
        for j in row.scores.indices { s = s + A(converting: row.values[j * row.output.count + c]) }
        row.output[c] = C(converting: s / A(rounding: Double(row.scores.count)))
      }
    }
  }
}
