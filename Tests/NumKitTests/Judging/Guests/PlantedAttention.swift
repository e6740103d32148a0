import Foundation
import NumKit

/// Attention in Float, block by block, with a mistake in it.
struct PlantedAttention: ResultSource {
  typealias Q = AttentionForward

  /// What is done wrong.
  enum Mistake: CaseIterable {
    case none, outputNeverRescaled, sumNeverRescaled, nothingRescaled, lastRescaleMissed,
      lastFirstNeverRescaled
    case meanOfSplits, splitsWithoutMaxima
    case maskAfterSoftmax, maskAsNumbers, hiddenScoresZero, capAfterMask
    case notDivided, mean, largestAlone
    case shortProbabilities, shortScores, shortAccumulator, coarseAccumulator
    case keyHeadsReversed, lastProduct, unshifted, truncated, rounded
    case thirdRescaleMissed, secondMaximumStale
  }

  let tensors: AttentionInputs
  let mistake: Mistake
  var causal = false
  var cap: Float?
  static let block = 8

  func results(of item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>) {
    let y = output(item.head, item.query)
    for c in y.indices {
      results[c] = Double(y[c])
      if mistake == .truncated { results[c] = Double(Float(bitPattern: y[c].bitPattern & ~0xffff)) }
      if mistake == .rounded { results[c] = NumberFormat.bf16.round(Double(y[c])) }
    }
  }

  private func output(_ head: Int, _ query: Int) -> [Float] {
    let s = tensors.shape
    var kv = s.keyHead(of: head)
    if mistake == .keyHeadsReversed { kv = s.keyHeads - 1 - kv }
    let d = s.headSize
    let used = mistake == .lastProduct ? d - 1 : d
    let scale = 1 / Float(d).squareRoot()
    let seen = (0..<s.keys).map { !causal || $0 <= query + s.keys - s.queries }
    var x: [Float] = (0..<s.keys).map { j in
      var sum: Float = 0
      for c in 0..<used {
        sum +=
          Float(tensors.q[(head * s.queries + query) * d + c]) * Float(tensors.k[(kv * s.keys + j) * d + c])
      }
      return sum * scale
    }
    if mistake == .shortScores { x = x.map { Float(NumberFormat.f16.round(Double($0))) } }
    if mistake == .capAfterMask { for j in x.indices where !seen[j] { x[j] = -.infinity } }
    if let cap { x = x.map { cap * tanh($0 / cap) } }
    switch mistake {
    case .maskAsNumbers: for j in x.indices where seen[j] { x[j] += 1 }
    case .hiddenScoresZero: for j in x.indices where !seen[j] { x[j] = 0 }
    case .capAfterMask, .maskAfterSoftmax: break
    case .mean: for j in x.indices { x[j] = seen[j] ? 0 : -.infinity }
    default: for j in x.indices where !seen[j] { x[j] = -.infinity }
    }
    func value(_ j: Int, _ c: Int) -> Float { Float(tensors.v[(kv * s.keys + j) * s.valueSize + c]) }
    /// Σ w·v over some keys.
    func products(_ w: [Float], _ keys: Range<Int>) -> [Float] {
      (0..<s.valueSize).map { c in keys.reduce(0) { $0 + w[$1] * value($1, c) } }
    }
    let top = mistake == .unshifted ? 0 : x.reduce(-.infinity, max)
    let terms = x.map { exp($0 - top) }
    let sum = terms.reduce(0, +)
    switch mistake {
    case .maskAfterSoftmax:
      return products(terms.indices.map { seen[$0] ? terms[$0] / sum : 0 }, 0..<s.keys)
    case .notDivided: return products(terms, 0..<s.keys)
    case .unshifted: return products(terms, 0..<s.keys).map { $0 / sum }
    case .largestAlone: return products(terms.map { $0 == 1 ? 1 : 0 }, 0..<s.keys)
    case .shortProbabilities:
      return products(terms.map { Float(NumberFormat.f16.round(Double($0 / sum))) }, 0..<s.keys)
    case .shortAccumulator, .coarseAccumulator:
      let short: NumberFormat = mistake == .shortAccumulator ? .f16 : .bf16
      return (0..<s.valueSize).map { c in
        let y = terms.indices.reduce(0.0) { short.round($0 + Double(terms[$1] * value($1, c))) }
        return Float(y / terms.reduce(0.0) { short.round($0 + Double($1)) })
      }
    case .meanOfSplits, .splitsWithoutMaxima:
      let parts = stride(from: 0, to: s.keys, by: s.keys / 4).map { $0..<$0 + s.keys / 4 }
      let own = parts.map { part in
        let most = x[part].max() ?? 0
        return x.indices.map { part.contains($0) ? exp(x[$0] - most) : 0 }
      }
      let sums = own.map { $0.reduce(0, +) }
      return (0..<s.valueSize).map { c in
        let each = parts.indices.map { k in own[k].indices.reduce(Float(0)) { $0 + own[k][$1] * value($1, c) }
        }
        return mistake == .meanOfSplits
          ? zip(each, sums).reduce(0) { $0 + $1.0 / $1.1 } / 4 : each.reduce(0, +) / sums.reduce(0, +)
      }
    default: return online(x, products)
    }
  }

  /// The softmax of blocks after one another.
  private func online(_ x: [Float], _ products: ([Float], Range<Int>) -> [Float]) -> [Float] {
    var blocks = stride(from: 0, to: x.count, by: Self.block).map { $0..<min($0 + Self.block, x.count) }
    if mistake == .lastFirstNeverRescaled { blocks.reverse() }
    let tops = blocks.map { x[$0].reduce(-.infinity, max) }
    let last = tops.firstIndex(of: tops.max() ?? 0) ?? 0
    var (m, sum, y) = (-Float.infinity, Float(0), products(x, 0..<0))
    for (k, block) in blocks.enumerated() {
      let new = max(m, tops[k])
      if new == -.infinity { continue }
      var factor = exp(m - new)
      if mistake == .nothingRescaled || mistake == .lastFirstNeverRescaled
        || mistake == .lastRescaleMissed && k == last || mistake == .thirdRescaleMissed && k == 2
      {
        factor = m == -.infinity ? 0 : 1
      }
      let used = mistake == .secondMaximumStale && k == 1 ? m : new
      let terms = x.map { exp($0 - used) }
      sum = sum * (mistake == .sumNeverRescaled ? 1 : factor) + terms[block].reduce(0, +)
      let more = products(terms, block)
      for c in y.indices { y[c] = y[c] * (mistake == .outputNeverRescaled ? 1 : factor) + more[c] }
      m = new
    }
    return y.map { $0 / sum }
  }
}
