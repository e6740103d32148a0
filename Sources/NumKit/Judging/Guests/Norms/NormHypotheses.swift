import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// A family of wrong questions about normalisations.
public protocol NormHypotheses: Sendable {
  /// Those that differ from what was asked.
  static func changes(_ context: NormContext) -> [NormChange]
}

/// What kernels of normalisations get wrong: one line a family.
public enum NormHypothesisRegistry {
  /// Other questions.
  public static let families: [any NormHypotheses.Type] = [
    EpsilonHypotheses.self,
    VarianceHypotheses.self,
    AffineHypotheses.self,
    NormOrderHypotheses.self,
    NarrowInputs.self,
  ]

  /// All that may be wrong where this was asked.
  static func suspects(_ context: NormContext) -> Suspects<NormQuestion> {
    let changes = families.flatMap { $0.changes(context) }
    var suspects = Suspects<NormQuestion>()
    suspects.alternatives = [{ changes.compactMap { $0.alternative(context) } }]
    suspects.forEachPair = { body in
      for i in changes.indices {
        for other in changes[(i + 1)...] {
          if let both = changes[i].and(other)?.alternative(context) { try body(both) }
        }
      }
    }
    let format = context.format
    suspects.signs = { [NarrowResultSign<NormQuestion>(format)] }
    return suspects
  }
}

/// One change of a question about a normalisation; two may be combined.
public struct NormChange: Sendable {
  /// What the kernel got wrong.
  public var name: String
  /// The operation that is answered instead.
  public var operation: Normalization?
  /// Changes ε, weight and bias, the same for all rows.
  public var parameters: (@Sendable (inout NormParameters, _ length: Int) -> Void)?
  /// Changes a row and what is asked of it.
  public var item: (@Sendable (inout NormQuestion.Item) throws -> Void)?

  /// Nothing changed.
  public init(_ name: String) { self.name = name }

  /// The same with another change; nil where both change the same.
  func and(_ other: NormChange) -> NormChange? {
    guard operation == nil || other.operation == nil, item == nil || other.item == nil else { return nil }
    var both = self
    both.name = "\(name) and \(other.name)"
    both.operation = operation ?? other.operation
    both.item = item ?? other.item
    if let first = parameters, let second = other.parameters {
      both.parameters = {
        first(&$0, $1)
        second(&$0, $1)
      }
    } else {
      both.parameters = parameters ?? other.parameters
    }
    return both
  }

  /// As something to hold results against; nil where that is no question.
  func alternative(_ context: NormContext) -> Alternative<NormQuestion>? {
    let operation = operation ?? context.operation
    guard let length = try? context.read(0).values.count else { return nil }
    var changed = context.parameters
    parameters?(&changed, length)
    if operation == .rmsNorm { changed.bias = [] }
    var claims = context.claims
    if operation != context.operation { claims.algorithm = nil }
    guard (try? changed.check(operation, length: length)) != nil,
      let plans = try? NormContext.promised(operation, context.format, changed, claims)
    else { return nil }
    let (item, format, all) = (item, context.format, changed)
    let change: @Sendable (inout NormQuestion.Item) throws -> Void = {
      $0.parameters = all
      try item?(&$0)
    }
    return Alternative(name, plans: plans, change: change) { _ in NormProver(operation, format: format) }
  }
}

/// ε in another place, or another ε.
enum EpsilonHypotheses: NormHypotheses {
  static func changes(_ context: NormContext) -> [NormChange] {
    let e = context.parameters.epsilon
    var list: [NormChange] = []
    func with(_ name: String, _ epsilon: Double) {
      guard epsilon != e else { return }
      var change = NormChange(name)
      change.parameters = { parameters, _ in parameters.epsilon = epsilon }
      list.append(change)
    }
    with("epsilon left out", 0)
    for other in [1e-3, 1e-5, 1e-6, 1e-8, 1e-12] where (other - e).magnitude > 0.01 * e {
      with("an epsilon of \(other)", Double(Float(other)))
    }
    with("epsilon squared", e * e)
    with("epsilon added twice", 2 * e)
    if e > 0 {
      // √v + ε is √(v + ε′) with ε′ = 2ε√v + ε², each row's own.
      var outside = NormChange("epsilon outside of the root")
      let isCentered = context.operation.isCentered
      outside.item = { item in
        let n = Double(item.values.count)
        let mean = isCentered ? item.values.reduce(0, +) / n : 0
        let v = item.values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
        item.parameters.epsilon = 2 * e * v.squareRoot() + e * e
      }
      list.append(outside)
    }
    return list
  }
}

/// A variance over another count, a mean that is not subtracted.
enum VarianceHypotheses: NormHypotheses {
  static func changes(_ context: NormContext) -> [NormChange] {
    var list: [NormChange] = []
    /// x/√(c·v + ε) is x/√c over √(v + ε/c).
    func scaled(_ name: String, _ factor: @escaping @Sendable (Int) -> Double) {
      var change = NormChange(name)
      change.parameters = { parameters, n in
        let c = factor(n)
        guard c > 0, c < .infinity else { return }
        parameters.weight = (0..<n).map { parameters.weight($0) / c.squareRoot() }
        parameters.epsilon /= c
      }
      list.append(change)
    }
    scaled("variance over n - 1") { Double($0) / Double($0 - 1) }
    scaled("variance over n + 1") { Double($0) / Double($0 + 1) }
    scaled("variance not divided by n") { Double($0) }
    var other = NormChange(
      context.operation == .layerNorm
        ? "mean not subtracted: the answer of rmsnorm" : "the answer of layernorm")
    other.operation = context.operation == .layerNorm ? .rmsNorm : .layerNorm
    list.append(other)
    return list
  }
}

/// Weight and bias left out or taken otherwise.
enum AffineHypotheses: NormHypotheses {
  static func changes(_ context: NormContext) -> [NormChange] {
    var list: [NormChange] = []
    func add(_ name: String, _ change: @escaping @Sendable (inout NormParameters, Int) -> Void) {
      var made = NormChange(name)
      made.parameters = change
      list.append(made)
    }
    if !context.parameters.weight.isEmpty {
      add("weight left out") { parameters, _ in parameters.weight = [] }
      add("1 + weight in place of weight") { parameters, n in
        parameters.weight = (0..<n).map { 1 + parameters.weight($0) }
      }
      add("weight one place too far right") { parameters, _ in
        // Another change may have left it out.
        if let last = parameters.weight.popLast() { parameters.weight.insert(last, at: 0) }
      }
    }
    if !context.parameters.bias.isEmpty {
      add("bias left out") { parameters, _ in parameters.bias = [] }
      add("bias subtracted") { parameters, _ in parameters.bias = parameters.bias.map { -$0 } }
    }
    return list
  }
}

/// Right answers of another row.
enum NormOrderHypotheses: NormHypotheses {
  static func changes(_ context: NormContext) -> [NormChange] {
    let (rows, read) = (context.rows, context.read)
    guard rows > 1 else { return [] }
    let others: [(String, @Sendable (Int) -> Int)] = [
      ("stale: the answer of the row before", { $0 - 1 }), ("the answer of the row after", { $0 + 1 }),
      ("rows swapped in pairs", { $0 ^ 1 }), ("the first row's answer in every row", { _ in 0 }),
      ("the last row's answer in every row", { _ in rows - 1 }),
    ]
    return others.map { name, other in
      var change = NormChange(name)
      change.item = { item in
        let from = other(item.row)
        guard (0..<rows).contains(from), from != item.row else { return }
        item.values = try read(from).values
      }
      return change
    }
  }
}
