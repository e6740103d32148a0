import NumKitNumbers

extension Truth {
  /// Makes room for `count` results, keeping storage.
  mutating func reset(count: Int) {
    func resize(_ array: inout [Double]) {
      if array.count != count {
        array.removeAll(keepingCapacity: true)
        array.append(contentsOf: repeatElement(0, count: count))
      }
    }
    resize(&rounded)
    resize(&high)
    resize(&low)
    if exponent.count != count {
      exponent.removeAll(keepingCapacity: true)
      exponent.append(contentsOf: repeatElement(0, count: count))
    }
    relativeError = 0
    certificate = Certificate()
  }

  mutating func set(_ rounded: Double, _ value: ScaledValue, at i: Int) {
    self.rounded[i] = rounded
    high[i] = value.high
    low[i] = value.low
    exponent[i] = value.exponent
    relativeError = Swift.max(relativeError, value.relativeError)
  }

  /// Writes an exactly known Double, which may be special.
  mutating func setKnown(_ value: Double, at i: Int, _ format: NumberFormat) {
    set(format.round(value), ScaledValue(high: value), at: i)
    certificate.exact += 1
  }

  /// Rounds anew what is not finite as `Overflow.saturate` says: to the largest number of the same sign, exact infinities too. A NaN
  /// stays where it does not stand for a number too large: for NaN itself, and in a format without sign or zero for such a number.
  mutating func saturate(_ format: NumberFormat) {
    for i in rounded.indices where !rounded[i].isFinite {
      let x = high[i]
      if x.isNaN || (!format.hasSign && x <= 0) { continue }
      rounded[i] = Double(signOf: x, magnitudeOf: format.largestFinite)
    }
  }
}
