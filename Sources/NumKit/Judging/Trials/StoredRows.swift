import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Rows as given, and as a kernel of one configuration gets them.
package struct StoredRows<Rows: RowSource>: ItemSource {
  package typealias Q = RowQuestion

  private let rows: Rows
  private let parameters: OperationParameters
  private let targets: [Int]?
  private let configuration: KernelConfiguration
  /// Temperature and cotangent rounded to the compute format.
  package let kernelParameters: OperationParameters

  package init(
    _ rows: Rows, parameters: OperationParameters, targets: [Int]?, configuration: KernelConfiguration
  ) {
    self.rows = rows
    self.parameters = parameters
    self.targets = targets
    self.configuration = configuration
    kernelParameters = parameters.rounded(to: configuration)
  }

  package var itemCount: Int { rows.rowCount }

  package func makeItem() -> RowQuestion.Item {
    RowQuestion.Item(values: Array(repeating: 0, count: rows.length), parameters: parameters)
  }

  package func read(
    _ index: Int, given: inout RowQuestion.Item, stored: inout RowQuestion.Item
  ) throws -> InputChange {
    given.row = index
    stored.row = index
    stored.parameters = kernelParameters
    if let targets {
      given.parameters.target = targets[index]
      stored.parameters.target = targets[index]
    }
    try given.values.withUnsafeMutableBufferPointer { try rows.read(index, into: $0) }
    let changed = configuration.roundInputs(given.values, into: &stored.values)
    guard changed || stored.parameters != given.parameters else { return InputChange() }
    return InputChange(
      changed: true, overflowed: zip(given.values, stored.values).count { $0.isFinite && !$1.isFinite })
  }
}

/// What rows have beside errors: how well conditioned they are, and for probabilities, how far they are from a distribution.
struct RowSights: Observer {
  typealias Q = RowQuestion

  private let operation: RowOperation
  private(set) var distributions: [DistributionStatistics]
  /// The largest condition number; NaN where no row had one.
  private(set) var conditioning = Double.nan
  /// Rows without an answer, as given.
  private(set) var unanswered = UnansweredRows()

  init(_ operation: RowOperation, candidates: Int) {
    self.operation = operation
    distributions = Array(repeating: DistributionStatistics(), count: candidates)
  }

  mutating func see(stored: Answered<RowQuestion>, given: Answered<RowQuestion>) {
    note(stored.profile.conditioning(operation, target: stored.item.parameters.target))
    unanswered.add(given.item.values, operation)
  }

  mutating func see(
    candidate: Int, _ item: RowQuestion.Item, results: UnsafeBufferPointer<Double>, truths: [Truth],
    flat: [FlatTruth]
  ) {
    guard operation == .softmax else { return }
    distributions[candidate].add(computed: results, truth: truths[0], flat: flat[0])
  }

  mutating func merge(_ other: RowSights) {
    for k in distributions.indices { distributions[k].merge(other.distributions[k]) }
    unanswered.merge(other.unanswered)
    note(other.conditioning)
  }

  private mutating func note(_ condition: Double) {
    guard !condition.isNaN else { return }
    conditioning = conditioning.isNaN ? condition : Swift.max(conditioning, condition)
  }
}

extension RowSights: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(fixed: &distributions) { try $0.carry(&$1) }
    try c.carry(&conditioning)
    try c.carry(&unanswered)
  }
}
