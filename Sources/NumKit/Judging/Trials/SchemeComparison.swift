import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Low-precision schemes of attention beside the f16 standard, against the truth of the inputs as given.
public struct SchemeComparison: Sendable {
  /// One scheme's figures.
  public struct Entry: Sendable {
    /// The scheme; nil for standard attention in f16.
    public let scheme: AttentionScheme?
    /// Bits a number of q, k and v, scales counted.
    public let bits: (q: Double, k: Double, v: Double)
    /// The errors.
    public internal(set) var sums = ErrorSums()
    /// The share of P that became 0, of the pairs that are seen; nil where it was not counted.
    public internal(set) var flushed: Double?
    /// The share predicted from each row's mean, deviation and maximum of scores.
    public internal(set) var predicted: Double?
  }

  private final class Worker {
    var sums: [ErrorSums]
    var work: [LowPrecisionAttention.Work]
    /// Flushed shares as predicted, row by row: rows come in no fixed order, so exact sums.
    var predicted: [ExactSum]
    var pairs = 0
    let reference: AttentionReference
    var certificate = Certificate()
    init(_ count: Int, _ reference: AttentionReference) {
      self.reference = reference
      sums = Array(repeating: ErrorSums(), count: count + 1)
      work = Array(repeating: LowPrecisionAttention.Work(), count: count)
      predicted = Array(repeating: ExactSum(), count: count)
    }
  }

  /// The f16 standard first, then the schemes in order; and how many inputs overflow f16.
  ///
  /// - Throws: `AttentionSchemeError` where a scheme cannot do what is asked, `UnfitAttention` where the parameters do not fit.
  public static func run(
    _ schemes: [AttentionScheme], _ tensors: AttentionInputs, _ parameters: AttentionParameters,
    seed: UInt64, threads: Int, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> (entries: [Entry], certificate: Certificate, overflowedInputs: Int) {
    let shape = tensors.shape
    let prepared = try schemes.map { scheme in
      var random = RandomSource(seed: seed, row: -2)
      guard let made = LowPrecisionAttention(scheme, tensors, parameters, using: &random) else {
        throw AttentionSchemeError(scheme: scheme.name)
      }
      return made
    }
    let standard = AttentionRunner(.standard, KernelConfiguration(storage: .float(.f16), accumulator: .f32))
    let stored = standard.stored(tensors)
    let rows = shape.heads * shape.queries
    let chunk = 16
    let w = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: (rows + chunk - 1) / chunk, progress: { progress?(Swift.min($0 * chunk, rows)) },
      make: { Worker(schemes.count, try AttentionReference(tensors, parameters, format: .f32)) },
      body: { w, part in
        let range = part * chunk..<Swift.min((part + 1) * chunk, rows)
        let reference = w.reference
        guard let plain = standard.run(stored, parameters, rows: range) else {
          throw AttentionError.cannotRun(standard)
        }
        var (truth, lse) = (Truth(), Truth())
        var output = [Double](repeating: 0, count: shape.valueSize)
        for row in range {
          let (head, query) = (row / shape.queries, row % shape.queries)
          reference.answer(head: head, query: query, into: &truth, logSumExp: &lse)
          w.certificate.merge(truth.certificate)
          let place = (row - range.lowerBound) * shape.valueSize
          plain.output[place..<place + shape.valueSize].withUnsafeBufferPointer { w.sums[0].add($0, truth) }
          let scores = RowScores(tensors, parameters, head: head, query: query)
          w.pairs += scores.count
          for (i, kernel) in prepared.enumerated() {
            kernel.answer(head: head, query: query, into: &output, &w.work[i])
            output.withUnsafeBufferPointer { w.sums[i + 1].add($0, truth) }
            guard scores.count > 0 else { continue }
            let share = schemes[i].predictedUnderflow(
              mean: scores.mean, deviation: scores.deviation, maximum: scores.maximum)
            if share.isFinite { w.predicted[i].add(share * Double(scores.count)) }
          }
        }
      },
      merge: { a, b in
        for i in a.sums.indices { a.sums[i].merge(b.sums[i]) }
        for i in a.work.indices {
          a.work[i].merge(b.work[i])
          a.predicted[i].merge(b.predicted[i])
        }
        a.pairs += b.pairs
        a.certificate.merge(b.certificate)
      })
    var entries = [Entry(scheme: nil, bits: (16, 16, 16), sums: w.sums[0])]
    for (i, kernel) in prepared.enumerated() {
      let pairs = Double(w.pairs)
      entries.append(
        Entry(
          scheme: kernel.scheme, bits: (kernel.q.bits, kernel.k.bits, kernel.v.bits), sums: w.sums[i + 1],
          flushed: pairs > 0 ? Double(w.work[i].flushed) / pairs : nil,
          predicted: pairs > 0 ? w.predicted[i].value / pairs : nil))
    }
    return (entries, w.certificate, stored.overflowed(from: tensors))
  }
}

/// A scheme cannot do what is asked.
public struct AttentionSchemeError: Error, CustomStringConvertible, Sendable {
  /// Its name.
  public let scheme: String

  public var description: String {
    "scheme \(scheme) needs a plain softmax without cap, QK-norm or uniform policy, and to rotate, a head size that is a power of two"
  }
}

/// Mean, deviation and maximum of the scores one query sees, in Double.
struct RowScores {
  private(set) var count = 0
  private(set) var mean = 0.0
  private(set) var maximum = -Double.infinity
  private var squares = 0.0

  var deviation: Double { count == 0 ? 0 : (squares / Double(count)).squareRoot() }

  init(_ tensors: AttentionInputs, _ parameters: AttentionParameters, head: Int, query: Int) {
    let s = tensors.shape
    let d = s.headSize
    let factor = parameters.scale ?? 1 / Double(d).squareRoot()
    let a = (head * s.queries + query) * d
    for key in 0..<s.keys {
      let bias = parameters.mask.bias(
        head: head, query: query, key: key, queries: s.queries, keys: s.keys)
      guard bias > -.infinity else { continue }
      let b = (s.keyHead(of: head) * s.keys + key) * d
      var x = 0.0
      for c in 0..<d { x += tensors.q[a + c] * tensors.k[b + c] }
      x = x * factor + bias
      // Welford's running mean and sum of squares.
      count += 1
      let before = x - mean
      mean += before / Double(count)
      squares += before * (x - mean)
      maximum = Swift.max(maximum, x)
    }
  }
}
