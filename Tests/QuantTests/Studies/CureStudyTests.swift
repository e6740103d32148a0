import NumKit
import Testing

import Quant

/// What a cure restores, and which one to take: each rule on its own.
@Suite struct CureStudyTests {
  /// The error of a tensor of `count` ones of which each is off so that the SQNR is `sqnr`, and `lost` more are gone.
  private func statistics(_ sqnr: Double, lost: Int = 0) -> ErrorSums {
    var s = ErrorSums()
    let x = [Float](repeating: 1, count: 64) + [Float](repeating: 1, count: lost)
    // 10^(-dB/20), by halves that are exact enough for tenths of a dB.
    var error: Double = 1
    for _ in 0..<Int(sqnr * 10) { error /= 1.0115794542598986 }
    let y = [Float](repeating: Float(1 + error), count: 64) + [Float](repeating: .nan, count: lost)
    x.withUnsafeBufferPointer { a in y.withUnsafeBufferPointer { s.add(a, $0) } }
    return s
  }

  private func result(
    _ name: String, bits: Double = 8, whole: Double = 20, rest: Double = 20, lost: Int = 0,
    output: Double? = nil
  ) -> TreatmentResult {
    TreatmentResult(
      name: name, bitsPerWeight: bits, statistics: statistics(whole, lost: lost), rest: statistics(rest),
      flushed: 0, outputSqnr: output)
  }

  private func group(_ plain: TreatmentResult, _ treated: TreatmentResult...) -> CureGroup {
    CureGroup(plain, treated)
  }

  @Test func theHelperHasTheRatio() { #expect((statistics(20).sqnr - 20).magnitude < 0.01) }

  @Test func whatIsRestoredIsTheRestsOrTheProducts() {
    let plain = result("plain", rest: 5)
    let g = group(plain, result("a", rest: 25))
    #expect((g.restored(g.treated[0]) - 20).magnitude < 0.02 && g.restored(plain) == 0)
    // With activations it is the product that counts, whatever the rest does.
    let judged = group(result("plain", rest: 5, output: 10), result("a", rest: 25, output: 9))
    #expect(judged.restored(judged.treated[0]) == -1)
    // Both exact: nothing restored, and no NaN.
    let exact = group(result("plain", output: .infinity), result("a", output: .infinity))
    #expect(exact.restored(exact.treated[0]) == 0)
  }

  @Test func bitsAreWorthSixDecibels() {
    let plain = result("plain", bits: 8, whole: 5, rest: 5)
    // 10 dB for a bit and a half gain 10 - 9.03; 9 dB do not make up for them.
    let g = group(plain, result("dear", bits: 9.5, rest: 14), result("fair", bits: 9.5, rest: 15))
    #expect(g.gain(g.treated[0]) < 0 && g.gain(g.treated[1]) > 0 && g.best?.name == "fair")
    let cheap = group(plain, result("more", bits: 9.5, rest: 18), result("less", bits: 8, rest: 12))
    // 13 - 9.03 against 7.
    #expect(cheap.best?.name == "less")
    #expect(group(plain, result("dear", bits: 10, rest: 15)).best == nil)
  }

  @Test func lessThanADecibelIsNoCure() {
    let plain = result("plain", rest: 5)
    #expect(group(plain, result("a", rest: 5.9)).best == nil)
    #expect(group(plain, result("a", rest: 6.1)).best?.name == "a")
  }

  @Test func theWholeIsNotSoldForTheRest() {
    let plain = result("plain", whole: 20, rest: 5)
    let g = group(plain, result("slight", whole: 17.2, rest: 15), result("ruin", whole: 16.8, rest: 40))
    #expect(!g.sacrifices(g.treated[0]) && g.sacrifices(g.treated[1]))
    #expect(g.best?.name == "slight" && g.sacrificing.map(\.name) == ["ruin"])
    // Judged by its product a weight may err more.
    let judged = group(
      result("plain", whole: 20, output: 10), result("a", whole: 10, output: 20))
    #expect(!judged.sacrifices(judged.treated[0]) && judged.best?.name == "a")
    // Losing numbers is never worth it.
    let lossy = group(plain, result("a", whole: 20, rest: 40, lost: 1))
    #expect(lossy.sacrifices(lossy.treated[0]) && lossy.best == nil)
  }

  @Test func savedNumbersComeFirst() {
    let plain = result("plain", whole: 20, rest: 20, lost: 3)
    let g = group(
      plain, result("louder", rest: 40, lost: 3), result("some", rest: 20, lost: 1),
      result("all", rest: 19.5),
      result("dearer", bits: 12, rest: 20))
    // All are saved by two: the one of less bits gains more.
    #expect(g.best?.name == "all")
    #expect(g.ranking.map(\.name) == ["plain", "dearer", "all", "some", "louder"])
  }

  @Test func equalsStayInTheOrderTried() {
    let g = group(result("plain", rest: 5), result("a", rest: 15), result("b", rest: 15))
    #expect(g.best?.name == "a" && g.ranking.map(\.name) == ["plain", "a", "b"])
  }

  @Test func aStudyTriesAllAndNamesWhatDoesNotFit() throws {
    var values = (0..<256).map { Float($0 % 13) / 4 }
    values[70] = 9000
    let matrix = TensorMatrix(rows: 8, columns: 32, values: values)
    let schemes = try ["int8@tensor", "q4_k"].map {
      try CureList.treatments(for: SchemeRegistry.scheme(named: $0))
    }
    let study = try CureStudy(matrix, schemes: schemes, context: CureContext(), skipsUnfit: true)
    #expect(study.profile.massive.count == 1 && study.skipped.map(\.name) == ["q4_k"])
    let group = try #require(study.groups.first)
    #expect(study.groups.count == 1 && group.plain.name == "int8@tensor")
    #expect(group.treated.count + group.skipped.count + 1 == schemes[0].count)
    #expect(group.skipped.contains { $0.name.contains("gptq") })
    let best = try #require(group.best)
    #expect(group.treated.allSatisfy { group.sacrifices($0) || group.gain($0) <= group.gain(best) })
    // Alone, or where nothing may be left out, what does not fit is an error.
    #expect(throws: SchemeError.self) {
      try CureStudy(matrix, schemes: [schemes[1]], context: CureContext(), skipsUnfit: true)
    }
    #expect(throws: CureError.self) {
      try CureStudy(matrix, schemes: [schemes[0]], context: CureContext(), skipsUnfit: false)
    }
  }
}
