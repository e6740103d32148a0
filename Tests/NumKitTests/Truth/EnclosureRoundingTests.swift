import NumKit
import Testing

/// Rounding to a format, seen through an operation that is the identity: the log-sum-exp of a single logit (exact), and
/// with a logit at −10³⁰⁰ beside it (a hair above).
@Suite struct EnclosureRoundingTests {
  private static let formats: [NumberFormat] = [
    .f32, .f16, .bf16, .f8e4m3fn, .f8e5m2fnuz, .f6e3m2, .f4e2m1, .tf32,
  ]

  /// All neighbours of `format` within its range, brute force from its codes.
  private func sortedValues(_ format: NumberFormat) -> [Double] {
    let mask: UInt64 = (1 << UInt64(format.bitWidth)) - 1
    var codes: [UInt64] = []
    if format.bitWidth <= 16 {
      codes = Array(0...mask)
    } else {
      for k in 0..<4000 {
        let code = (UInt64(k) * 1_073_741) & mask
        codes += [code, (code + 1) & mask]
      }
    }
    return Set(codes.map { format.decode($0) }.filter { $0.isFinite && $0.magnitude < 1e30 }).sorted()
  }

  @Test(arguments: formats) func tiesAndTheirNeighbours(_ format: NumberFormat) {
    let values = sortedValues(format)
    let reference = Reference(.logSumExp, format: format)
    var truth = Truth()
    func answer(_ row: [Double]) -> Double {
      row.withUnsafeBufferPointer { reference.answer($0, parameters: OperationParameters(), into: &truth) }
      return truth.rounded[0]
    }
    let stride = Swift.max(1, values.count / 2000)
    for k in Swift.stride(from: 0, to: values.count - 1, by: stride) {
      let a = values[k]
      let b = values[k + 1]
      // Sampled codes of wide formats are neighbours only where they were taken in pairs.
      if b - a != Swift.min(format.ulp(of: a), format.ulp(of: b)) { continue }
      let middle = a / 2 + b / 2
      #expect(answer([middle.nextDown]) == a)
      #expect(answer([middle.nextUp]) == b)
      #expect(answer([middle, -1e300]) == b)
      #expect(answer([middle.nextDown, -1e300]) == a)
      let even = format.encode(a) & 1 == 0 ? a : b
      #expect(answer([middle]) == even, "\(format.name) \(middle)")
      #expect(answer([a]) == a)
      #expect(answer([a, -1e300]) == a)
    }
  }
}
