import Foundation
import Quant
import Testing

/// What is chosen within a budget, against every choice there is.
@Suite struct AllocationTests {
  /// xorshift64*: the same numbers everywhere.
  private struct Random {
    var state: UInt64
    mutating func next(_ limit: Int) -> Int {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return Int((state &* 2_685_821_657_736_338_717) >> 33) % limit
    }
  }

  /// The least cost of all choices that keep the budget; nil where none does.
  private func least(_ items: [[AllocationOption]], _ budget: Int) -> Double? {
    var best: Double?
    func go(_ k: Int, _ bytes: Int, _ cost: Double) {
      if bytes > budget { return }
      if k == items.count {
        best = min(best ?? .infinity, cost)
        return
      }
      for option in items[k] { go(k + 1, bytes + option.bytes, cost + option.cost) }
    }
    go(0, 0, 0)
    return best
  }

  @Test(arguments: 1...300) func nothingCostsLess(_ seed: Int) throws {
    var random = Random(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15)
    for _ in 0..<50 { _ = random.next(2) }
    let items = (0..<1 + random.next(6)).map { _ in
      (0..<1 + random.next(5)).map { _ in
        // Many equal sizes and costs, options that others dominate, costs of 0.
        AllocationOption(bytes: 1 + random.next(12), cost: Double(random.next(20)) / 4)
      }
    }
    let smallest = items.reduce(0) { $0 + ($1.map(\.bytes).min() ?? 0) }
    let largest = items.reduce(0) { $0 + ($1.map(\.bytes).max() ?? 0) }
    for budget in smallest...largest {
      let found = try Allocation(items, budget: budget)
      let best = try #require(least(items, budget))
      #expect(found.isOptimal && found.cost == best, "budget \(budget): \(found.cost), least \(best)")
      #expect(found.lowerBound == found.cost && found.gap == 0 && found.bytes <= budget)
      let taken = zip(items, found.choice).map { $0[$1] }
      #expect(taken.reduce(0) { $0 + $1.bytes } == found.bytes)
      #expect(taken.reduce(0) { $0 + $1.cost } == found.cost)
      // Without room for states the bound still holds.
      let rough = try Allocation(items, budget: budget, stateLimit: 1)
      #expect(rough.cost >= best && rough.lowerBound <= best + 1e-12 && rough.bytes <= budget)
    }
  }

  @Test func aBudgetThatIsTooSmallSaysHowMuchIsNeeded() {
    let items = [[AllocationOption(bytes: 5, cost: 1), AllocationOption(bytes: 3, cost: 2)]]
    #expect(throws: AllocationError(least: 3, budget: 2)) { try Allocation(items, budget: 2) }
    #expect(throws: AllocationError(least: 6, budget: 5)) { try Allocation(items + items, budget: 5) }
  }

  /// Hundreds of matrices of a few shapes, as in models: solved to the end.
  @Test func modelsAreSolvedToTheEnd() throws {
    var random = Random(state: 88_172_645_463_325_252)
    let bits = [2.625, 3.4375, 4.25, 4.5, 5.5, 6.5625, 8.5, 16]
    let shapes = [640 * 1024, 640 * 256, 2048 * 640, 262_144 * 640]
    let items = (0..<281).map { k -> [AllocationOption] in
      let count = shapes[k == 0 ? 3 : k % 3]
      let spread = 0.5 + Double(random.next(1000)) / 500
      return bits.map { AllocationOption(bytes: Int($0 * Double(count) / 8), cost: spread * pow(4, -$0)) }
    }
    let count = items.reduce(0) { $0 + $1[7].bytes / 2 }
    for target in [3.0, 4.5, 6.1] {
      let found = try Allocation(items, budget: Int(target * Double(count) / 8))
      #expect(found.isOptimal || found.gap < 1e-3, "\(target): gap \(found.gap)")
      #expect(found.price > 0)
      // The budget is used up but for less than the smallest step.
      #expect(Double(8 * found.bytes) / Double(count) > target - 0.02)
    }
  }
}
