import NumKit
import Quant
import Testing

/// What schemes store beside their codes: scales and sums that overflow, vanish or are NaN are counted, and such a scheme is never best.
@Suite struct ScaleFaultTests {
  private struct Rows: BandSource {
    let rows: Int
    let columns: Int
    let values: [Float]

    func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) {
      for i in 0..<range.count * columns { buffer[i] = values[range.lowerBound * columns + i] }
    }
  }

  private func study(_ values: [Float], columns: Int, _ names: [String]) throws -> SchemeStudy {
    try SchemeStudy(
      Rows(rows: values.count / columns, columns: columns, values: values),
      schemes: names.map { try SchemeRegistry.scheme(named: $0) })
  }

  private func faults(_ values: [Float], columns: Int, _ name: String) throws -> ScaleFaults {
    try #require(study(values, columns: columns, [name]).entries.first).measurement.scaleFaults
  }

  private let wavy = (0..<256).map { 1 + Float(($0 * 37) % 101) / 100 }

  /// q8_1 stores Σ codes times the scale as a Float16: it overflows where 32 numbers add up to 65520, though each is small.
  @Test func sumsOverflow() throws {
    var values = wavy
    for i in 64..<96 { values[i] = 2047 + Float(i % 3) }  // Σ ≈ 65540
    let q8_1 = try faults(values, columns: 256, "q8_1")
    #expect(q8_1.overflowed == 1 && q8_1.underflowed == 0 && q8_1.nan == 0)
    for i in 64..<96 { values[i] = 2040 }
    #expect(try faults(values, columns: 256, "q8_1").count == 0)
    for i in 64..<96 { values[i] = -2050 }
    let s = try study(values, columns: 128, ["q8_1", "q8_0", "q4_0"])
    let bad = try #require(s.entries.first { $0.name == "q8_1" })
    #expect(bad.measurement.scaleFaults.overflowed == 1 && bad.statistics.lostCount == 0 && !bad.isParetoBest)
    #expect(s.recommended(SchemeLimits(maxBits: 16))?.name != "q8_1")
    // Alone it is not taken either.
    #expect(try study(values, columns: 128, ["q8_1"]).recommended(SchemeLimits(maxBits: 16)) == nil)
  }

  /// Scales of Float16 vanish below 2^−25; the block's numbers then become 0, which is no clipping.
  @Test(arguments: ["q4_0", "q5_0", "q8_0", "q4_k", "q6_k", "iq4_nl", "tq2_0"])
  func scalesVanish(_ name: String) throws {
    var values = wavy + wavy
    for i in 256..<512 { values[i] *= 1e-8 }
    let entry = try #require(study(values, columns: 256, [name]).entries.first)
    #expect(entry.measurement.scaleFaults.underflowed >= 1, "\(name)")
    #expect(
      entry.measurement.scaleFaults.overflowed + entry.measurement.scaleFaults.nan == 0 && !entry.isParetoBest
    )
    let split = try #require(entry.measurement.split)
    let tiny = try #require(
      study(Array(values[256...]), columns: 256, [name]).entries.first?.measurement.split)
    #expect(tiny.flushToZero > 0 && tiny.clipping == 0 && tiny.flushToZero == tiny.total)
    #expect(split.flushToZero >= tiny.flushToZero)
    #expect(try faults(wavy, columns: 256, name).count == 0)
    // Zeros are no loss.
    #expect(try faults([Float](repeating: 0, count: 256), columns: 256, name).count == 0)
  }

  /// A NaN or an infinity beside numbers makes scales NaN or infinite.
  @Test func wildNumbersSpoilScales() throws {
    var values = wavy
    values[40] = .nan
    #expect(try faults(values, columns: 256, "mxfp8e4m3").nan == 1)
    values[40] = .infinity
    #expect(try faults(values, columns: 64, "mxfp4").nan == 1)
    let large = wavy.map { $0 * 1e8 }
    for name in ["q4_0", "q8_0", "q5_1", "q4_k"] {
      #expect(try faults(large, columns: 256, name).overflowed >= 1, "\(name)")
    }
  }

  /// A tensor's one scale is looked at once, whatever the bands.
  @Test func sharedScalesCountOnce() throws {
    #expect(try faults(wavy, columns: 16, "int8@tensor").count == 0)
    #expect(try faults(wavy, columns: 16, "int8@channel").count == 0)
    var rows = wavy
    for i in 16..<32 { rows[i] = 1e-6 }
    // Small beside the tensor's largest: lost to rounding, and the scale is as it should be.
    #expect(try faults(rows, columns: 16, "int8@tensor").count == 0)
  }

  /// Where a rounded scale suits the elements better than the exact one its share is negative, and all four are the whole.
  @Test(arguments: ["mxfp8e4m3:rceil", "mxfp6e3m2:ceil", "mxint8", "mxfp4:even"])
  func sharesAddUp(_ name: String) throws {
    var random = RandomSource(seed: 71, row: 0)
    var negative = 0
    for round in 0..<20 {
      let x = (0..<64).map { _ in Float((random.uniform() * 2 - 1) * (900 + Double(round) * 10)) }
      let entry = try #require(study(x, columns: 32, [name]).entries.first)
      let split = try #require(entry.measurement.split)
      let parts = [split.elementRounding, split.clipping, split.flushToZero, split.scaleRounding]
      #expect((parts.reduce(0, +) / (entry.statistics.mse * 64) - 1).magnitude < 1e-12)
      if split.scaleRounding < 0 { negative += 1 }
    }
    if name == "mxfp8e4m3:rceil" { #expect(negative > 0) }
  }

  /// What is no number is counted with the place of the first, in bands or at once.
  @Test(arguments: [1, 7, 1 << 19])
  func nonFiniteNumbersAreFound(_ band: Int) throws {
    var values = [Float](repeating: 1, count: 60)
    for (i, x) in [(17, Float.nan), (43, .nan), (29, .infinity), (31, -.infinity)] { values[i] = x }
    let found = try StreamedMeasurement(
      [SchemeRegistry.scheme(named: "f16")], Rows(rows: 10, columns: 6, values: values), bandElements: band
    ).nonFinite
    #expect(found.nan == 2 && found.infinite == 2)
    #expect(found.firstNaN == .init(row: 2, column: 5) && found.firstInfinity == .init(row: 4, column: 5))
  }
}
