/// A number that two schemes answer differently where it stands alone.
public struct EdgeDifference: Sendable, Hashable {
  public let value: Float
  /// What the first scheme decodes, and the second.
  public let first: Float
  public let second: Float
}

/// Where two schemes differ that a tensor does not show: at the ends of formats, which its numbers need not reach.
public enum DialectEdges {
  /// The smallest magnitude found on which they differ, of each sign, then infinities, NaN and −0: at most one of each. A number of
  /// every power of two is tried, alone in a block, and from the first that differs the search goes back to the last that does not.
  public static func differences(_ a: any Scheme, _ b: any Scheme) throws -> [EdgeDifference] {
    let length = try DialectPair.blockLength(a, b)
    func difference(_ x: Float) throws -> EdgeDifference? {
      let row = [x] + [Float](repeating: 0, count: length - 1)
      return try row.withUnsafeBufferPointer {
        let pair = try DialectPair(a, b, $0, rows: 1, columns: length)
        let (first, second) = (pair.a.values[0], pair.b.values[0])
        return DialectPair.same(first, second) ? nil : EdgeDifference(value: x, first: first, second: second)
      }
    }
    var found: [EdgeDifference] = []
    for sign in [1, -1] as [Float] {
      var last = 0
      for exponent in -149...128 {
        let x =
          exponent == 128
          ? Float.greatestFiniteMagnitude : Float(sign: .plus, exponent: exponent, significand: 1)
        guard var nearest = try difference(sign * x) else {
          last = FloatOrder.position(x)
          continue
        }
        var (low, high) = (last, FloatOrder.position(x))
        while high - low > 1 {
          let middle = low + (high - low) / 2
          if let other = try difference(sign * FloatOrder.float(middle)) {
            (high, nearest) = (middle, other)
          } else {
            low = middle
          }
        }
        found.append(nearest)
        break
      }
    }
    for x in [Float.infinity, -.infinity, .nan, -0.0] {
      if let one = try difference(x) { found.append(one) }
    }
    return found
  }
}
