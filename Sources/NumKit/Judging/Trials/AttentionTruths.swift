import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// The proven outputs and log-sum-exps of all queries, in memory.
public struct AttentionTruths: Sendable {
  /// o [heads, queries, valueSize], correctly rounded.
  public let output: [Double]
  /// log Σ e^s [heads, queries], correctly rounded.
  public let logSumExp: [Double]
  /// What proved them.
  public let certificate: Certificate

  private final class Worker {
    let reference: AttentionReference
    var rows: [(Int, [Double], Double)] = []
    var certificate = Certificate()
    var truth = Truth()
    var lse = Truth()
    init(_ reference: AttentionReference) { self.reference = reference }
  }

  /// Answers for every query.
  ///
  /// - Throws: `UnfitAttention` where the parameters do not fit the tensors.
  public init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, format: NumberFormat,
    lseFormat: NumberFormat = .f32, threads: Int = 1
  ) throws {
    let shape = tensors.shape
    let rows = shape.heads * shape.queries
    let worker = try ParallelRows(threads: threads, chunk: 8).reduce(
      count: rows, progress: nil,
      make: { Worker(try AttentionReference(tensors, parameters, format: format, lseFormat: lseFormat)) },
      body: { w, row in
        w.reference.answer(
          head: row / shape.queries, query: row % shape.queries, into: &w.truth, logSumExp: &w.lse)
        w.rows.append((row, w.truth.rounded, w.lse.rounded[0]))
        w.certificate.merge(w.truth.certificate)
        w.certificate.merge(w.lse.certificate)
      },
      merge: {
        $0.rows += $1.rows
        $0.certificate.merge($1.certificate)
      })
    var output = [Double](repeating: 0, count: rows * shape.valueSize)
    var logs = [Double](repeating: 0, count: rows)
    for (row, o, lse) in worker.rows {
      for c in o.indices { output[row * shape.valueSize + c] = o[c] }
      logs[row] = lse
    }
    self.output = output
    logSumExp = logs
    certificate = worker.certificate
  }
}
