import NumKit
import TestSupport
import Testing

/// Orders of summation are the ones they are called.
@Suite struct MatmulOrderTests {
  /// A·B for one row and one column of f32, in an order.
  private func dot(
    _ a: [Double], _ b: [Double], _ order: String, _ accumulator: MatmulAccumulator = .float(.f32),
    storage: DType = .float(.f32)
  ) throws -> (result: Double, trace: StageTrace) {
    let inputs = try #require(MatmulInputs(rows: a, columns: b, inner: a.count))
    let configuration = try MatmulConfiguration(storage: storage, accumulator: accumulator, result: .f64)
    let runner = try MatmulRunner(try #require(MatmulOrder(order)), configuration, inputs)
    var trace = StageTrace()
    trace.startRow(0)
    var results = [0.0]
    results.withUnsafeMutableBufferPointer { runner.run(0, into: $0, trace: &trace) }
    return (results[0], trace)
  }

  struct Probe: Sendable {
    let order: String
    let place: Int
    let kept: Double

    init(_ order: String, _ place: Int, _ kept: Double) {
      (self.order, self.place, self.kept) = (order, place, kept)
    }
  }

  static let probes: [Probe] = [
    Probe("sequential", 0, 0), Probe("blocked:16", 0, 48), Probe("blocked:64", 0, 0),
    Probe("blocked:100", 0, 0), Probe("blocked:1", 0, 0), Probe("split-k:1", 0, 0),
    Probe("split-k:2", 0, 32), Probe("split-k:4", 0, 48), Probe("split-k:64", 0, 0), Probe("pairwise", 0, 56),
    // What is before the 1 in its run is added in one, ties to even; what comes after is swallowed, once the last digit is even.
    Probe("sequential", 63, 64), Probe("sequential", 20, 20), Probe("blocked:16", 20, 4 + 48),
    Probe("split-k:2", 40, 8 + 32), Probe("pairwise", 10, 4 + 56), Probe("pairwise", 63, 8 + 56),
  ]

  /// 1 swallows every 2⁻²⁴ that is added to it alone, and keeps sums of them: what is left says who was added to whom.
  @Test(arguments: probes)
  func whoIsAddedToWhom(probe: Probe) throws {
    let (order, place, kept) = (probe.order, probe.place, probe.kept)
    var a = [Double](repeating: 0x1p-24, count: 64)
    a[place] = 1
    let ones = [Double](repeating: 1, count: 64)
    #expect(try dot(a, ones, order).result == 1 + kept * 0x1p-24, "\(order), 1 at \(place)")
    #expect(try dot(ones, a, order).result == 1 + kept * 0x1p-24, "\(order), 1 at \(place) of B")
  }

  /// A product is not rounded before it is added: (1 + 2⁻¹²)² − 1 − 2⁻¹¹ is 2⁻²⁴.
  @Test func productsAreFused() throws {
    let x = 1 + 0x1p-12
    #expect(try dot([-1 - 0x1p-11, x], [1, x], "sequential").result == 0x1p-24)
  }

  /// int32 is exact in every order, and wraps around like 32 bits.
  @Test func integersWrap() throws {
    let n = 140_000
    let a = [Double](repeating: 127, count: n)
    let small = try dot(
      Array(a[..<100_000]), Array(a[..<100_000]), "pairwise", .int32, storage: .integer(.int8))
    #expect(small.result == 127 * 127 * 100_000)
    #expect(small.trace.firstOverflow == nil)
    let large = try dot(a, a, "blocked:128", .int32, storage: .integer(.int8))
    #expect(large.result == Double(Int32(truncatingIfNeeded: 127 * 127 * n)))
    #expect(large.result < 0 && large.trace.firstOverflow?.stage == .sum)
  }

  @Test func namesAreWhatTheySay() {
    for order in MatmulOrder.all + [.blocked(7), .splitK(3)] {
      #expect(MatmulOrder(order.description) == order)
      #expect(!order.summary.isEmpty)
    }
    #expect(MatmulOrder("blocked") == .blocked(128) && MatmulOrder("split-k") == .splitK(4))
    for rubbish in [
      "", ":", "sequential:2", "pairwise:", "blocked:0", "blocked:-1", "blocked:x", "blocked:1:2", "split-k:",
      "splitk:2", "blocked:99999999999999999999", "Sequential",
    ] {
      #expect(MatmulOrder(rubbish) == nil, "\(rubbish)")
    }
  }

  /// What doesn't go together is refused.
  @Test func configurationsAreChecked() throws {
    func fails(_ error: MatmulError, _ make: () throws -> MatmulConfiguration) {
      #expect(throws: error) { _ = try make() }
    }
    fails(.unsigned("uint8")) { try .init(storage: .integer(.uint8)) }
    fails(.noNumbers) { try .init(storage: .float(.e8m0)) }
    fails(.noNumbers) { try .init(storage: .float(.f32), accumulator: .float(.e8m0)) }
    fails(.noNumbers) { try .init(storage: .float(.f32), result: .e8m0) }
    fails(.integerSums("f16")) { try .init(storage: .float(.f16), accumulator: .int32) }
    fails(.scaledDoubles) { try .init(storage: .float(.f64), scaling: .row) }
    fails(.emptyBlocks) { try .init(storage: .float(.f16), scaling: .block(0)) }
    #expect(try MatmulConfiguration(storage: .integer(.int4)).accumulator == .int32)
    #expect(try MatmulConfiguration(storage: .float(.f8e4m3fn)).result == .f32)
    #expect(try MatmulConfiguration(storage: .float(.bf16)).result == .bf16)
    #expect(try MatmulConfiguration(storage: .float(.f64)).accumulator == .float(.f64))
  }

  /// Grains divide, and nothing twice as large does.
  @Test func grainsAreTheLargest() throws {
    var random = RandomBits(seed: 3)
    for _ in 0..<300 {
      var numbers: [Double] = []
      for _ in 0..<5 {
        let digits = Double(Int64(bitPattern: random.next()) >> 44)
        let exponent = Int(random.next() % 40) - 20 - (random.next() % 4 == 0 ? 1040 : 0)
        numbers.append(Double(sign: .plus, exponent: exponent, significand: digits))
      }
      let grain = try #require(MatmulInputs(rows: numbers, columns: numbers, inner: 5)).a.grains(numbers)[0]
      let rest = numbers.filter { $0 != 0 }
      if rest.isEmpty { continue }
      #expect(rest.allSatisfy { $0.remainder(dividingBy: grain) == 0 })
      #expect(!rest.allSatisfy { $0.remainder(dividingBy: 2 * grain) == 0 })
    }
    let given = [0, Double.nan, .infinity, 0, 0, 0]
    let special = try #require(MatmulInputs(rows: given, columns: given, inner: 3)).b
    #expect(special.grains(special.values) == [1, 1])
  }
}
