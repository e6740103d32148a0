import NumKit
import Testing

@Suite struct ExhaustiveTests {
  @Test func rowsAreAllThereAre() throws {
    let rows = try #require(ExhaustiveRows(.f4e2m1, length: 3))
    #expect(rows.values == [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6])
    #expect(rows.rowCount == 15 * 15 * 15)
    var seen = Set<[Double]>()
    var x = [0.0, 0, 0]
    for row in 0..<rows.rowCount {
      x.withUnsafeMutableBufferPointer { rows.read(row, into: $0) }
      seen.insert(x)
    }
    #expect(seen.count == rows.rowCount)
    #expect(ExhaustiveRows(.f16, length: 2) == nil)
    #expect(ExhaustiveRows(.f32, length: 1) == nil)
  }

  /// The sweep's own truth and half of the pairs give what the general machinery finds with all of them.
  @Test(arguments: [NumberFormat.f8e5m2, .f6e3m2, .f6e2m3, .f4e2m1, .f8e4m3fnuz])
  func aSweepFindsWhatAnExperimentFinds(_ format: NumberFormat) throws {
    let configuration = KernelConfiguration(storage: .float(format))
    let rows = try #require(ExhaustiveRows(format, length: 2))
    let all = algorithms(.softmax).filter { $0.variant == nil }
    let entries = try Experiment(.softmax, algorithms: all, configuration: configuration, threads: 2)
      .run(on: rows).entries
    for entry in entries {
      let sweep = try #require(PairSweep(entry.algorithm, configuration))
      let one = try sweep.run(threads: 1)
      let two = try sweep.run(threads: 2)
      #expect(one == two)
      #expect(one.pairs == sweep.count)
      let limit = entry.kernel.maxUlp * (1 + 0x1p-30)
      let least = entry.kernel.maxUlp * (1 - 0x1p-30)
      #expect(one.maxUlp <= limit && one.maxUlp >= least, "\(entry.algorithm) \(format.name)")
      // Ordered pairs with a NaN: two for each unordered one, but for equal logits.
      #expect((one.nanPairs > 0) == (entry.kernel.nanRows > 0))
      #expect(one.nanPairs * 2 >= entry.kernel.nanRows && one.nanPairs <= entry.kernel.nanRows)
    }
  }
}
