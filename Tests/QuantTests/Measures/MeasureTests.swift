import Foundation
import NumKit
import Quant
import Testing

private func statistics(_ x: [Float], _ y: [Float]) -> ErrorSums {
  var result = ErrorSums()
  x.withUnsafeBufferPointer { a in y.withUnsafeBufferPointer { result.add(a, $0) } }
  return result
}

func measure(_ name: String, _ matrix: Matrix) throws -> SchemeMeasurement {
  try matrix.values.withUnsafeBufferPointer {
    try SchemeMeasurement(
      SchemeRegistry.scheme(named: name), $0, rows: matrix.rows, columns: matrix.columns)
  }
}

struct ErrorStatisticsTests {
  @Test func aSmallExampleComesOut() {
    let s = statistics([3, -4, 0, 12], [3, -3, 1, 10])
    #expect(s.squaredError == 6)
    #expect(s.mse == 1.5)
    #expect(abs(s.sqnr - 10 * log10(169.0 / 6)) < 1e-12)
    #expect(s.maxAbsoluteError == 2)
    #expect(s.relativeL1 == 4.0 / 19)
    #expect(abs(s.relativeL2 - (6.0 / 169).squareRoot()) < 1e-15)
    #expect(abs(s.cosine - 141 / (13 * 119.0.squareRoot())) < 1e-15)
    #expect(s.mean == 2.75)
    #expect(abs(s.variance - (169.0 / 4 - 2.75 * 2.75)) < 1e-12)
  }

  @Test func nonFiniteNumbersAreCountedApart() {
    let s = statistics([1, .nan, .infinity, 2, 3], [1, 0, .infinity, .nan, 4])
    #expect(s.count == 5)
    #expect(s.finiteCount == 2)
    #expect(s.lostCount == 1)
    #expect(s.mse == 0.5)
    #expect(statistics([0, 0], [0, 0]).cosine == 1)
    #expect(statistics([0, 0], [0, 1]).cosine == 0)
    #expect(statistics([5], [5]).sqnr == .infinity)
  }

  @Test func theOrderOfPartsDoesNotShow() {
    var random = Seeded(3)
    let x = (0..<40_000).map { _ in
      random.normal() * Float(sign: .plus, exponent: Int.random(in: -30...30, using: &random), significand: 1)
    }
    let y = x.map { $0 * 1.01 }
    let whole = statistics(x, y)
    let pieces = stride(from: 0, to: x.count, by: 1024).map { start in
      let range = start..<min(start + 1024, x.count)
      return statistics(Array(x[range]), Array(y[range]))
    }
    for order in [pieces, pieces.reversed(), pieces.shuffled(using: &random)] {
      var merged = ErrorSums()
      for piece in order { merged.merge(piece) }
      #expect(merged.squaredError == whole.squaredError)
      #expect(merged.energy == whole.energy)
      #expect(merged.cosine == whole.cosine)
      #expect(merged.relativeL1 == whole.relativeL1)
      #expect(merged.maxAbsoluteError == whole.maxAbsoluteError)
    }
  }

  @Test func divergenceOfLogits() {
    var d = SoftmaxDivergence()
    let (p, q): ([Float], [Float]) = ([0, 0], [Float(log(3.0)), 0])
    p.withUnsafeBufferPointer { a in q.withUnsafeBufferPointer { d.add(row: a, $0) } }
    // p = (½, ½), q = (¾, ¼).
    #expect(abs(d.mean - (0.5 * log(2.0 / 3) + 0.5 * log(2.0))) < 1e-7)
    let bad: [Float] = [.nan, 1]
    bad.withUnsafeBufferPointer { a in q.withUnsafeBufferPointer { d.add(row: a, $0) } }
    #expect(d.rows == 1)
  }
}

struct ErrorSplitTests {
  @Test func thePartsSumToTheTotal() throws {
    var random = Seeded(17)
    var matrix = random.normals(rows: 16, columns: 256)
    matrix.values[333] = 500
    matrix.values[900] = 1e-6
    for scheme in SchemeRegistry.known where scheme is any LimitedScheme {
      let m = try measure(scheme.name, matrix)
      let split = try #require(m.split, "\(scheme.name)")
      let total = m.statistics.squaredError
      #expect(abs(split.total - total) <= 1e-12 * total, "\(scheme.name) \(split) \(total)")
      #expect(m.splitsScale || split.scaleRounding == 0)
      #expect(split.clipping >= 0 && split.flushToZero >= 0 && split.elementRounding >= 0)
    }
  }

  @Test func eachPartIsFound() throws {
    // X = 1 under the floor rule: 7.5 is cut to 6; 0.2 is flushed; 2.4 becomes 2; the unrounded scale is 7.5/6,
    // where 2.4 becomes 1.5·1.25 or 2·1.25 = 2.5.
    let block = Matrix(rows: 1, columns: 32, values: [7.5, 0.2, 2.4] + [Float](repeating: 0, count: 29))
    let split = try #require(try measure("mxfp4", block).split)
    #expect(split.clipping == 2.25)
    #expect(abs(split.flushToZero - 0.04) < 1e-8)
    #expect(abs(split.elementRounding - 0.01) < 1e-7)
    #expect(abs(split.scaleRounding - 0.15) < 1e-7)
  }

  @Test func unroundedScalesCostNothing() throws {
    var random = Seeded(2)
    let matrix = random.normals(rows: 4, columns: 256)
    for name in ["int8@token", "f4e2m1@g32", "nf4", "f8e4m3fn"] {
      #expect(try measure(name, matrix).split?.scaleRounding == 0)
    }
    for name in ["int8@token:f16", "mxfp4", "nvfp4", "nf4:dq"] {
      #expect(try #require(measure(name, matrix).split).scaleRounding != 0)
    }
  }

  @Test func infinitiesOfTheInputAreLeftOut() throws {
    let m = try measure("int8", Matrix(rows: 1, columns: 4, values: [1, .infinity, .nan, 0.3]))
    #expect(m.statistics.finiteCount == 2)
    #expect(abs(try #require(m.split).total - m.statistics.squaredError) < 1e-18)
  }
}

struct LimitTests {
  @Test func limitsAreDecodedValuesAndHoldAllOthers() throws {
    var random = Seeded(43)
    let matrix = random.normals(rows: 8, columns: 256)
    for scheme in SchemeRegistry.known {
      guard let limited = scheme as? any LimitedScheme else {
        // Rotated numbers have no ends of their own.
        #expect(["higgs", "turboquant"].contains(where: scheme.name.hasPrefix))
        continue
      }
      let bytes = try scheme.encoded(matrix)
      let values = try scheme.decoded(bytes, rows: 8, columns: 256)
      var lowest = [Float](repeating: .nan, count: 2048)
      var highest = lowest
      try bytes.withUnsafeBytes { raw in
        try lowest.withUnsafeMutableBufferPointer { low in
          try highest.withUnsafeMutableBufferPointer { high in
            try limited.decodeLimits(raw, rows: 8, columns: 256, lowest: low, highest: high)
          }
        }
      }
      for index in values.indices {
        #expect(lowest[index] <= values[index] && values[index] <= highest[index], "\(scheme.name) \(index)")
      }
      // With plain casts aside, some element comes near an end: a power of two as a scale leaves up to half unused.
      if SchemeName(scheme.name)?.granularity == nil,
        ["f4", "f6", "f8", "f16", "bf16"].contains(where: scheme.name.hasPrefix)
      {
        continue
      }
      #expect(
        values.indices.contains {
          abs(values[$0]) >= 0.49 * max(abs(lowest[$0]), abs(highest[$0])) && values[$0] != 0
        }, "\(scheme.name)")
    }
  }
}

struct FloorTests {
  /// The normal distribution by its quantiles.
  static func normal(_ count: Int) -> [Float] {
    (0..<count).map { index in
      let p = (Double(index) + 0.5) / Double(count)
      // erf by bisection is enough here.
      var (low, high) = (-9.0, 9.0)
      for _ in 0..<60 {
        let middle = (low + high) / 2
        if 0.5 * erfc(-middle / 2.0.squareRoot()) < p { low = middle } else { high = middle }
      }
      return Float(low)
    }
  }

  @Test func lloydMaxOfTheNormalDistribution() throws {
    let distribution = FloorTests.normal(1 << 17).withUnsafeBufferPointer { EmpiricalDistribution($0) }
    // Max 1960, table 1.
    for (bits, mse) in [(1, 0.3634), (2, 0.1175), (3, 0.03455), (4, 0.009501), (5, 0.002505)] {
      let quantizer = try #require(LloydMax(levelCount: 1 << bits, for: distribution))
      #expect(abs(quantizer.mse - mse) < 0.003 * mse, "\(bits): \(quantizer.mse)")
      #expect(quantizer.levels.count == 1 << bits)
    }
    let two = try #require(LloydMax(levelCount: 4, for: distribution)).levels
    for (level, wanted) in zip(two, [-1.510, -0.4528, 0.4528, 1.510]) { #expect(abs(level - wanted) < 0.003) }
    // Panter and Dite: √3·π/2 · σ²/L².
    let floor = try #require(Floor(bits: 13, distribution: distribution, variance: 1))
    #expect(abs(floor.lloydMax * exp2(26.0) / (3.0.squareRoot() * .pi / 2) - 1) < 0.05)
    #expect(floor.gaussianBound == exp2(-26.0))
  }

  @Test func lloydMaxOfTheUniformDistribution() throws {
    let values = (0..<1 << 16).map { Float($0) / 65536 + 1 }
    let distribution = values.withUnsafeBufferPointer { EmpiricalDistribution($0) }
    for levels in [1, 2, 7, 16, 100] {
      let mse = try #require(LloydMax(levelCount: levels, for: distribution)).mse
      let wanted = 1 / (12 * Double(levels * levels))
      #expect(abs(mse - wanted) < 0.01 * wanted, "\(levels): \(mse) \(wanted)")
    }
  }

  @Test func fewNumbersNeedFewLevels() throws {
    let values: [Float] = [1, 2, 2, 5, .nan, .infinity]
    let distribution = values.withUnsafeBufferPointer { EmpiricalDistribution($0) }
    #expect(distribution.count == 4)
    #expect(try #require(LloydMax(levelCount: 8, for: distribution)).mse == 0)
    // {1, 2, 2} | {5}: ⅔ over 4.
    #expect(abs(try #require(LloydMax(levelCount: 2, for: distribution)).mse - 1.0 / 6) < 1e-12)
    #expect(LloydMax(levelCount: 0, for: distribution) == nil)
    let floor = try #require(Floor(bits: 8, distribution: distribution, variance: 1))
    #expect(floor.decibelsAboveLloydMax(0.1) == nil)
    #expect(Floor(bits: .nan, distribution: distribution, variance: 1) == nil)
    #expect(Floor(bits: 4, distribution: EmpiricalDistribution([]), variance: 1) == nil)
  }

  @Test func uniformQuantizationHasTheErrorOfTheTheory() throws {
    var random = Seeded(23)
    let values = (0..<1 << 16).map { _ in Float.random(in: -1...1, using: &random) }
    for (name, steps) in [("int8", 127.0), ("int4@tensor", 7), ("uint8", 127.5)] {
      let m = try measure(name, Matrix(rows: 256, columns: 256, values: values))
      let wanted = 1 / (steps * steps * 12)
      #expect(abs(m.statistics.mse - wanted) < 0.03 * wanted, "\(name)")
    }
    // A float of p bits over many binades: relative errors uniform in ±2^(e−p), so E e² = Σ over x of ulp²/12.
    let wide = (0..<1 << 16).map { _ in exp2(Float.random(in: -4...4, using: &random)) }
    let m = try measure("f8e4m3fn", Matrix(rows: 256, columns: 256, values: wide))
    var wanted = 0.0
    for x in wide { wanted += pow(exp2(Double(x.exponent) - 3), 2) / 12 }
    #expect(abs(m.statistics.squaredError / wanted - 1) < 0.03)
  }
}

struct MeasurementTests {
  @Test func bandsComeToTheSameAsTheWhole() throws {
    var random = Seeded(29)
    let matrix = random.normals(rows: 700, columns: 700)
    for name in ["mxfp4", "int4@b64x64", "uint8@token"] {
      let whole = try measure(name, matrix)
      let scheme = try SchemeRegistry.scheme(named: name)
      var merged: SchemeMeasurement?
      for (start, end) in [(0, 128), (128, 640), (640, 700)] {
        let part = try matrix.values[start * 700..<end * 700].withUnsafeBufferPointer {
          try SchemeMeasurement(scheme, $0, rows: end - start, columns: 700, firstRow: start)
        }
        if merged == nil { merged = part } else { merged?.merge(part) }
      }
      let result = try #require(merged)
      #expect(result.statistics.squaredError == whole.statistics.squaredError)
      #expect(result.storedBytes == whole.storedBytes)
      #expect(result.places.block == whole.places.block)
      #expect(result.places.channel?.column == whole.places.channel?.column)
      let (split, wholeSplit) = (try #require(result.split), try #require(whole.split))
      #expect(split.total == wholeSplit.total && split.clipping == wholeSplit.clipping)
      // And in one piece.
      let values = try scheme.roundTrip(matrix)
      let other = statistics(matrix.values, values).squaredError
      #expect(abs(other - whole.statistics.squaredError) < 1e-13 * other)
    }
  }

  @Test func bitsCountEverythingStored() throws {
    var random = Seeded(31)
    let matrix = random.normals(rows: 64, columns: 1024)
    let elements = 65536.0
    let expected: [(name: String, overhead: Double, bits: Double)] = [
      ("int4@g32", 0, 5), ("mxfp4", 0, 4.25), ("nf4", 0, 4.5), ("uint4@g128", 0, 4.3125), ("f6e3m2", 0, 6),
      ("int8@b128x128", 256, 8), ("nvfp4", 32, 4.5), ("uint4@g128:min,f16", 0, 4.25),
      ("nf4:dq", 160, 4.125),
    ]
    for (name, overhead, bits) in expected {
      #expect(try measure(name, matrix).bitsPerWeight == bits + overhead / elements, "\(name)")
    }
    // LLM.int8(): as many bits as columns kept.
    var outlier = matrix
    for value in outlier.values.indices { outlier.values[value] *= 0.5 }
    #expect(try measure("llmint8", outlier).storedBytes == 128 + 64 * (4 + 1024))
    outlier.values[5] = 60
    #expect(try measure("llmint8", outlier).storedBytes == 128 + 64 * (4 + 1023 + 2))
  }

  @Test func theWorstPlacesAreFound() throws {
    var values = [Float](repeating: 1, count: 8 * 100)
    // int8@tensor: s = 127/127 = 1, all exact but these.
    values[0] = 127
    values[3 * 100 + 70] = 5.4
    values[3 * 100 + 71] = 5.3
    values[6 * 100 + 7] = 2.45
    let places = try measure("int8", Matrix(rows: 8, columns: 100, values: values)).places
    let block = try #require(places.block)
    #expect((block.row, block.column, block.width) == (3, 64, 32))
    #expect(abs(block.squaredError - 0.25) < 1e-6)
    #expect(abs(block.energy - (30 + 5.4 * 5.4 + 5.3 * 5.3)) < 1e-4)
    let channel = try #require(places.channel)
    #expect(channel.column == 7)
    #expect(abs(channel.energy - (7 + 2.45 * 2.45)) < 1e-5)
  }

  @Test func contradictionsAreNamed() throws {
    var random = Seeded(37)
    func kinds(_ name: String, _ matrix: Matrix) throws -> [MetricDisagreement] {
      try measure(name, matrix).disagreements()
    }
    let plain = random.normals(rows: 64, columns: 256)
    #expect(try kinds("int8@token", plain).isEmpty)
    // One value carries everything; the rest is flushed.
    var outlier = plain
    outlier.values[777] = 30_000
    let found = try kinds("int8", outlier)
    #expect(found.contains { if case .smallValues = $0 { return true } else { return false } })
    #expect(
      found.contains { if case .channels(_, let lost, 256) = $0 { return lost == 255 } else { return false } }
    )
    // All clipped alike: the direction stays.
    let large = Matrix(rows: 1, columns: 64, values: (0..<64).map { $0 % 2 == 0 ? 60 : -61 })
    #expect(
      try kinds("f4e2m1", large).contains { if case .size = $0 { return true } else { return false } })
    let m = try measure("f16", Matrix(rows: 1, columns: 4, values: [1e6, 1, 2, 3]))
    #expect(m.disagreements().contains(.lost(count: 1)))
    // A single clipped element among many good ones.
    var peak = [Float](repeating: 8, count: 1 << 14)
    peak[5] = 450 + 20
    #expect(
      try kinds("f8e4m3fn:saturate", Matrix(rows: 1, columns: peak.count, values: peak)).contains {
        if case .peaks = $0 { return true } else { return false }
      })
    // Logits near 80, whose differences are what counts.
    let logits = Matrix(rows: 1, columns: 32, values: (0..<32).map { 80 + Float($0) / 4 })
    let scheme = try SchemeRegistry.scheme(named: "f8e4m3fn")
    var divergence = SoftmaxDivergence()
    let decoded = try scheme.roundTrip(logits)
    logits.values.withUnsafeBufferPointer { a in
      decoded.withUnsafeBufferPointer { divergence.add(row: a, $0) }
    }
    let all = try measure("f8e4m3fn", logits).disagreements(divergence: divergence)
    #expect(all.contains { if case .logits = $0 { return true } else { return false } })
    for one in all + found { #expect(!one.description.isEmpty) }
  }
}
