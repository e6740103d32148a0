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

  /// Answers for every query; `progress` is told how many there are in all, now and then.
  ///
  /// - Throws: `UnfitAttention` where the parameters do not fit the tensors.
  public init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, format: NumberFormat,
    lseFormat: NumberFormat = .f32, overflow: Overflow = .special, threads: Int = 1,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    let shape = tensors.shape
    let (rows, width) = (shape.heads * shape.queries, shape.valueSize)
    // Blocks small enough that every thread has several.
    let size = Swift.max(1, Swift.min(64, rows / Swift.max(1, 4 * threads) / 8 * 8))
    let blocks = (rows + size - 1) / size
    let blocksDone: (@Sendable (Int) -> Void)? = progress.map { progress in
      { @Sendable done in progress(Swift.min(done * size, rows)) }
    }
    var certificate = Certificate()
    var logs: [Double] = []
    output = try [Double](unsafeUninitializedCapacity: rows * width) { output, count in
      let all = output
      logs = try [Double](unsafeUninitializedCapacity: rows) { logs, logCount in
        let allLogs = logs
        let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
          count: blocks, progress: blocksDone,
          make: {
            Worker(
              try AttentionReference(
                tensors, parameters, format: format, lseFormat: lseFormat, overflow: overflow))
          },
          body: { worker, i in
            let part = i * size..<Swift.min((i + 1) * size, rows)
            worker.certificate.merge(
              worker.reference.round(
                rows: part,
                into: UnsafeMutableBufferPointer(
                  rebasing: all[part.lowerBound * width..<part.upperBound * width]),
                logSumExp: UnsafeMutableBufferPointer(rebasing: allLogs[part])))
          },
          merge: { $0.certificate.merge($1.certificate) })
        certificate = worker.certificate
        logCount = rows
      }
      count = rows * width
    }
    logSumExp = logs
    self.certificate = certificate
  }

  private final class Worker {
    let reference: AttentionReference
    var certificate = Certificate()
    init(_ reference: AttentionReference) { self.reference = reference }
  }
}
