import CMPFR
import NumKitQuestions

/// A row's exponentials at one precision: eⱼ = e^((xⱼ − max)/τ), their sum, and scratch for what is made of them.
///
/// The row has at least one finite logit and no NaN or +∞ (see `RowShape`); −∞ contributes nothing.
final class EnclosedRow {
  private(set) var logits = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private(set) var shape = RowShape(kind: .nan)
  private(set) var parameters = OperationParameters()

  /// Exact questions about the cotangents.
  let cotangents = CotangentGroups()
  private let exponentials = EnclosureStorage()
  private let registers = EnclosureStorage()
  private static let registerCount = 12

  init() {}

  /// Says what row is meant, before `prepare`.
  func load(_ row: UnsafeBufferPointer<Double>, shape: RowShape, parameters: OperationParameters) {
    logits = row
    self.shape = shape
    self.parameters = parameters
    cotangents.reset()
  }

  /// Computes everything at `precision` bits; without `exponentials` only the registers are made ready.
  func prepare(precision: Int, exponentials needsExponentials: Bool) {
    registers.reserve(Self.registerCount, precision: precision)
    guard needsExponentials else { return }
    exponentials.reserve(logits.count, precision: precision)
    rest.set(0)
    for j in 0..<logits.count where logits[j] != -.infinity {
      argument(j, into: scratch(0))
      exponentials[j].setExponential(scratch(0))
      if j != shape.argmax { rest.add(exponentials[j]) }
    }
    scratch(0).set(1)
    sum.setSum(rest, scratch(0))
  }

  /// eⱼ, for xⱼ ≠ −∞.
  func exponential(_ j: Int) -> Enclosure { exponentials[j] }

  /// Σⱼ eⱼ without the first of the largest, whose e is 1.
  var rest: Enclosure { registers[0] }

  /// Σⱼ eⱼ.
  var sum: Enclosure { registers[1] }

  /// Where operations keep what `begin` prepares for all elements.
  func kept(_ k: Int) -> Enclosure { registers[2 + k] }

  /// Room for passing values, 0 … 5.
  func scratch(_ k: Int) -> Enclosure { registers[6 + k] }

  /// (xⱼ − max)/τ; exactly 0 for the largest.
  func argument(_ j: Int, into result: Enclosure) {
    result.setDifference(logits[j], shape.maximum)
    if shape.temperature != 1 { result.divide(by: shape.temperature) }
  }

  /// Σ eⱼ over j ≠ i, without cancellation. Overwrites scratch 0.
  func others(_ i: Int, into result: Enclosure) {
    if i == shape.argmax {
      result.set(rest)
      return
    }
    // eᵢ ≤ 1 ≤ the largest's: at most half of the sum goes.
    result.setDifference(sum, exponential(i))
  }
}
