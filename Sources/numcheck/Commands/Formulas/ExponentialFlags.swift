import ArgumentParser
import NumKit
import Reports

/// What e^x and 2^x have in common.
protocol ExponentialNaming {
  static var isBase2: Bool { get }
}

enum NaturalExponential: ExponentialNaming { static let isBase2 = false }
enum BinaryExponential: ExponentialNaming { static let isBase2 = true }

/// Exponentials, and the short ways to make them.
struct ExponentialFlags<N: ExponentialNaming>: FormulaFlags {
  static var commandName: String { N.isBase2 ? "exp2" : "exp" }
  static var abstract: String {
    "Exponentials made in shorter ways: what \(N.isBase2 ? "2^x" : "e^x") errs by, and what softmax, log-sum-exp and attention see of it."
  }
  static var discussion: String {
    """
    Every way is held against the proven \(N.isBase2 ? "2^x" : "e^x") of each number. The same rows are then taken for logits, \
    the maximum subtracted first, stored in f32, f16, bf16 and --dtype: softmax, log-sum-exp, and by how much the weights \
    of a row of attention move in all, which is what an output over values of at most 1 can be off by; and by how much \
    outputs over values drawn from [-1, 1] are. 'sampled' takes the platform's exponential and draws terms of the sum until it is steady.
    """
  }
  static var length: Int { 256 }
  static var hasSums: Bool { false }

  init() {}

  func formula(_ source: RowInput, seed: UInt64) throws -> ExponentialFormula {
    ExponentialFormula(isBase2: N.isBase2)
  }

  func call(_ formula: ExponentialFormula, rows: Int, length: Int) -> FormulaCall {
    var call = FormulaCall()
    call.isCutByLength = true
    return call
  }

  func facts(_ formula: ExponentialFormula) -> [Fact] { [Fact("formula.base", .text(N.isBase2 ? "2" : "e"))] }

  func extend(_ report: inout Report, _ run: FormulaRun<Self>) throws {
    // Of short formats alone the reach into f32 says nothing.
    var storages: [NumberFormat] = [.f32, .f16, .bf16]
    if let own = run.configuration.storage.numberFormat, !storages.contains(own) { storages.append(own) }
    let c = run.configuration
    let compute = c.compute.precision < 24 ? c.compute : c.compute == .f64 ? .f64 : .f32
    let study = ApproximationStudy(compute: compute, accumulator: c.accumulator, storages: storages)
    let names = Set(run.algorithms.map(\.name)).union(["shifted", "sampled"])
    let outcomes = try study.run(on: run.source.rows, rows: 32).filter { names.contains($0.name) }
    report.add(ReachTable(outcomes: outcomes).table)
  }
}
