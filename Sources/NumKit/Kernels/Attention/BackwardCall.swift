import NumKitNumbers
import NumKitQuestions

/// One key head's backward pass with its inputs.
struct BackwardCall {
  let forward: AttentionCall
  let gradient: [Double]
  /// o and lse of the forward pass, for flash.
  let kept: AttentionResult
  let keyHead: Int

  private var shape: AttentionShape { forward.tensors.shape }
  private var runner: AttentionRunner { forward.runner }
  private var parameters: AttentionParameters { forward.parameters }

  func run<C: Scalar, A: Scalar, P: Scalar>(_: C.Type, _: A.Type, _: P.Type) -> AttentionGradients {
    let (n, m, d, dv) = (shape.queries, shape.keys, shape.headSize, shape.valueSize)
    let memory = AttentionMemory<C, A>(shape)
    defer { memory.free() }
    var row = memory.row(runner, parameters, d)
    let head = KeyHead<A>(keyHead, shape)
    defer { withExtendedLifetime(head) {} }
    row.take(head)
    var inputs = StageTrace()
    loadKeys(row, memory, &inputs)
    let state = BackwardState<C, A>(shape)
    defer { state.free() }
    let scale = C(rounding: parameters.scale ?? 1 / Double(d).squareRoot())
    let isBefore = parameters.placement == .before
    var result = AttentionGradients()
    var isSpoiled = false
    for (place, index) in forward.rows.enumerated() {
      forward.tensors.numbers.q.withNumbers(index * d..<(index + 1) * d) {
        forward.load($0, memory.vector, &inputs)
      }
      for c in 0..<d { row.query[c] = A(converting: isBefore ? memory.vector[c] * scale : memory.vector[c]) }
      gradient[index * dv..<(index + 1) * dv].withUnsafeBufferPointer {
        forward.load($0, memory.value, &inputs)
      }
      for c in 0..<dv { state.gradient[c] = A(converting: memory.value[c]) }
      row.sink = parameters.softmax.sink(head: index / n).map { C(rounding: $0) }
      state.query.update(repeating: .zero)
      if forward.look(&row, head: index / n, query: index % n) {
        let d = runner.algorithm == .flash ? recompute(row, state, place) : normalise(row)
        differentiate(row, state, flashD: d, scale: isBefore ? nil : scale)
        gather(row, state, in: P.self)
      } else if row.sink == nil {
        isSpoiled = isSpoiled || parameters.specialValues == .ieee
        if parameters.specialValues == .ieee { state.query.update(repeating: A(rounding: .nan)) }
        if parameters.specialValues == .uniform { spread(state, C(rounding: 1) / C(rounding: Double(m))) }
      }
      // The scale of a score is that of its derivative.
      for c in 0..<d { result.q.append(output(C(converting: state.query[c]) * scale)) }
    }
    let spoiled: Double? = isSpoiled ? .nan : nil
    for x in state.keys {
      result.k.append(spoiled ?? output(isBefore ? C(converting: x) : C(converting: x) * scale))
    }
    for x in state.values { result.v.append(spoiled ?? output(C(converting: x))) }
    return result
  }

  private func output<C: Scalar>(_ x: C) -> Double {
    runner.outputFormat.round(x.exact, overflow: runner.configuration.overflow)
  }

  private func loadKeys<C: Scalar, A: Scalar>(
    _ row: AttentionRow<C, A>, _ memory: AttentionMemory<C, A>, _ trace: inout StageTrace
  ) {
    let (m, d, dv) = (shape.keys, shape.headSize, shape.valueSize)
    for j in 0..<m {
      let token = keyHead * m + j
      forward.tensors.numbers.k.withNumbers(token * d..<(token + 1) * d) {
        forward.load($0, memory.vector, &trace)
      }
      for c in 0..<d { row.keys[c * m + j] = A(converting: memory.vector[c]) }
      forward.tensors.numbers.v.withNumbers(token * dv..<(token + 1) * dv) {
        forward.load($0, memory.value, &trace)
      }
      for c in 0..<dv { row.values[j * dv + c] = A(converting: memory.value[c]) }
    }
  }

  /// Standard: p from the whole row, in place of the scores.
  private func normalise<C: Scalar, A: Scalar>(_ row: AttentionRow<C, A>) -> A? {
    var stages = Unobserved()
    row.score(row.range, &stages)
    var m = row.largest(row.range)
    var start = A.zero
    if let sink = row.sink {
      m = m.map { C.larger($0, sink) }
      start = A(converting: C.exp(m.map { sink - $0 } ?? sink))
    }
    let sum = row.exponentials(row.range, less: m, from: start, &stages)
    for j in row.range { row.scores[j] = row.scores[j].divided(by: sum) }
    return nil
  }

  /// Flash: p = e^(s − lse) in place of the scores; returns D = Σ dO∘o, both from the forward pass.
  private func recompute<C: Scalar, A: Scalar>(
    _ row: AttentionRow<C, A>, _ state: BackwardState<C, A>, _ place: Int
  ) -> A? {
    var stages = Unobserved()
    row.score(row.range, &stages)
    let lse = kept.logSumExp[place]
    let (wide, narrow) = (A(rounding: lse), C(rounding: lse))
    let isWide = A.format.precision > C.format.precision
    for j in row.range {
      guard row.seen[j] else {
        row.scores[j] = .zero
        continue
      }
      let s = isWide ? C(converting: A(converting: row.scores[j]) - wide) : row.scores[j] - narrow
      row.scores[j] = C.exp(s)
    }
    let width = shape.valueSize
    var sum = A.zero
    for c in 0..<width {
      sum = A.fusedMultiplyAdd(state.gradient[c], A(rounding: kept.output[place * width + c]), sum)
    }
    return sum
  }

  /// dS = p∘(dP − D)·cap′ in C; the scale is left for the end.
  private func differentiate<C: Scalar, A: Scalar>(
    _ row: AttentionRow<C, A>, _ state: BackwardState<C, A>, flashD: A?, scale: C?
  ) {
    let width = shape.valueSize
    for j in row.range where row.seen[j] {
      let v = UnsafeMutableBufferPointer(rebasing: row.values[j * width..<(j + 1) * width])
      var s = A.zero
      for c in 0..<width { s = A.fusedMultiplyAdd(state.gradient[c], v[c], s) }
      state.derivative[j] = C(converting: s)
    }
    var d = flashD ?? .zero
    if flashD == nil {
      for j in row.range where row.seen[j] {
        d = A.fusedMultiplyAdd(A(converting: row.scores[j]), A(converting: state.derivative[j]), d)
      }
    }
    let level = C(converting: d)
    for j in row.range where row.seen[j] {
      // A score that a sentinel replaced moves nothing.
      if row.bias[j] == -.infinity {
        state.derivative[j] = .zero
        continue
      }
      var ds = row.scores[j] * (state.derivative[j] - level)
      if let cap = row.cap {
        var s = C(converting: row.products[j])
        if let scale { s = s * scale }
        let t = C.tanh(s / cap)
        ds = ds * (C.one - t * t)
      }
      state.derivative[j] = ds
    }
  }

  /// dV += P dO, dK += dS q, dQ += dS k, P and dS as they were cast.
  private func gather<C: Scalar, A: Scalar, P: Scalar>(
    _ row: AttentionRow<C, A>, _ state: BackwardState<C, A>, in: P.Type
  ) {
    let (m, d, width) = (shape.keys, shape.headSize, shape.valueSize)
    for j in row.range where row.seen[j] {
      let p = row.cast(row.scores[j], to: P.self)
      for c in 0..<width {
        state.values[j * width + c] = A.fusedMultiplyAdd(p, state.gradient[c], state.values[j * width + c])
      }
      let ds = A(converting: P(converting: state.derivative[j]))
      state.cast[j] = ds
      for c in 0..<d { state.keys[j * d + c] = A.fusedMultiplyAdd(ds, row.query[c], state.keys[j * d + c]) }
    }
    let block = runner.algorithm == .flash ? runner.blockKeys : m
    let first = row.range.lowerBound / block * block
    for start in stride(from: first, to: row.range.upperBound, by: block) {
      let tile = Swift.max(start, row.range.lowerBound)..<Swift.min(start + block, row.range.upperBound)
      for c in 0..<d {
        var sum = A.zero
        for j in tile where row.seen[j] { sum = A.fusedMultiplyAdd(state.cast[j], row.keys[c * m + j], sum) }
        state.query[c] = state.query[c] + sum
      }
    }
  }

  /// The gradient of a mean of all values.
  private func spread<C: Scalar, A: Scalar>(_ state: BackwardState<C, A>, _ p: C) {
    let (width, p) = (shape.valueSize, A(converting: p))
    for j in 0..<shape.keys {
      for c in 0..<width {
        state.values[j * width + c] = A.fusedMultiplyAdd(p, state.gradient[c], state.values[j * width + c])
      }
    }
  }
}

/// Storage of a backward pass.
struct BackwardState<C: Scalar, A: Scalar> {
  /// dO of a query.
  let gradient: UnsafeMutableBufferPointer<A>
  /// dQ of a query, not yet scaled.
  let query: UnsafeMutableBufferPointer<A>
  /// dK and dV of all keys.
  let keys: UnsafeMutableBufferPointer<A>
  let values: UnsafeMutableBufferPointer<A>
  /// dP, then dS; and dS as it was cast.
  let derivative: UnsafeMutableBufferPointer<C>
  let cast: UnsafeMutableBufferPointer<A>

  init(_ shape: AttentionShape) {
    func allocate<T: Scalar>(_ count: Int) -> UnsafeMutableBufferPointer<T> {
      let memory = UnsafeMutableBufferPointer<T>.allocate(capacity: count)
      memory.initialize(repeating: .zero)
      return memory
    }
    gradient = allocate(shape.valueSize)
    query = allocate(shape.headSize)
    keys = allocate(shape.keys * shape.headSize)
    values = allocate(shape.keys * shape.valueSize)
    derivative = allocate(shape.keys)
    cast = allocate(shape.keys)
  }

  func free() {
    for buffer in [gradient, query, keys, values, cast] { buffer.deallocate() }
    derivative.deallocate()
  }
}
