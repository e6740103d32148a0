import NumKit
import NumKitJudging
import NumKitNumbers
import NumKitQuestions
import Shards
import Testing

/// Work cut anywhere, carried as bytes and put together.
private final class Cut: WorkSharing {
  let bounds: [Int]
  init(_ bounds: [Int]) { self.bounds = bounds }
  var isPartial: Bool { false }
  var shareCount: Int { bounds.count - 1 }

  func share<State: Portable>(
    _ name: String, units: Int, span: WorkSpan?, make: () throws -> State,
    work: (Range<Int>) throws -> State, merge: (inout State, State) throws -> Void
  ) throws -> State {
    let cuts = bounds.map { $0 * units / 1000 }
    var whole = try make()
    for (low, high) in zip(cuts, cuts.dropFirst()).shuffled() {
      var part = try make()
      try part.restore(try work(low..<high).carried())
      try merge(&whole, part)
    }
    return whole
  }
}

@Suite struct SharingTests {
  private static func experiment(_ operation: RowOperation) -> Experiment {
    let c = KernelConfiguration(storage: .float(.f16), compute: .f16, accumulator: .f16)
    return Experiment(
      operation, algorithms: Algorithm.all(for: operation, dtype: .float(.f16)), configuration: c, threads: 2)
  }

  private static func bytes(_ r: ExperimentResult) throws -> [[UInt8]] {
    try r.entries.flatMap { e -> [[UInt8]] in
      try [
        e.kernel.carried(), e.total.carried(), e.trace.carried(), e.bound.carried(),
        e.distribution?.carried() ?? [], Array("\(e.boundUlp) \(e.verdict)".utf8),
      ]
    } + [
      r.certificate.carried(), r.unanswered.carried(),
      Array("\(r.conditioning) \(r.inherent) \(r.inherentUlp) \(r.inherentShare) \(r.overflowedInputs)".utf8),
    ]
  }

  /// Any partition of rows gives every figure to the last bit.
  @Test(arguments: [RowOperation.softmax, .logSumExp, .softmaxJacobian])
  func rowsMergeFromAnyPartition(_ operation: RowOperation) throws {
    let rows = GeneratedRows(
      .normal, range: 4000, rows: 300, length: operation == .softmaxJacobian ? 8 : 30, seed: 5)
    let experiment = Self.experiment(operation)
    let whole = try Self.bytes(experiment.run(on: rows))
    var random = SystemRandomNumberGenerator()
    for _ in 0..<6 {
      let inner = (0..<Int.random(in: 0...9, using: &random)).map { _ in
        Int.random(in: 0...1000, using: &random)
      }
      let cut = Cut([0] + inner.sorted() + [1000])
      let parts = try Self.bytes(Sharing.with(cut) { try experiment.run(on: rows) })
      #expect(parts == whole, "\(cut.bounds)")
    }
  }

  /// Every unit of every piece is one share's, in order, and a piece that is not split is one share's alone.
  @Test func sharesCoverEveryUnitOnce() {
    for total in [1, 2, 9, 1000, 1 << 40] {
      for count in [1, 2, 3, 7, 64, Shard.limit] {
        let cuts = [0, total / 7, total / 7, total / 3, total - 1, total].filter { $0 >= 0 }.sorted()
        for (low, high) in zip(cuts, cuts.dropFirst()) {
          let span = WorkSpan(offset: low, weight: high - low, total: total)
          for units in [0, 1, 2, 5, 100] {
            let shares = (0..<count).map { span.units(units, share: $0, of: count) }
            var next = 0
            for share in shares {
              #expect(share.lowerBound == next || share.isEmpty, "\(span) \(units) \(count)")
              next = max(next, share.upperBound)
            }
            #expect(shares.reduce(0) { $0 + $1.count } == units, "\(span) \(units) \(count)")
          }
          let owners = (0..<count).count { !span.units(100, share: $0, of: count).isEmpty }
          if !span.isSplit(among: count) { #expect(owners == 1, "\(span) \(count)") }
        }
      }
    }
  }

  @Test func carriesNumbersBitForBit() throws {
    struct Numbers: Portable, Equatable {
      var ints = [0, 1, -1, 63, -64, 64, .max, .min]
      var doubles = [0, -0.0, 0x1p-1060, .infinity, -.pi, .greatestFiniteMagnitude].map(\.bitPattern)
      var floats: [Float] = [0, -0.0, 0x1p-140, .infinity, 3.25]
      var text = "ab\u{10ffff}ü"
      var maybe: Int? = 5
      var nothing: Int?

      mutating func carry(_ c: inout Carrier) throws {
        try c.carry(&ints, blank: 0) { try $0.carry(&$1) }
        try c.carry(&doubles, blank: 0) { c, bits in
          var x = Double(bitPattern: bits)
          try c.carry(&x)
          bits = x.bitPattern
        }
        try c.carry(&floats, blank: 0) { try $0.carry(&$1) }
        try c.carry(&text)
        try c.carry(&maybe, blank: 0) { try $0.carry(&$1) }
        try c.carry(&nothing, blank: 0) { try $0.carry(&$1) }
      }
    }
    let bytes = try Numbers().carried()
    var read = Numbers()
    (read.ints, read.doubles, read.floats, read.text, read.maybe, read.nothing) = ([], [], [], "", nil, 9)
    try read.restore(bytes)
    #expect(read == Numbers())
    // Cut short, or with more behind it, it is none.
    for end in bytes.indices {
      var other = Numbers()
      #expect(throws: CarrierError.self) { try other.restore(Array(bytes[..<end])) }
    }
    var other = Numbers()
    #expect(throws: CarrierError.self) { try other.restore(bytes + [0]) }
  }

  /// Bytes of anything are statistics or refused; they never end the process.
  @Test func readsRubbish() throws {
    var random = SystemRandomNumberGenerator()
    let good = try ErrorStatistics().carried()
    for _ in 0..<3000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      var (statistics, other) = (ErrorStatistics(), ErrorStatistics())
      do { try statistics.restore(bytes) } catch is CarrierError { continue }
      other.merge(statistics)
      other.merge(statistics)
      _ = (other.rmsUlp, other.quantileUlp(0.99), other.proven)
    }
  }

  @Test func sumsAreCarriedExactly() throws {
    var (sum, read) = (ExactSum(), ExactSum())
    for x in [1e300, -1e-300, 3, -1e300, 0x1p-1074] { sum.add(x) }
    try read.restore(sum.carried())
    read.add(-3)
    read.add(1e-300)
    #expect(read.value == 0x1p-1074)
    sum.add(-5e10)
    try read.restore(sum.carried())
    #expect(read.value == sum.value && read.value < 0)
    sum.add(.nan)
    try read.restore(sum.carried())
    #expect(read.value.isNaN)
  }
}
