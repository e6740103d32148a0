import NumKit

/// The proven results of every row of a tensor, in order, a batch of rows at a time, so that memory does not grow with the tensor.
struct ProvenRows {
  /// Answers row number `index`, and says what proved it. Serves one thread.
  typealias Answer = (
    _ index: Int, _ row: UnsafeBufferPointer<Double>, _ results: UnsafeMutableBufferPointer<Double>
  ) -> Certificate

  private let source: RowInput
  private let resultsPerRow: Int
  private let roundInputs: DType?
  private let overflow: Overflow

  /// Rows as they are, or rounded to `roundInputs` first.
  init(_ source: RowInput, resultsPerRow: Int, roundInputs: DType?, _ overflow: Overflow) {
    self.source = source
    self.resultsPerRow = resultsPerRow
    self.roundInputs = roundInputs
    self.overflow = overflow
  }

  private final class Worker {
    let answer: Answer
    var certificate = Certificate()
    var count = InputCount()
    var row: [Double] = []
    init(_ answer: @escaping Answer) { self.answer = answer }
  }

  /// Gives `body` the results of each row, and returns what was no number among those given; `prover` makes what answers on one thread.
  func forEach(
    threads: Int, prover: () -> Answer, body: (UnsafeBufferPointer<Double>) throws -> Void
  ) throws -> (Certificate, InputCount) {
    let count = source.rows.rowCount
    let progress = Progress(total: count)
    defer { progress.finish() }
    let size = Swift.max(
      threads, Swift.min(count, (1 << 18) / Swift.max(source.rows.length, resultsPerRow)))
    let results = UnsafeMutableBufferPointer<Double>.allocate(capacity: size * resultsPerRow)
    defer { results.deallocate() }
    var certificate = Certificate()
    var found = InputCount()
    var start = 0
    while start < count {
      let batch = Swift.min(size, count - start)
      let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
        count: batch, progress: nil, make: { Worker(prover()) },
        body: { worker, i in
          try answer(
            start + i, worker,
            into: UnsafeMutableBufferPointer(
              rebasing: results[(i * resultsPerRow)..<((i + 1) * resultsPerRow)]))
          progress.add(1)
        },
        merge: {
          $0.certificate.merge($1.certificate)
          $0.count.merge($1.count)
        })
      found.merge(worker.count)
      certificate.merge(worker.certificate)
      for i in 0..<batch {
        try body(UnsafeBufferPointer(rebasing: results[(i * resultsPerRow)..<((i + 1) * resultsPerRow)]))
      }
      start += batch
    }
    return (certificate, found)
  }

  private func answer(_ row: Int, _ worker: Worker, into results: UnsafeMutableBufferPointer<Double>) throws {
    if worker.row.count != source.rows.length {
      worker.row = Array(repeating: 0, count: source.rows.length)
    }
    try worker.row.withUnsafeMutableBufferPointer { try source.rows.read(row, into: $0) }
    worker.row.withUnsafeBufferPointer { worker.count.add(row: row, $0) }
    if let roundInputs {
      let given = worker.row
      _ = KernelConfiguration(storage: roundInputs, overflow: overflow).roundInputs(given, into: &worker.row)
    }
    worker.certificate.merge(worker.row.withUnsafeBufferPointer { worker.answer(row, $0, results) })
  }
}
