import NumKit
import TestSupport
import Testing

/// Whether the value that a truth holds is the decimal, to within what it states.
func isClose(_ truth: Truth, _ golden: GoldenResult) -> Bool {
  let high = truth.high[golden.index]
  guard let value = Double(golden.decimal), value.isFinite else {
    return golden.decimal == (high.isNaN ? "nan" : high < 0 ? "-inf" : "inf") && !high.isFinite
      // Decimal digits reach beyond the Doubles.
      || relativeDistance(truth, golden.index, golden.decimal) < 1e-30
  }
  return relativeDistance(truth, golden.index, golden.decimal) <= truth.relativeError + 1e-35
}

/// Every special option of a row's questions against an independent computation, in every format, by both kinds of overflow.
@Suite struct RowOptionTests {
  @Test(arguments: [false, true], Overflow.allCases)
  func everyResultIsThatOfAnIndependentComputation(usesFastTiers: Bool, overflow: Overflow) throws {
    let (formats, rows) = try GoldenRowOptions.all()
    #expect(rows.count > 500 && formats.count == FormatRegistry.all.count { $0.dtype.numberFormat != nil })
    var truth = Truth()
    var total = Certificate()
    for row in rows {
      for (column, format) in formats.enumerated() {
        let reference = Reference(
          row.operation, format: format, overflow: overflow, usesFastTiers: usesFastTiers)
        row.logits.withUnsafeBufferPointer {
          reference.answer($0, parameters: row.parameters, into: &truth)
        }
        total.merge(truth.certificate)
        for result in row.results {
          let expected = result.expected(column, overflow)
          let found = truth.rounded[result.index]
          #expect(
            areSame(found, expected),
            "\(row.operation) \(format.name) \(row.parameters) [\(result.index)] of \(row.logits): \(found), not \(expected)"
          )
          #expect(
            isClose(truth, result), "\(row.operation) \(row.parameters) [\(result.index)] of \(row.logits)")
        }
      }
    }
    #expect(total.undecided == 0)
    #expect(total.exact > 1000 && total.mpfr > 100)
    #expect(usesFastTiers ? total.doubleDouble > 1000 : total.doubleDouble == 0)
  }

  /// The roundings alone, of Doubles and of Floats: what the command writes.
  @Test(arguments: Overflow.allCases)
  func roundingsAloneAreTheSame(_ overflow: Overflow) throws {
    let (formats, rows) = try GoldenRowOptions.all()
    var floats = 0
    for row in rows {
      let count = row.operation.resultCount(length: row.logits.count)
      let narrow = row.logits.map { Float($0) }
      let isNarrow = zip(narrow, row.logits).allSatisfy { Double($0) == $1 || $1.isNaN }
      for (column, format) in formats.enumerated() {
        let reference = Reference(row.operation, format: format, overflow: overflow)
        var results = [Double](repeating: 9, count: count)
        let certificate = row.logits.withUnsafeBufferPointer { x in
          results.withUnsafeMutableBufferPointer {
            reference.round(x, parameters: row.parameters, into: $0)
          }
        }
        #expect(certificate.undecided == 0 && certificate.total == count)
        for result in row.results {
          #expect(
            areSame(results[result.index], result.expected(column, overflow)),
            "\(row.operation) \(format.name) \(row.parameters) [\(result.index)] of \(row.logits)")
        }
        guard isNarrow && format.significandBits <= 23 else { continue }
        floats += 1
        var short = [Float](repeating: 9, count: count)
        _ = narrow.withUnsafeBufferPointer { x in
          short.withUnsafeMutableBufferPointer { reference.round(x, parameters: row.parameters, into: $0) }
        }
        for result in row.results {
          #expect(
            areSame(Double(short[result.index]), result.expected(column, overflow)),
            "\(row.operation) \(format.name) \(row.parameters) [\(result.index)] of \(row.logits), as Floats"
          )
        }
      }
    }
    #expect(floats > 1000)
  }
}
