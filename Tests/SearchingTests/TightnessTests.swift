import Foundation
import NumKit
import StabilityTesting
import Testing

@testable import Searching

/// How near bounds are to the largest errors that a search finds: the table of Documentation/Bounds.md.
///
/// `NUMCHECK_TIGHTNESS=20000 swift test --filter TightnessTests` tries that many rows for each entry, and prints it.
@Suite struct TightnessTests {
  private static let setting = ProcessInfo.processInfo.environment["NUMCHECK_TIGHTNESS"].flatMap { Int($0) }

  /// Compute and accumulator of each format.
  private static let plans: [(NumberFormat, NumberFormat, NumberFormat)] = [
    (.f32, .f32, .f32), (.f16, .f16, .f16), (.f16, .f32, .f32), (.bf16, .bf16, .bf16), (.bf16, .f32, .f32),
  ]

  /// bound / error of the row that has the largest share of its bound; nil where none was found that has one.
  private func ratio(_ subject: SearchSubject, _ length: Int, _ tries: Int) throws -> Double? {
    var settings = SearchSettings(
      .bound, RowLimits(subject.inputs, lengths: length...length, range: 20, allowsMasks: false),
      tries: Self.setting ?? tries)
    settings.shrinks = 0
    settings.threads = 2
    let outcome = try Search(subject, settings).run()
    #expect(!outcome.finds.contains { $0.kind == "above-bound" }, "\(subject.name)")
    guard let share = outcome.worst?.judgement.share, share > 0 else { return nil }
    return 1 / share
  }

  private func note(_ name: String, _ ratios: [Double?], most: Double) {
    let figures = ratios.map { $0.map { String(format: "%.2f", $0) } ?? "-" }
    if Self.setting != nil { print("| \(name) | \(figures.joined(separator: " | ")) |") }
    // A kernel that has lost its bound is no near one.
    for ratio in ratios { #expect((ratio ?? .infinity) <= most, "\(name): \(figures)") }
  }

  @Test func rowKernelsComeNearTheirBounds() throws {
    for operation in RowOperation.allCases where operation != .softmaxVJP {
      for algorithm in Algorithm.all(for: operation, dtype: .float(.f32)) {
        var ratios: [Double?] = []
        for (storage, compute, accumulator) in Self.plans {
          let configuration = KernelConfiguration(
            storage: .float(storage), compute: compute, accumulator: accumulator)
          let subject = SearchSubject(
            try KernelCandidate(algorithm, configuration, parameters: OperationParameters()), inputs: storage,
            format: storage, prover: { RowProver(operation, format: storage) },
            question: RowQuestion(operation)
          ) { RowQuestion.Item(values: $0) }
          ratios.append(try ratio(subject, operation == .softmaxJacobian ? 6 : 24, 400))
        }
        note("\(operation.rawValue) \(algorithm)", ratios, most: 4)
      }
    }
  }

  /// One query with 16 keys of 16 numbers, values of one: each output is its row's peak.
  @Test(arguments: AttentionAlgorithm.allCases) func attentionComesNearItsBound(
    _ algorithm: AttentionAlgorithm
  )
    throws
  {
    let shape = AttentionShape(queries: 1, keys: 16, headSize: 16, valueSize: 1)
    var ratios: [Double?] = []
    for (storage, compute, accumulator) in Self.plans {
      let runner = AttentionRunner(
        algorithm, KernelConfiguration(storage: .float(storage), compute: compute, accumulator: accumulator),
        probabilities: storage, blockKeys: 4)
      let subject = SearchSubject(
        name: algorithm.rawValue, inputs: storage, format: storage, hasBatches: false
      ) {
        let judge = Judge(
          AttentionForward(AttentionParameters(), logSumExp: false), formats: [storage],
          prover: EachProver(format: storage), model: EachErrorModel(runner: runner))
        return SearchWorker(judge, item: { EachProver.item($0, shape) }) { rows in
          rows.map { row in
            let item = EachProver.item(row, shape)
            return runner.run(item.tensors, AttentionParameters(), rows: 0..<1).map { .results($0.output) }
              ?? .declined
          }
        }
      }
      ratios.append(try ratio(subject, 16 * (1 + 16) + 16, 800))
    }
    note("attention \(algorithm.rawValue)", ratios, most: 4)
  }
}

/// Attention of tensors that are another's with every item: a row is the query, the keys, the values.
private struct EachProver: Prover {
  typealias Q = AttentionForward

  let format: NumberFormat
  private var last = AttentionProfile()

  init(format: NumberFormat) { self.format = format }

  static func item(_ row: [Double], _ shape: AttentionShape) -> AttentionForward.Item {
    let (q, k) = (shape.headSize, shape.headSize * shape.keys)
    let tensors = AttentionInputs(
      q: Array(row[..<q]), k: Array(row[q..<q + k]), v: Array(row[(q + k)...]), shape: shape)!
    let queries = AttentionQueries(tensors, block: 1)
    var (item, stored) = (queries.makeItem(), queries.makeItem())
    _ = queries.read(0, given: &item, stored: &stored)
    return item
  }

  mutating func answer(_ item: AttentionForward.Item, into truths: inout [Truth]) {
    guard var prover = try? AttentionProver(item.tensors, AttentionParameters(), format: format) else {
      return
    }
    prover.answer(item, into: &truths)
    prover.profile(of: item, into: &last)
  }

  func profile(of item: AttentionForward.Item, into profile: inout AttentionProfile) { profile = last }
  func makeProfile() -> AttentionProfile { AttentionProfile() }
}

/// The bound of a kernel on tensors that are another's with every item.
private struct EachErrorModel: ErrorModel {
  typealias Q = AttentionForward

  let runner: AttentionRunner

  mutating func bound(
    _ row: ResultRow, of item: AttentionForward.Item, _ profile: AttentionProfile,
    exact: UnsafeBufferPointer<Double>, into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    guard var model = AttentionCandidate(runner, AttentionParameters(), on: item.tensors).errorModel() else {
      return RowBound.none
    }
    return model.bound(row, of: item, profile, exact: exact, into: bounds)
  }
}
