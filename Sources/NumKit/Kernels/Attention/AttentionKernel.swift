/// The ways to attend.
public enum AttentionAlgorithm: String, Sendable, CaseIterable {
  /// Unshifted softmax: e^s overflows where s does not.
  case naive
  /// Shifted softmax over the whole row, probabilities divided before they are cast and multiplied with V.
  case standard
  /// Tiles of keys, online softmax, the accumulator rescaled and divided once at the end (FlashAttention, arXiv
  /// 2205.14135). Tiles of queries do not change a row's arithmetic, so only the keys' tile is a parameter.
  case flash
  /// Normalised partial results of each share of the keys, merged by their LSE (flash decoding, ring attention).
  case splitKV = "split-kv"
}

/// One query with its keys, in compute format C and accumulator A; probabilities are cast to P before P·V.
struct AttentionRow<C: Scalar, A: Scalar> {
  let query: UnsafeMutableBufferPointer<C>
  let keys: UnsafeMutableBufferPointer<C>
  let values: UnsafeMutableBufferPointer<C>
  /// What is added to each score; −∞ hides the key.
  let bias: UnsafeMutableBufferPointer<Double>
  let scores: UnsafeMutableBufferPointer<C>
  let total: UnsafeMutableBufferPointer<A>
  let output: UnsafeMutableBufferPointer<C>
  let scale: C
  let placement: AttentionParameters.Placement
  let cap: C?
  /// A finite score put in place of a hidden one, as some kernels do; nil leaves hidden keys out.
  let sentinel: C?

  func isSeen(_ j: Int) -> Bool { sentinel != nil || bias[j] > -.infinity || bias[j].isNaN }

  /// Scores of the keys in `range`: products and sum in A, the rest in C.
  func score<S: Stages>(_ range: Range<Int>, _ stages: inout S) {
    for j in range {
      var s = A.zero
      let base = j * query.count
      for c in query.indices {
        let x = placement == .before ? query[c] * scale : query[c]
        s = A.fusedMultiplyAdd(A(converting: x), A(converting: keys[base + c]), s)
      }
      scores[j] = C(converting: s)
    }
    let part = UnsafeMutableBufferPointer(rebasing: scores[range])
    stages.store(part, .scores)
    for j in range {
      var s = placement == .after ? scores[j] * scale : scores[j]
      if let cap { s = cap * C.tanh(s / cap) }
      if bias[j] == -.infinity { s = sentinel ?? .zero } else if bias[j] != 0 { s = s + C(rounding: bias[j]) }
      scores[j] = s
    }
    stages.store(part, .scale)
  }

  /// The largest seen score in `range`; nil where none is seen.
  func largest(_ range: Range<Int>) -> C? {
    var m: C?
    for j in range where isSeen(j) { m = m.map { C.larger($0, scores[j]) } ?? scores[j] }
    return m
  }

  /// Puts e^(s − m) in place of the scores in `range`, 0 for what is hidden; returns the sum.
  func exponentials<S: Stages>(_ range: Range<Int>, less m: C?, _ stages: inout S) -> A {
    var sum = A.zero
    for j in range {
      scores[j] = isSeen(j) ? C.exp(m.map { scores[j] - $0 } ?? scores[j]) : .zero
      sum = sum + A(converting: scores[j])
    }
    stages.store(UnsafeMutableBufferPointer(rebasing: scores[range]), .exponential)
    return stages.store(sum, .sum)
  }

  /// total += Σ P(pⱼ) vⱼ over `range`.
  func weigh<P: Scalar, S: Stages>(_ range: Range<Int>, in: P.Type, _ stages: inout S) {
    for j in range where isSeen(j) {
      let p = A(converting: P(converting: scores[j]))
      let base = j * total.count
      for c in total.indices {
        total[c] = A.fusedMultiplyAdd(p, A(converting: values[base + c]), total[c])
      }
    }
    stages.store(total, .weighted)
  }

  /// Answers for the query; returns its LSE. At least one key is seen.
  func attend<P: Scalar, S: Stages>(
    _ algorithm: AttentionAlgorithm, block: Int, in: P.Type, _ stages: inout S
  ) -> C {
    switch algorithm {
    case .naive: return whole(shifted: false, in: P.self, &stages)
    case .standard: return whole(shifted: true, in: P.self, &stages)
    case .flash: return flash(block: block, in: P.self, &stages)
    case .splitKV: return split(block: block, in: P.self, &stages)
    }
  }
}

extension AttentionRow {
  private func whole<P: Scalar, S: Stages>(shifted: Bool, in: P.Type, _ stages: inout S) -> C {
    let all = scores.indices
    score(all, &stages)
    let m = shifted ? largest(all) : nil
    let sum = exponentials(all, less: m, &stages)
    for j in all { scores[j] = scores[j].divided(by: sum) }
    stages.store(scores, .probabilities)
    total.update(repeating: .zero)
    weigh(all, in: P.self, &stages)
    for c in output.indices { output[c] = C(converting: total[c]) }
    stages.store(output, .output)
    return stages.store((m ?? .zero).adding(A.log(sum)), .logarithm)
  }

  private func flash<P: Scalar, S: Stages>(block: Int, in: P.Type, _ stages: inout S) -> C {
    var m: C?
    var sum = A.zero
    total.update(repeating: .zero)
    for start in stride(from: 0, to: scores.count, by: block) {
      let tile = start..<min(start + block, scores.count)
      score(tile, &stages)
      // A tile with nothing seen changes nothing: −∞ − (−∞) would be NaN.
      guard let top = largest(tile) else { continue }
      let new = m.map { C.larger($0, top) } ?? top
      if let m, m != new {
        let factor = A(converting: C.exp(m - new))
        sum = sum * factor
        for c in total.indices { total[c] = total[c] * factor }
      }
      m = new
      sum = sum + exponentials(tile, less: new, &stages)
      weigh(tile, in: P.self, &stages)
    }
    for c in output.indices { output[c] = C(converting: total[c] / sum) }
    stages.store(output, .output)
    return stages.store((m ?? .zero).adding(A.log(sum)), .logarithm)
  }

  private func split<P: Scalar, S: Stages>(block: Int, in: P.Type, _ stages: inout S) -> C {
    // The merged result so far is `merged`, its LSE `lse`.
    var lse: A?
    var merged = [A](repeating: .zero, count: total.count)
    for start in stride(from: 0, to: scores.count, by: block) {
      let part = start..<min(start + block, scores.count)
      score(part, &stages)
      guard let m = largest(part) else { continue }
      let sum = exponentials(part, less: m, &stages)
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
        merged[c] = (old + new * b) / both
      }
      lse = top + A.log(both)
    }
    for c in output.indices { output[c] = C(converting: merged[c]) }
    stages.store(output, .output)
    return stages.store(C(converting: lse ?? .zero), .logarithm)
  }
}
