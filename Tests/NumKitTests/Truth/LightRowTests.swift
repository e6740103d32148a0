import NumKit
import RealModule
import Testing

/// Tier 0 alone on rows of Float, against MPFR, and rows that once cost MPFR though they need not.
@Suite struct LightRowTests {
  private static let operations: [RowOperation] = [
    .softmax, .logSoftmax, .logSumExp, .sigmoid, .crossEntropy, .crossEntropyGradient, .softmaxJacobian,
  ]

  /// Rows of every length around the vectors' and blocks', with masks, ties, wide spreads and infinities.
  private func row(_ index: Int, _ random: inout RandomSource) -> [Float] {
    let length = [1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 100, 129][index % 13]
    let scale = [1, 10, 0.01, 60, 2000, 1e-9, 1e30][index % 7]
    var x = (0..<length).map { _ in Float(scale * random.normal()) }
    if index % 5 == 2 { for i in stride(from: 0, to: length, by: 3) { x[i] = -.infinity } }
    if index % 9 == 3 { x = x.map { _ in 0.5 } }
    if index % 31 == 4 { x[length / 2] = .nan }
    if index % 37 == 5 { x[length - 1] = .infinity }
    return x
  }

  @Test(arguments: [NumberFormat.f32, .tf32, .f16, .bf16, .f8e4m3fn, .f8e5m2fnuz, .f6e2m3, .f4e2m1, .e8m0])
  func agreesWithMPFR(_ format: NumberFormat) {
    var counts = Certificate()
    for operation in Self.operations {
      let light = Reference(operation, format: format)
      let slow = Reference(operation, format: format, usesFastTiers: false)
      var truth = Truth()
      for index in 0..<(operation == .softmaxJacobian ? 20 : 260) {
        var random = RandomSource(seed: 99, row: index)
        let x = row(index, &random)
        let parameters = OperationParameters(
          temperature: [1, 0.7, 1, 3, 0, .infinity][index % 6], target: index % x.count,
          specialValues: SpecialValues.allCases[index % 3])
        let count = operation.resultCount(length: x.count)
        var results = [Float](repeating: -77, count: count)
        let certificate = x.withUnsafeBufferPointer { p in
          results.withUnsafeMutableBufferPointer { light.round(p, parameters: parameters, into: $0) }
        }
        if operation != .softmaxJacobian { counts.merge(certificate) }
        #expect(certificate.total == count)
        x.map { Double($0) }.withUnsafeBufferPointer { slow.answer($0, parameters: parameters, into: &truth) }
        for i in 0..<count {
          let (a, b) = (Double(results[i]), truth.rounded[i])
          #expect(
            a == b && a.sign == b.sign || a.isNaN && b.isNaN,
            "\(operation) \(format.name), row \(index), result \(i): \(a), MPFR \(b)")
        }
      }
    }
    #expect(counts.undecided == 0)
    if format.hasZero { #expect(counts.double > 4 * (counts.doubleDouble + counts.mpfr), "\(counts)") }
  }

  /// Temperatures chosen so that a result lies some Double ulps beside a tie of the format: the margin must send it on.
  @Test(arguments: [NumberFormat.f32, .f16, .bf16]) func nearTiesAreSentOn(_ format: NumberFormat) {
    var sentOn = 0
    var truth = Truth()
    for operation in [RowOperation.softmax, .sigmoid, .logSoftmax, .logSumExp, .crossEntropy] {
      let light = Reference(operation, format: format)
      let slow = Reference(operation, format: format, usesFastTiers: false)
      let first = format.encode(operation == .logSumExp ? 0.8 : 0.51)
      let last = format.encode(
        operation == .logSumExp ? 8 : operation == .softmax || operation == .sigmoid ? 0.99 : 0.69)
      for step in 0..<60 {
        let code = first + (last - first) * UInt64(step) / 60
        let tie = (format.decode(code) + format.decode(code + 1)) / 2
        // 1/τ, from p = 1/(1 + e^−1/τ), −log p, or log(1 + e^1/τ).
        let inverse: Double
        switch operation {
        case .softmax, .sigmoid: inverse = -Double.log(1 / tie - 1)
        case .logSumExp: inverse = Double.log(Double.expMinusOne(tie))
        default: inverse = -Double.log(Double.expMinusOne(tie))
        }
        guard inverse > 0 else { continue }
        for ulps in -2...2 {
          let tau = Double(bitPattern: (1 / inverse).bitPattern &+ UInt64(bitPattern: Int64(ulps)))
          let parameters = OperationParameters(temperature: tau, target: 0)
          // A part of a vector by itself, and whole vectors with a part.
          let x: [Float] = [1, 0] + [Float](repeating: -.infinity, count: step % 2 == 0 ? 0 : 68)
          var results = [Float](repeating: 0, count: operation.resultCount(length: x.count))
          let certificate = x.withUnsafeBufferPointer { p in
            results.withUnsafeMutableBufferPointer { light.round(p, parameters: parameters, into: $0) }
          }
          sentOn += certificate.total - certificate.double
          x.map { Double($0) }.withUnsafeBufferPointer {
            slow.answer($0, parameters: parameters, into: &truth)
          }
          #expect(
            results.map { Double($0) } == truth.rounded,
            "\(operation) \(format.name), tie \(tie), \(ulps) ulps")
        }
      }
    }
    #expect(sentOn > 500)
  }

  /// Fewer than one in 10⁵ left to the other tiers (one in 10⁶ is aimed at), on a long row.
  @Test func almostAllAreProvenInDouble() {
    for format in [NumberFormat.f32, .f16, .bf16] {
      let reference = Reference(.softmax, format: format)
      var counts = Certificate()
      var results = [Float](repeating: 0, count: 4096)
      for index in 0..<500 {
        var random = RandomSource(seed: 7, row: index)
        let x = (0..<4096).map { _ in Float(10 * random.normal()) }
        counts.merge(
          x.withUnsafeBufferPointer { p in
            results.withUnsafeMutableBufferPointer { reference.round(p, parameters: .init(), into: $0) }
          })
      }
      print("\(format.name): \(counts.total - counts.double) of \(counts.total) not proven in Double")
      #expect(counts.total - counts.double < counts.total / 100_000)
    }
  }

  /// Peaked and masked rows are answered without MPFR.
  @Test func peakedAndMaskedRowsStayFast() {
    var truth = Truth()
    var random = RandomSource(seed: 3, row: 0)
    for format in [NumberFormat.f64, .f32] {
      for gap in [1.0, 9, 14, 30, 60, 300, 450] {
        let x = [gap] + (0..<200).map { $0 % 3 == 0 ? -.infinity : -random.uniform() }
        for operation in [RowOperation.softmax, .logSoftmax, .logSumExp, .crossEntropy] {
          x.withUnsafeBufferPointer {
            Reference(operation, format: format).answer($0, parameters: .init(), into: &truth)
          }
          #expect(
            truth.certificate.mpfr == 0, "\(operation) \(format.name), gap \(gap): \(truth.certificate)")
          #expect(truth.relativeError < (format == .f64 ? 0x1p-74 : 0x1p-36))
        }
      }
    }
  }

  /// Products of tiny results and long rows keep their digits: no result is a subnormal Double.
  @Test func smallQuotientsKeepTheirDigits() {
    var truth = Truth()
    for format in [NumberFormat.f64, .f32] {
      for d in stride(from: 600.0, through: 705, by: 2.5) {
        var x = [Double](repeating: 0, count: 9000)
        x[17] = -d
        x.withUnsafeBufferPointer {
          Reference(.softmax, format: format).answer($0, parameters: .init(), into: &truth)
        }
        // e^−d/8999 to about 10⁻¹³ by the library, scaled out of the subnormals' way.
        let expected = Double.exp(-d + 400) / 8999
        let scale = Double.exp(200) * Double.exp(200)
        let found = Double(sign: .plus, exponent: Int(truth.exponent[17]) + 100, significand: truth.high[17])
        #expect(abs(found * (scale / 0x1p100) / expected - 1) < 1e-12)
        #expect(truth.high[17] > 0x1p-1000 && (format == .f32 || truth.low[17].magnitude > 0x1p-1020))
      }
    }
  }
}
