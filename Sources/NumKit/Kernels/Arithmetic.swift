import NumKitNumbers

/// What kernels share: conversions between compute and accumulator, the maximum, sums.
extension Scalar {
  /// `other` rounded to this format; free where the types are the same.
  @inlinable @inline(__always)
  public init<S: Scalar>(converting other: S) {
    if S.self == Self.self {
      self = unsafeBitCast(other, to: Self.self)
    } else {
      self.init(rounding: other.exact)
    }
  }

  /// `self` / `sum` in the wider of the two formats, rounded to this one.
  @inlinable @inline(__always)
  func divided<A: Scalar>(by sum: A) -> Self {
    if A.format.precision > Self.format.precision {
      return Self(converting: A(converting: self) / sum)
    }
    return self / Self(converting: sum)
  }

  /// `self` + `other` in the wider of the two formats, rounded to this one.
  @inlinable @inline(__always)
  func adding<A: Scalar>(_ other: A) -> Self {
    if A.format.precision > Self.format.precision {
      return Self(converting: A(converting: self) + other)
    }
    return self + Self(converting: other)
  }
}

extension UnsafeMutableBufferPointer where Element: Scalar {
  /// The largest element; NaN if any is.
  @inlinable func maximum() -> Element { Element.maximum(self) }

  /// Σ in the accumulator format, in the given order.
  @inlinable
  func sum<A: Scalar>(_ order: Summation, in: A.Type) -> A {
    switch order {
    case .sequential:
      guard let first else { return .zero }
      return UnsafeMutableBufferPointer(rebasing: self[1...]).sequentialSum(from: A(converting: first))
    case .pairwise: return pairwiseSum(from: 0, to: count)
    }
  }

  /// `start` and all elements, converted to the accumulator and added one after the other.
  @inlinable
  func sequentialSum<A: Scalar>(from start: A) -> A {
    if A.self == Element.self {
      return withMemoryRebound(to: A.self) { A.sum($0, from: start) }
    }
    return withUnsafeTemporaryAllocation(of: A.self, capacity: 64) { block in
      block.initialize(repeating: .zero)
      var s = start
      for begin in stride(from: 0, to: count, by: 64) {
        let part = UnsafeMutableBufferPointer<A>(rebasing: block[..<Swift.min(64, count - begin)])
        for i in part.indices { part[i] = A(converting: self[begin + i]) }
        s = A.sum(part, from: s)
      }
      return s
    }
  }

  @inlinable
  func pairwiseSum<A: Scalar>(from start: Int, to end: Int) -> A {
    if end - start <= 8 {
      guard start < end else { return .zero }
      var s = A(converting: self[start])
      for i in start + 1..<end { s = s + A(converting: self[i]) }
      return s
    }
    let middle = start + (end - start) / 2
    let left: A = pairwiseSum(from: start, to: middle)
    return left + pairwiseSum(from: middle, to: end)
  }
}

extension Stages {
  /// The sum of the tensor stored last, in the grid's own way or in the accumulator; observed.
  @inlinable
  mutating func total<C: Scalar, A: Scalar>(
    _ values: UnsafeMutableBufferPointer<C>, _ order: Summation, in: A.Type
  ) -> A {
    let s = sum(values, in: A.self) ?? values.sum(order, in: A.self)
    return store(s, .sum)
  }
}

extension Scalar {
  /// Whether this is +∞ or −∞.
  @inlinable var isInfinite: Bool { exact.isInfinite }
}
