import NumKit

/// Rows of logits in memory.
struct HeldLogits: RowSource {
  let logits: [[Double]]
  var rowCount: Int { logits.count }
  var length: Int { logits[0].count }
  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
    for i in buffer.indices { buffer[i] = logits[row][i] }
  }
}

/// What a kernel gave of such rows.
struct HeldResults: ResultSource {
  typealias Q = RowQuestion
  let results: [[Double]]

  func results(of item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) {
    for i in results.indices { results[i] = self.results[item.row][i] }
  }
}
