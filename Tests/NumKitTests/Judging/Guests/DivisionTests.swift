import NumKit
import RealModule
import Testing

/// Softmax kernels that divide by the wrong sum, or by none.
@Suite struct DivisionTests {
  private struct Answers: ResultSource {
    typealias Q = RowQuestion
    let results: [[Double]]

    func results(of item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) {
      for i in results.indices { results[i] = self.results[item.row][i] }
    }
  }

  private let rows = GeneratedRows(.normal, range: 1, rows: 24, length: 32, seed: 3)

  private func logits() -> [[Double]] {
    (0..<rows.rowCount).map { row in
      var x = [Double](repeating: 0, count: rows.length)
      x.withUnsafeMutableBufferPointer { rows.read(row, into: $0) }
      return x.map { NumberFormat.f32.round($0) }
    }
  }

  private func named(_ results: [[Double]]) throws -> [String] {
    let verification = RowVerification(.softmax, format: .f32, inputs: .f32)
    let rounded = results.map { $0.map { NumberFormat.f32.round($0) } }
    let stored = StoredLogits(logits: logits())
    return try verification.run("y", Answers(results: rounded), on: stored).findings.hypotheses.map(\.name)
  }

  private struct StoredLogits: RowSource {
    let logits: [[Double]]
    var rowCount: Int { logits.count }
    var length: Int { logits[0].count }
    func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
      for i in buffer.indices { buffer[i] = logits[row][i] }
    }
  }

  @Test func otherSumsAreNamed() throws {
    let x = logits()
    let e = x.map { $0.map { Double.exp($0) } }
    #expect(try named(e).first == "not divided by the sum")
    #expect(
      try named(x.map { row in row.map { Double.exp($0 - row.max()!) } }).first == "not divided by the sum")
    let columns = (0..<32).map { j in e.reduce(0) { $0 + $1[j] } }
    #expect(
      try named(e.map { row in row.indices.map { row[$0] / columns[$0] } }).first
        == "softmax along the other axis")
    let sums = e.map { $0.reduce(0, +) }
    #expect(try named(e.indices.map { r in e[r].map { $0 / sums[r] } }).isEmpty)
  }
}
