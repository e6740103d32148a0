import NumKit

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

  /// The f16 standard first, then the schemes in order; and how many inputs overflow f16.
  ///
  /// - Throws: `AttentionSchemeError` where a scheme cannot do what is asked, `UnfitAttention` where the parameters do not fit.
  public static func run(
    _ schemes: [AttentionScheme], _ tensors: AttentionInputs, _ parameters: AttentionParameters,
    seed: UInt64, threads: Int, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> (entries: [Entry], certificate: Certificate, overflowedInputs: Int) {
    let standard = AttentionRunner(.standard, KernelConfiguration(storage: .float(.f16), accumulator: .f32))
    let stored = standard.stored(tensors)
    let prepared = try schemes.map { scheme in
      var random = RandomSource(seed: seed, row: -2)
      guard let made = LowPrecisionAttention(scheme, tensors, parameters, using: &random) else {
        throw AttentionSchemeError(scheme: scheme.name)
      }
      return made
    }
    let plain: any Candidate<AttentionForward> = AttentionCandidate(
      standard, parameters, on: stored, isBounded: false)
    var trial = Trial(
      AttentionForward(parameters, logSumExp: false),
      candidates: [plain] + prepared.map { SchemeCandidate($0) }, format: .f32,
      threads: threads
    ) { _ in try AttentionProver(tensors, parameters, format: .f32, accuracy: 0x1p-24) }
    trial.measuresResults = false
    trial.measuresSums = true
    trial.chunk = 16
    let (found, predicted) = try trial.run(
      on: AttentionQueries(tensors, block: 16), observer: PredictedUnderflow(schemes, parameters),
      progress: progress)
    var entries = [Entry(scheme: nil, bits: (16, 16, 16), sums: found.entries[0].parts[0].sums)]
    for (i, kernel) in prepared.enumerated() {
      let entry = found.entries[i + 1]
      let pairs = Double(predicted.pairs)
      let flushed = (entry.candidate as? SchemeCandidate)?.work.flushed ?? 0
      entries.append(
        Entry(
          scheme: kernel.scheme, bits: (kernel.q.bits, kernel.k.bits, kernel.v.bits),
          sums: entry.parts[0].sums, flushed: pairs > 0 ? Double(flushed) / pairs : nil,
          predicted: pairs > 0 ? predicted.shares[i].value / pairs : nil))
    }
    return (entries, found.certificate, stored.overflowed(from: tensors))
  }
}

/// What share of P becomes 0, predicted from each row's scores.
private struct PredictedUnderflow: Observer {
  typealias Q = AttentionForward

  let schemes: [AttentionScheme]
  let parameters: AttentionParameters
  /// Shares times pairs, row by row: rows come in no fixed order, so exact sums.
  var shares: [ExactSum]
  var pairs = 0

  init(_ schemes: [AttentionScheme], _ parameters: AttentionParameters) {
    self.schemes = schemes
    self.parameters = parameters
    shares = Array(repeating: ExactSum(), count: schemes.count)
  }

  mutating func see(stored: Answered<AttentionForward>, given: Answered<AttentionForward>) {
    let item = given.item
    let scores = RowScores(item.tensors, parameters, head: item.head, query: item.query)
    pairs += scores.count
    guard scores.count > 0 else { return }
    for (i, scheme) in schemes.enumerated() {
      let share = scheme.predictedUnderflow(
        mean: scores.mean, deviation: scores.deviation, maximum: scores.maximum)
      if share.isFinite { shares[i].add(share * Double(scores.count)) }
    }
  }

  mutating func merge(_ other: PredictedUnderflow) {
    for i in shares.indices { shares[i].merge(other.shares[i]) }
    pairs += other.pairs
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
