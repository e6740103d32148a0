import CKernels
import NumKitNumbers
import NumKitQuestions

/// One call of a runner with its inputs.
struct AttentionCall {
  let runner: AttentionRunner
  let tensors: AttentionInputs
  let parameters: AttentionParameters
  let rows: Range<Int>
  let inspect: ((_ row: Int, _ firstKey: Int, UnsafeBufferPointer<Double>) -> Void)?
  var kept: AttentionKept?

  private var shape: AttentionShape { tensors.shape }

  func run<C: Scalar, A: Scalar, P: Scalar>(_: C.Type, _: A.Type, _: P.Type) -> AttentionResult {
    let (n, m, d, dv) = (shape.queries, shape.keys, shape.headSize, shape.valueSize)
    var result = AttentionResult()
    result.output.reserveCapacity(rows.count * dv)
    let room = (kept?.room as? AttentionRoom<C, A>) ?? AttentionRoom<C, A>(shape)
    // A larger one is made again, so that memory does not grow with algorithms and threads.
    if m * (d + dv) <= 1 << 21 { kept?.room = room }
    let memory = room.memory
    defer { withExtendedLifetime(room) {} }
    var row = memory.row(runner, parameters, d)
    row.take(room.head)
    room.ready.rows = 0..<0
    let batch = AttentionBatch<C, A>()
    func flush() {
      if batch.lanes.isEmpty { return }
      var show: ((Int, [Double]) -> Void)?
      if let inspect {
        show = { i, p in
          p.withUnsafeBufferPointer { inspect(batch.lanes[i].index, batch.lanes[i].row.range.lowerBound, $0) }
        }
      }
      batch.attend(runner.algorithm, block: runner.tile(keys: m), in: P.self, show: show)
      for lane in batch.lanes { add(lane.row.output, lane.logSumExp, lane.stages.trace, to: &result) }
      batch.lanes.removeAll(keepingCapacity: true)
    }
    for index in rows {
      let (h, i) = (index / n, index % n)
      let kv = shape.keyHead(of: h)
      if kv != room.head?.place {
        flush()
        room.head = head(kv, memory, neededBy: index)
        row.take(room.head)
      }
      guard let head = room.head else { continue }
      var stages = Observed(trace: StageTrace())
      stages.trace.startRow(index, like: head.inputs)
      if A.self == Float.self {
        if !room.ready.rows.contains(index) {
          flush()
          // A block of rows that share keys, cut where keys or rows end.
          let end = Swift.min(shape.rows(ofKeyHead: kv).upperBound, rows.upperBound)
          multiply(index..<Swift.min(index + ProductBlock<A>.limit, end), &row, memory, &room.ready)
        }
        row.products = room.ready[index]
        row.isMultiplied = true
      }
      loadQuery(index, row, memory, &stages)
      row.sink = parameters.softmax.sink(head: h).map { C(rounding: $0) }
      let isSeen = look(&row, head: h, query: i, marks: false)
      if !isSeen || !row.isDense || batch.lanes.count == AttentionBatch<C, A>.limit { flush() }
      (row.total, row.output) = memory.results(batch.lanes.count)
      if isSeen {
        excuse(row, head, &stages.trace)
        batch.lanes.append(AttentionLane(index, row, stages))
        // One whose products are not ready is answered before the next query takes its place.
        if !row.isDense || !row.isMultiplied { flush() }
      } else {
        fillMasked(row)
        add(row.output, row.sink?.exact ?? -.infinity, stages.trace, to: &result)
      }
    }
    flush()
    return result
  }

  /// Adds what a row came to.
  private func add<C: Scalar>(
    _ output: UnsafeMutableBufferPointer<C>, _ logSumExp: Double, _ trace: StageTrace,
    to result: inout AttentionResult
  ) {
    result.logSumExp.append(logSumExp)
    result.wentWrong.append(trace.wentWrong)
    let format = runner.outputFormat
    for x in output {
      result.output.append(format.round(x.exact, overflow: runner.configuration.overflow))
    }
    if let birth = trace.firstNaN { result.nanBirths[birth.stage.position] += 1 }
    if let birth = trace.firstOverflow { result.overflowBirths[birth.stage.position] += 1 }
    result.trace.merge(trace)
  }

  /// Says what a row's inputs explain.
  private func excuse<C: Scalar, A: Scalar>(
    _ row: AttentionRow<C, A>, _ head: KeyHead<A>, _ trace: inout StageTrace
  ) {
    func bias(_ j: Int) -> Double { row.isDense ? 0 : row.bias[j] }
    // What nobody sees excuses nothing, and what is added to a score is an input too.
    let mayExcuse = row.isBiased || !head.isAllFinite
    if mayExcuse,
      row.range.contains(where: { bias($0) != -.infinity && !(head.isFinite[$0] && bias($0).isFinite) })
    {
      trace.excuseRow()
    }
    for j in head.overflowed where row.isDense ? row.range.contains(j) : row.seen[j] {
      trace.observeOverflow(at: j, .root)
    }
  }

  /// A key head in the kernel's formats: as others have it, or as it is made now for `row`.
  private func head<C: Scalar, A: Scalar>(_ kv: Int, _ memory: AttentionMemory<C, A>, neededBy row: Int)
    -> KeyHead<A>
  {
    guard let heads = kept?.heads else { return load(kv, memory, neededBy: row) }
    let formats = KeyHeadFormats(
      compute: C.format, accumulator: A.format, storage: runner.configuration.storage,
      overflow: runner.configuration.overflow)
    // What is seen of it must not depend on who needs it first.
    return heads.head(kv, in: formats) {
      load(kv, memory, neededBy: shape.rows(ofKeyHead: kv).lowerBound)
    }
  }

  /// Brings a key head's keys and values to the kernel's formats.
  private func load<C: Scalar, A: Scalar>(_ kv: Int, _ memory: AttentionMemory<C, A>, neededBy row: Int)
    -> KeyHead<A>
  {
    let (m, d, dv) = (shape.keys, shape.headSize, shape.valueSize)
    let head = KeyHead<A>(kv, shape)
    for j in 0..<m {
      head.inputs.startRow(row)
      tensors.numbers.k.withNumbers((kv * m + j) * d..<(kv * m + j + 1) * d) {
        load($0, memory.vector, &head.inputs)
      }
      head.isFinite[j] = C.peak(memory.vector).isFinite
      if isOverflow(normalise(memory.vector, A.self)) && head.isFinite[j] { head.overflowed.append(j) }
      let panel = Int(nc_panel)
      let (start, step) = A.self == Float.self ? (j / panel * panel * d + j % panel, panel) : (j, m)
      for c in 0..<d { head.keys[start + c * step] = A(converting: memory.vector[c]) }
      tensors.numbers.v.withNumbers((kv * m + j) * dv..<(kv * m + j + 1) * dv) {
        load($0, memory.value, &head.inputs)
      }
      head.isFinite[j] = head.isFinite[j] && C.peak(memory.value).isFinite
      for c in 0..<dv { head.values[j * dv + c] = A(converting: memory.value[c]) }
    }
    head.isAllFinite = head.isFinite.allSatisfy { $0 }
    return head
  }

  /// A query's numbers as they meet keys.
  private func loadQuery<C: Scalar, A: Scalar>(
    _ index: Int, _ row: AttentionRow<C, A>, _ memory: AttentionMemory<C, A>, _ stages: inout Observed
  ) {
    let d = shape.headSize
    tensors.numbers.q.withNumbers(index * d..<(index + 1) * d) { load($0, memory.vector, &stages.trace) }
    if let norm = normalise(memory.vector, A.self) { _ = stages.store(norm, .root) }
    if parameters.placement == .before {
      let scale = C(rounding: parameters.scale ?? 1 / Double(d).squareRoot())
      for c in 0..<d { memory.vector[c] = memory.vector[c] * scale }
      stages.store(memory.vector, .scale)
    }
    for c in 0..<d { row.query[c] = A(converting: memory.vector[c]) }
  }

  /// Multiplies a block of queries with all keys that one of them may see.
  private func multiply<C: Scalar, A: Scalar>(
    _ block: Range<Int>, _ row: inout AttentionRow<C, A>, _ memory: AttentionMemory<C, A>,
    _ ready: inout ProductBlock<A>
  ) {
    let (n, m) = (shape.queries, shape.keys)
    var unseen = Observed(trace: StageTrace())
    var range = 0..<0
    let seesAll = row.sentinel != nil || row.multipliesHidden
    for index in block {
      loadQuery(index, row, memory, &unseen)
      ready.add(row.query, at: index - block.lowerBound)
      let sight = parameters.mask.sight(query: index % n, queries: n, keys: m)
      for part in seesAll ? [0..<m] : [sight.ranges.0, sight.ranges.1] where !part.isEmpty {
        range =
          range.isEmpty
          ? part
          : Swift.min(range.lowerBound, part.lowerBound)..<Swift.max(range.upperBound, part.upperBound)
      }
    }
    ready.rows = block
    nc_attention_products_f32(
      floats(ready.queries.baseAddress), block.count, shape.headSize, floats(row.keys.baseAddress),
      range.lowerBound, range.upperBound, floats(ready.products.baseAddress), m)
  }

  /// A token's numbers, stored and converted to compute.
  func load<C: Scalar>(
    _ x: UnsafeBufferPointer<Double>, _ y: UnsafeMutableBufferPointer<C>, _ trace: inout StageTrace
  ) {
    let overflow = runner.configuration.overflow
    switch runner.configuration.storage {
    case .float(let format):
      for (i, value) in x.enumerated() { y[i] = C(rounding: format.round(value, overflow: overflow)) }
    case .integer(let format):
      var grid = IntegerGrid(format)
      grid.fit(count: x.count) { x[$0] }
      for (i, value) in x.enumerated() {
        y[i] = C(rounding: C.format.round(grid.value(grid.code(value)), overflow: overflow))
      }
    }
    trace.observe(y, .input)
  }

  /// Divides by the norm, whose sum runs in A, and returns it; the quotient is rounded to C. nil where there is none.
  @discardableResult
  private func normalise<C: Scalar, A: Scalar>(_ x: UnsafeMutableBufferPointer<C>, _: A.Type) -> A? {
    guard let norm = parameters.norm else { return nil }
    var s = A.zero
    for c in x.indices { s = A.fusedMultiplyAdd(A(converting: x[c]), A(converting: x[c]), s) }
    if norm.kind == .rms { s = s / A(rounding: Double(x.count)) }
    let r = A.sqrt(s + A(rounding: norm.epsilon))
    for c in x.indices { x[c] = x[c].divided(by: r) }
    return r
  }

  private func isOverflow<A: Scalar>(_ norm: A?) -> Bool { norm?.isInfinite ?? false }

  /// Finds what the query sees; false where that is nothing. Unless it `marks` keys, a row that is dense says so and no more.
  func look<C: Scalar, A: Scalar>(
    _ row: inout AttentionRow<C, A>, head: Int, query: Int, marks: Bool = true
  ) -> Bool {
    let (n, m) = (shape.queries, shape.keys)
    if parameters.mask.additive.isEmpty && row.sentinel == nil && !row.multipliesHidden {
      return lookAround(&row, parameters.mask.sight(query: query, queries: n, keys: m), marks: marks)
    }
    var first = m
    var last = -1
    var isBiased = false
    row.isDense = false
    for j in 0..<m {
      let b = parameters.mask.bias(head: head, query: query, key: j, queries: n, keys: m)
      row.bias[j] = b
      isBiased = isBiased || b != 0 && b != -.infinity
      row.seen[j] = b != -.infinity || row.sentinel != nil
      if row.seen[j] {
        first = Swift.min(first, j)
        last = j
      }
    }
    row.isBiased = isBiased
    row.range = first > last ? 0..<0 : row.multipliesHidden ? 0..<m : first..<last + 1
    return first <= last
  }

  /// The same where place alone decides.
  private func lookAround<C: Scalar, A: Scalar>(
    _ row: inout AttentionRow<C, A>, _ sight: AttentionSight, marks: Bool
  ) -> Bool {
    row.isBiased = false
    let (start, window) = sight.ranges
    row.isDense = start.isEmpty || window.isEmpty || start.upperBound == window.lowerBound
    row.range =
      start.isEmpty
      ? window : start.lowerBound..<(window.isEmpty ? start.upperBound : window.upperBound)
    guard marks || !row.isDense else { return !row.range.isEmpty }
    row.bias.update(repeating: -.infinity)
    row.seen.update(repeating: false)
    for part in [start, window] where !part.isEmpty {
      UnsafeMutableBufferPointer(rebasing: row.bias[part]).update(repeating: 0)
      UnsafeMutableBufferPointer(rebasing: row.seen[part]).update(repeating: true)
    }
    return !row.range.isEmpty
  }

  /// The output of a query that sees nothing.
  private func fillMasked<C: Scalar, A: Scalar>(_ row: AttentionRow<C, A>) {
    if row.sink != nil { return row.output.update(repeating: .zero) }
    switch parameters.specialValues {
    case .ieee: row.output.update(repeating: C(rounding: .nan))
    case .safe: row.output.update(repeating: .zero)
    case .uniform:
      for c in row.output.indices {
        var s = A.zero
        for j in row.scores.indices { s = s + row.values[j * row.output.count + c] }
        row.output[c] = C(converting: s / A(rounding: Double(row.scores.count)))
      }
    }
  }
}

/// What one thread keeps of a runner from call to call, as long as tensors and parameters are the same.
package final class AttentionKept: @unchecked Sendable {
  fileprivate var room: AnyObject?
  fileprivate let heads: KeyHeads?

  /// `heads` are those of all threads; nil where each brings its own.
  package init(_ heads: KeyHeads?) { self.heads = heads }
}

/// What a runner works in, and the head that it works on.
private final class AttentionRoom<C: Scalar, A: Scalar> {
  let memory: AttentionMemory<C, A>
  var ready: ProductBlock<A>
  var head: KeyHead<A>?

  init(_ shape: AttentionShape) {
    memory = AttentionMemory(shape)
    ready = ProductBlock(keys: A.self == Float.self ? shape.keys : 0, headSize: shape.headSize)
  }

  deinit {
    memory.free()
    ready.free()
  }
}

/// Products of a block of queries with a head's keys, made together.
struct ProductBlock<A: Scalar> {
  /// Rows at once.
  static var limit: Int { 32 }

  var rows = 0..<0
  let queries: UnsafeMutableBufferPointer<A>
  let products: UnsafeMutableBufferPointer<A>
  private let keys: Int

  /// Room for a block; none for 0 keys.
  init(keys: Int, headSize: Int) {
    self.keys = keys
    queries = .allocate(capacity: keys == 0 ? 0 : Self.limit * headSize)
    products = .allocate(capacity: Self.limit * keys)
    queries.initialize(repeating: .zero)
    products.initialize(repeating: .zero)
  }

  func free() {
    queries.deallocate()
    products.deallocate()
  }

  func add(_ query: UnsafeMutableBufferPointer<A>, at place: Int) {
    for c in query.indices { queries[place * query.count + c] = query[c] }
  }

  /// A row's.
  subscript(index: Int) -> UnsafeMutableBufferPointer<A> {
    let place = index - rows.lowerBound
    return UnsafeMutableBufferPointer(rebasing: products[place * keys..<(place + 1) * keys])
  }
}

/// Storage of a call.
struct AttentionMemory<C: Scalar, A: Scalar> {
  let compute: UnsafeMutableBufferPointer<C>
  let sums: UnsafeMutableBufferPointer<A>
  let bias: UnsafeMutableBufferPointer<Double>
  let seen: UnsafeMutableBufferPointer<Bool>
  let shape: AttentionShape

  init(_ shape: AttentionShape) {
    self.shape = shape
    let (m, d, dv) = (shape.keys, shape.headSize, shape.valueSize)
    let rows = AttentionBatch<C, A>.limit
    func allocate<T>(_ count: Int, _ value: T) -> UnsafeMutableBufferPointer<T> {
      let memory = UnsafeMutableBufferPointer<T>.allocate(capacity: count)
      memory.initialize(repeating: value)
      return memory
    }
    compute = allocate(d + dv + m + rows * dv, .zero)
    sums = allocate(d + m + rows * dv, .zero)
    bias = allocate(m, 0)
    seen = allocate(m, false)
  }

  func free() {
    compute.deallocate()
    sums.deallocate()
    bias.deallocate()
    seen.deallocate()
  }

  private func part<T>(_ x: UnsafeMutableBufferPointer<T>, _ start: Int, _ count: Int)
    -> UnsafeMutableBufferPointer<T>
  {
    UnsafeMutableBufferPointer(rebasing: x[start..<start + count])
  }

  /// Room for a query or a key, and for a value.
  var vector: UnsafeMutableBufferPointer<C> { part(compute, 0, shape.headSize) }
  var value: UnsafeMutableBufferPointer<C> { part(compute, shape.headSize, shape.valueSize) }

  /// Room for the sums and the output of the row that stands at `place` in a batch.
  func results(_ place: Int) -> (UnsafeMutableBufferPointer<A>, UnsafeMutableBufferPointer<C>) {
    let (m, d, dv) = (shape.keys, shape.headSize, shape.valueSize)
    return (part(sums, d + m + place * dv, dv), part(compute, d + dv + m + place * dv, dv))
  }

  func row(_ runner: AttentionRunner, _ parameters: AttentionParameters, _ d: Int) -> AttentionRow<C, A> {
    let (m, dv) = (shape.keys, shape.valueSize)
    let scale = C(rounding: parameters.scale ?? 1 / Double(d).squareRoot())
    return AttentionRow<C, A>(
      query: part(sums, 0, d), bias: bias, seen: seen, products: part(sums, d, m),
      scores: part(compute, d + dv, m),
      total: results(0).0, output: results(0).1,
      scale: parameters.placement == .after ? scale : nil, cap: parameters.softcap.map { C(rounding: $0) },
      sentinel: runner.sentinel.map { C(rounding: $0) }, softmax: parameters.softmax,
      multipliesHidden: runner.multipliesHidden,
      laziness: C(rounding: runner.laziness),
      spread: runner.probabilityScale == 1
        ? nil : (C(rounding: runner.probabilityScale), A(rounding: 1 / runner.probabilityScale)), sink: nil,
      range: 0..<m)
  }
}
