import CNumbers

/// What is done to a whole row at once, where vectors do it faster than one number at a time, with the same answer. These
/// are the defaults; formats simulated in Double and `Float16` have their own.
extension Scalar {
  @inlinable
  public static func formExponentials(_ values: UnsafeMutableBufferPointer<Self>) {
    for i in values.indices { values[i] = exp(values[i]) }
  }

  @inlinable
  public static func formExponentials2(_ values: UnsafeMutableBufferPointer<Self>) {
    for i in values.indices { values[i] = exp2(values[i]) }
  }

  @inlinable
  public static func sum(_ values: UnsafeMutableBufferPointer<Self>, from start: Self) -> Self {
    var s = start
    for v in values { s = s + v }
    return s
  }

  @inlinable
  public static func peak(_ values: UnsafeMutableBufferPointer<Self>) -> (largest: Double, isFinite: Bool) {
    var largest = 0.0
    var isFinite = true
    for v in values {
      let magnitude = v.exact.magnitude
      if magnitude < .infinity { largest = Swift.max(largest, magnitude) } else { isFinite = false }
    }
    return (largest, isFinite)
  }

  @inlinable
  public static func maximum(_ values: UnsafeMutableBufferPointer<Self>) -> Self {
    var m = values[0]
    for i in 1..<Swift.max(values.count, 1) { m = larger(m, values[i]) }
    return m
  }

  /// `m`, or of zeros the first: what `larger` keeps.
  @inlinable
  static func firstZero(or m: Double, _ values: UnsafeMutableBufferPointer<Self>) -> Self {
    (m == 0 ? values.first { $0 == .zero } : nil) ?? Self(rounding: m)
  }

  /// Adds by `binade`, which adds as many terms as the sum stays in one binade for, and one by one where that stops.
  @inlinable
  static func sum(
    _ values: UnsafeMutableBufferPointer<Self>, from start: Self,
    binade: (inout Double, Int, nc_grid) -> Int
  ) -> Self {
    let grid = nc_grid(
      smallest_normal: format.smallestNormal, largest: format.largestFinite, factor: format.roundingFactor)
    var s = start
    var i = 0
    while i < values.count {
      var exact = s.exact
      let added = binade(&exact, i, grid)
      if added > 0 { s = Self(rounding: exact) }
      i += added
      guard i < values.count else { break }
      s = s + values[i]
      i += 1
    }
    return s
  }
}

extension Simulated {
  /// The values as they are held: one Double each.
  @inlinable
  static func doubles(_ values: UnsafeMutableBufferPointer<Self>) -> UnsafeMutablePointer<Double>? {
    UnsafeMutableRawPointer(values.baseAddress)?.assumingMemoryBound(to: Double.self)
  }

  @inlinable
  public static func formExponentials(_ values: UnsafeMutableBufferPointer<Self>) {
    nc_row_exp(doubles(values), values.count)
    for i in values.indices { values[i] = Self(rounding: values[i].exact) }
  }

  @inlinable
  public static func formExponentials2(_ values: UnsafeMutableBufferPointer<Self>) {
    nc_row_exp2(doubles(values), values.count)
    for i in values.indices { values[i] = Self(rounding: values[i].exact) }
  }

  @inlinable
  public static func sum(_ values: UnsafeMutableBufferPointer<Self>, from start: Self) -> Self {
    guard format.hasZero, format.hasSign, let terms = doubles(values) else {
      return values.reduce(start) { $0 + $1 }
    }
    return sum(values, from: start) { nc_row_add(&$0, terms + $1, values.count - $1, $2) }
  }

  @inlinable
  public static func peak(_ values: UnsafeMutableBufferPointer<Self>) -> (largest: Double, isFinite: Bool) {
    let peak = nc_row_peak(doubles(values), values.count)
    return (peak.largest, peak.special == 0)
  }

  @inlinable
  public static func maximum(_ values: UnsafeMutableBufferPointer<Self>) -> Self {
    firstZero(or: nc_row_maximum(doubles(values), values.count), values)
  }
}

extension Float16 {
  @inlinable
  static func bits(_ values: UnsafeMutableBufferPointer<Self>) -> UnsafeMutablePointer<UInt16>? {
    UnsafeMutableRawPointer(values.baseAddress)?.assumingMemoryBound(to: UInt16.self)
  }

  @inlinable
  public static func formExponentials(_ values: UnsafeMutableBufferPointer<Self>) {
    nc_row_exp_f16(bits(values), values.count)
  }

  @inlinable
  public static func formExponentials2(_ values: UnsafeMutableBufferPointer<Self>) {
    nc_row_exp2_f16(bits(values), values.count)
  }

  @inlinable
  public static func sum(_ values: UnsafeMutableBufferPointer<Self>, from start: Self) -> Self {
    guard let terms = bits(values) else { return start }
    return sum(values, from: start) { nc_row_add_f16(&$0, terms + $1, values.count - $1, $2) }
  }

  @inlinable
  public static func peak(_ values: UnsafeMutableBufferPointer<Self>) -> (largest: Double, isFinite: Bool) {
    let peak = nc_row_peak_f16(bits(values), values.count)
    return (peak.largest, peak.special == 0)
  }

  @inlinable
  public static func maximum(_ values: UnsafeMutableBufferPointer<Self>) -> Self {
    firstZero(or: nc_row_maximum_f16(bits(values), values.count), values)
  }
}

extension Float {
  @inlinable
  public static func peak(_ values: UnsafeMutableBufferPointer<Self>) -> (largest: Double, isFinite: Bool) {
    let peak = nc_row_peak_f32(values.baseAddress, values.count)
    return (peak.largest, peak.special == 0)
  }

  @inlinable
  public static func maximum(_ values: UnsafeMutableBufferPointer<Self>) -> Self {
    firstZero(or: nc_row_maximum_f32(values.baseAddress, values.count), values)
  }
}

extension Double {
  @inlinable
  public static func peak(_ values: UnsafeMutableBufferPointer<Self>) -> (largest: Double, isFinite: Bool) {
    let peak = nc_row_peak(values.baseAddress, values.count)
    return (peak.largest, peak.special == 0)
  }

  @inlinable
  public static func maximum(_ values: UnsafeMutableBufferPointer<Self>) -> Self {
    firstZero(or: nc_row_maximum(values.baseAddress, values.count), values)
  }
}
