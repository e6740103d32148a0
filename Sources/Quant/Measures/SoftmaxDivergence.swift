import CSchemes
import NumKit
import NumKitNumbers

/// The mean over rows of KL(softmax(x) ‖ softmax(x̂)), in nats: what the error means where rows are logits.
public struct SoftmaxDivergence: Sendable, Hashable {
  /// Rows of finite numbers only, which are those counted.
  public private(set) var rows = 0
  /// The largest of a row.
  public private(set) var largest = 0.0
  private var total = ExactSum()

  public init() {}

  /// The mean; 0 without rows.
  public var mean: Double { rows == 0 ? 0 : total.value / Double(rows) }

  /// Adds a row.
  public mutating func add(row x: UnsafeBufferPointer<Float>, _ decoded: UnsafeBufferPointer<Float>) {
    guard let a = x.baseAddress, let b = decoded.baseAddress, x.count == decoded.count else { return }
    let divergence = nc_softmax_divergence(a, b, x.count)
    guard divergence.isFinite else { return }
    rows += 1
    total.add(max(divergence, 0))
    largest = max(largest, divergence)
  }

  /// Forgets all but the rounded sum: nothing can be added any more.
  mutating func settle() { total.settle() }

  /// Adds what other rows came to.
  public mutating func merge(_ other: SoftmaxDivergence) {
    rows += other.rows
    total.merge(other.total)
    largest = max(largest, other.largest)
  }
}

extension SoftmaxDivergence: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(count: &rows)
    try c.carry(&largest)
    try c.carry(&total)
  }
}
