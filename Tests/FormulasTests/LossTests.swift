import NumKit
import TestSupport
import Testing

@Suite struct LossTests {
  @Test func truthsAreThoseOfAnIndependentComputation() throws {
    for name in ["bce", "bce-probabilities"] {
      let all = try GoldenFormula.all(name)
      #expect(!all.isEmpty)
      for g in all {
        g.hold(
          BinaryCrossEntropyFormula(
            isOnProbabilities: name != "bce", targets: try g.words.indices.map { try g.number($0) }))
      }
    }
    for g in try GoldenFormula.all("sigmoid-gradient") { g.hold(SigmoidGradientFormula()) }
    for g in try GoldenFormula.all("smoothed-crossentropy") {
      g.hold(SmoothedCrossEntropyFormula(smoothing: try g.number(0), targets: [try g.whole(1)]))
    }
    for g in try GoldenFormula.all("z-loss") { g.hold(ZLossFormula(weight: try g.number(0))) }
  }

  @Test(arguments: Subject.configurations) func kernelsKeepTheirBounds(_ configuration: KernelConfiguration)
    throws
  {
    for (distribution, range, length) in [
      (Distribution.normal, 1.0, 20), (.uniform, 30, 20), (.uniform, 0.01, 10), (.normal, 300, 5),
      (.constant, 2, 10), (.spike, 60, 15),
    ] {
      let rows = GeneratedRows(distribution, range: range, rows: 12, length: length, seed: 11)
      let targets = (0..<length).map { [0, 1, 0.5, 0.25, 0.1][$0 % 5] }
      try Subject.attack(BinaryCrossEntropyFormula(targets: targets), rows: rows, configuration)
      try Subject.attack(SigmoidGradientFormula(), rows: rows, configuration)
      for smoothing in [0, 0.125, 0.1, 1] {
        let classes = (0..<12).map { $0 == 3 ? -100 : $0 % length }
        try Subject.attack(
          SmoothedCrossEntropyFormula(smoothing: smoothing, targets: classes), rows: rows, configuration)
      }
      try Subject.attack(ZLossFormula(weight: 0.001), rows: rows, configuration)
      try Subject.attack(
        BinaryCrossEntropyFormula(isOnProbabilities: true, targets: targets), rows: Shares(source: rows),
        configuration)
    }
  }

  /// Numbers between 0 and 1, some of them 0 and 1 when they are stored.
  private struct Shares: RowSource {
    let source: GeneratedRows
    var rowCount: Int { source.rowCount }
    var length: Int { source.length }
    func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
      source.read(row, into: buffer)
      for i in buffer.indices { buffer[i] = 1 / (1 + Double.exp2(-buffer[i])) }
    }
  }

  private let f32 = KernelConfiguration(storage: .float(.f32))

  /// Where a sigmoid is near 1 one kernel loses all, the other nothing.
  @Test func gradientsCancelOrNot() throws {
    let x = [20.0, -20]
    let truth = Subject.truth(SigmoidGradientFormula(), x).rounded
    #expect(truth[0] == truth[1])
    #expect(try Subject.computed("difference", SigmoidGradientFormula(), x, f32)[0] == 0)
    for name in ["product", "quotient"] {
      let y = try Subject.computed(name, SigmoidGradientFormula(), x, f32)
      #expect(y[0] == y[1] && (y[0] / truth[0] - 1).magnitude < 0x1p-21)
    }
  }

  @Test func lossesOfConfidentMistakes() throws {
    let formula = BinaryCrossEntropyFormula(targets: [0, 1])
    #expect(try Subject.computed("stable", formula, [200, -200], f32) == [200, 200])
    #expect(try Subject.computed("clamped", formula, [200, -200], f32)[0] == 100)
    #expect(try Subject.computed("naive", formula, [200, -200], f32).allSatisfy { !$0.isFinite })
    // 0·log 0 where all is right.
    #expect(try Subject.computed("naive", formula, [-200, 200], f32)[1].isNaN)
  }

  @Test func ignoredRowsAreNothing() throws {
    let formula = SmoothedCrossEntropyFormula(smoothing: 0.1, targets: [1, -1, 0], ignored: -1)
    try formula.check(length: 2)
    #expect(throws: UnfitFormula.self) { try formula.check(length: 1) }
    #expect(Subject.truth(formula, [3, .nan], row: 1).rounded == [0])
    #expect(Subject.truth(formula, [3, 4], row: 2).rounded[0] > 1)
    // Uniform: log n whatever the smoothing.
    for e in [0, 0.1, 1] {
      let y = Subject.truth(SmoothedCrossEntropyFormula(smoothing: e, targets: [0]), [5, 5, 5, 5]).high[0]
      #expect((y - 1.3862943611198906).magnitude < 1e-15)
    }
  }

  @Test func rubbishIsRefused() {
    #expect(throws: UnfitFormula.self) { try BinaryCrossEntropyFormula(targets: [2]).check(length: 1) }
    #expect(throws: UnfitFormula.self) { try BinaryCrossEntropyFormula(targets: [1, 1, 0]).check(length: 2) }
    #expect(throws: UnfitFormula.self) { try ZLossFormula(weight: 0).check(length: 2) }
    #expect(throws: UnfitFormula.self) {
      try SmoothedCrossEntropyFormula(smoothing: -0.1, targets: [0]).check(length: 2)
    }
  }
}
