import NumKit
import Testing

/// Each term of a bound is needed: without it a right kernel exceeds what remains on some row.
@Suite struct BoundTermTests {

  /// The maximum's own error in the rounded difference is of the second order, u·E, and to that order unneeded: Bounds.md, §10. Attention
  /// needs it: `AttentionTermTests`.
  private static let needed = BoundTerm.allCases.filter { $0 != .maximum }

  @Test(arguments: needed) func withoutItAKernelExceedsTheRest(_ term: BoundTerm) {
    var found = ""
    for number in 0..<60_000 where found.isEmpty {
      let q = HostileQuestion(seed: 0x7e4d ^ UInt64(term.rawValue.count), number: number, count: 2)
      found = Self.excess(q, term) ?? ""
    }
    #expect(!found.isEmpty, "no kernel needs \(term)")
  }

  /// A row on which a kernel is within its bound and not within what remains of it.
  private static func excess(_ q: HostileQuestion, _ term: BoundTerm) -> String? {
    let reference = Reference(q.operation, format: q.storage)
    var truth = Truth()
    var profile = RowProfile()
    for algorithm in Algorithm.all(for: q.operation, dtype: q.configuration.storage) {
      guard let runner = KernelRunner(algorithm, q.configuration, parameters: q.parameters),
        let whole = ErrorBounds(algorithm, q.configuration, parameters: q.parameters)
      else { continue }
      for row in q.rows {
        row.withUnsafeBufferPointer {
          reference.answer($0, parameters: q.parameters, into: &truth)
          profile.update($0, temperature: q.parameters.temperature)
        }
        let flat = FlatTruth(truth)
        guard let limits = limits(whole, q, profile, flat),
          let less = Self.limits(whole.without(term), q, profile, flat)
        else { continue }
        var y = [Double](repeating: .nan, count: flat.value.count)
        var trace = StageTrace()
        trace.startRow(0)
        row.withUnsafeBufferPointer { x in
          y.withUnsafeMutableBufferPointer {
            runner.run(x, target: q.parameters.target, into: $0, trace: &trace)
          }
        }
        for i in y.indices where y[i].isFinite && flat.value[i].isFinite {
          let error = ((y[i] - flat.value[i]) - flat.remainder[i]).magnitude
          // By more than what Doubles lose, and not by storing what was right.
          if error > less[i] * (1 + 0x1p-18) + 2 * truth.relativeError * flat.value[i].magnitude,
            error <= limits[i],
            y[i] != truth.rounded[i]
          {
            return "\(algorithm), \(q.description), row \(row)"
          }
        }
      }
    }
    return nil
  }

  private static func limits(
    _ bounds: ErrorBounds, _ q: HostileQuestion, _ profile: RowProfile, _ flat: FlatTruth
  )
    -> [Double]?
  {
    var limits = flat.value
    let bound = flat.value.withUnsafeBufferPointer { t in
      limits.withUnsafeMutableBufferPointer {
        bounds.bound(profile, target: q.parameters.target, truth: t, into: $0)
      }
    }
    return bound == .none ? nil : limits
  }
}
