import NumKitQuestions
import RealModule

/// Exponentials that the sum does not have, or that it has twice; no sum at all.
enum SumHypotheses: RowHypotheses {
  static func changes(_ context: RowContext) -> [RowChange] {
    let n = context.length
    guard context.operation.hasOneSum, n > 1 else { return [] }
    var list: [RowChange] = []
    func add(_ name: String, _ ratio: @escaping @Sendable (RowSum) -> Double) {
      var change = RowChange(name)
      change.sumRatio = { .one(ratio($0)) }
      list.append(change)
    }
    add(context.operation.isLogarithm ? "logarithm of the sum left out" : "not divided by the sum") {
      1 / $0.sum
    }
    add("first element left out of the sum") { RowSum.sum($0.terms[1...]) / $0.sum }
    add("maximum left out of the sum") { ($0.sum - 1) / $0.sum }
    add("maximum counted twice in the sum") { ($0.sum + 1) / $0.sum }
    if context.operation.isLogarithm {
      // Of the sum after the maximum was subtracted: the result errs by the difference of the logarithms.
      add("log2 of the sum") { Double.pow($0.sum, 1 / Double.log(2) - 1) }
      add("log10 of the sum") { Double.pow($0.sum, 1 / Double.log(10) - 1) }
      add("base 2 instead of e in the sum") { row in
        RowSum.sum(row.terms.map { Double.pow($0, Double.log(2)) }[...]) / row.sum
      }
      for (base, factor) in [("2", 1 / Double.log(2)), ("10", 1 / Double.log(10))] {
        var change = RowChange("results are logarithms to base \(base)")
        change.sumRatio = { logarithms($0, times: factor, isOne: context.operation == .logSumExp) }
        list.append(change)
      }
      let lost =
        context.operation == .logSumExp ? "maximum not added back" : "maximum subtracted from the sum alone"
      add(lost) { Double.exp(-$0.maximum) }
      add("logarithm of the mean") { 1 / Double($0.z.count) }
    }
    // As norms have it, where no sum can be 0.
    for epsilon in [1e-3, 1e-5, 1e-6, 1e-8] {
      add("\(epsilon) added to the sum") { ($0.sum + epsilon) / $0.sum }
    }
    if context.operation == .softmax || context.operation == .logSoftmax {
      add("divided by the number of elements") { Double($0.z.count) / $0.sum }
    }
    if context.operation == .softmax {
      var squared = RowChange("probabilities squared")
      squared.sumRatio = { row in .each(row.terms.map { row.sum / $0 }) }
      list.append(squared)
    }
    if context.operation == .softmax || context.operation == .logSoftmax {
      for size in (1..<13).map({ 1 << $0 }) where size < n {
        var blocks = RowChange("a softmax of each \(size) elements")
        blocks.sumRatio = { row in
          .each(
            stride(from: 0, to: n, by: size).flatMap { start in
              let block = row.terms[start..<Swift.min(start + size, n)]
              return Array(repeating: RowSum.sum(block) / row.sum, count: block.count)
            })
        }
        list.append(blocks)
      }
    }
    for k in tails(n) {
      add("\(name(k)) left out of the sum") { RowSum.sum($0.terms[..<($0.terms.count - k)]) / $0.sum }
      add("\(name(k)) counted twice in the sum") {
        ($0.sum + RowSum.sum($0.terms[($0.terms.count - k)...])) / $0.sum
      }
      var gone = RowChange("\(name(k)) left out")
      gone.item = { item in
        for i in item.values.indices.suffix(k) { item.values[i] = -.infinity }
      }
      if context.operation == .softmax || context.operation == .logSumExp { list.append(gone) }
    }
    return list
  }

  /// What the sum is multiplied by where a logarithm is multiplied by a factor: the log-sum-exp, or each log-probability.
  private static func logarithms(_ row: RowSum, times factor: Double, isOne: Bool) -> SumRatio {
    let lse = row.maximum + Double.log(row.sum)
    if isOne { return .one(Double.exp((factor - 1) * lse)) }
    return .each(row.z.map { Double.exp((1 - factor) * ($0 - lse)) })
  }

  private static func name(_ k: Int) -> String { k == 1 ? "last element" : "last \(k) elements" }

  /// Lengths of tails that kernels lose: an element, a block, what is left of whole blocks.
  static func tails(_ n: Int) -> [Int] {
    let blocks = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048].filter { 2 * $0 <= n }
    let others = [3, 5, 6, 10, 12, 20, 24, 48, 50, 96, 100, 192, 200, 384, 500, 768, 1000, 1536]
    return Set(blocks + (blocks + others.filter { $0 < n }).map { n % $0 }.filter { $0 > 0 }).sorted()
  }
}
