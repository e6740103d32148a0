import Foundation
import NumKit
import TestSupport
import Testing

/// Kernels with a defect are caught and the defect is named; those without pass. Minutes, so only where NUMCHECK_PLANTED asks.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["NUMCHECK_PLANTED"] != nil)) struct PlantedTests {
  /// Large only where code is optimised.
  static let shapes: [(rows: Int, length: Int)] = isOptimized ? [(64, 4096), (4, 49152)] : [(6, 192)]
  static let seeds: [UInt64] = shapes[0].rows < 64 ? [1] : [1, 2]

  private func judge(
    _ rows: PlantedRows, temperature: Double = 1, claims: Claims = Claims(),
    _ body: @escaping PlantedSoftmax.Body
  ) throws -> GuestFindings<RowQuestion> {
    var v = RowVerification(
      .softmax, format: .f32, inputs: .f32, parameters: OperationParameters(temperature: temperature))
    v.threads = 2
    v.claims = claims
    return try v.run("planted", PlantedSoftmax(rows: rows, body: body), on: rows).findings
  }

  @Test(arguments: shapes.indices, seeds) func defectsAreNamed(_ shape: Int, _ seed: UInt64) throws {
    let (count, length) = Self.shapes[shape]
    let rows = PlantedRows(rows: count, length: length, seed: seed)
    for defect in PlantedDefect.all(rows) {
      // Half an ulp in the mean takes some thousand results to be seen.
      if defect.name.contains("truncated") && count * length < 1 << 16 { continue }
      let found = try judge(rows, temperature: defect.temperature, defect.body)
      let names = found.hypotheses.map(\.name)
      #expect(found.verdict(ofPart: 0) == .bug, "\(defect.name), \(count) x \(length)")
      #expect(names.first == defect.name, "\(defect.name), \(count) x \(length): \(found.hypotheses)")
    }
  }

  @Test(arguments: seeds) func rightKernelsPass(_ seed: UInt64) throws {
    for (count, length) in Self.shapes {
      let rows = PlantedRows(rows: count, length: length, seed: seed)
      let found = try judge(rows) { x, _, _ in PlantedSoftmax.softmax(x) }
      #expect(found.verdict(ofPart: 0) == .ok, "\(found.hypotheses)")
      #expect(found.hypotheses.isEmpty)
      // One after the other is a plan too, whose errors are larger.
      let slow = try judge(rows) { x, _, _ in
        let e = PlantedSoftmax.exponentials(x)
        let s = e.reduce(0, +)
        return e.map { $0 / s }
      }
      #expect(slow.verdict(ofPart: 0) == .ok, "\(slow.hypotheses)")
    }
  }

  @Test func whatIsClaimedIsNoFault() throws {
    let rows = PlantedRows(rows: 8, length: 384, seed: 3)
    let body: PlantedSoftmax.Body = { x, _, _ in
      let e = PlantedSoftmax.exponentials(x)
      let s = PlantedSoftmax.sum(e[...], PlantedSoftmax.bfloat)
      return e.map { $0 / s }
    }
    #expect(try judge(rows, body).verdict(ofPart: 0) == .bug)
    let claims = try Claims(parsing: "accumulate=bf16")
    #expect(try judge(rows, claims: claims, body).verdict(ofPart: 0) != .bug)
  }

  /// Results that are wrong and look right to a tolerance, a sum, a shape.
  @Test func cheatsAreCaught() throws {
    typealias P = PlantedSoftmax
    let rows = PlantedRows(rows: 8, length: 384, seed: 5)
    let n = rows.length
    let cheats: [(String, PlantedSoftmax.Body)] = [
      ("zeros", { x, _, _ in x.map { _ in 0 } }),
      ("uniform", { x, _, _ in x.map { _ in 1 / Float(n) } }),
      ("copied input", { x, _, _ in x }),
      ("constant one", { x, _, _ in x.map { _ in 1 } }),
      ("NaN", { x, _, _ in x.map { _ in .nan } }),
      ("infinity", { x, _, _ in x.map { _ in .infinity } }),
      ("last row's", { _, _, other in P.softmax(other(rows.rowCount - 1)) }),
      ("first row's", { _, _, other in P.softmax(other(0)) }),
      ("one-hot", { x, _, _ in x.map { $0 == x.max() ? 1 : 0 } }),
      ("sorted", { x, _, _ in P.softmax(x).sorted() }),
      (
        "right in the first row alone", { x, row, _ in row == 0 ? P.softmax(x) : x.map { _ in 1 / Float(n) } }
      ),
      ("right in the first half alone", { x, _, _ in P.softmax(x).enumerated().map { $0 < n / 2 ? $1 : 0 } }),
      ("one element NaN", { x, row, _ in P.softmax(x).enumerated().map { $0 == 7 && row == 3 ? .nan : $1 } }),
      (
        "one element off",
        { x, row, _ in P.softmax(x).enumerated().map { $0 == 7 && row == 3 ? $1 * 1.001 : $1 } }
      ),
      ("within 1e-3", { x, _, _ in P.softmax(x).map { $0 + 9e-4 } }),
      ("within 1 %", { x, _, _ in P.softmax(x).map { $0 * 1.009 } }),
      (
        "linear",
        { x, _, _ in
          let e = x.map { max(0, 1 + $0) }
          let s = P.sum(e[...])
          return e.map { $0 / s }
        }
      ),
      ("inputs in bf16", { x, _, _ in P.softmax(x.map(P.bfloat)) }),
      (
        "the mean of all rows",
        { x, _, other in
          let all = (0..<rows.rowCount).map { P.softmax(other($0)) }
          return x.indices.map { i in all.reduce(0) { $0 + $1[i] } / Float(all.count) }
        }
      ),
      ("clipped", { x, _, _ in P.softmax(x.map { min($0, 2) }) }),
      ("negative", { x, _, _ in P.softmax(x).map { -$0 } }),
      ("subnormal noise", { x, _, _ in x.map { _ in .leastNonzeroMagnitude } }),
    ]
    for (name, body) in cheats {
      #expect(try judge(rows, body).verdict(ofPart: 0) == .bug, "\(name)")
    }
  }
}
