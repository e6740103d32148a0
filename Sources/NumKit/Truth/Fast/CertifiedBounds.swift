/// The bounds that the certified functions are proven to keep (Documentation/CertifiedReference.md) and that tiers and attacks
/// both read: what is proven, used and attacked is one number.
package enum CertifiedBounds {
  /// Section 3: relative error of an exponential of tier 0.
  package static let exponential0 = 0x1p-52

  /// Section 7: relative error of an exponential of tier 1.
  package static let exponential1 = 0x1p-74

  /// Section 6: relative error of an exponential of tier 2, of an exponent d: `exponential2` + |d| `exponential2Slope`.
  package static let exponential2 = 0x1p-100
  package static let exponential2Slope = 0x1p-103

  /// The same as one number.
  package static func exponential2(of d: Double) -> Double { exponential2 + d.magnitude * exponential2Slope }

  /// Section 6: absolute error of a logarithm of this value.
  package static func logarithm(_ log: Double) -> Double { 0x1p-96 * (1 + log.magnitude) }

  /// Section 9: relative error of a sigmoid of z: `sigmoid` + |z| `sigmoidSlope`. Numerator and denominator each within that of the
  /// exponential, and a division.
  package static let sigmoid = 4 * exponential2
  package static let sigmoidSlope = 2 * exponential2Slope
}
