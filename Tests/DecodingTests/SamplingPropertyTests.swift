import Decoding
import StabilityTesting
import Testing

/// What holds of the tokens that are kept of any row.
@Suite struct SamplingPropertyTests {
  private static let rows: Generator<[Double]> = .logits(1...60)
  private static let rules = [
    SamplingRule(topP: 0.9), SamplingRule(temperature: 0.5, topK: 5), SamplingRule(minP: 0.05),
    SamplingRule(temperature: 2, topK: 7, topP: 0.5, minP: 0.01),
  ]

  /// Nothing that is left out is larger than what is kept, −∞ never is, and the largest always.
  @Test func theLargestAreKept() throws {
    try checkProperty(Self.rows, runs: 150) { row in
      try Self.rules.allSatisfy { rule in
        let truth = try #require(SamplingTruth(row, rule))
        let kept = truth.tokens.map { row[$0] }
        let left = row.indices.filter { !truth.tokens.contains($0) }.map { row[$0] }
        return truth.kept >= 1 && kept.contains(row.max() ?? 0) && !kept.contains(-.infinity)
          && left.allSatisfy { $0 <= kept.min() ?? -.infinity }
      }
    }
  }

  /// The order of tokens does not matter where no two are equal.
  @Test func turnedRowsKeepTheSame() throws {
    let distinct = Self.rows.filter { Set($0).count == $0.count }
    try checkProperty(distinct, runs: 100) { row in
      try Self.rules.allSatisfy { rule in
        let truth = try #require(SamplingTruth(row, rule))
        let turned = try #require(SamplingTruth(row.reversed(), rule))
        return Set(truth.tokens.map { row[$0] }) == Set(turned.tokens.map { row[row.count - 1 - $0] })
      }
    }
  }
}
