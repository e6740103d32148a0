import CProof
import NumKitNumbers

/// What the first tiers of sums share: plain Double with proven bounds, results side by side in vectors.
enum Tier0 {
  /// Results in a vector.
  static let lanes = 8

  /// What results are rounded to, for the loops.
  static func target(_ format: NumberFormat) -> nc_target? {
    guard format.significandBits <= 23, format.hasZero, format.hasSign else { return nil }
    return nc_target(
      rounding: format.magicRounding, is_f32: format == .f32, largest: format.largestFinite)
  }

  /// The relative error that a value may have which errors are measured against: 2⁻¹⁴ of an ulp, in f32 2⁻¹².
  static func accuracy(_ format: NumberFormat) -> Double {
    format.significandBits >= 23 ? 0x1p-36 : 0x1p-15 * .powerOfTwo(-format.significandBits)
  }
}
