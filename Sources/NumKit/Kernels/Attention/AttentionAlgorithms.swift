import NumKitNumbers

extension AttentionRow {
  /// Answers for the query; returns its log-sum-exp. At least one key is seen. `probabilities` is shown what P was cast to, where the
  /// algorithm has it whole.
  func attend<P: Scalar, S: Stages>(
    _ algorithm: AttentionAlgorithm, block: Int, in: P.Type, _ stages: inout S,
    probabilities: (([Double]) -> Void)?
  ) -> Double {
    switch algorithm {
    case .naive: return whole(shifted: false, in: P.self, &stages, probabilities)
    case .standard: return whole(shifted: true, in: P.self, &stages, probabilities)
    case .flash: return flash(block: block, in: P.self, &stages)
    case .splitKV: return split(block: block, in: P.self, &stages)
    }
  }

  /// The tiles of `block` keys that `range` touches, on the grid that starts at key 0.
  private func tiles(_ block: Int) -> [Range<Int>] {
    let first = range.lowerBound / block * block
    return stride(from: first, to: range.upperBound, by: block).map {
      Swift.max($0, range.lowerBound)..<Swift.min($0 + block, range.upperBound)
    }
  }

  private func whole<P: Scalar, S: Stages>(
    shifted: Bool, in: P.Type, _ stages: inout S, _ show: (([Double]) -> Void)?
  ) -> Double {
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
      for j in range where seen[j] {
        let p = C.fusedMultiplyAdd(stretch, scores[j], shift)
        scores[j] = p < .zero ? .zero : p > .one ? .one : p
      }
    }
    let part = UnsafeMutableBufferPointer(rebasing: scores[range])
    stages.store(part, .probabilities)
    if let show {
      show(range.map { cast(scores[$0], to: P.self).exact })
    }
    total.update(repeating: .zero)
    weigh(range, in: P.self, &stages)
    for c in output.indices { output[c] = C(converting: total[c]) }
    stages.store(output, .output)
    return logSumExp(m, sum, &stages)
  }

  private func flash<P: Scalar, S: Stages>(block: Int, in: P.Type, _ stages: inout S) -> Double {
    var m = sink
    var sum = sink == nil ? A.zero : A.one
    total.update(repeating: .zero)
    for tile in tiles(block) {
      score(tile, &stages)
      // A tile with nothing seen changes nothing: −∞ − (−∞) would be NaN.
      guard let top = largest(tile) else { continue }
      var new = m.map { C.larger($0, top) } ?? top
      if let m, m != new {
        // Lazily: as long as nothing can overflow the old maximum will do, with exponentials above 1.
        if laziness > .zero, new - m <= laziness {
          new = m
        } else {
          let factor = A(converting: C.exp(m - new))
          sum = sum * factor
          for c in total.indices { total[c] = total[c] * factor }
        }
      }
      m = new
      sum = stages.store(sum + exponentials(tile, less: new, from: .zero, &stages), .sum)
      weigh(tile, in: P.self, &stages)
    }
    for c in output.indices { output[c] = C(converting: total[c] / sum) }
    stages.store(output, .output)
    return logSumExp(m, sum, &stages)
  }

  private func split<P: Scalar, S: Stages>(block: Int, in: P.Type, _ stages: inout S) -> Double {
    // The merged result so far is `merged`, its LSE `lse`. A sink is a share whose result is 0.
    var lse = sink.map { A(converting: $0) }
    let merged = UnsafeMutableBufferPointer<A>.allocate(capacity: total.count)
    merged.initialize(repeating: .zero)
    defer { merged.deallocate() }
    for part in tiles(block) {
      score(part, &stages)
      guard let m = largest(part) else { continue }
      let sum = exponentials(part, less: m, from: .zero, &stages)
      total.update(repeating: .zero)
      weigh(part, in: P.self, &stages)
      let own = A(converting: m) + A.log(sum)
      guard let before = lse else {
        for c in total.indices { merged[c] = total[c] / sum }
        lse = own
        continue
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
      stages.store(merged, .weighted)
      for c in merged.indices { merged[c] = merged[c] / both }
      lse = top + A.log(both)
    }
    for c in output.indices { output[c] = C(converting: merged[c]) }
    stages.store(output, .output)
    return stages.store(lse ?? .zero, .logarithm).exact
  }
}
