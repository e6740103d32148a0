import CProof
import NumKitNumbers
import NumKitQuestions

/// Attention's backward pass in plain Double with proven bounds, up to 128 queries of a key head at a time: section 13a of
/// Documentation/CertifiedReference.md. One instance serves one thread; it keeps 2 KiB a key, and 3 numbers for each of dK and dV.
final class BackwardTier0 {
  private static let lanes = Tier0.lanes
  private static let block = Int(nc_backward_rows)
  private static let groups = Int(nc_backward_groups)
  private static let tile = Int(nc_tile)

  private let shape: AttentionShape
  private let parameters: AttentionParameters
  private let question: nc_attention_question
  private let tiles: Int

  private let state = Buffer<nc_backward_lanes>()
  private let numbers = Buffer<Double>()
  private let counts = Buffer<Int>()
  private let keySums = Buffer<Double>()
  private let valueSums = Buffer<Double>()
  private let rounded = Buffer<Double>()
  private let value = Buffer<Double>()
  private let error = Buffer<Double>()
  private let open = Buffer<UInt8>()
  /// Shown every value and its relative error, open ones too: for tests to attack.
  var watch: ((_ gradient: AttentionGradient, _ place: Int, _ value: Double, _ error: Double) -> Void)?

  /// nil where the bounds do not hold: a cap, more keys or queries than they count with, a scale far from 1.
  init?(_ shape: AttentionShape, _ parameters: AttentionParameters) {
    let factor = AttentionScores.factor(parameters, headSize: shape.headSize)
    let scale = factor.0.high
    guard parameters.isDifferentiable, parameters.softcap == nil,
      scale.magnitude > 0x1p-60 && scale.magnitude < 0x1p60, shape.keys < 1 << 20,
      shape.queries * shape.group < 1 << 20,
      parameters.mask.additive.allSatisfy({ $0 == -.infinity || $0.magnitude < 0x1p1000 })
    else { return nil }
    if case .sink(let logits) = parameters.softmax, !logits.allSatisfy({ $0.magnitude < 0x1p100 }) {
      return nil
    }
    self.shape = shape
    self.parameters = parameters
    question = nc_attention_question(scale: scale, is_exact: factor.error == 0, cap: 0)
    tiles = (shape.keys + Self.tile - 1) / Self.tile
  }

  /// Answers what it can prove of a key head's gradients, each to within a relative `needed`, and says what it leaves open; nil where
  /// nothing is known.
  func answer(
    _ head: BackwardHead, _ target: nc_target, needed: Double, into truth: inout BackwardTruth
  ) -> EnclosedBackward.Pending? {
    var taken = 0
    let (n, d, width) = (head.keys, head.headSize, head.valueSize)
    let wide = (nc_backward0_padded(d), nc_backward0_padded(width))
    let (vectors, size) = (Self.groups * Self.lanes, Self.lanes * Self.tile)
    let needsNumbers =
      2 * n + tiles * (4 + 2 * d + 2 * width) + vectors * (4 * d + width) + Self.groups * tiles
      * (2 * size + 24)
      + (Self.block + 2) * (wide.0 + wide.1) + 4 * size
    numbers.reserve(needsNumbers)
    counts.reserve(Self.groups * tiles)
    state.reserve(Self.groups)
    keySums.reserve(3 * n * wide.0)
    valueSums.reserve(3 * n * wide.1)
    func room(_ count: Int) -> UnsafeMutablePointer<Double> {
      defer { taken += count }
      return numbers.base + taken
    }
    var keys = nc_backward_keys(
      forward: nc_attention_keys(
        keys: head.k, values: head.v, first: 0, count: n, head_size: d, value_size: width, reach: room(n),
        norm: room(tiles), grain: room(tiles), peak: room(tiles * width), length: room(tiles * width)),
      reach: room(n), norm: room(tiles), grain: room(tiles), peak: room(tiles * d), length: room(tiles * d))
    let work = nc_backward_room(
      queries: room(vectors * d), gradients: room(vectors * width),
      weights: room(Self.groups * tiles * size), products: room(Self.groups * tiles * size),
      bounds: room(Self.groups * tiles * 24), counts: counts.base, sums: room(3 * vectors * d),
      query_rows: room((Self.block + 2) * wide.0), gradient_rows: room((Self.block + 2) * wide.1),
      key_bounds: room(4 * size))
    guard nc_backward0_survey(&keys) else { return nil }
    keySums.base.update(repeating: 0, count: 3 * n * wide.0)
    valueSums.base.update(repeating: 0, count: 3 * n * wide.1)
    let dk = nc_backward_sums(sums: keySums.base, rows: n, width: wide.0)
    let dv = nc_backward_sums(sums: valueSums.base, rows: n, width: wide.1)
    let largest = Self.largest(head)
    // What weights may be off by beyond what runs along, and what underflows.
    let tiny = 0x1p-128 * question.scale.magnitude
    var reach = 0.0
    var pending = EnclosedBackward.Pending()
    for start in stride(from: 0, to: head.rows, by: Self.block) {
      let count = Swift.min(Self.block, head.rows - start)
      let groups = (count + Self.lanes - 1) / Self.lanes
      guard
        nc_backward0_pack(
          &keys, head.q + start * d, head.gradient + start * width, count, state.base, work)
      else { return nil }
      ask(head, start, count)
      nc_backward0_weigh(state.base, groups, &keys, question, work)
      addSinks(head, start, count)
      guard nc_backward0_center(state.base, groups, &keys), seesEnough(count) else { return nil }
      nc_backward0_differentiate(state.base, groups, &keys, question, work, dk, dv)
      for g in 0..<groups {
        let bound = Self.greatest(state.base[g].largest)
        reach = Swift.max(reach, bound)
        let part = Swift.min(Self.lanes, count - g * Self.lanes)
        var results = results(part, d, needed)
        results.count = part
        nc_backward0_finish_queries(
          work.sums + g * 3 * d * Self.lanes, d, Double(n) * tiny * bound * largest.k, target, results)
        take(.dq, part, d, from: start + g * Self.lanes, &truth.q, &pending.q)
      }
    }
    let total = Double(head.rows)
    finish(.dk, dk, d, total * tiny * reach * largest.q, target, needed, &truth.k, &pending.k)
    finish(.dv, dv, width, total * 0x1p-128 * largest.gradient, target, needed, &truth.v, &pending.v)
    return pending
  }

  private static func largest(_ head: BackwardHead) -> (q: Double, k: Double, gradient: Double) {
    func peak(_ x: UnsafePointer<Double>, _ count: Int) -> Double {
      UnsafeBufferPointer(start: x, count: count).reduce(0) { Swift.max($0, $1.magnitude) }
    }
    return (
      peak(head.q, head.rows * head.headSize), peak(head.k, head.keys * head.headSize),
      peak(head.gradient, head.rows * head.valueSize)
    )
  }

  private typealias Eight = (Double, Double, Double, Double, Double, Double, Double, Double)

  private static func greatest(_ x: Eight) -> Double {
    withUnsafeBytes(of: x) { $0.bindMemory(to: Double.self).reduce(0) { Swift.max($0, $1) } }
  }

  /// Says what each query sees.
  private func ask(_ head: BackwardHead, _ start: Int, _ count: Int) {
    parameters.mask.additive.withUnsafeBufferPointer { additive in
      for i in 0..<(count + Self.lanes - 1) / Self.lanes * Self.lanes {
        let row = i < count ? head.firstHead * head.queries + start + i : nil
        let lanes = state.base + i / Self.lanes
        withUnsafeMutablePointer(to: &lanes.pointee.forward) {
          AttentionTier0.ask($0, i % Self.lanes, row: row, parameters.mask, shape, additive)
        }
      }
    }
  }

  private func addSinks(_ head: BackwardHead, _ start: Int, _ count: Int) {
    for i in 0..<count {
      guard let sink = parameters.softmax.sink(head: head.head(of: start + i)) else { return }
      let lanes = state.base + i / Self.lanes
      withUnsafeMutablePointer(to: &lanes.pointee.forward) {
        nc_attention0_add($0, Int32(i % Self.lanes), sink)
      }
    }
  }

  /// Whether every query sees a key, or has no gradient where it does not.
  private func seesEnough(_ count: Int) -> Bool {
    if parameters.specialValues == .safe || parameters.softmax.sink(head: 0) != nil { return true }
    return (0..<count).allSatisfy { i in
      let lanes = state.base + i / Self.lanes
      return withUnsafePointer(to: &lanes.pointee.forward) {
        nc_attention0_sum($0, Int32(i % Self.lanes)).reference > -.infinity
      }
    }
  }

  private func results(_ rows: Int, _ width: Int, _ needed: Double) -> nc_attention_results {
    for buffer in [rounded, value, error] { buffer.reserve(rows * width) }
    open.reserve(rows * width)
    return nc_attention_results(
      rounded: rounded.base, value: value.base, error: error.base, open: open.base, needed: needed,
      stride: width, count: 0)
  }

  /// Rounds rows of dK or dV, some at a time.
  private func finish(
    _ gradient: AttentionGradient, _ sums: nc_backward_sums, _ width: Int, _ absolute: Double,
    _ target: nc_target, _ needed: Double,
    _ truths: inout [Truth], _ pending: inout [Int]
  ) {
    for start in stride(from: 0, to: sums.rows, by: Self.block) {
      let count = Swift.min(Self.block, sums.rows - start)
      nc_backward0_finish_keys(
        sums, start, count, width, absolute, target, results(count, width, needed))
      take(gradient, count, width, from: start, &truths, &pending)
    }
  }

  /// Writes what was proven of `count` rows into truths from `start` on.
  private func take(
    _ gradient: AttentionGradient, _ count: Int, _ width: Int, from start: Int, _ truths: inout [Truth],
    _ pending: inout [Int]
  ) {
    for i in 0..<count {
      let row = start + i
      var known = 0
      for c in 0..<width {
        let place = i * width + c
        watch?(gradient, row * width + c, value.base[place], error.base[place])
        if open.base[place] != 0 {
          pending.append(row * width + c)
          continue
        }
        known += 1
        truths[row].set(
          rounded.base[place],
          ScaledValue(high: value.base[place], relativeError: error.base[place] * 1.01), at: c)
      }
      truths[row].certificate.double += known
    }
  }
}
