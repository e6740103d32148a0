import Guests
import NumKit
import StabilityTesting

/// Attention's gradients of one query: scores and values of its keys, as `PairedAttention` has them; dO is (1, 0, …).
package struct PairedBackward: PairedQuestion {
  package let operation = "attention-backward"
  package let format: NumberFormat
  package var inputs: NumberFormat { format }
  private let forward: PairedAttention
  private let headSize: Int
  private let claims: Claims

  /// `headSize` is a power of 4, of which the root is exact.
  package init(format: NumberFormat, headSize: Int, hasMask: Bool = false, claims: Claims) {
    (self.format, self.headSize, self.claims) = (format, headSize, claims)
    forward = PairedAttention(format: format, headSize: headSize, hasMask: hasMask, claims: Claims())
  }

  package var parameters: [GuestParameter] { forward.parameters }
  package var resultNames: [String] { AttentionGradient.allCases.map(\.rawValue) }

  private var gradient: [Double] { [1] + [Double](repeating: 0, count: headSize - 1) }

  package func arrays(_ rows: [[Double]]) -> [SearchedArray] {
    var arrays = forward.arrays(rows)
    arrays.insert(
      SearchedArray(name: "do", shape: [rows.count, 1, headSize], values: rows.flatMap { _ in gradient }),
      at: 3)
    return arrays
  }

  package func resultShapes(rows: Int, length: Int) -> [[Int]] {
    [[rows, 1, headSize], [rows, length, headSize], [rows, length, headSize]]
  }

  private func item(_ row: [Double]) throws -> AttentionBackward.Item {
    guard let tensors = forward.tensors(row) else { throw UnfitAttention() }
    return AttentionBackward.Item(tensors: tensors, gradient: gradient, keyHead: 0)
  }

  package func judge(_ row: [Double], _ results: [Double]) throws -> (Judgement, ProvenRow) {
    let item = try item(row)
    let asked = forward.asked(row)
    var verification = BackwardVerification(item.tensors, gradient: gradient, asked, format: format)
    verification.claims = claims
    return try judge(item, asked, results, WidestErrors(try verification.plans(item.tensors, asked)))
  }

  private func judge(
    _ item: AttentionBackward.Item, _ asked: AttentionParameters, _ results: [Double],
    _ model: (any ErrorModel<AttentionBackward>)?
  ) throws -> (Judgement, ProvenRow) {
    try Self.judged(
      Judge(
        AttentionBackward(asked), formats: Array(repeating: format, count: 3),
        prover: try BackwardProver(item.tensors, gradient: gradient, asked, format: format), model: model),
      item, results)
  }

  /// A backward pass of ours.
  package func subject(_ runner: BackwardRunner) -> SearchSubject {
    SearchSubject(name: runner.forward.algorithm.rawValue, inputs: format, format: format) { row in
      let item = try item(row)
      guard let found = runner.run(item.tensors, gradient: gradient, forward.asked(row), keyHead: 0) else {
        throw AttentionError.cannotRun(runner.forward)
      }
      return found.q + found.k + found.v
    } judge: { row, results in
      let item = try item(row)
      let asked = forward.asked(row)
      let own = BackwardCandidate(runner, asked, bounds: item)
      return try judge(item, asked, results, own.errorModel())
    }
  }
}
