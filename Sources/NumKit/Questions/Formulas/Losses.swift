/// Binary cross-entropy, element by element, with targets y in [0, 1].
public struct BinaryCrossEntropyFormula: Formula {
  /// Whether rows are probabilities p, for −y log p − (1 − y) log(1 − p), and no logits x, for log(1 + e^x) − xy.
  public var isOnProbabilities: Bool
  /// Of one row after the other, or one row of them for all.
  public var targets: [Double]

  /// All parts.
  public init(isOnProbabilities: Bool = false, targets: [Double]) {
    (self.isOnProbabilities, self.targets) = (isOnProbabilities, targets)
  }

  public var name: String { isOnProbabilities ? "bce-probabilities" : "bce" }

  public func check(length: Int) throws {
    if targets.isEmpty || targets.count % length != 0 {
      throw UnfitFormula("\(targets.count) targets for rows of \(length)")
    }
    if let y = targets.first(where: { !($0 >= 0 && $0 <= 1) }) {
      throw UnfitFormula("a target of \(y): it must be from 0 to 1")
    }
  }

  /// The target of an element.
  public func target(_ row: Int, _ i: Int, length: Int) -> Double {
    targets[targets.count == length ? i : row * length + i]
  }

  public func stored(_ round: (Double) -> Double) -> BinaryCrossEntropyFormula {
    var copy = self
    copy.targets = targets.map(round)
    return copy
  }

  public func hasAnswer(_ row: Int, _ x: [Double]) -> Bool {
    x.allSatisfy { $0.isFinite && (!isOnProbabilities || $0 >= 0 && $0 <= 1) }
  }
}

/// The sigmoid's derivative σ(x)(1 − σ(x)), element by element.
public struct SigmoidGradientFormula: Formula {
  /// The only value.
  public init() {}
  public var name: String { "sigmoid-gradient" }
  public func check(length: Int) throws {}
}

/// Cross-entropy with label smoothing ε: log-sum-exp − (1 − ε)xₜ − (ε/n) Σ xⱼ, one result a row; 0 for rows whose target is ignored
/// (Szegedy et al., arXiv 1512.00567; PyTorch's `label_smoothing` and `ignore_index`).
public struct SmoothedCrossEntropyFormula: Formula {
  /// ε, 0 to 1.
  public var smoothing: Double
  /// A class for each row, or one for all.
  public var targets: [Int]
  /// The target that says that a row is not to count.
  public var ignored: Int

  /// All parts.
  public init(smoothing: Double, targets: [Int], ignored: Int = -100) {
    (self.smoothing, self.targets, self.ignored) = (smoothing, targets, ignored)
  }

  public var name: String { "smoothed-crossentropy" }
  public func resultCount(length: Int) -> Int { 1 }

  public func check(length: Int) throws {
    if !(smoothing >= 0 && smoothing <= 1) {
      throw UnfitFormula("a smoothing of \(smoothing): it must be from 0 to 1")
    }
    if targets.isEmpty { throw UnfitFormula("no target") }
    if let t = targets.first(where: { $0 != ignored && !(0..<length).contains($0) }) {
      throw UnfitFormula("a target of \(t) for rows of \(length); ignored are those of \(ignored)")
    }
  }

  /// The class of a row; nil where it is ignored.
  public func target(_ row: Int) -> Int? {
    let t = targets[targets.count == 1 ? 0 : row]
    return t == ignored ? nil : t
  }

  public func hasAnswer(_ row: Int, _ x: [Double]) -> Bool {
    target(row) == nil || x.allSatisfy(\.isFinite)
  }
}

/// The z-loss λ·(log-sum-exp)² that keeps logits small (Zoph et al., "ST-MoE", arXiv 2202.08906), one result a row.
public struct ZLossFormula: Formula {
  /// λ > 0.
  public var weight: Double

  /// 1e-4 in PaLM, 1e-3 for routers.
  public init(weight: Double = 1e-4) { self.weight = weight }

  public var name: String { "z-loss" }
  public func resultCount(length: Int) -> Int { 1 }
  public func check(length: Int) throws {
    if !(weight > 0 && weight.isFinite) { throw UnfitFormula("a weight of \(weight): it must be above 0") }
  }
}
