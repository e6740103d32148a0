import NumKit
import TestSupport
import Testing

/// Bounds on products hold for every kernel that does what it says, and catch those that do not.
@Suite struct MatmulErrorTests {
  /// Numbers that are hard on a sum of products: what cancels, ties, what underflows or nearly overflows, any code of the format.
  private static func hostile(
    _ count: Int, _ format: NumberFormat, _ kind: Int, _ random: inout RandomBits
  ) -> [Double] {
    func sign() -> Double { random.next() & 1 == 0 ? 1 : -1 }
    func power(_ range: ClosedRange<Int>) -> Double {
      Double(
        sign: .plus, exponent: range.lowerBound + Int(random.next() % UInt64(range.count)), significand: 1)
    }
    func uniform() -> Double { 1 + Double(random.next() >> 12) * 0x1p-52 }
    let top = format.maxExponent / 2 - 2
    return (0..<count).map { i in
      switch kind % 7 {
      case 0: return sign() * uniform() * power(-3...3)
      // Ones and what they swallow.
      case 1: return sign() * (random.next() % 3 == 0 ? 1 : power(-26...0))
      // Integers.
      case 2: return Double(Int(random.next() % 15) - 7)
      // Products that underflow in the format itself.
      case 3:
        return sign() * uniform()
          * power(format.minExponent - format.significandBits...format.minExponent + 4)
      // Products that come near its largest.
      case 4: return sign() * uniform() * power(Swift.max(top - 3, -1)...Swift.max(top, 0))
      // Any code.
      case 5:
        let code = format.decode(random.next())
        return code.isFinite && code.magnitude < 0x1p200 ? code : 0
      // All of one sign and nearly equal: every rounding goes the same way.
      default: return uniform() * 0x1p-1 + 1 - Double(i % 2) * 0x1p-30
      }
    }
  }

  private static func product(_ a: [Double], _ b: [Double], inner: Int) throws -> MatmulInputs {
    try #require(MatmulInputs(rows: a, columns: b, inner: inner))
  }

  private static func measure(
    _ candidates: [any Candidate<MatmulQuestion>], _ inputs: MatmulInputs, _ c: MatmulConfiguration,
    threads: Int = 1
  ) throws -> Measurement<MatmulQuestion> {
    let stored = inputs.stored(as: c.storage, c.scaling)
    let trial = Trial(MatmulQuestion(), candidates: candidates, format: c.result, threads: threads) {
      MatmulProver($0 == .stored ? stored : inputs, format: c.result)
    }
    return try trial.run(on: MatmulRows(inputs, stored: stored, dtype: c.storage))
  }

  private static func measure(
    _ orders: [MatmulOrder], _ inputs: MatmulInputs, _ c: MatmulConfiguration, threads: Int = 1
  ) throws -> Measurement<MatmulQuestion> {
    let stored = inputs.stored(as: c.storage, c.scaling)
    return try measure(orders.map { try MatmulCandidate($0, c, stored) }, inputs, c, threads: threads)
  }

  private static let formats: [NumberFormat] = [
    .f64, .f32, .tf32, .f16, .bf16, .f8e4m3fn, .f8e5m2, .f8e3m4, .f6e3m2, .f6e2m3, .f4e2m1,
  ]

  private static let storages: [DType] = formats.map { .float($0) } + [.integer(.int8), .integer(.int4)]

  /// All triples of formats, orders and scales, on numbers that are hard on them: 10⁵ results with a bound at least, none above it.
  @Test(arguments: storages) func boundsHold(storage: DType) throws {
    var random = RandomBits(seed: UInt64(storage.bitWidth))
    var (bounded, sound, total) = (0, 0, 0)
    var accumulators = Self.formats.map { MatmulAccumulator.float($0) }
    if storage.numberFormat == nil { accumulators.append(.int32) }
    let scalings: [MatmulScaling] =
      storage == .float(.f64) ? [.none, .none] : [.none, .tensor, .row, .block(5)]
    for accumulator in accumulators {
      for result in [NumberFormat.f64, .f32, .f16, .bf16, .f8e5m2] {
        for scaling in scalings {
          for inner in [1, 2, 9, 37] {
            let c = try MatmulConfiguration(
              storage: storage, scaling: scaling, accumulator: accumulator, result: result)
            let (kindA, kindB) = (Int(random.next() % 7), Int(random.next() % 7))
            // On the brink of one of the three.
            var brinks = [result, storage.numberFormat ?? result]
            if case .float(let format) = accumulator { brinks.append(format) }
            let brink =
              random.next() % 4 == 0
              ? brinks.randomElement(using: &random)! : brinks.min { $0.maxExponent < $1.maxExponent }!
            var a = Self.hostile(2 * inner, brink, kindA, &random)
            var b = Self.hostile(5 * inner, brink, kindB, &random)
            // What is infinite as stored has no bound.
            if let format = storage.numberFormat {
              a = a.map { format.round($0).isFinite ? $0 : 0 }
              b = b.map { format.round($0).isFinite ? $0 : 0 }
            }
            if random.next() % 3 == 0 {
              for i in stride(from: 1, to: a.count, by: 2) { a[i] = a[i - 1] }
              for i in stride(from: 1, to: b.count, by: 2) { b[i] = -b[i - 1] }
            }
            let orders: [MatmulOrder] = [.sequential, .pairwise, .blocked(4), .blocked(12), .splitK(3)]
            let found = try Self.measure(orders, try Self.product(a, b, inner: inner), c)
            #expect(found.certificate.undecided == 0)
            for (order, e) in zip(orders, found.entries) {
              let part = e.parts[0]
              let k = part.kernel
              total += 1
              guard part.bound != .none else { continue }
              if part.bound == .sound { sound += 1 }
              bounded += k.count
              let place =
                "\(storage) \(scaling) \(accumulator) \(result.name) \(order) \(inner), kinds \(kindA) \(kindB)"
              #expect(k.aboveBound == 0, "\(place): \(k.maxUlp) ulp, bound \(part.boundUlp)")
              #expect(k.wrongSpecials == 0 && k.lostRows == 0, "\(place)")
              #expect(part.boundUlp >= k.maxUlp, "\(place)")
            }
          }
        }
      }
    }
    #expect(bounded >= 9000, "\(bounded)")
    #expect(sound * 6 > total, "\(sound) of \(total)")
  }

  /// Whoever computes in less than he says, in another order, or without the scales' precision.
  @Test func liarsAreCaught() throws {
    var random = RandomBits(seed: 5)
    let inner = 512
    let a = Self.hostile(8 * inner, .f32, 0, &random)
    let b = Self.hostile(8 * inner, .f32, 0, &random)
    let ones = [Double](repeating: 1, count: 8 * 4096)
    typealias Claim = (MatmulOrder, DType, MatmulScaling, MatmulAccumulator)
    let lies: [(says: Claim, does: Claim, ones: Bool)] = [
      (
        (.sequential, .float(.f32), .none, .float(.f32)), (.sequential, .float(.f32), .none, .float(.tf32)),
        false
      ),
      (
        (.sequential, .float(.f32), .none, .float(.f64)), (.sequential, .float(.f32), .none, .float(.f32)),
        false
      ),
      (
        (.pairwise, .float(.bf16), .none, .float(.f32)), (.pairwise, .float(.bf16), .none, .float(.bf16)),
        false
      ),
      (
        (.sequential, .float(.f16), .none, .float(.f32)), (.sequential, .float(.f16), .none, .float(.f16)),
        false
      ),
      (
        (.pairwise, .float(.f16), .none, .float(.f16)), (.sequential, .float(.f16), .none, .float(.f16)), true
      ),
      (
        (.splitK(64), .float(.f16), .none, .float(.f16)), (.sequential, .float(.f16), .none, .float(.f16)),
        true
      ),
      (
        (.sequential, .float(.f8e4m3fn), .tensor, .float(.f32)),
        (.sequential, .float(.f8e4m3fn), .tensor, .float(.tf32)), false
      ),
      (
        (.blocked(128), .float(.f8e4m3fn), .block(128), .float(.f32)),
        (.blocked(128), .float(.f8e4m3fn), .block(128), .float(.bf16)), false
      ),
      (
        (.sequential, .integer(.int8), .row, .int32), (.sequential, .integer(.int8), .row, .float(.bf16)),
        false
      ),
      // The inputs themselves are stored in fewer bits.
      (
        (.sequential, .float(.f16), .none, .float(.f32)), (.sequential, .float(.bf16), .none, .float(.f32)),
        false
      ),
    ]
    for (says, does, useOnes) in lies {
      let inputs =
        try useOnes
        ? Self.product(ones, ones, inner: 4096) : Self.product(a, b, inner: inner)
      let claim = try MatmulConfiguration(
        storage: says.1, scaling: says.2, accumulator: says.3, result: .f32)
      let deed = try MatmulConfiguration(storage: does.1, scaling: does.2, accumulator: does.3, result: .f32)
      let honest = try MatmulCandidate(says.0, claim, inputs.stored(as: says.1, says.2))
      let liar = Liar(
        says: honest, does: try MatmulCandidate(does.0, deed, inputs.stored(as: does.1, does.2)))
      let found = try Self.measure([honest, liar], inputs, claim)
      #expect(found.entries[0].parts[0].verdict != .bug, "\(says)")
      #expect(found.entries[1].parts[0].kernel.aboveBound > 0, "\(says) by \(does)")
      #expect(found.entries[1].parts[0].verdict == .bug, "\(says) by \(does)")
    }
  }

  /// Where every sum is exact the bound says so, and grows with depth where it is not.
  @Test func boundsSaySomething() throws {
    var random = RandomBits(seed: 6)
    let integers = Self.hostile(8 * 64, .f32, 2, &random)
    let exact = try Self.measure(
      MatmulOrder.all, try Self.product(integers, integers, inner: 64), try .init(storage: .float(.f32)))
    for e in exact.entries { #expect(e.parts[0].boundUlp < 1e-30 && e.parts[0].kernel.maxUlp == 0) }
    let a = Self.hostile(8 * 1024, .f32, 6, &random)
    let b = Self.hostile(8 * 1024, .f32, 6, &random)
    let found = try Self.measure(
      [.sequential, .splitK(4), .pairwise], try Self.product(a, b, inner: 1024),
      try .init(storage: .float(.f32)))
    let bounds = found.entries.map { $0.parts[0].boundUlp }
    #expect(bounds[0] > 500 && bounds[0] < 1100 && bounds[1] < 300 && bounds[2] < 20, "\(bounds)")
    let vacuous = try Self.measure(
      [.sequential], try Self.product(a, b, inner: 1024),
      try .init(storage: .float(.f8e4m3fn), accumulator: .float(.f8e5m2), result: .f32))
    #expect(vacuous.entries[0].parts[0].bound == .vacuous)
    let bf16 = try Self.measure(
      [.sequential], try Self.product(a, b, inner: 1024),
      try .init(storage: .float(.bf16), accumulator: .float(.bf16)))
    #expect(bf16.entries[0].parts[0].bound == .vacuous && bf16.entries[0].parts[0].verdict == .vacuous)
  }

  /// A row without a bound says why.
  @Test func gapsHaveReasons() throws {
    func gap(_ x: Double, _ inner: Int, _ c: MatmulConfiguration) throws -> MatmulGap? {
      let v = [Double](repeating: x, count: inner)
      let inputs = try Self.product(v, v, inner: inner)
      let found = try Self.measure([.sequential], inputs, c)
      let entry = found.entries[0]
      let gap = (entry.candidate as? MatmulCandidate)?.gap
      #expect((entry.parts[0].bound == .none) == (gap != nil))
      return gap
    }
    #expect(try gap(1, 4, .init(storage: .float(.f32))) == nil)
    #expect(try gap(1e6, 4, .init(storage: .float(.f32), accumulator: .float(.f16))) == .inputs)
    #expect(try gap(200, 4, .init(storage: .float(.f16), accumulator: .float(.f16))) == .sums)
    #expect(try gap(200, 1, .init(storage: .float(.f16), accumulator: .float(.f16))) == nil)
    #expect(try gap(127, 140_000, .init(storage: .integer(.int8))) == .wraps)
    #expect(try gap(127, 130_000, .init(storage: .integer(.int8))) == nil)
    #expect(try gap(1e25, 4, .init(storage: .float(.f8e4m3fn), scaling: .row)) == .scales)
    #expect(try gap(1e25, 4, .init(storage: .float(.f8e4m3fn), scaling: .block(2))) == .scales)
  }

  /// A row that has no answer takes no bound from others; a column neither.
  @Test func specialRowsTakeNoBound() throws {
    var a = [Double](repeating: 1.5, count: 12)
    var b = a
    a[5] = .nan
    b[2] = .infinity
    let found = try Self.measure(
      MatmulOrder.all, try Self.product(a, b, inner: 4), try .init(storage: .float(.f32)))
    for e in found.entries {
      #expect(e.parts[0].bound == .sound && e.parts[0].verdict == .ok && e.parts[0].kernel.finiteCount == 4)
      #expect(e.trace.firstNaN == nil && e.trace.firstOverflow == nil)
    }
  }

  /// An overflow of the accumulator is seen, and a bug.
  @Test func overflowIsABug() throws {
    let v = [60000.0, 60000, -60000, 1]
    let w = [1.0, 1, 1, 1]
    let found = try Self.measure(
      [.sequential], try Self.product(v, w, inner: 4),
      try .init(storage: .float(.f16), accumulator: .float(.f16)))
    #expect(found.entries[0].parts[0].verdict == .bug && found.entries[0].parts[0].bound == .none)
    #expect(found.entries[0].trace.firstOverflow?.stage == .sum)
    let n = 140_000
    let large = [Double](repeating: 127, count: n)
    let wrapped = try Self.measure(
      [.sequential], try Self.product(large, large, inner: n), try .init(storage: .integer(.int8)))
    #expect(wrapped.entries[0].parts[0].verdict == .bug)
  }

  /// Threads change nothing.
  @Test func threadsDoNotMatter() throws {
    var random = RandomBits(seed: 8)
    let a = Self.hostile(40 * 33, .f16, 0, &random)
    let b = Self.hostile(9 * 33, .f16, 4, &random)
    let inputs = try Self.product(a, b, inner: 33)
    let c = try MatmulConfiguration(storage: .float(.f16), accumulator: .float(.f16))
    let one = try Self.measure(MatmulOrder.all, inputs, c)
    let three = try Self.measure(MatmulOrder.all, inputs, c, threads: 3)
    for (x, y) in zip(one.entries, three.entries) {
      let (p, q) = (x.parts[0].kernel, y.parts[0].kernel)
      #expect(p.maxUlp == q.maxUlp && p.meanUlp == q.meanUlp && p.witness == q.witness)
      #expect(x.parts[0].bound == y.parts[0].bound && x.parts[0].boundUlp == y.parts[0].boundUlp)
      #expect((x.candidate as? MatmulCandidate)?.gap == (y.candidate as? MatmulCandidate)?.gap)
    }
    #expect(one.certificate == three.certificate)
  }
}

/// Says one thing and does another.
private struct Liar: Candidate {
  typealias Q = MatmulQuestion
  let says: MatmulCandidate
  var does: MatmulCandidate

  init(says: MatmulCandidate, does: MatmulCandidate) {
    (self.says, self.does) = (says, does)
  }

  var name: String { says.name }
  func prepared() -> Liar { Liar(says: says, does: does.prepared()) }
  mutating func answer(
    _ item: MatmulQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) { does.answer(item, into: results, trace: &trace) }
  func errorModel() -> (any ErrorModel<MatmulQuestion>)? { says.errorModel() }
}
