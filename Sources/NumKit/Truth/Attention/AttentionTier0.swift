import CProof
import NumKitNumbers
import NumKitQuestions

/// Attention in plain Double with proven bounds, up to 64 queries of a key head at a time: section 12a of
/// Documentation/CertifiedReference.md. One instance serves one thread; memory does not grow with the number of keys but for
/// 3 numbers a tile and column.
final class AttentionTier0 {
  /// Queries side by side in a vector, and vectors in a block.
  static let lanes = Tier0.lanes
  static let vectors = 8
  /// Queries that are answered together at most.
  static let block = lanes * vectors
  private static let tile = Int(nc_tile)

  private let tensors: AttentionInputs
  private let parameters: AttentionParameters
  private let question: nc_attention_question
  private let tiles: Int
  /// What a numerator may err by beside what runs along: weights left out or taken to be nearer than they are, underflow.
  private let absolute: Double

  private let state = Buffer<nc_attention_lanes>()
  private let packed = Buffer<Double>()
  private let sums = Buffer<Double>()
  private let scratch = Buffer<Double>()
  private let keyBounds = Buffer<Double>()
  private let tileBounds = Buffer<Double>()
  private var surveyed = -1
  private var isUsable = false

  /// The rows, head·queries + query, that were computed last.
  private(set) var rows = 0..<0

  /// nil where the bounds do not hold: norms, clipping, numbers that are not finite or far from 1.
  init?(_ tensors: AttentionInputs, _ parameters: AttentionParameters) {
    let shape = tensors.shape
    func isOrdinary(_ x: Double) -> Bool { x.magnitude > 0x1p-100 && x.magnitude < 0x1p100 }
    let factor = AttentionScores.factor(parameters, headSize: shape.headSize)
    let scale = factor.0.high
    guard tensors.isFinite.q, tensors.isFinite.k, tensors.isFinite.v, parameters.norm == nil,
      isOrdinary(scale), isOrdinary(parameters.softcap ?? 1), tensors.largestValue < 0x1p400,
      shape.keys < 1 << 20,
      // Of all queries at once, so that no answer depends on who else is asked for.
      tensors.q.allSatisfy({ $0 == 0 || $0.magnitude > 0x1p-400 && $0.magnitude < 0x1p400 }),
      parameters.mask.additive.allSatisfy({ $0 == -.infinity || $0.magnitude < 0x1p1000 })
    else { return nil }
    switch parameters.softmax {
    case .plain: break
    case .sink(let logits): guard logits.allSatisfy({ $0.magnitude < 0x1p100 }) else { return nil }
    case .clipped: return nil
    }
    self.tensors = tensors
    self.parameters = parameters
    question = nc_attention_question(
      scale: scale, is_exact: factor.error == 0, cap: parameters.softcap ?? 0)
    absolute = Double(shape.keys) * (0x1p-130 * tensors.largestValue + 0x1p-1060)
    let (n, width) = (shape.keys, shape.valueSize)
    tiles = (n + Self.tile - 1) / Self.tile
    state.reserve(Self.vectors)
    packed.reserve(Self.block * shape.headSize)
    sums.reserve(3 * Self.block * width)
    scratch.reserve(Self.lanes * Self.tile)
    keyBounds.reserve(n)
    tileBounds.reserve(tiles * (2 + 2 * width))
  }

  /// Looks at the keys and values of a head; false where a number is too far from 1.
  private func survey(_ keys: nc_attention_keys, _ keyHead: Int) -> Bool {
    if surveyed == keyHead { return isUsable }
    surveyed = keyHead
    isUsable = withUnsafePointer(to: keys) { nc_attention0_survey($0) }
    return isUsable
  }

  /// Computes `rows`, at most `block` and all of one key head; false where nothing is known of them. Their scores and weights are left in
  /// `columns`, if there are any.
  func compute(_ rows: Range<Int>, keeping columns: AttentionColumns? = nil) -> Bool {
    withKeys(of: rows) { keys in
      guard survey(keys, tensors.shape.keyHead(of: rows.lowerBound / tensors.shape.queries)) else {
        return false
      }
      return parameters.mask.additive.withUnsafeBufferPointer { additive in
        guard ask(rows, additive) else { return false }
        let count = (rows.count + Self.lanes - 1) / Self.lanes
        withUnsafePointer(to: keys) { keys in
          if let columns {
            compute(keys, count, keeping: columns)
          } else {
            nc_attention0_block(
              state.base, count, keys, question, packed.base, sums.base, scratch.base)
          }
        }
        addSinks(rows)
        self.rows = rows
        return true
      }
    } ?? false
  }

  /// Groups of lanes whose scores are kept at once: what is kept takes 8 MiB or so.
  var keptGroups: Int {
    Swift.max(1, Swift.min(Self.vectors, (1 << 20) / (3 * Self.lanes * tensors.shape.keys)))
  }

  /// The same, all scores kept.
  private func compute(
    _ keys: UnsafePointer<nc_attention_keys>, _ groups: Int, keeping columns: AttentionColumns
  ) {
    columns.reserve(groups * tiles)
    let size = Self.lanes * Self.tile
    let (wide, planes) = (Self.lanes * keys.pointee.head_size, 3 * Self.lanes * keys.pointee.value_size)
    func add(_ t: Int, _ g: Int) {
      let place = (g * tiles + t) * size
      nc_attention0_tile(
        state.base + g, keys, question, t, packed.base + g * wide, sums.base + g * planes,
        columns.weights.base + place, columns.scores.base + place)
    }
    func start(_ g: Int) {
      nc_attention0_start(state.base + g, keys.pointee.value_size, sums.base + g * planes)
    }
    for g in 0..<groups { start(g) }
    for t in 0..<tiles {
      for g in 0..<groups {
        add(t, g)
        nc_attention0_magnitudes(
          keys, t, packed.base + g * wide, columns.magnitudes.base + (g * tiles + t) * size)
      }
    }
    for g in 0..<groups where nc_attention0_lift(state.base + g) {
      start(g)
      for t in 0..<tiles { add(t, g) }
    }
  }

  private func withKeys<T>(of rows: Range<Int>, _ body: (nc_attention_keys) -> T) -> T? {
    let shape = tensors.shape
    let kv = shape.keyHead(of: rows.lowerBound / shape.queries)
    return tensors.k.withUnsafeBufferPointer { k in
      tensors.v.withUnsafeBufferPointer { v -> T? in
        guard let k = k.baseAddress, let v = v.baseAddress else { return nil }
        let b = tileBounds.base
        return body(
          nc_attention_keys(
            keys: k + kv * shape.keys * shape.headSize, values: v + kv * shape.keys * shape.valueSize,
            count: shape.keys, head_size: shape.headSize, value_size: shape.valueSize, reach: keyBounds.base,
            norm: b, grain: b + tiles, peak: b + 2 * tiles, length: b + tiles * (2 + shape.valueSize)))
      }
    }
  }

  /// Lays the queries side by side and says what each sees.
  private func ask(_ rows: Range<Int>, _ additive: UnsafeBufferPointer<Double>) -> Bool {
    let shape = tensors.shape
    var isFine = true
    tensors.q.withUnsafeBufferPointer { q in
      guard let q = q.baseAddress else { return }
      for (g, start) in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.lanes).enumerated() {
        let count = Swift.min(Self.lanes, rows.upperBound - start)
        let usable = nc_attention0_pack(
          q + start * shape.headSize, count, shape.headSize, packed.base + g * Self.lanes * shape.headSize,
          state.base + g)
        isFine = isFine && usable
        for i in 0..<Self.lanes {
          Self.ask(state.base + g, i, row: i < count ? start + i : nil, parameters.mask, shape, additive)
        }
      }
    }
    return isFine
  }

  /// Says what lane `i` sees: what `row`, head·queries + query, does, or nothing.
  static func ask(
    _ lanes: UnsafeMutablePointer<nc_attention_lanes>, _ i: Int, row: Int?, _ mask: AttentionMask,
    _ shape: AttentionShape, _ additive: UnsafeBufferPointer<Double>
  ) {
    guard let row else { return nc_attention0_ask(lanes, Int32(i), 0, 0, 0, nil) }
    let (head, query) = (row / shape.queries, row % shape.queries)
    let sight = mask.sight(query: query, queries: shape.queries, keys: shape.keys)
    let each = shape.queries * shape.keys
    let place = (additive.count > each ? head * each : 0) + query * shape.keys
    nc_attention0_ask(
      lanes, Int32(i), Double(sight.first), Double(sight.low), Double(sight.high),
      additive.baseAddress.flatMap { additive.isEmpty ? nil : $0 + place })
  }

  private func addSinks(_ rows: Range<Int>) {
    for row in rows {
      guard let sink = parameters.softmax.sink(head: row / tensors.shape.queries) else { continue }
      let place = row - rows.lowerBound
      nc_attention0_add(state.base + place / Self.lanes, Int32(place % Self.lanes), sink)
    }
  }

  /// Rounds the outputs of the rows computed last into `results`, rows one after the other; `needed` is the relative error that they
  /// may have.
  func finish(_ target: nc_target, needed: Double, into results: nc_attention_results) {
    let width = tensors.shape.valueSize
    let absolute = [Double](repeating: absolute, count: Self.lanes)
    for (g, start) in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.lanes).enumerated() {
      var part = results
      let place = g * Self.lanes * results.stride
      part.rounded += place
      part.value = part.value.map { $0 + place }
      part.error = part.error.map { $0 + place }
      part.open += place
      part.needed = needed
      part.count = Swift.min(Self.lanes, rows.upperBound - start)
      nc_attention0_finish(
        state.base + g, width, sums.base + g * 3 * Self.lanes * width, absolute, target, part)
    }
  }

  /// The sum of a row's weights and its relative error; nil where nothing is known of it.
  private func total(_ row: Int) -> (nc_attention_sum, Pair, relative: Double)? {
    let place = row - rows.lowerBound
    let s = nc_attention0_sum(state.base + place / Self.lanes, Int32(place % Self.lanes))
    let sum = Pair(sum: s.high, s.low)
    let relative = 1.01 * s.error / sum.high + 0x1p-49
    guard s.is_known, s.reference.isFinite, sum.high > 0x1p-10, relative < 0x1p-20 else { return nil }
    return (s, sum, relative)
  }

  /// The log-sum-exp of a row with a bound on its absolute error; nil where nothing is known of it.
  func logSumExp(_ row: Int) -> (Pair, error: Double)? {
    guard let (s, sum, relative) = total(row), let log = PairFunctions.log(sum) else { return nil }
    let y = Pair(s.reference) + log
    let size = s.reference.magnitude + log.high.magnitude
    return (y, 1.01 * relative + CertifiedBounds.logarithm(log.high) + 0x1p-100 * size)
  }
}

/// Scores less the reference, weights and Σ|q||k| of queries that stand together, key by key, eight queries side by side.
final class AttentionColumns {
  let scores = Buffer<Double>()
  let weights = Buffer<Double>()
  let magnitudes = Buffer<Double>()

  func reserve(_ tiles: Int) {
    for buffer in [scores, weights, magnitudes] {
      buffer.reserve(tiles * AttentionTier0.lanes * Int(nc_tile))
    }
  }
}

extension AttentionTier0 {
  /// Fills `profile` for a row of those computed last, whose scores were kept in `columns`.
  func describe(_ row: Int, from columns: AttentionColumns, _ profile: inout AttentionProfile) {
    let shape = tensors.shape
    let (head, query) = (row / shape.queries, row % shape.queries)
    let (group, lane) = ((row - rows.lowerBound) / Self.lanes, (row - rows.lowerBound) % Self.lanes)
    let s = nc_attention0_sum(state.base + group, Int32(lane))
    let start = group * tiles * Self.tile
    let total = s.high + s.low
    let size = question.scale.magnitude
    let mask = parameters.mask
    profile.keys.removeAll(keepingCapacity: true)
    profile.biases.removeAll(keepingCapacity: true)
    profile.scores.removeAll(keepingCapacity: true)
    profile.magnitudes.removeAll(keepingCapacity: true)
    profile.probabilities.removeAll(keepingCapacity: true)
    let sight = mask.sight(query: query, queries: shape.queries, keys: shape.keys)
    for range in [sight.ranges.0, sight.ranges.1] {
      for j in range {
        let b =
          mask.additive.isEmpty
          ? 0 : mask.bias(head: head, query: query, key: j, queries: shape.queries, keys: shape.keys)
        if b == -.infinity { continue }
        let place = (start + j) * Self.lanes + lane
        profile.keys.append(j)
        profile.biases.append(b)
        profile.scores.append(columns.scores.base[place] + s.reference)
        profile.magnitudes.append(columns.magnitudes.base[place] * size)
        profile.probabilities.append(columns.weights.base[place] / total)
      }
    }
    profile.sink = parameters.softmax.sink(head: head)
    profile.logSumExp = logSumExp(row)?.0.high ?? .nan
    profile.hasMinusInfinity = false
    profile.isRegular = true
  }
}
