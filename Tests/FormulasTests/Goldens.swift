import NumKit
import TestSupport
import Testing

/// A line of `fixtures/formulas/golden.txt`.
struct GoldenFormula {
  let words: [String]
  let x: [Double]
  let y: [Double]

  static func all(_ name: String) throws -> [GoldenFormula] {
    try fixtureText("formulas/golden.txt").split(separator: "\n").compactMap { line in
      let parts = line.split(separator: "|", omittingEmptySubsequences: false)
      guard parts[0] == name else { return nil }
      func numbers(_ text: Substring) throws -> [Double] {
        try text.split(separator: " ").map { try #require(Double($0)) }
      }
      return GoldenFormula(
        words: parts[1].split(separator: " ").map(String.init), x: try numbers(parts[2]),
        y: try numbers(parts[3]))
    }
  }

  func number(_ i: Int) throws -> Double { try #require(Double(words[i])) }
  func whole(_ i: Int) throws -> Int { try #require(Int(words[i])) }

  /// Holds the truth of `formula` against the line, bit by bit.
  func hold<F: ProvenFormula>(_ formula: F, length: Int? = nil, row: Int = 0) {
    let x = length.map { Array(repeating: 0, count: $0) } ?? x
    let truth = Subject.truth(formula, x, row: row)
    #expect(truth.rounded == y, "\(words)")
    #expect(truth.certificate.undecided == 0 && truth.relativeError <= 0x1p-99)
  }
}

/// What tests ask of any formula.
enum Subject {
  static func truth<F: ProvenFormula>(
    _ formula: F, _ x: [Double], row: Int = 0, _ format: NumberFormat = .f64
  ) -> Truth {
    var truth = Truth()
    let reference = FormulaReference<F>(format: format)
    x.withUnsafeBufferPointer { reference.answer(row, $0, formula, into: &truth) }
    return truth
  }

  /// What a kernel computes of a row of numbers of the storage format.
  static func computed<F: ComputedFormula>(
    _ algorithm: String, _ formula: F, _ x: [Double], row: Int = 0, _ configuration: KernelConfiguration
  ) throws -> [Double] {
    let algorithm = try #require(F.algorithms.first { $0.name == algorithm })
    let runner = try #require(FormulaRunner(algorithm, configuration, formula: formula))
    var y = [Double](repeating: 0, count: formula.resultCount(length: x.count))
    var trace = StageTrace()
    trace.startRow(row)
    x.withUnsafeBufferPointer { x in
      y.withUnsafeMutableBufferPointer { runner.run(row, x, into: $0, trace: &trace) }
    }
    return y
  }

  /// The formats that formulas are attacked in: storage, compute, accumulator.
  static let configurations: [KernelConfiguration] = [
    KernelConfiguration(storage: .float(.f64)), KernelConfiguration(storage: .float(.f32)),
    KernelConfiguration(storage: .float(.f16)), KernelConfiguration(storage: .float(.bf16)),
    KernelConfiguration(storage: .float(.bf16), compute: .f32),
    KernelConfiguration(storage: .float(.f16), compute: .f16, accumulator: .f32),
    KernelConfiguration(storage: .float(.f32), compute: .bf16, accumulator: .f64),
    KernelConfiguration(storage: .float(.f8e4m3fn)),
    KernelConfiguration(storage: .float(.f8e5m2), compute: .f16),
    KernelConfiguration(storage: .float(.f6e3m2), compute: .f32),
  ]

  /// Every kernel on these rows: none may exceed a sound bound, and some bound must be sound. Returns the share of the largest bound
  /// that the errors use.
  @discardableResult
  static func attack<F: BoundedFormula>(
    _ formula: F, rows: some RowSource, _ configuration: KernelConfiguration
  ) throws -> [Measurement<FormulaQuestion<F>>.Entry] {
    let items = try FormulaRows(rows, formula, configuration: configuration)
    let trial = try Trial(formula, algorithms: F.algorithms, configuration: configuration)
    let result = try trial.run(on: items)
    for entry in result.entries {
      #expect(
        entry.parts[0].kernel.aboveBound == 0,
        "\(entry.candidate.name) \(configuration): \(entry.parts[0].kernel.witness.map { "\($0)" } ?? "")")
    }
    return result.entries
  }
}
