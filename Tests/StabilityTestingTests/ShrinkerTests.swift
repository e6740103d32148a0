import StabilityTesting
import Testing

/// What is left of a failure.
@Suite struct ShrinkerTests {
  /// Shrinks what `generator` makes first that `fails`, twice: the second time nothing may change.
  private func shrunk<V>(_ generator: Generator<V>, seed: UInt64 = 1, _ fails: @escaping (V) throws -> Bool)
    throws -> V
  {
    var found: [Choice]?
    for run in 0..<20_000 {
      guard let (value, choices) = try generator.value(seed: seed, run: run), try fails(value) else {
        continue
      }
      found = choices
      break
    }
    func replay(_ choices: [Choice]) throws -> [Choice]? {
      guard let (value, made) = try generator.replay(choices), try fails(value) else { return nil }
      return made
    }
    var shrinker = Shrinker(limit: 200_000)
    let once = try shrinker.shrink(try #require(found), replaying: replay)
    #expect(!shrinker.isCutShort)
    let twice = try shrinker.shrink(once, replaying: replay)
    #expect(once == twice && shrinker.steps == 0)
    return try #require(try generator.value(of: once))
  }

  @Test func shorterAndSimpler() throws {
    let rows: Generator<[Float]> = .logits(1...200)
    for seed in 1...5 as ClosedRange<UInt64> {
      #expect(try shrunk(rows, seed: seed) { $0.count >= 7 } == [0, 0, 0, 0, 0, 0, 0])
      #expect(try shrunk(rows, seed: seed) { $0.contains { $0 > 100 } } == [101])
      #expect(
        try shrunk(rows, seed: seed) { $0.contains(-.infinity) } == [-.infinity, 0]
          || shrunk(rows, seed: seed) { $0.contains(-.infinity) } == [0, -.infinity])
      // Two that differ by more than 50, with a third between.
      let three = try shrunk(rows, seed: seed) { row in
        guard let low = row.min(), let high = row.max(), high.isFinite, low.isFinite, high - low > 50 else {
          return false
        }
        return row.contains { $0 > low && $0 < high }
      }
      #expect(three.count == 3 && three.allSatisfy { $0 == $0.rounded() && abs($0) <= 51 })
    }
  }

  @Test func shortSignificands() throws {
    let numbers = Generator<Double>.floats { $0.uniform(in: 0...1) }
    #expect(try shrunk(numbers) { $0 > 0.3 && $0 < 0.7 } == 0.5)
    #expect(try shrunk(numbers) { $0 > 0.6 && $0 < 0.7 } == 0.625)
    let tiny = Generator<Double>.floats { $0.finite }
    #expect(try shrunk(tiny) { $0 != 0 && abs($0) < 0x1p-1000 }.significandWidth == 0)
    #expect(try shrunk(tiny) { $0.isFinite } == 0)
  }

  @Test func wholeNumbersAndTruthValues() throws {
    #expect(try shrunk(.integers(-1000...1000)) { $0 * $0 > 50 } == 8)
    #expect(try shrunk(.integers(Int.min...Int.max)) { $0 < -5 } == -6)
    let mask = try shrunk(.mask(queries: 1...10, keys: 1...10)) { $0.contains { $0.allSatisfy { !$0 } } }
    #expect(mask == [[false]])
  }

  @Test func rowsAndColumnsOfMatrices() throws {
    let matrices = Generator<Float>.floats().matrix(rows: 1...12, columns: 1...12)
    // One large number in the last column of some row that is not the first.
    let left = try shrunk(matrices) { m in m.dropFirst().contains { ($0.last ?? 0) > 3 } }
    #expect(left == [[0], [4]])
    #expect(try shrunk(matrices) { $0.count >= 3 && $0[0].count >= 2 } == [[0, 0], [0, 0], [0, 0]])
  }

  @Test func throughMapAndFilter() throws {
    let sorted = Generator<Float>.floats().vector(0...40).map { $0.sorted() }.filter { $0.count != 2 }
    let left = try shrunk(sorted) { $0.contains { $0 < -10 } }
    #expect(left == [-11])
    let dependent = Generator.lengths(1...40).flatMap { n in Generator<Float>.floats().vector(n...n) }
    #expect(try shrunk(dependent) { $0.count >= 5 }.count == 5)
  }

  /// A row that must stay long: pieces go first, so that it ends in few attempts.
  @Test func longRows() throws {
    let n = 4200
    let row: [Choice] = [.open] + (0..<n).map { .float(Double($0 % 97) / 8) } + [.close]
    var shrinker = Shrinker(limit: 2000)
    let left = try shrinker.shrink(row) { $0.count > 4098 }
    #expect(left == [.open] + Array(repeating: .float(0), count: 4097) + [.close])
    #expect(shrinker.attempts < 400)
  }

  @Test func theLimitIsKept() throws {
    let row: [Choice] = [.open] + (1...500).map { .float(Double($0) + 0.3) } + [.close]
    var calls = 0
    var shrinker = Shrinker(limit: 500)
    let left = try shrinker.shrink(row) {
      calls += 1
      return $0.count == row.count && $0.isEmpty
    }
    #expect(calls == 500 && shrinker.attempts == 500 && shrinker.isCutShort && left == row)
  }
}
