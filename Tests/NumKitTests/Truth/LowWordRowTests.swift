import CMPFR
import NumKit
import RealModule
import Testing

/// Tier 1 on rows of Double: f64's roundings alone, against MPFR and against tier 2.
@Suite struct LowWordRowTests {
  private func row(_ index: Int, _ random: inout RandomSource) -> [Double] {
    let length = [1, 2, 7, 8, 9, 31, 63, 64, 65, 100, 129][index % 11]
    let scale = [1, 10, 0.01, 60, 400, 2000, 1e-9, 1e-150][index % 8]
    var x = (0..<length).map { _ in scale * random.normal() }
    if index % 3 == 1 { x = x.map { Double(Float($0)) } }
    if index % 13 == 2 { x[length / 2] = -.infinity }
    if index % 17 == 3 { x = x.map { _ in 0.5 } }
    if index % 31 == 4 { x[length / 2] = .nan }
    if index % 37 == 5 { x[length - 1] = .infinity }
    return x
  }

  @Test func agreesWithMPFR() {
    var counts = Certificate()
    for operation in RowOperation.allCases where operation != .softmaxVJP {
      let light = Reference(operation, format: .f64)
      let slow = Reference(operation, format: .f64, usesFastTiers: false)
      var truth = Truth()
      for index in 0..<(operation == .softmaxJacobian ? 20 : 400) {
        var random = RandomSource(seed: 199, row: index)
        let x = row(index, &random)
        let parameters = OperationParameters(
          temperature: [1, 0.7, 1, 3, 0, .infinity][index % 6], target: index % x.count,
          specialValues: SpecialValues.allCases[index % 3])
        let count = operation.resultCount(length: x.count)
        var results = [Double](repeating: -77, count: count)
        let certificate = x.withUnsafeBufferPointer { p in
          results.withUnsafeMutableBufferPointer { light.round(p, parameters: parameters, into: $0) }
        }
        if operation != .softmaxJacobian && operation != .sigmoid { counts.merge(certificate) }
        #expect(certificate.total == count)
        x.withUnsafeBufferPointer { slow.answer($0, parameters: parameters, into: &truth) }
        for i in 0..<count {
          let (a, b) = (results[i], truth.rounded[i])
          #expect(
            a == b && a.sign == b.sign || a.isNaN && b.isNaN,
            "\(operation), row \(index), result \(i): \(a), MPFR \(b)")
        }
      }
    }
    #expect(counts.undecided == 0)
    #expect(counts.doubleLow > counts.doubleDouble + counts.mpfr, "\(counts)")
  }

  /// Rows of Doubles to narrow formats: as Floats where they are, as they stand where they are not.
  @Test(arguments: [NumberFormat.f32, .f16, .f8e4m3fn, .e8m0]) func narrowFormats(_ format: NumberFormat) {
    for operation in [RowOperation.softmax, .logSumExp, .sigmoid, .crossEntropy] {
      let light = Reference(operation, format: format)
      let slow = Reference(operation, format: format, usesFastTiers: false)
      var truth = Truth()
      for index in 0..<100 {
        var random = RandomSource(seed: 299, row: index)
        let x = row(index, &random)
        let parameters = OperationParameters(temperature: [1, 0.7][index % 2], target: index % x.count)
        var results = [Double](repeating: -77, count: operation.resultCount(length: x.count))
        _ = x.withUnsafeBufferPointer { p in
          results.withUnsafeMutableBufferPointer { light.round(p, parameters: parameters, into: $0) }
        }
        x.withUnsafeBufferPointer { slow.answer($0, parameters: parameters, into: &truth) }
        #expect(
          zip(results, truth.rounded).allSatisfy { $0 == $1 && $0.sign == $1.sign || $0.isNaN && $1.isNaN })
      }
    }
  }

  /// Two million results beside tier 2's; about one in 10⁵ lies too near a tie for tier 1.
  @Test func almostAllAreProven() {
    let reference = Reference(.softmax, format: .f64)
    var counts = Certificate()
    var truth = Truth()
    var results = [Double](repeating: 0, count: 4096)
    for index in 0..<500 {
      var random = RandomSource(seed: 7, row: index)
      let x = (0..<4096).map { _ in 10 * random.normal() }
      x.withUnsafeBufferPointer { p in
        counts.merge(
          results.withUnsafeMutableBufferPointer { reference.round(p, parameters: .init(), into: $0) })
        reference.answer(p, parameters: .init(), into: &truth)
      }
      #expect(results == truth.rounded)
    }
    print("f64: \(counts.total - counts.doubleLow) of \(counts.total) not proven in Double with a low word")
    #expect(counts.total - counts.doubleLow < counts.total / 50_000)
    #expect(counts.doubleDouble > 0)
  }
}
