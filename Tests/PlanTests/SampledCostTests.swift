import Foundation
import Quant
import Testing

/// What schemes cost, against the streamed measurement and against sums written down plainly.
@Suite struct SampledCostTests {
  struct Rows: BandSource {
    let rows: Int
    let columns: Int
    let values: [Float]
    func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
      for k in 0..<range.count * columns { buffer[k] = values[range.lowerBound * columns + k] }
    }
  }

  static func tensor(rows: Int, columns: Int, seed: UInt64 = 1) -> Rows {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    func next() -> Double {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return Double((state &* 2_685_821_657_736_338_717) >> 11) * 0x1p-53
    }
    let values = (0..<rows * columns).map { k -> Float in
      let normal = (-2 * log(max(next(), 1e-300))).squareRoot() * cos(2 * .pi * next())
      return Float(normal * (1 + Double(k / columns % 7)))
    }
    return Rows(rows: rows, columns: columns, values: values)
  }

  private static let names = [
    "q4_k", "q6_k", "q8_0", "iq4_xs", "int4@g32", "int8@token", "int8@tensor", "uint4@b32x32", "nvfp4", "nf4",
    "f16",
  ]

  @Test func allRowsCostWhatTheStreamedMeasurementSays() throws {
    let tensor = Self.tensor(rows: 70, columns: 512)
    let schemes = try Self.names.map { try SchemeRegistry.scheme(named: $0) }
    let costs = try SampledCosts(tensor, schemes: schemes, sample: nil)
    let streamed = try StreamedMeasurement(schemes, tensor).measurements
    #expect(costs.measuredRows == 70 && costs.costs.count == schemes.count)
    for (cost, other) in zip(costs.costs, streamed) {
      #expect(abs(cost.sqnr - other.statistics.sqnr) < 1e-9, "\(cost.scheme)")
      #expect(cost.bytes == other.storedBytes, "\(cost.scheme)")
      #expect(cost.uncertainty == 0 && cost.faults == 0)
    }
  }

  @Test func aSampleIsTheTensorButForChance() throws {
    let tensor = Self.tensor(rows: 4096, columns: 256)
    let schemes = try ["q4_k", "int4@g32", "uint4@b32x32"].map { try SchemeRegistry.scheme(named: $0) }
    let all = try SampledCosts(tensor, schemes: schemes, sample: nil)
    let some = try SampledCosts(tensor, schemes: schemes, sample: 1 << 16)
    #expect(some.measuredRows < 1024 && some.measuredRows >= 256)
    for (a, b) in zip(all.costs, some.costs) {
      #expect(a.bytes == b.bytes)
      #expect(b.uncertainty > 0 && b.uncertainty < 0.1)
      #expect(
        abs(b.noise / a.noise - 1) < 5 * b.uncertainty,
        "\(a.scheme): \(a.noise), \(b.noise) ± \(b.uncertainty)")
    }
  }

  /// A row with one number far above all others makes most of the error; wherever it stands it is in the sample.
  @Test func aSampleHasTheLargestNumbers() throws {
    let schemes = try ["q4_k", "int4@g32", "uint4@b32x32"].map { try SchemeRegistry.scheme(named: $0) }
    for row in [1, 7, 501, 4095] {
      var values = Self.tensor(rows: 4096, columns: 256).values
      values[row * 256 + 100] = 90
      let tensor = Rows(rows: 4096, columns: 256, values: values)
      let all = try SampledCosts(tensor, schemes: schemes, sample: nil)
      let some = try SampledCosts(tensor, schemes: schemes, sample: 1 << 14)
      #expect(some.measuredRows < 1024)
      for (a, b) in zip(all.costs, some.costs) {
        #expect(
          abs(b.noise / a.noise - 1) < 4 * b.uncertainty,
          "\(a.scheme), row \(row): \(a.noise), \(b.noise) ± \(b.uncertainty)")
      }
    }
  }

  /// Runs drawn and certain are disjoint and ascend, and every run may be certain.
  @Test func certainRunsStandBesideTheDrawn() {
    for (rows, unit) in [(1000, 1), (1000, 32), (999, 32)] {
      let total = (rows + unit - 1) / unit
      for certain in [[], [0], [total - 1], [0, 1, 2, 7], [3, 5, total - 2, total - 1]] {
        let sample = RowSample(rows: rows, columns: 10, elements: 3000, unit: unit, certain: certain)
        #expect(zip(sample.runs, sample.runs.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
        let found = zip(sample.runs, sample.isCertain).filter(\.1).map { $0.0.lowerBound / unit }
        #expect(sample.isWhole || found == certain, "\(rows), \(unit), \(certain)")
        #expect(sample.runs.count { !certain.contains($0.lowerBound / unit) } > 0)
      }
    }
  }

  /// What a profile has found of a tensor spares its schemes a pass over all of it; the same numbers are its largest.
  @Test func aProfileStandsForASurvey() throws {
    final class Read: @unchecked Sendable { var rows = 0 }
    struct Counted: BandSource {
      let tensor: Rows
      let read: Read
      var rows: Int { tensor.rows }
      var columns: Int { tensor.columns }
      func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
        read.rows += range.count
        try tensor.read(range, into: buffer)
      }
    }
    var values = Self.tensor(rows: 2048, columns: 128).values
    (values[5], values[700], values[70_000]) = (.nan, -.infinity, -900)
    let tensor = Rows(rows: 2048, columns: 128, values: values)
    let profile = try tensor.values.withUnsafeBufferPointer {
      try TensorProfile(MemorySource($0, rows: tensor.rows, columns: tensor.columns))
    }
    let schemes = SchemeRegistry.known.filter(\.needsSurvey)
    #expect(schemes.count > 10)
    var spared = 0
    for scheme in schemes {
      let (plain, known) = (Read(), Read())
      let a = try SampledCosts(Counted(tensor: tensor, read: plain), schemes: [scheme], sample: 4096)
      let b = try SampledCosts(
        Counted(tensor: tensor, read: known), schemes: [scheme], sample: 4096, profile: profile)
      #expect(
        zip(a.costs, b.costs).allSatisfy {
          abs($0.noise - $1.noise) <= 4 * ($0.uncertainty + $1.uncertainty) * $0.noise && $0.bytes == $1.bytes
        }, "\(scheme.name)")
      #expect(plain.rows == 2048 + a.measuredRows)
      #expect([b.measuredRows, 2048 + b.measuredRows].contains(known.rows), "\(scheme.name)")
      if known.rows < 2048 { spared += 1 }
    }
    // Scales of the tensor, of any range; not those of columns, double quantization, LLM.int8().
    #expect(spared > 5 && spared < schemes.count)
  }

  @Test func productsAndImportanceAreWhatTheySay() throws {
    let tensor = Self.tensor(rows: 24, columns: 96)
    let x = Self.tensor(rows: 5, columns: 96, seed: 9)
    let scheme = try SchemeRegistry.scheme(named: "int4@token")
    var bytes = [UInt8](repeating: 0, count: try scheme.byteCount(rows: 24, columns: 96))
    var decoded = [Float](repeating: 0, count: tensor.values.count)
    try bytes.withUnsafeMutableBytes { raw in
      try tensor.values.withUnsafeBufferPointer { try scheme.encode($0, rows: 24, columns: 96, into: raw) }
      try decoded.withUnsafeMutableBufferPointer {
        try scheme.decode(UnsafeRawBufferPointer(raw), rows: 24, columns: 96, into: $0)
      }
    }
    let h = (0..<96).map { Float(1 + $0 % 5) }
    var (energy, error, weighted, weightedError) = (0.0, 0.0, 0.0, 0.0)
    for row in 0..<24 {
      for token in 0..<5 {
        var (y, e) = (0.0, 0.0)
        for k in 0..<96 {
          let (w, v, a) = (tensor.values[row * 96 + k], decoded[row * 96 + k], x.values[token * 96 + k])
          y += Double(w) * Double(a)
          e += (Double(v) - Double(w)) * Double(a)
        }
        energy += y * y
        error += e * e
      }
      for k in 0..<96 {
        let (w, v) = (Double(tensor.values[row * 96 + k]), Double(decoded[row * 96 + k]))
        weighted += Double(h[k]) * w * w
        weightedError += Double(h[k]) * (v - w) * (v - w)
      }
    }
    let products = try SampledCosts(
      tensor, schemes: [scheme], judge: .activations(TensorMatrix(rows: 5, columns: 96, values: x.values)),
      sample: nil)
    #expect(abs(products.costs[0].noise / (error / energy) - 1) < 1e-5)
    let importance = try SampledCosts(tensor, schemes: [scheme], judge: .importance(h), sample: nil)
    #expect(abs(importance.costs[0].noise / (weightedError / weighted) - 1) < 1e-12)
    #expect(throws: CureError.self) {
      try SampledCosts(tensor, schemes: [scheme], judge: .importance([1, 2]))
    }
  }

  @Test func whatIsNoNumberIsCountedAndWhatOverflowsIsAFault() throws {
    var values = Self.tensor(rows: 4, columns: 64).values
    values[3] = .nan
    values[70] = 1e30
    let tensor = Rows(rows: 4, columns: 64, values: values)
    let schemes = try ["f16", "int8@token", "q8_0"].map { try SchemeRegistry.scheme(named: $0) }
    let costs = try SampledCosts(tensor, schemes: schemes, sample: nil)
    #expect(costs.nonFinite == 1)
    #expect(costs.costs[0].faults > 0 && costs.costs[1].faults == 0 && costs.costs[2].faults > 0)
  }
}
