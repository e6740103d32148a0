/// How a row x₁ … xₙ is normalised. S = Σ xⱼ, μ = S/n; Q = Σ xⱼ².
public enum Normalization: String, Sendable, CaseIterable {
  /// xᵢ / √(Q/n + ε) · wᵢ (Zhang, Sennrich, "Root mean square layer normalization", arXiv 1910.07467).
  case rmsNorm = "rmsnorm"
  /// (xᵢ − μ) / √(Σ (xⱼ − μ)²/n + ε) · wᵢ + bᵢ (Ba, Kiros, Hinton, "Layer normalization", arXiv 1607.06450).
  case layerNorm = "layernorm"

  /// Whether the mean is subtracted.
  public var isCentered: Bool { self == .layerNorm }
  /// The ε that models use where they say nothing else.
  public var defaultEpsilon: Double { self == .layerNorm ? 1e-5 : 1e-6 }
}

/// What is made of rows that have no answer in the reals. A NaN in a row makes all its results NaN whatever the policy.
public enum DegenerateRows: String, Sendable, Hashable, CaseIterable {
  /// What the formula gives in IEEE arithmetic. With ε = 0 a row whose variance (mean square) is 0 is NaN. With an infinity a
  /// layer norm is NaN; in an RMS norm the finite elements are 0, the infinite ones NaN.
  case ieee
  /// The limits. A row whose variance is 0 gives b (nothing: 0), as it does for every ε > 0. Infinities count as one number that
  /// grows beyond all bounds.
  case safe
}

/// What a normalisation needs beside its row.
public struct NormParameters: Sendable, Hashable {
  /// ε ≥ 0, finite: added to the variance or mean square.
  public var epsilon: Double
  /// w, one number for each element; empty for 1 everywhere.
  public var weight: [Double]
  /// b, one number for each element; empty for 0 everywhere, as it must be for the RMS norm.
  public var bias: [Double]
  /// What rows without an answer give.
  public var degenerate: DegenerateRows

  /// No weight, no bias, IEEE's answers unless said otherwise.
  public init(
    epsilon: Double, weight: [Double] = [], bias: [Double] = [], degenerate: DegenerateRows = .ieee
  ) {
    self.epsilon = epsilon
    self.weight = weight
    self.bias = bias
    self.degenerate = degenerate
  }

  /// Throws where they say nothing about rows of `length`.
  public func check(_ operation: Normalization, length: Int) throws {
    if !(epsilon >= 0 && epsilon.isFinite) { throw UnfitNorm.epsilon(epsilon) }
    if !weight.isEmpty && weight.count != length { throw UnfitNorm.weight(weight.count, length: length) }
    if !bias.isEmpty && operation == .rmsNorm { throw UnfitNorm.biasOfRMSNorm }
    if !bias.isEmpty && bias.count != length { throw UnfitNorm.bias(bias.count, length: length) }
  }

  /// wᵢ.
  @inlinable public func weight(_ i: Int) -> Double { weight.isEmpty ? 1 : weight[i] }
  /// bᵢ.
  @inlinable public func bias(_ i: Int) -> Double { bias.isEmpty ? 0 : bias[i] }
}

/// Why parameters of a normalisation do not fit.
public enum UnfitNorm: Error, Hashable, CustomStringConvertible {
  /// Negative, infinite or NaN.
  case epsilon(Double)
  /// Not one number an element.
  case weight(Int, length: Int)
  /// Not one number an element.
  case bias(Int, length: Int)
  /// The RMS norm has none.
  case biasOfRMSNorm

  public var description: String {
    switch self {
    case .epsilon(let epsilon): "an epsilon of \(epsilon): it must be finite and 0 or more"
    case .weight(let count, let length): "a weight of \(count) numbers for rows of \(length)"
    case .bias(let count, let length): "a bias of \(count) numbers for rows of \(length)"
    case .biasOfRMSNorm: "rmsnorm has no bias"
    }
  }
}

/// A normalisation of rows.
public struct NormQuestion: Question {
  /// A row, and what it is normalised with.
  public struct Item: Sendable {
    /// Its number.
    public var row: Int
    /// The elements.
    public var values: [Double]
    /// ε, weight, bias, policy.
    public var parameters: NormParameters

    /// A row of numbers.
    public init(row: Int = 0, values: [Double], parameters: NormParameters) {
      self.row = row
      self.values = values
      self.parameters = parameters
    }
  }
  public typealias Profile = NormProfile

  /// Which.
  public let operation: Normalization

  /// The question what `operation` makes of a row.
  public init(_ operation: Normalization) { self.operation = operation }

  public var name: String { operation.rawValue }

  public func layout(of item: Item, into rows: inout [ResultRow]) {
    rows.append(ResultRow(row: item.row, count: item.values.count))
  }
}

/// What bounds need to know of a row: its deviations and moments in Double, each to within a relative `slack` of what stands beside
/// it.
public struct NormProfile: Sendable {
  /// xᵢ − μ; xᵢ itself for the RMS norm. Off by at most `slack`·(|xᵢ − c| + mean |x − c|), with c the Double nearest to μ found.
  public private(set) var deviations: [Double] = []
  /// A bound on |xᵢ − μ|, the error of `deviations` included.
  public private(set) var reach: [Double] = []
  /// μ; 0 for the RMS norm.
  public private(set) var mean = 0.0
  /// The variance, or for the RMS norm the mean square; to within a relative 2^−30 if `isRegular`.
  public private(set) var variance = 0.0
  /// A relative error of sums of as many terms in Double, with room to spare.
  public private(set) var slack = 0.0
  /// Whether every element is finite and the variance is known.
  public private(set) var isRegular = false

  /// Nothing; storage is kept from row to row.
  public init() {}

  /// Looks at another row.
  public mutating func update(_ x: UnsafeBufferPointer<Double>, _ operation: Normalization) {
    deviations.removeAll(keepingCapacity: true)
    reach.removeAll(keepingCapacity: true)
    slack = (Double(x.count) + 16) * 0x1p-51
    mean = 0
    variance = 0
    isRegular = !x.isEmpty && x.allSatisfy { $0.magnitude < 0x1p400 }
    guard isRegular else { return }
    if !operation.isCentered {
      lookAtSquares(x)
    } else if x.allSatisfy({ $0 == x[0] }) {
      mean = x[0]
      deviations.append(contentsOf: repeatElement(0, count: x.count))
      reach.append(contentsOf: repeatElement(0, count: x.count))
    } else {
      lookAtDeviations(x)
    }
  }

  private mutating func lookAtSquares(_ x: UnsafeBufferPointer<Double>) {
    for v in x {
      deviations.append(v)
      reach.append(v.magnitude)
      variance += v * v
    }
    variance /= Double(x.count)
    // Squares that underflow.
    isRegular = slack < 0x1p-32 && (variance > 0x1p-900 || x.allSatisfy { $0 == 0 })
  }

  private mutating func lookAtDeviations(_ x: UnsafeBufferPointer<Double>) {
    let n = Double(x.count)
    // Twice, because the first mean may be off by more than the row varies.
    for _ in 0..<2 { mean += x.reduce(0) { $0 + ($1 - mean) } / n }
    var sum = 0.0
    var spread = 0.0
    var squares = 0.0
    for v in x {
      let d = v - mean
      sum += d
      spread += d.magnitude
      squares += d * d
    }
    let rest = sum / n
    for v in x {
      let d = v - mean
      deviations.append(d - rest)
      reach.append((d - rest).magnitude + slack * (d.magnitude + spread / n))
    }
    mean += rest
    variance = (squares - sum * rest) / n
    // Cancellation would leave too few digits.
    isRegular = slack < 0x1p-32 && variance > 0x1p-900 && sum * rest < 0.5 * squares
  }
}
