import NumKit
import TestSupport
import Testing

/// Results in memory, row by row.
private struct HeldAnswers<F: Formula>: ResultSource {
  typealias Q = FormulaQuestion<F>
  let rows: [[Double]]

  func results(of item: FormulaQuestion<F>.Item, into results: UnsafeMutableBufferPointer<Double>) {
    for (i, y) in rows[item.row].enumerated() { results[i] = y }
  }
}

@Suite struct VerificationTests {
  private static let f32 = KernelConfiguration(storage: .float(.f32))

  private func rows(_ length: Int, _ count: Int = 24, range: Double = 1) -> GeneratedRows {
    GeneratedRows(.normal, range: range, rows: count, length: length, seed: 5)
  }

  /// Rows as a kernel gets them that takes f32.
  private struct Rounded: RowSource {
    let source: GeneratedRows
    var format = NumberFormat.f32
    var isProbability = false
    var rowCount: Int { source.rowCount }
    var length: Int { source.length }
    func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
      source.read(row, into: buffer)
      for i in buffer.indices {
        let x = isProbability ? 1 / (1 + Double.exp2(-buffer[i])) : buffer[i]
        buffer[i] = format.round(x)
      }
    }
  }

  private func values(_ rows: Rounded, _ row: Int) throws -> [Double] {
    var x = [Double](repeating: 0, count: rows.length)
    try x.withUnsafeMutableBufferPointer { try rows.read(row, into: $0) }
    return x
  }

  /// What is said of the proven answers to `answered` where `asked` was asked; `reading` gives each row's results another form.
  private func named<F: SuspectedFormula>(
    _ asked: F, _ answered: F, _ rows: Rounded, of changed: (Int, [Double]) -> [Double] = { $1 },
    reading: ([Double]) -> [Double] = { $0 }
  ) throws -> [String] {
    let answers = try (0..<rows.rowCount).map { row in
      reading(Subject.truth(answered, changed(row, try values(rows, row)), row: row, .f32).rounded)
    }
    let verification = FormulaVerification(asked, format: .f32)
    let found = try verification.run("planted", HeldAnswers<F>(rows: answers), on: rows).0
    return found.findings.hypotheses.map(\.name)
  }

  /// Right kernels hold, and nothing is said of them, whatever they compute in.
  private func holds<F: SuspectedFormula>(_ formula: F, _ source: GeneratedRows, probabilities: Bool = false)
    throws
  {
    for (format, compute) in [
      (NumberFormat.f32, NumberFormat.f32), (.bf16, .f32), (.f16, .f32), (.f64, .f64),
    ] {
      let rows = Rounded(source: source, format: format, isProbability: probabilities)
      let configuration = KernelConfiguration(storage: .float(format), compute: compute)
      let stored = formula.rounded(to: configuration)
      for algorithm in F.algorithms where F.isUsual(algorithm.method) {
        let answers = try (0..<rows.rowCount).map {
          try Subject.computed(algorithm.name, stored, try values(rows, $0), row: $0, configuration)
        }
        let found = try FormulaVerification(stored, format: format).run(
          algorithm.name, HeldAnswers<F>(rows: answers), on: rows
        ).0
        #expect(found.findings.wrong[0].count == 0, "\(F.self) \(algorithm) \(format.name)")
        #expect(found.findings.hypotheses.isEmpty, "\(F.self) \(algorithm) \(format.name)")
        #expect(found.findings.fits.contains { $0.name.hasPrefix(algorithm.name) && $0.wrong == 0 })
      }
    }
  }

  private func drawn(_ seed: UInt64, _ rows: Int, _ columns: Int) -> [[Double]] {
    var random = RandomSource(seed: seed, row: 0)
    return (0..<rows).map { _ in (0..<columns).map { _ in NumberFormat.bf16.round(random.normal()) } }
  }

  private var rotary: RotaryFormula {
    RotaryFormula(Frequencies(), positions: RowPositions(from: 3, period: 24))
  }
  private var linear: LinearAttentionFormula {
    LinearAttentionFormula(.elu, keys: drawn(1, 24, 4), values: drawn(2, 24, 3), chunk: 5)
  }
  private var general: ScoreFormula {
    ScoreFormula(.general, keys: drawn(3, 5, 6), queryWeights: drawn(4, 6, 6))
  }
  private var sigmoid: SigmoidAttentionFormula {
    SigmoidAttentionFormula(keys: drawn(5, 24, 6), values: drawn(6, 24, 2))
  }
  private var smoothed: SmoothedCrossEntropyFormula {
    SmoothedCrossEntropyFormula(smoothing: 0.25, targets: (0..<24).map { $0 % 5 == 0 ? -100 : $0 % 16 })
  }

  @Test func rightKernelsHold() throws {
    try holds(rotary, rows(16))
    try holds(SinusoidalFormula(Frequencies(), positions: RowPositions(from: 3, period: 24)), rows(16))
    try holds(AlibiFormula(distances: RowPositions(from: 0, period: 24)), rows(12))
    try holds(ExponentialFormula(), rows(16))
    try holds(ExponentialFormula(isBase2: true), rows(16))
    try holds(BinaryCrossEntropyFormula(targets: drawn(9, 1, 16)[0].map { $0 > 0 ? 1 : 0 }), rows(16))
    try holds(
      BinaryCrossEntropyFormula(isOnProbabilities: true, targets: Array(repeating: 0.25, count: 16)),
      rows(16), probabilities: true)
    try holds(SigmoidGradientFormula(), rows(16))
    try holds(smoothed, rows(16))
    try holds(ZLossFormula(weight: 0x1p-10), rows(16))
    try holds(general, rows(6))
    try holds(linear, rows(4))
    try holds(sigmoid, rows(6))
  }

  @Test func mistakesOfPositionsAreNamed() throws {
    let source = Rounded(source: rows(16))
    func named(_ change: (inout RotaryFormula) -> Void) throws -> [String] {
      var other = rotary
      change(&other)
      return try self.named(rotary, other, source)
    }
    #expect(try named { $0.pairing = .interleaved } == ["interleaved pairs in place of half"])
    #expect(try named { $0.positions = $0.positions.times(1, plus: 1) } == ["positions one too high"])
    #expect(try named { $0.positions = $0.positions.times(1, plus: -1) } == ["positions one too low"])
    #expect(try named { $0.positions = $0.positions.times(-1) } == ["the angle's sign turned round"])
    #expect(try named { $0.positions = $0.positions.times(0) } == ["no rotation: every position 0"])
    #expect(try named { $0.frequencies.base = 500_000 } == ["a base of 500000"])
    #expect(try named { $0.frequencies.base = 100 } == ["exponent i/d in place of 2i/d"])
    #expect(
      try named {
        $0.pairing = .interleaved
        $0.frequencies.base = 500_000
      } == ["interleaved pairs in place of half and a base of 500000"])
    var scaled = rotary
    scaled.frequencies.scaling = .linear(4)
    #expect(try self.named(scaled, rotary, source) == ["scaling left out"])
    let before = try self.named(
      rotary, rotary, source, of: { row, x in row == 0 ? x : (try? values(source, row - 1)) ?? x })
    #expect(before.isEmpty, "the positions are its own: no stale answer")
    let sinusoidal = SinusoidalFormula(Frequencies(), positions: RowPositions(from: 3, period: 24))
    let halves = try self.named(
      sinusoidal, sinusoidal, source,
      reading: { y in
        stride(from: 0, to: 16, by: 2).map { y[$0] } + stride(from: 1, to: 16, by: 2).map { y[$0] }
      })
    #expect(halves == ["all sines, then all cosines"])
  }

  @Test func slopesOfOtherHeadsAreNamed() throws {
    let asked = AlibiFormula(distances: RowPositions(from: 0, period: 24))
    let source = Rounded(source: rows(12))
    func named(_ slopes: AlibiFormula.Slopes) throws -> [String] {
      var other = asked
      other.slopes = slopes
      return try self.named(asked, other, source)
    }
    #expect(try named(.ofHeads(16)) == ["slopes of 16 heads"])
    #expect(try named(.ratio) == ["slopes 2^(-8h/n) of a number of heads that is no power of two"])
    #expect(try named(.published) == [])
    #expect(try self.named(asked, asked, source, reading: { $0.map { -$0 } }) == ["the sign turned round"])
  }

  @Test func mistakesOfLossesAreNamed() throws {
    let source = Rounded(source: rows(16))
    #expect(
      try named(ExponentialFormula(), ExponentialFormula(isBase2: true), source) == ["2^x in place of e^x"])
    let targets = (0..<16).map { [0, 1, 0.25][$0 % 3] }
    let bce = BinaryCrossEntropyFormula(targets: targets)
    #expect(
      try named(bce, BinaryCrossEntropyFormula(targets: targets.map { 1 - $0 }), source)
        == ["1 - y in place of y"])
    #expect(try named(smoothed, changing(smoothed) { $0.smoothing = 0 }, source) == ["smoothing left out"])
    #expect(
      try named(smoothed, changing(smoothed) { $0.smoothing *= 16.0 / 15 }, source)
        == ["eps shared by the other classes alone"])
    #expect(
      try named(smoothed, changing(smoothed) { $0.targets = $0.targets.map { $0 == -100 ? 0 : $0 } }, source)
        == ["ignored rows counted, for class 0"])
    #expect(
      try named(ZLossFormula(weight: 0.01), ZLossFormula(weight: 0.02), source) == ["weight doubled"])
  }

  @Test func mistakesOfScoresAreNamed() throws {
    let source = Rounded(source: rows(6))
    let transposed = changing(general) { f in
      let w = f.queryWeights
      f.queryWeights = w.indices.map { i in w.map { $0[i] } }
    }
    #expect(try named(general, transposed, source) == ["W transposed"])
    #expect(
      try named(general, changing(general) { $0.isNormalized = true }, source)
        == ["weights in place of scores"])
    #expect(try named(sigmoid, changing(sigmoid) { $0.bias = 0 }, source) == ["bias left out"])
    #expect(try named(sigmoid, changing(sigmoid) { $0.scale = 1 }, source) == ["scores not scaled"])
    #expect(
      try named(sigmoid, changing(sigmoid) { $0.isCausal = true }, source) == ["the keys so far alone"])
    let tokens = Rounded(source: rows(4))
    #expect(try named(linear, changing(linear) { $0.isNormalized = false }, tokens) == ["not normalised"])
    #expect(
      try named(linear, changing(linear) { $0.reach = .all }, tokens)
        == ["every token met, not those so far alone"])
    #expect(try named(linear, changing(linear) { $0.map = .exp }, tokens) == ["exp as the feature map"])
  }

  private func changing<F>(_ formula: F, _ change: (inout F) -> Void) -> F {
    var other = formula
    change(&other)
    return other
  }
}
