import CMPFR
import Foundation
import NumKit
import Testing

/// One row of `fixtures/reference/golden.txt`.
struct GoldenRow {
  var operation = RowOperation.softmax
  var parameters = OperationParameters()
  var logits: [Double] = []
  /// One array for each result: its rounding to each format.
  var rounded: [[Double]] = []
  /// The exact results in decimal.
  var decimals: [String] = []
}

struct Golden {
  var formats: [NumberFormat] = []
  var rows: [GoldenRow] = []

  init() throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../fixtures/reference/golden.txt").standardizedFileURL
    for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
      let words = line.split(separator: " ")
      let numbers = { try words.dropFirst().map { try #require(Double($0)) } }
      switch words[0] {
      case "formats":
        formats = try words.dropFirst().map { try #require(DType(String($0))?.numberFormat) }
      case "row":
        var row = GoldenRow()
        row.operation = try #require(RowOperation(rawValue: String(words[1])))
        row.parameters.temperature = try #require(Double(words[2]))
        row.parameters.target = try #require(Int(words[3]))
        rows.append(row)
      case "x": rows[rows.count - 1].logits = try numbers()
      case "v": rows[rows.count - 1].parameters.cotangent = try numbers()
      case "r":
        rows[rows.count - 1].rounded.append(
          try words.dropFirst().prefix(formats.count).map { try #require(Double($0)) })
        rows[rows.count - 1].decimals.append(String(words[words.count - 1]))
      default: Issue.record("unknown line \(line)")
      }
    }
  }
}

/// |(high + low)·2^exponent − decimal| / |decimal|, or the left side's magnitude if the decimal is 0.
func relativeDistance(_ truth: Truth, _ i: Int, _ decimal: String) -> Double {
  let numbers = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 2)
  defer {
    for k in 0..<2 { mpfr_clear(numbers + k) }
    numbers.deallocate()
  }
  for k in 0..<2 { mpfr_init2(numbers + k, 512) }
  mpfr_set_d(numbers, truth.high[i], MPFR_RNDN)
  mpfr_add_d(numbers, numbers, truth.low[i], MPFR_RNDN)
  mpfr_mul_2si(numbers, numbers, Int(truth.exponent[i]), MPFR_RNDN)
  mpfr_set_str(numbers + 1, decimal, 10, MPFR_RNDN)
  mpfr_sub(numbers, numbers, numbers + 1, MPFR_RNDN)
  if nc_mpfr_is_zero(numbers + 1) == 0 { mpfr_div(numbers, numbers, numbers + 1, MPFR_RNDN) }
  return mpfr_get_d(numbers, MPFR_RNDA).magnitude
}

@Suite struct ReferenceGoldenTests {
  /// Correctly rounded results, the double-double value, and that nothing was left undecided.
  /// By MPFR alone, and with the fast tiers before it.
  @Test(arguments: [false, true])
  func everyOperationAgreesWithAnIndependentComputation(usesFastTiers: Bool) throws {
    let golden = try Golden()
    #expect(golden.rows.count > 200)
    var truth = Truth()
    for row in golden.rows {
      for (column, format) in golden.formats.enumerated() {
        let reference = Reference(
          row.operation, format: format, usesFastTiers: usesFastTiers)
        row.logits.withUnsafeBufferPointer {
          reference.answer($0, parameters: row.parameters, into: &truth)
        }
        try #require(truth.rounded.count == row.rounded.count)
        #expect(truth.certificate.undecided == 0)
        let worst = !usesFastTiers ? 0x1p-97 : format.significandBits > 23 ? 0x1p-75 : 0x1p-30
        #expect(truth.relativeError <= worst)
        for i in row.rounded.indices {
          let expected = row.rounded[i][column]
          let same = truth.rounded[i] == expected && truth.rounded[i].sign == expected.sign
          #expect(
            same || (truth.rounded[i].isNaN && expected.isNaN),
            "\(row.operation) \(format.name) [\(i)] of \(row.logits): \(truth.rounded[i]), not \(expected)")
          let distance = relativeDistance(truth, i, row.decimals[i])
          #expect(
            distance <= truth.relativeError + 1e-44,
            "\(row.operation) [\(i)] of \(row.logits): off by \(distance)")
        }
      }
    }
  }
}
