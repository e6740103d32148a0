import NumKit
import Testing

/// Softmax in integers alone stays within its bound.
@Suite struct IntegerBoundTests {
  /// Rows of codes of every format at scales from 2^−40 to 2^30, level, sparse, at random, and with two codes alone.
  private static func row(_ format: IntegerFormat, _ random: inout RandomSource) -> [Double] {
    let length = [1, 2, 3, 5, 16, 60].randomElement(using: &random)!
    let scale = Double(
      Float(
        Double.powerOfTwo(Int(random.next() % 71) - 40) * (random.next() % 4 == 0 ? 1 : 1 + random.uniform()))
    )
    let near = random.next() % 2 == 0 ? scale : Double(Float(0.002 + 0.2 * random.uniform()))
    let (low, high) = (Double(format.min), Double(format.max))
    let kind = random.next() % 4
    var codes = (0..<length).map { _ -> Double in
      switch kind {
      case 0: return high
      case 1: return random.next() % 6 == 0 ? high : (high - 8 * random.uniform()).rounded()
      case 2: return random.next() % 2 == 0 ? high : (low + 20 * random.uniform()).rounded()
      default: return (low + (high - low) * random.uniform()).rounded()
      }
    }
    if format.isSigned { codes[Int(random.next() % UInt64(length))] = high }
    return codes.map { $0 * near }
  }

  @Test func integersStayWithinTheirBounds() throws {
    var (results, sound, nearest) = (0, 0, 0.0)
    for (number, format) in [IntegerFormat.int8, .uint8, .int4, .uint4].enumerated() {
      let configuration = KernelConfiguration(storage: .integer(format))
      for algorithm in Algorithm.all(for: .softmax, dtype: .integer(format)) where algorithm.isInteger {
        for temperature in [1, 0.7, 3] {
          let parameters = OperationParameters(temperature: temperature).rounded(to: configuration)
          let candidate = try KernelCandidate(algorithm, configuration, parameters: parameters)
          var model = try #require(candidate.errorModel())
          let reference = Reference(.softmax, format: .f64)
          for k in 0..<700 {
            var random = RandomSource(seed: UInt64(number), row: k)
            let drawn = Self.row(format, &random)
            var row = drawn
            _ = configuration.roundInputs(drawn, into: &row)
            var truth = Truth()
            var profile = RowProfile()
            row.withUnsafeBufferPointer {
              reference.answer($0, parameters: parameters, into: &truth)
              profile.update($0, temperature: parameters.temperature)
            }
            let flat = FlatTruth(truth)
            let item = RowQuestion.Item(values: row, parameters: parameters)
            var y = [Double](repeating: .nan, count: row.count)
            var limits = y
            var trace = StageTrace()
            trace.startRow(0)
            y.withUnsafeMutableBufferPointer { candidate.answer(item, into: $0, trace: &trace) }
            let bound = flat.value.withUnsafeBufferPointer { t in
              limits.withUnsafeMutableBufferPointer {
                model.bound(ResultRow(row: 0, count: row.count), of: item, profile, exact: t, into: $0)
              }
            }
            #expect(bound == .sound || bound == .vacuous)
            if bound == .sound { sound += 1 }
            for i in y.indices {
              let error = (y[i] - flat.value[i]).magnitude
              results += 1
              nearest = max(nearest, error / limits[i])
              #expect(
                error <= limits[i],
                "\(algorithm) \(format) τ \(temperature) at \(i): \(y[i]) for \(flat.value[i]), bound \(limits[i]), row \(row)"
              )
            }
          }
        }
      }
    }
    #expect(results > 100_000 && sound * 3 > 33_600)
    // And not for being wide.
    #expect(nearest > 0.95)
  }
}
