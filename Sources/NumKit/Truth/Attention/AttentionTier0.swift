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
  /// A tile's keys and values, where they are not held as Doubles.
  private let keyRoom = Buffer<Double>()
  private let valueRoom = Buffer<Double>()
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
      tensors.numbers.q.allSatisfy({ $0 == 0 || $0.magnitude > 0x1p-400 && $0.magnitude < 0x1p400 }),
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
  private func survey(_ keyHead: Int) -> Bool {
    if surveyed == keyHead { return isUsable }
    surveyed = keyHead
    isUsable = true
    for t in 0..<tiles {
      withTile(t, of: keyHead) { isUsable = nc_attention0_survey_tile($0, t) && isUsable }
    }
    return isUsable
  }

  /// Computes `rows`, at most `block` and all of one key head; false where nothing is known of them. Their scores and weights are left in
  /// `columns`, if there are any.
  func compute(_ rows: Range<Int>, keeping columns: AttentionColumns? = nil) -> Bool {
    let keyHead = tensors.shape.keyHead(of: rows.lowerBound / tensors.shape.queries)
    guard survey(keyHead) else { return false }
    return parameters.mask.additive.withUnsafeBufferPointer { additive in
      guard ask(rows, additive) else { return false }
      compute(keyHead, (rows.count + Self.lanes - 1) / Self.lanes, keeping: columns)
      addSinks(rows)
      self.rows = rows
      return true
    }
  }

  /// Groups of lanes whose scores are kept at once: what is kept takes 8 MiB or so.
  var keptGroups: Int {
    Swift.max(1, Swift.min(Self.vectors, (1 << 20) / (3 * Self.lanes * tensors.shape.keys)))
  }

  /// Adds all keys to `groups` of lanes; one whose scores were beyond reach is done anew with a better reference.
  private func compute(_ keyHead: Int, _ groups: Int, keeping columns: AttentionColumns?) {
    let shape = tensors.shape
    columns?.reserve(groups * tiles)
    let size = Self.lanes * Self.tile
    let (wide, planes) = (Self.lanes * shape.headSize, 3 * Self.lanes * shape.valueSize)
    func add(_ t: Int, _ g: Int, _ keys: UnsafePointer<nc_attention_keys>) {
      let place = (g * tiles + t) * size
      nc_attention0_tile(
        state.base + g, keys, question, t, packed.base + g * wide, sums.base + g * planes,
        columns.map { $0.weights.base + place } ?? scratch.base, columns.map { $0.scores.base + place })
    }
    func start(_ g: Int) { nc_attention0_start(state.base + g, shape.valueSize, sums.base + g * planes) }
    for g in 0..<groups { start(g) }
    for t in 0..<tiles {
      withTile(t, of: keyHead) { keys in
        for g in 0..<groups {
          add(t, g, keys)
          guard let columns else { continue }
          nc_attention0_magnitudes(
            keys, t, packed.base + g * wide, columns.magnitudes.base + (g * tiles + t) * size)
        }
      }
    }
    for g in 0..<groups where nc_attention0_lift(state.base + g) {
      start(g)
      for t in 0..<tiles { withTile(t, of: keyHead) { add(t, g, $0) } }
    }
  }

  /// A tile of a head's keys and values.
  private func withTile(_ t: Int, of keyHead: Int, _ body: (UnsafePointer<nc_attention_keys>) -> Void) {
    let shape = tensors.shape
    let first = t * Self.tile
    let keys = keyHead * shape.keys + first..<keyHead * shape.keys + Swift.min(first + Self.tile, shape.keys)
    func place(_ width: Int) -> Range<Int> { keys.lowerBound * width..<keys.upperBound * width }
    func room(_ buffer: Buffer<Double>, _ width: Int) -> UnsafeMutablePointer<Double> {
      buffer.reserve(Self.tile * width)
      return buffer.base
    }
    let (d, width) = (shape.headSize, shape.valueSize)
    tensors.numbers.k.pointer(place(d), room: room(keyRoom, d)) { k in
      tensors.numbers.v.pointer(place(width), room: room(valueRoom, width)) { v in
        let b = tileBounds.base
        let tile = nc_attention_keys(
          keys: k, values: v, first: first, count: shape.keys, head_size: d, value_size: width,
          reach: keyBounds.base, norm: b, grain: b + tiles, peak: b + 2 * tiles,
          length: b + tiles * (2 + width))
        withUnsafePointer(to: tile, body)
      }
    }
  }

  /// Lays the queries side by side and says what each sees.
  private func ask(_ rows: Range<Int>, _ additive: UnsafeBufferPointer<Double>) -> Bool {
    let shape = tensors.shape
    let d = shape.headSize
    var isFine = true
    for (g, start) in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.lanes).enumerated() {
      let count = Swift.min(Self.lanes, rows.upperBound - start)
      let usable = tensors.numbers.q.withNumbers(start * d..<(start + count) * d) {
        nc_attention0_pack($0.baseAddress, count, d, packed.base + g * Self.lanes * d, state.base + g)
      }
      isFine = isFine && usable
      for i in 0..<Self.lanes {
        Self.ask(state.base + g, i, row: i < count ? start + i : nil, parameters.mask, shape, additive)
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
    let sight = mask.sight(query: query, queries: shape.queries, keys: shape.keys)
    for range in [sight.ranges.0, sight.ranges.1] {
      if mask.additive.isEmpty {
        profile.keys.append(contentsOf: range)
        profile.biases.append(contentsOf: repeatElement(0, count: range.count))
        continue
      }
      for j in range {
        let b = mask.bias(head: head, query: query, key: j, queries: shape.queries, keys: shape.keys)
        if b == -.infinity { continue }
        profile.keys.append(j)
        profile.biases.append(b)
      }
    }
    let keys = profile.keys
    func gather(_ list: inout [Double], _ value: @escaping (_ place: Int) -> Double) {
      list.removeAll(keepingCapacity: true)
      list.append(contentsOf: keys.lazy.map { value((start + $0) * Self.lanes + lane) })
    }
    gather(&profile.scores) { columns.scores.base[$0] + s.reference }
    gather(&profile.magnitudes) { columns.magnitudes.base[$0] * size }
    gather(&profile.probabilities) { columns.weights.base[$0] / total }
    profile.sink = parameters.softmax.sink(head: head)
    profile.logSumExp = logSumExp(row)?.0.high ?? .nan
    profile.hasMinusInfinity = false
    profile.isRegular = true
  }
}
