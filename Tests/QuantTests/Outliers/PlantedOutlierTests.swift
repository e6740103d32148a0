import NumKit
import Quant
import Testing

/// The finder finds exactly what was planted: at every position, in every shape, read in pieces of any size.
@Suite struct PlantedOutlierTests {
  private static func noise(_ count: Int, seed: UInt64) -> [Float] {
    var random = RandomSource(seed: seed, row: 0)
    return (0..<count).map { _ in Float(random.normal() * 0.25) }
  }

  @Test(arguments: [(1, 24), (24, 1), (4, 6), (3, 8), (2, 12)])
  func everyPosition(_ shape: (Int, Int)) throws {
    let (rows, columns) = shape
    let base = Self.noise(24, seed: 1)
    #expect(try ProfileTests.profile(base, rows: rows, columns: columns).massive.count == 0)
    for scope in ScanSettings.MedianScope.allCases {
      var settings = ScanSettings()
      settings.medianScope = scope
      for position in 0..<24 {
        for value: Float in [24926, -24926] {
          var values = base
          values[position] = value
          let p = try ProfileTests.profile(values, rows: rows, columns: columns, settings: settings)
          // A row of one element is its own median.
          if scope == .token && columns == 1 {
            #expect(p.massive.count == 0)
            continue
          }
          #expect(p.massive.count == 1)
          #expect(p.massive.places.map(\.index) == [position])
          #expect(p.massive.places.first?.value == value)
          #expect(p.massive.places.first?.row == position / columns)
          #expect(p.massive.channels == [position % columns: 1])
          #expect(p.massive.nearMissCount == 0)
          #expect(
            p.massive.restMagnitude == base.indices.filter { $0 != position }.map { base[$0].magnitude }.max()
          )
        }
      }
    }
  }

  @Test(arguments: [1, 3, 64, 577, 4096, 4097, 10_000, 262_144])
  func piecesOfAnySize(_ pieceLength: Int) throws {
    let (rows, columns) = pieceLength < 3 ? (8, 577) : (40, 577)
    var values = Self.noise(rows * columns, seed: 2)
    var random = RandomSource(seed: UInt64(pieceLength), row: 1)
    var planted: Set<Int> = []
    while planted.count < 9 { planted.insert(Int(random.next() % UInt64(values.count))) }
    for (k, place) in planted.sorted().enumerated() {
      values[place] = Float(2000 + k) * (k % 2 == 0 ? 1 : -1)
    }
    let whole = try ProfileTests.profile(values, rows: rows, columns: columns)
    for threads in [1, 3] {
      let p = try ProfileTests.profile(
        values, rows: rows, columns: columns, threads: threads, pieceLength: pieceLength)
      #expect(p.massive.count == 9)
      #expect(Set(p.massive.places.map(\.index)) == planted)
      #expect(p.massive.places.map(\.magnitude) == p.massive.places.map(\.magnitude).sorted(by: >))
      #expect(p.medianMagnitude == whole.medianMagnitude && p.losses == whole.losses)
      #expect(p.columnMaxima == whole.columnMaxima && p.rowMaxima == whole.rowMaxima)
      #expect((p.mean - whole.mean).magnitude < 1e-12)
    }
  }

  /// Limits as they are written: above 100, at least 1000 times; half of each is near.
  @Test func theLimitsAreExact() throws {
    func find(_ x: Float, median: Float) throws -> (massive: Int, near: Int) {
      let p = try ProfileTests.profile([x] + [Float](repeating: median, count: 10), rows: 1, columns: 11)
      #expect(p.medianMagnitude == Double(median))
      return (p.massive.count, p.massive.nearMissCount)
    }
    #expect(try find(100, median: 0.01) == (0, 1))
    #expect(try find(Float(100).nextUp, median: 0.01) == (1, 0))
    #expect(try find(2000, median: 2) == (1, 0))
    #expect(try find(Float(2000).nextDown, median: 2) == (0, 1))
    #expect(try find(1000, median: 2) == (0, 1))
    #expect(try find(Float(1000).nextDown, median: 2) == (0, 0))
    #expect(try find(50, median: 0) == (0, 0))
    #expect(try find(Float(50).nextUp, median: 0) == (0, 1))
    #expect(try find(101, median: 0) == (1, 0))
  }

  /// The scope of the median changes the answer: a token of large values is large beside the tensor only.
  @Test func theScopeDecides() throws {
    var values = Self.noise(10 * 64, seed: 5).map { $0 * 0.1 }
    for i in 64..<128 { values[i] *= 10_000 }
    var settings = ScanSettings()
    let byTensor = try ProfileTests.profile(values, rows: 10, columns: 64, settings: settings)
    settings.medianScope = .token
    let byToken = try ProfileTests.profile(values, rows: 10, columns: 64, settings: settings)
    #expect(byTensor.massive.count > 10 && byTensor.massive.places.allSatisfy { $0.row == 1 })
    #expect(byToken.massive.count == 0)
  }

  @Test func manyAreCountedAndTheLargestKept() throws {
    var values = [Float](repeating: 0, count: 1000)
    for i in 0..<300 { values[3 * i] = Float(1000 + i) }
    let p = try ProfileTests.profile(values, rows: 10, columns: 100)
    #expect(p.massive.count == 300 && p.massive.places.count == 64)
    #expect(p.massive.places.first?.index == 897 && p.massive.places.last?.value == 1236)
    #expect(p.massive.channels.values.reduce(0, +) == 300)
  }
}
