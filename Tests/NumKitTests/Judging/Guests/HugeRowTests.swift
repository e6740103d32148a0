import NumKit
import Testing

/// Rows near the largest number, on which some plans have nothing but NaN: others still bound what is a number.
@Suite struct HugeRowTests {
  private func judged(_ results: [Double], _ claims: String = "") throws -> (Verdict, RowBound) {
    var verification = RowVerification(.softmax, format: .f32, inputs: .f32)
    if !claims.isEmpty { verification.claims = try Claims(parsing: claims) }
    let rows = HeldLogits(logits: [[3e38, -3e38, 1e38, 3e38].map { NumberFormat.f32.round($0) }])
    let found = try verification.run("y", HeldResults(results: [results]), on: rows).findings
    return (found.verdict(ofPart: 0), found.parts[0].bound)
  }

  @Test(arguments: ["shifted", "online"]) func numbersHaveABound(_ algorithm: String) throws {
    #expect(try judged([0.5, 0, 0, 0.5], "algorithm=\(algorithm)") == (.ok, .sound))
    #expect(try judged([0.51, 0, 0, 0.49], "algorithm=\(algorithm)").0 == .bug)
    #expect(try judged([.nan, 0, 0, .nan], "algorithm=\(algorithm)").0 == .bug)
  }

  /// A kernel of two passes subtracts a log-sum-exp that is off by as much as a row is wide: it may give anything from 0 to 1.
  @Test func oneThatMayGiveAnythingSaysNothing() throws {
    #expect(try judged([0.5, 0, 0, 0.5]) == (.vacuous, .vacuous))
  }

  /// A kernel that says that it multiplies the maximum by log2 e has NaN here, whatever else it does.
  @Test func aPlanThatSpoilsTheRowHasNone() throws {
    #expect(try judged([0.5, 0, 0, 0.5], "algorithm=base2").1 == .none)
  }
}
