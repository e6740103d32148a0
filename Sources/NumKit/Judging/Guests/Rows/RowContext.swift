import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// What was asked of rows, for those who think up what else may have been answered.
public struct RowContext: Sendable {
  /// The question.
  public let operation: RowOperation
  /// As a kernel gets them.
  public let parameters: OperationParameters
  /// What results are stored in.
  public let format: NumberFormat
  /// What inputs are numbers of.
  public let inputs: NumberFormat
  /// What the kernel promises.
  public let claims: Claims
  /// How many rows there are, and how long they are.
  public let rows: Int
  public let length: Int
  /// The results.
  public let results: any ResultSource<RowQuestion>
  /// The logits of any row, and its target, as a kernel gets them.
  public let read: @Sendable (Int) throws -> RowQuestion.Item

  /// What a kernel that does as promised may err by on another question.
  func plans(_ operation: RowOperation, _ parameters: OperationParameters, inputs: NumberFormat)
    -> [GuestPlan<RowQuestion>]
  {
    var claims = claims
    let plans = RowPlans(operation, format: format, inputs: inputs, parameters: parameters)
    if let own = try? plans.promised(claims) { return own }
    // Another operation's algorithms have other names.
    claims.algorithm = nil
    return (try? plans.promised(claims)) ?? []
  }
}

/// A family of wrong questions about rows.
public protocol RowHypotheses: Sendable {
  /// Those that differ from what was asked.
  static func changes(_ context: RowContext) -> [RowChange]
}

/// One change of a question about rows; two may be combined.
public struct RowChange: Sendable {
  /// What the kernel got wrong.
  public var name: String
  /// The operation that is answered instead.
  public var operation: RowOperation?
  /// What x is multiplied by in place of 1/τ.
  public var scale: Double?
  /// Changes the logits of a row, its target, the policy.
  public var item: (@Sendable (inout RowQuestion.Item) throws -> Void)?
  /// How many times the sum of exponentials is what is divided by, or taken the logarithm of, in place of that sum.
  public var sumRatio: (@Sendable (RowSum) -> SumRatio)?
  /// The results, where they are read in another way.
  public var results: (any ResultSource<RowQuestion>)?

  /// Nothing changed.
  public init(_ name: String) { self.name = name }

  /// The same with another change; nil where both change the same.
  func and(_ other: RowChange) -> RowChange? {
    guard operation == nil || other.operation == nil, scale == nil || other.scale == nil,
      item == nil || other.item == nil, sumRatio == nil || other.sumRatio == nil, results == nil,
      other.results == nil
    else { return nil }
    var both = self
    both.name = "\(name) and \(other.name)"
    both.operation = operation ?? other.operation
    both.scale = scale ?? other.scale
    both.item = item ?? other.item
    both.sumRatio = sumRatio ?? other.sumRatio
    return both
  }

  /// As something to hold results against.
  func alternative(_ context: RowContext) -> Alternative<RowQuestion> {
    let operation = operation ?? context.operation
    var parameters = context.parameters
    var inputs = context.inputs
    if scale != nil {
      parameters.temperature = 1
      // What a kernel divides or multiplies by in one way stands here as done in another.
      inputs = .f64
    }
    var plans = context.plans(operation, parameters, inputs: inputs)
    let format = context.format
    var prover: @Sendable (Trial<RowQuestion>.Side) throws -> any Prover<RowQuestion> = { _ in
      RowProver(operation, format: format)
    }
    if let ratio = sumRatio {
      prover = { _ in OtherSumProver(operation, format: format, ratio: ratio) }
      plans = plans.map { plan in
        GuestPlan(plan.name) {
          plan.errors().map { OtherSumErrors(inner: $0, operation, format: format, ratio: ratio) }
        }
      }
    }
    let (scale, item) = (scale, item)
    var change: (@Sendable (inout RowQuestion.Item) throws -> Void)?
    if scale != nil || item != nil {
      change = {
        try item?(&$0)
        guard let scale else { return }
        for i in $0.values.indices { $0.values[i] *= scale }
        $0.parameters.temperature = 1
      }
    }
    var alternative = Alternative(name, plans: plans, change: change, results: results, prover: prover)
    let (made, ratio) = (change, sumRatio)
    if operation.isOfOneSum {
      alternative.estimate = { item in
        var item = item
        try made?(&item)
        let row = RowSum(item)
        guard row.maximum.isFinite else { return nil }
        return operation.results(of: row, sumTimes: ratio?(row) ?? .one(1))
      }
    }
    return alternative
  }
}
