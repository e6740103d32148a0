import StabilityTesting
import Testing

private func softmax<S: Scalar>(_ x: [S]) -> [S] {
  guard var top = x.first else { return [] }
  for v in x where v > top { top = v }
  let e = x.map { S.exp($0 - top) }
  let sum = e.reduce(S.zero) { $0 + $1 }
  return e.map { $0 / sum }
}

private func naive<S: Scalar>(_ x: [S]) -> [S] {
  let e = x.map { S.exp($0) }
  let sum = e.reduce(S.zero) { $0 + $1 }
  return e.map { $0 / sum }
}

private func rmsNorm(_ x: [Float]) -> [Float] {
  let mean = x.reduce(Float(0)) { $0 + $1 * $1 } / Float(x.count)
  return x.map { $0 / (mean + 1e-6).squareRoot() }
}

/// Ready-made properties: what is right passes, what is wrong does not, in several formats.
@Suite struct PropertyTests {
  private func fails<V>(_ generator: Generator<V>, _ property: Property<V>, _ kind: String) throws {
    let failure = try #require(throws: PropertyFailure.self) {
      try checkProperty(generator, property, runs: 2000)
    }
    #expect(failure.violation.kind == kind, "\(failure)")
  }

  @Test func accuracy() throws {
    let rows: Generator<[Float]> = .logits(1...48)
    try checkProperty(rows, .accurate(.softmax) { softmax($0) })
    try checkProperty(
      rows,
      .accurate(.logSumExp) { x in
        let top = x.max() ?? 0
        return [top + Float.log(x.reduce(0) { $0 + Float.exp($1 - top) })]
      })
    try fails(rows, .accurate(.softmax) { naive($0) }, "nan")
    try fails(rows, .accurate(.softmax) { $0.map { _ in 0 } }, "zero")
    try fails(rows, .accurate(.softmax) { Array(softmax($0).dropLast()) }, "count")
    // One in a million parts too much.
    try fails(rows, .accurate(.softmax) { softmax($0).map { $0 * 1.00001 } }, "above-bound")
    try fails(rows, .accurate(.softmax, within: .ulps(0.4)) { softmax($0) }, "above-ulps")
    let wide: Generator<[Double]> = .logits(1...20)
    try checkProperty(wide, .accurate(.softmax) { softmax($0) })
    // In bf16 throughout, as it claims; that it computed in f32 is not true.
    var bf16 = Claims()
    (bf16.compute, bf16.accumulate) = (.bf16, .bf16)
    let narrow: Generator<[BFloat16]> = .logits(1...20)
    try checkProperty(narrow, .accurate(.softmax, within: .bound(bf16)) { softmax($0) })
    try fails(narrow, .accurate(.softmax) { softmax($0) }, "above-bound")
    let half: Generator<[Float16]> = .logits(1...20)
    try checkProperty(half, .accurate(.softmax) { x in softmax(x.map { Float($0) }).map { Float16($0) } })
    try checkProperty(.logits(2...40, range: 1e4), .accurate(.rmsNorm) { rmsNorm($0) })
    try fails(
      .logits(2...40, range: 1e4), .accurate(.rmsNorm) { rmsNorm($0).map { $0 * 1.0001 } }, "above-bound")
  }

  @Test func invariances() throws {
    let rows: Generator<[Float]> = .logits(1...48)
    try checkProperty(rows, .shiftInvariant { softmax($0) })
    try fails(
      .logits(1...48, range: 60), .shiftInvariant(within: .ulps(8)) { (x: [Float]) in naive(x) }, "shift")
    try checkProperty(rows, .normalised(within: 64) { softmax($0) })
    try fails(rows, .normalised(within: 64) { softmax($0).map { $0 * 0.999 } }, "sum")
    try fails(rows, .normalised { $0.map { _ in -1 } }, "negative")
    try checkProperty(rows, .monotone { softmax($0) })
    try fails(rows, .monotone { softmax($0).reversed() }, "order")
    try checkProperty(rows, .permutable(within: .ulps(64)) { softmax($0) })
    try fails(rows, .permutable(within: .none) { softmax($0) }, "order")
    try fails(
      rows, .permutable(within: .ulps(64)) { x in softmax(x).enumerated().map { $0 == 0 ? 0 : $1 } }, "order")
    try checkProperty(.logits(1...48, range: 1e6), .scalable(degree: 1) { (x: [Float]) in [x.max() ?? 0] })
    try fails(
      .logits(1...48, range: 1e6), .scalable(degree: 1) { (x: [Float]) in [(x.max() ?? 0) + 1] }, "scale")
    try checkProperty(rows, .specialValues(.softmax) { softmax($0) })
    try fails(rows, .specialValues(.softmax) { softmax($0).map { $0.isNaN ? 0 : $0 } }, "finite for -inf")
  }

  @Test func batches() throws {
    let batches = Generator<Float>.floats { $0.gaussian(3) }.matrix(rows: 1...6, columns: 1...20)
    try checkProperty(batches, .batchInvariant { $0.map { softmax($0) } })
    // The maximum of the whole batch in place of the row's.
    try fails(
      batches,
      .batchInvariant { rows in
        let top = rows.joined().max() ?? 0
        return rows.map { row in
          let e = row.map { Float.exp($0 - top) }
          let sum = e.reduce(0) { $0 + $1 }
          return e.map { $0 / sum }
        }
      }, "batch")
  }

  /// A failure of accuracy shrinks to few numbers, and names the result.
  @Test func accuracyFailuresAreSmall() throws {
    let failure = try #require(throws: PropertyFailure.self) {
      try checkProperty(.logits(1...200), .accurate(.softmax) { (x: [Float]) in naive(x) })
    }
    #expect(failure.choices == [.open, .float(89), .close], "\(failure)")
    #expect(failure.violation.message.contains("result 0 is nan (nan), exactly 1 (0x1p+0)"))
  }
}
