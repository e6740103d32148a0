import CSchemes
import NumKit
import NumKitNumbers

/// Where a squared error comes from; the four parts sum to the total.
///
/// Each element with finite x and x̂ counts once. With e = x̂ − x and e₀ the error under the unrounded scale
/// (`GridScheme.unrounded`):
/// - clipping: e², where x lies outside what its block can say (`LimitedScheme.decodeLimits`);
/// - flush to zero: e², where else x̂ = 0 and x ≠ 0;
/// - element rounding: e₀², everywhere else;
/// - scale rounding: e² − e₀² there. It can be negative: a rounded scale may happen to suit the elements better.
public struct ErrorSplit: Sendable, Hashable {
  private var parts = (0..<4).map { _ in ExactSum() }

  public init() {}

  /// What rounding to the grid costs.
  public var elementRounding: Double { parts[0].value }
  /// What lies outside the grid costs.
  public var clipping: Double { parts[1].value }
  /// What became zero costs.
  public var flushToZero: Double { parts[2].value }
  /// What storing the scales in few bits costs, or saves.
  public var scaleRounding: Double { parts[3].value }
  /// Σ(x̂ − x)².
  public var total: Double { elementRounding + clipping + flushToZero + scaleRounding }

  /// Adds elements; `ideal` is x̂ under the unrounded scale. All buffers have the same count (the shortest one
  /// counts).
  public mutating func add(
    _ x: UnsafeBufferPointer<Float>, decoded: UnsafeBufferPointer<Float>, ideal: UnsafeBufferPointer<Float>,
    lowest: UnsafeBufferPointer<Float>, highest: UnsafeBufferPointer<Float>
  ) {
    let total = min(x.count, decoded.count, ideal.count, min(lowest.count, highest.count))
    guard let a = x.baseAddress, let b = decoded.baseAddress, let c = ideal.baseAddress,
      let low = lowest.baseAddress, let high = highest.baseAddress
    else { return }
    for start in stride(from: 0, to: total, by: 1024) {
      let sums = nc_split_errors(
        a + start, b + start, c + start, low + start, high + start, min(1024, total - start))
      parts[0].add(sums.rounding)
      parts[1].add(sums.clipping)
      parts[2].add(sums.flush)
      parts[3].add(sums.scale)
    }
  }

  /// Forgets all but the rounded sums: nothing can be added any more.
  mutating func settle() {
    for k in parts.indices { parts[k].settle() }
  }

  /// Adds what another part of the tensor came to.
  public mutating func merge(_ other: ErrorSplit) {
    for index in parts.indices { parts[index].merge(other.parts[index]) }
  }
}

extension ErrorSplit: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(fixed: &parts) { try $0.carry(&$1) }
  }
}
