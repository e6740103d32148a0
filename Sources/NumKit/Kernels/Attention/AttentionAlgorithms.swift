import CKernels
import NumKitNumbers

/// A query on its way through an algorithm.
struct AttentionLane<C: Scalar, A: Scalar> {
  /// head·queries + query.
  let index: Int
  let row: AttentionRow<C, A>
  var stages: Observed
  /// Its log-sum-exp, once it was answered.
  var logSumExp = 0.0
  /// The largest score so far, and the sum of exponentials.
  fileprivate var maximum: C?
  fileprivate var sum = A.zero
  /// Of the shares merged so far.
  fileprivate var share: A?
  /// The keys that are added next.
  fileprivate var part = 0..<0

  init(_ index: Int, _ row: AttentionRow<C, A>, _ stages: Observed) {
    self.index = index
    self.row = row
    self.stages = stages
  }
}

/// Queries that are attended side by side: a tile of values is read once for all of them, and no number depends on who stands beside.
///
/// Several only where all their keys are seen and sums are in Float.
final class AttentionBatch<C: Scalar, A: Scalar> {
  static var limit: Int { A.self == Float.self ? ProductBlock<A>.limit : 1 }

  var lanes: [AttentionLane<C, A>] = []

  /// Answers for all; at least one key is seen by each. `show` is given what P was cast to, where the algorithm has it whole.
  func attend<P: Scalar>(
    _ algorithm: AttentionAlgorithm, block: Int, in: P.Type, show: ((_ lane: Int, [Double]) -> Void)?
  ) {
    switch algorithm {
    case .naive: whole(shifted: false, in: P.self, show)
    case .standard: whole(shifted: true, in: P.self, show)
    case .flash: flash(block: block, in: P.self)
    case .splitKV: split(block: block, in: P.self)
    }
  }

  /// The tiles of `block` keys that any query touches, on the grid that starts at key 0.
  private func tiles(_ block: Int) -> [Range<Int>] {
    let first = lanes.reduce(Int.max) { Swift.min($0, $1.row.range.lowerBound) } / block * block
    let end = lanes.reduce(0) { Swift.max($0, $1.row.range.upperBound) }
    return stride(from: first, to: end, by: block).map { $0..<Swift.min($0 + block, end) }
  }

  /// Gives every lane its part of a tile.
  private func divide(_ tile: Range<Int>) {
    for i in lanes.indices { lanes[i].part = tile.clamped(to: lanes[i].row.range) }
  }

  private func whole<P: Scalar>(shifted: Bool, in: P.Type, _ show: ((Int, [Double]) -> Void)?) {
    for i in lanes.indices {
      let row = lanes[i].row
      lanes[i].part = row.range
      let (m, sum) = row.normalise(shifted: shifted, in: P.self, &lanes[i].stages)
      lanes[i].maximum = m
      lanes[i].sum = sum
      show?(i, row.range.map { row.cast(row.scores[$0], to: P.self).exact })
      row.total.update(repeating: .zero)
      row.form(row.range, in: P.self)
    }
    weigh(in: P.self)
    for i in lanes.indices {
      let row = lanes[i].row
      for c in row.output.indices { row.output[c] = C(converting: row.total[c]) }
      lanes[i].stages.store(row.output, .output)
      lanes[i].logSumExp = row.logSumExp(lanes[i].maximum, lanes[i].sum, &lanes[i].stages)
    }
  }

  private func flash<P: Scalar>(block: Int, in: P.Type) {
    for i in lanes.indices {
      let row = lanes[i].row
      lanes[i].maximum = row.sink
      lanes[i].sum = row.sink == nil ? .zero : .one
      row.total.update(repeating: .zero)
    }
    for tile in tiles(block) {
      divide(tile)
      for i in lanes.indices where !lanes[i].part.isEmpty { advance(i, in: P.self) }
      weigh(in: P.self)
    }
    for i in lanes.indices {
      let (row, sum) = (lanes[i].row, lanes[i].sum)
      for c in row.output.indices { row.output[c] = C(converting: row.total[c] / sum) }
      lanes[i].stages.store(row.output, .output)
      lanes[i].logSumExp = row.logSumExp(lanes[i].maximum, sum, &lanes[i].stages)
    }
  }

  /// One tile of one lane, up to its weights.
  private func advance<P: Scalar>(_ i: Int, in: P.Type) {
    let (row, part) = (lanes[i].row, lanes[i].part)
    let m = lanes[i].maximum
    row.score(part, &lanes[i].stages)
    // A tile with nothing seen changes nothing: −∞ − (−∞) would be NaN.
    guard let top = row.largest(part) else {
      lanes[i].part = part.lowerBound..<part.lowerBound
      return
    }
    var new = m.map { C.larger($0, top) } ?? top
    var sum = lanes[i].sum
    if let m, m != new {
      // Lazily: as long as nothing can overflow the old maximum will do, with exponentials above 1.
      if row.laziness > .zero, new - m <= row.laziness {
        new = m
      } else {
        let factor = A(converting: C.exp(m - new))
        sum = sum * factor
        for c in row.total.indices { row.total[c] = row.total[c] * factor }
      }
    }
    lanes[i].maximum = new
    sum = sum + row.exponentials(part, less: new, from: .zero, &lanes[i].stages)
    lanes[i].sum = lanes[i].stages.store(sum, .sum)
    row.form(part, in: P.self)
  }

  private func split<P: Scalar>(block: Int, in: P.Type) {
    // The merged result so far is `merged`, its LSE `share`. A sink is a share whose result is 0.
    let width = lanes.first?.row.total.count ?? 0
    let all = UnsafeMutableBufferPointer<A>.allocate(capacity: lanes.count * width)
    all.initialize(repeating: .zero)
    defer { all.deallocate() }
    for i in lanes.indices { lanes[i].share = lanes[i].row.sink.map { A(converting: $0) } }
    for part in tiles(block) {
      divide(part)
      for i in lanes.indices where !lanes[i].part.isEmpty {
        let (row, part) = (lanes[i].row, lanes[i].part)
        row.score(part, &lanes[i].stages)
        guard let m = row.largest(part) else {
          lanes[i].part = part.lowerBound..<part.lowerBound
          continue
        }
        lanes[i].maximum = m
        lanes[i].sum = row.exponentials(part, less: m, from: .zero, &lanes[i].stages)
        row.total.update(repeating: .zero)
        row.form(part, in: P.self)
      }
      weigh(in: P.self)
      for i in lanes.indices where !lanes[i].part.isEmpty {
        merge(i, UnsafeMutableBufferPointer(rebasing: all[i * width..<(i + 1) * width]))
      }
    }
    for i in lanes.indices {
      let row = lanes[i].row
      for c in row.output.indices { row.output[c] = C(converting: all[i * width + c]) }
      lanes[i].stages.store(row.output, .output)
      lanes[i].logSumExp = lanes[i].stages.store(lanes[i].share ?? .zero, .logarithm).exact
    }
  }

  /// Adds a lane's share to what was merged.
  private func merge(_ i: Int, _ merged: UnsafeMutableBufferPointer<A>) {
    let (total, sum) = (lanes[i].row.total, lanes[i].sum)
    let own = A(converting: lanes[i].maximum ?? .zero) + A.log(sum)
    guard let before = lanes[i].share else {
      for c in total.indices { merged[c] = total[c] / sum }
      lanes[i].share = own
      return
    }
    let top = A.larger(before, own)
    let a: A = A.exp(before - top)
    let b: A = A.exp(own - top)
    let both: A = a + b
    for c in total.indices {
      let old: A = merged[c] * a
      let new: A = total[c] / sum
      merged[c] = old + new * b
    }
    lanes[i].stages.store(merged, .weighted)
    for c in merged.indices { merged[c] = merged[c] / both }
    lanes[i].share = top + A.log(both)
  }

  /// total += Σ P(pⱼ) vⱼ over each lane's part.
  private func weigh<P: Scalar>(in: P.Type) {
    let asked = lanes.indices.filter { !lanes[$0].part.isEmpty }
    if asked.count > 1 {
      // What all see is weighed together, the ends by themselves; each lane's keys stay in order.
      let first = asked.reduce(0) { Swift.max($0, lanes[$1].part.lowerBound) }
      let end = asked.reduce(Int.max) { Swift.min($0, lanes[$1].part.upperBound) }
      let common = first..<Swift.max(first, end)
      for i in asked {
        lanes[i].row.weigh(lanes[i].part.clamped(to: 0..<common.lowerBound), in: P.self)
      }
      if !common.isEmpty { weigh(common, asked) }
      for i in asked {
        lanes[i].row.weigh(lanes[i].part.clamped(to: common.upperBound..<Int.max), in: P.self)
      }
    } else {
      for i in asked { lanes[i].row.weigh(lanes[i].part, in: P.self) }
    }
    for i in asked { lanes[i].stages.store(lanes[i].row.total, .weighted) }
  }

  /// The same for keys that all of `asked` see, in Float.
  private func weigh(_ common: Range<Int>, _ asked: [Int]) {
    guard let v = lanes.first?.row.values, let width = lanes.first?.row.total.count else { return }
    let weights: [UnsafePointer<Float>?] = asked.map {
      UnsafePointer(floats(lanes[$0].row.products.baseAddress) + common.lowerBound)
    }
    let totals: [UnsafeMutablePointer<Float>?] = asked.map { floats(lanes[$0].row.total.baseAddress) }
    nc_attention_weigh_rows_f32(
      weights, totals, asked.count, floats(v.baseAddress) + common.lowerBound * width, common.count, width)
  }
}

extension AttentionRow {
  /// Probabilities of the whole row in place of scores; returns the largest score, if that is taken from all, and the sum.
  fileprivate func normalise<P: Scalar, S: Stages>(shifted: Bool, in: P.Type, _ stages: inout S) -> (C?, A) {
    score(range, &stages)
    var m = shifted ? largest(range) : nil
    var start = A.zero
    if let sink {
      m = m.map { C.larger($0, sink) }
      start = A(converting: C.exp(m.map { sink - $0 } ?? sink))
    }
    let sum = exponentials(range, less: m, from: start, &stages)
    for j in range { scores[j] = scores[j].divided(by: sum) }
    if case .clipped(let lower, let upper) = softmax {
      let (stretch, shift) = (C(rounding: upper - lower), C(rounding: lower))
      for j in range where isDense || seen[j] {
        let p = C.fusedMultiplyAdd(stretch, scores[j], shift)
        scores[j] = p < .zero ? .zero : p > .one ? .one : p
      }
    }
    stages.store(UnsafeMutableBufferPointer(rebasing: scores[range]), .probabilities)
    return (m, sum)
  }
}
