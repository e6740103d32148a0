import NumKitNumbers

extension Truth {
  /// The last step of every refinement (Ziv's strategy): enters result `i` where `enclosure` rounds to one value of `format` and is
  /// narrow enough to measure errors against; returns whether it did.
  ///
  /// Where `isLast` it always does, with what the enclosure knows, and the certificate counts a result as undecided that may still
  /// round to two values. Results known exactly, as rational ones are, needed no precision.
  mutating func settle(
    _ enclosure: Enclosure, at i: Int, _ format: NumberFormat, precision: Int, isLast: Bool,
    isRational: Bool = false, scratch: Enclosure
  ) -> Bool {
    let rounded = enclosure.rounded(to: format)
    let scaled = enclosure.scaled(scratch: scratch)
    let isMeasurable = scaled.map { $0.relativeError <= Refinement.relativeWidth } ?? false
    guard isLast || rounded != nil && isMeasurable else { return false }
    set(rounded ?? format.round(enclosure.middle(in: .f64)), scaled ?? enclosure.unscaled, at: i)
    let isExact = isRational || enclosure.isExact
    if rounded == nil {
      certificate.undecided += 1
    } else if isExact {
      certificate.exact += 1
    } else {
      certificate.mpfr += 1
    }
    if !isExact { certificate.maxPrecision = Swift.max(certificate.maxPrecision, precision) }
    return true
  }
}
