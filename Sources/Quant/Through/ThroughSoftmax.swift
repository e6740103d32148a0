import CSchemes
import NumKit

/// What an error in logits does to the probabilities that they are for: softmax row by row, the exact one of the logits against the
/// exact one of the decoded logits, both proven to Double (`Reference`).
public struct ThroughSoftmax: Sendable {
  /// Rows compared.
  public private(set) var rows = 0
  /// Rows whose most probable entry is another one after.
  public private(set) var topFlips = 0
  /// Rows whose most probable entry has an equal after: which one is taken is then up to the code that looks.
  public private(set) var topTies = 0
  /// Rows with NaN or +∞ among the logits, before or after; they are in no other figure.
  public private(set) var lostRows = 0
  /// The largest KL(p ‖ p̂) of a row, in nats.
  public private(set) var maxDivergence = 0.0
  /// The largest |p̂ − p|.
  public private(set) var maxChange = 0.0
  /// What |p̂ − p| cannot exceed: tanh(D/4) for the widest spread D = max δ − min δ of a row's logit errors δ.
  public private(set) var changeBound = 0.0
  /// What KL cannot exceed: D²/8.
  public private(set) var divergenceBound = 0.0
  /// What proved the probabilities.
  public fileprivate(set) var certificate = Certificate()
  private var divergence = ExactSum()

  /// The mean divergence of a row, in nats.
  public var meanDivergence: Double { rows == 0 ? .nan : divergence.value / Double(rows) }
  /// Whether no row could be compared: then largest values and bounds say nothing.
  public var isEmpty: Bool { rows == 0 }

  public init() {}

  /// Compares a matrix of logits with what became of it.
  public init(_ exact: TensorMatrix, _ decoded: TensorMatrix, threads: Int = 1) throws {
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: exact.rows, progress: nil, make: { ThroughSoftmaxWorker() },
      body: { worker, row in
        let range = row * exact.columns..<(row + 1) * exact.columns
        worker.add(exact.values[range], decoded.values[range])
      }, merge: { $0.found.merge($1.found) })
    self = worker.found
  }

  /// Adds what other rows came to.
  public mutating func merge(_ other: ThroughSoftmax) {
    rows += other.rows
    topFlips += other.topFlips
    topTies += other.topTies
    lostRows += other.lostRows
    maxDivergence = max(maxDivergence, other.maxDivergence)
    maxChange = max(maxChange, other.maxChange)
    changeBound = max(changeBound, other.changeBound)
    divergenceBound = max(divergenceBound, other.divergenceBound)
    divergence.merge(other.divergence)
    certificate.merge(other.certificate)
  }

  /// Adds a row: logits, decoded logits, and the probabilities of both.
  ///
  /// With δ = x̂ − x, p̂ᵢ/p̂ⱼ = pᵢ/pⱼ·e^(δᵢ − δⱼ), so the log-odds of an entry move by at most D, and the logistic function by at most
  /// tanh(D/4). KL(p ‖ p̂) = ln Σ p e^δ − Σ p δ is what Hoeffding's lemma bounds by D²/8.
  /// Where a δ is so large that its e^δ meets a p too small for Double, KL is ln Σ e^x̂ − ln Σ e^x − Σ p δ, of which `logSumExps`
  /// gives the first difference.
  fileprivate mutating func add(
    _ x: [Double], _ y: [Double], _ p: [Double], _ q: [Double], logSumExps: () -> Double
  ) {
    var (low, high) = (Double.infinity, -Double.infinity)
    var center = 0.0
    var isComparable = true
    for i in x.indices where x[i] != -.infinity || y[i] != -.infinity {
      let d = y[i] - x[i]
      if !d.isFinite {
        // A masked entry that came to life, or one that died.
        isComparable = false
        continue
      }
      (low, high) = (min(low, d), max(high, d))
      center += p[i] * d
    }
    guard isComparable else {
      lostRows += 1
      return
    }
    // A row of nothing but masks has no probabilities to compare.
    if low > high { return }
    rows += 1
    // Up, by more than the subtractions can have rounded.
    let spread = (high - low) * (1 + 0x1p-50)
    changeBound = max(changeBound, nc_tanh(spread / 4) * (1 + 0x1p-50))
    divergenceBound = max(divergenceBound, spread * spread / 8 * (1 + 0x1p-50))
    for i in x.indices { maxChange = max(maxChange, (q[i] - p[i]).magnitude) }
    var found: Double
    if high - center < 600 {
      // ln Σ p e^(δ − Σpδ): nothing large cancels, and what p hides below 2^−1074 weighs nothing.
      var sum = 0.0
      for i in x.indices where p[i] > 0 { sum += p[i] * nc_expm1(y[i] - x[i] - center) }
      found = nc_log1p(sum)
    } else {
      found = logSumExps() - center
    }
    found = max(found, 0)
    maxDivergence = max(maxDivergence, found)
    divergence.add(found)
    // The first of the largest; logits say it where probabilities round to the same.
    let top = x.indices.max { (x[$0], $1) < (x[$1], $0) } ?? 0
    if y.contains(where: { $0 > y[top] }) {
      topFlips += 1
    } else if y.indices.contains(where: { $0 != top && y[$0] == y[top] && x[$0] != x[top] }) {
      topTies += 1
    }
  }

  fileprivate mutating func addLost() { lostRows += 1 }
}

private final class ThroughSoftmaxWorker {
  var found = ThroughSoftmax()
  private let reference = Reference(.softmax, format: .f64)
  private let lse = Reference(.logSumExp, format: .f64)
  private var truth = Truth()

  func add(_ exact: ArraySlice<Float>, _ decoded: ArraySlice<Float>) {
    let x = exact.map(Double.init)
    let y = decoded.map(Double.init)
    for k in x.indices where y[k].isNaN || y[k] == .infinity || x[k].isNaN || x[k] == .infinity {
      found.addLost()
      return
    }
    found.add(x, y, probabilities(x), probabilities(y)) { logSumExp(y) - logSumExp(x) }
  }

  private func logSumExp(_ x: [Double]) -> Double {
    var truth = Truth()
    x.withUnsafeBufferPointer { lse.answer($0, parameters: OperationParameters(), into: &truth) }
    return truth.rounded[0]
  }

  private func probabilities(_ x: [Double]) -> [Double] {
    x.withUnsafeBufferPointer { reference.answer($0, parameters: OperationParameters(), into: &truth) }
    found.certificate.merge(truth.certificate)
    return truth.rounded
  }
}
