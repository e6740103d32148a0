import Decoding
import NumKit

/// A sampler as people write them, every operation rounded to a format, and with their mistakes. It shares nothing with ours.
struct PlainSampler {
  /// How shares are summed, which decides nothing in exact arithmetic.
  enum Style: CaseIterable {
    /// The sorted, the largest first.
    case descending
    /// The smallest first, and what is left of 1 (Transformers).
    case ascending
    /// Softmax of all once, and divided by the sum of what is left after each cut.
    case renormalised
  }

  enum Mistake: CaseIterable {
    case none, tiesLast, noTemperature, timesTemperature, temperatureLast, topPFirst, topPBeforeTemperature,
      minPFirst
    case topKMore, topKFewer, topKTies, beyond, within, oneMore, sharesOfAll, complement, absolute,
      unnormalised
    case sumOfTopK, noTopK, noTopP, noMinP
  }

  var rule: SamplingRule
  var format = NumberFormat.f64
  var style = Style.descending
  var mistake = Mistake.none
  /// Whether logits are multiplied by the reciprocal of the temperature.
  var multiplies = false

  private enum Cut { case temperature, topK, topP, minP }

  /// Shares of those that are kept; nil for the others.
  func shares(_ logits: [Double]) -> [Double?] {
    let r: (Double) -> Double = { format.round($0) }
    var x = logits.map(r)
    func softmax(_ list: [Int]) -> [Double] {
      let top = list.map { x[$0] }.max() ?? 0
      let e = list.map { r(Double.exp(r(x[$0] - top))) }
      let sum = e.reduce(0) { r($0 + $1) }
      return e.map { r($0 / sum) }
    }
    var order = x.indices.filter { x[$0] > -.infinity }
    order.sort { x[$0] != x[$1] ? x[$0] > x[$1] : mistake == .tiesLast ? $0 > $1 : $0 < $1 }
    let all = order
    var left = all
    var steps: [Cut] = [.temperature, .topK, .topP, .minP]
    switch mistake {
    case .temperatureLast: steps = [.topK, .topP, .minP, .temperature]
    case .topPFirst: steps = [.temperature, .topP, .topK, .minP]
    case .topPBeforeTemperature: steps = [.topP, .temperature, .topK, .minP]
    case .minPFirst: steps = [.temperature, .minP, .topK, .topP]
    default: break
    }
    var afterTopK = all
    func renormalised() -> [Double] {
      let p = softmax(order)
      var sum = 0.0
      for i in order.indices where left.contains(order[i]) { sum = r(sum + p[i]) }
      return left.map { token in r(p[order.firstIndex(of: token)!] / sum) }
    }
    func current() -> [Double] { style == .renormalised ? renormalised() : softmax(left) }
    for step in steps {
      switch step {
      case .temperature:
        let t = r(rule.temperature)
        switch mistake {
        case .noTemperature: break
        case .timesTemperature: x = x.map { r($0 * t) }
        default: x = x.map { multiplies ? r($0 * r(1 / t)) : r($0 / t) }
        }
      case .topK:
        if let k = rule.topK, mistake != .noTopK {
          let count = k + (mistake == .topKMore ? 1 : mistake == .topKFewer ? -1 : 0)
          let last = left[min(left.count, max(1, count)) - 1]
          left = mistake == .topKTies ? left.filter { x[$0] >= x[last] } : Array(left.prefix(max(1, count)))
        }
        afterTopK = left
      case .topP:
        guard var p = rule.topP, mistake != .noTopP else { continue }
        if mistake == .complement { p = 1 - p }
        left = Array(
          left.prefix(
            kept(mistake == .sharesOfAll ? Array(softmax(all).prefix(left.count)) : current(), r(p), r)))
      case .minP:
        guard let m = rule.minP, mistake != .noMinP else { continue }
        let p = current()
        let least = mistake == .absolute ? m : r(r(m) * p[0])
        left = Array(left.prefix(max(1, p.prefix { $0 >= least }.count)))
      }
    }
    var result = [Double?](repeating: nil, count: x.count)
    let whole = mistake == .unnormalised ? all : mistake == .sumOfTopK ? afterTopK : left
    let weights = whole == left ? current() : softmax(whole)
    for (token, w) in zip(whole, weights) where left.contains(token) { result[token] = w }
    return result
  }

  private func kept(_ p: [Double], _ limit: Double, _ r: (Double) -> Double) -> Int {
    if style == .ascending {
      // Those are left out with which the sum of the smallest is 1 − p at most.
      let most = r(1 - limit)
      var (sum, out) = (0.0, 0)
      for share in p.reversed() {
        sum = r(sum + share)
        if sum > most { break }
        out += 1
      }
      return max(1, p.count - out)
    }
    var (sum, count) = (0.0, 0)
    for share in p {
      let before = sum
      sum = r(sum + share)
      switch mistake {
      case .within: if sum > limit { return max(1, count) }
      case .beyond: if before > limit { return count }
      default: if before >= limit { return min(p.count, count + (mistake == .oneMore ? 1 : 0)) }
      }
      count += 1
    }
    return p.count
  }
}
