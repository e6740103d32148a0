import NumKit

/// Which tokens a decoder keeps that computes in a format: logits stored, divided by the temperature, softmax by one of our kernels,
/// cumulative sums in the accumulator.
public struct SamplingKernel {
  private let rule: SamplingRule
  private let configuration: KernelConfiguration
  private let runner: KernelRunner

  /// nil where the algorithm cannot run in these formats.
  public init?(_ algorithm: Algorithm, _ configuration: KernelConfiguration, _ rule: SamplingRule) {
    let temperature = configuration.compute.round(rule.temperature)
    guard
      let runner = KernelRunner(
        algorithm, configuration, parameters: OperationParameters(temperature: temperature))
    else { return nil }
    self.runner = runner
    self.rule = rule
    self.configuration = configuration
  }

  /// Tokens in order, and how many are kept.
  public func answer(_ logits: [Double]) -> (order: [Int], kept: Int) {
    var stored = logits
    _ = configuration.roundInputs(logits, into: &stored)
    let order = ordered(stored)
    var count = Swift.min(rule.topK ?? .max, Swift.max(1, stored.count { $0.isFinite }))
    if let p = rule.topP {
      let sums = cumulative(order.prefix(count).map { stored[$0] })
      let threshold = configuration.accumulator.round(p)
      // A token is kept while those before it have not reached p: what sorts and sums do everywhere.
      count = 1 + (sums.dropLast().firstIndex { $0 >= threshold || $0.isNaN } ?? count - 1)
    }
    if let m = rule.minP {
      let shares = probabilities(order.prefix(count).map { stored[$0] })
      let least = configuration.compute.round(configuration.compute.round(m) * (shares.first ?? 0))
      count = Swift.max(1, shares.prefix { $0 >= least }.count)
    }
    return (order, count)
  }

  /// The share of each token that is kept, before it is stored; nil for the others.
  func shares(_ logits: [Double]) -> [Double?] {
    var stored = logits
    _ = configuration.roundInputs(logits, into: &stored)
    let (order, kept) = answer(logits)
    var shares = [Double?](repeating: nil, count: logits.count)
    for (token, share) in zip(order, probabilities(order.prefix(kept).map { stored[$0] })) {
      shares[token] = share
    }
    return shares
  }

  private func probabilities(_ logits: [Double]) -> [Double] {
    var results = [Double](repeating: 0, count: logits.count)
    var trace = StageTrace()
    trace.startRow(0)
    logits.withUnsafeBufferPointer { x in
      results.withUnsafeMutableBufferPointer { runner.run(x, target: 0, into: $0, trace: &trace) }
    }
    return results
  }

  private func cumulative(_ logits: [Double]) -> [Double] {
    var sum = 0.0
    return probabilities(logits).map {
      sum = configuration.accumulator.round(sum + configuration.accumulator.round($0))
      return sum
    }
  }
}
