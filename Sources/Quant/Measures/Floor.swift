import CSchemes
import NumKitNumbers

/// The least error that so many bits could have cost a tensor.
public struct Floor: Sendable, Hashable {
  /// The mean squared error of the Lloyd–Max quantizer of ⌊2^bits⌋ levels for the tensor's own distribution. It has one
  /// codebook for all: schemes with a scale for each block can do better where blocks differ.
  public let lloydMax: Double
  /// The rate–distortion bound D = σ²·2^(−2R) of a Gaussian source of the tensor's variance.
  public let gaussianBound: Double

  /// The floor at `bits` per element. Beyond 4096 levels Lloyd–Max is Panter and Dite's limit, (Σ p^⅓ Δ)³/(12 L²).
  public init?(bits: Double, distribution: EmpiricalDistribution, variance: Double) {
    guard bits >= 0, bits.isFinite, distribution.binCount > 0 else { return nil }
    gaussianBound = variance * nc_exp2(-2 * bits)
    let levels = nc_exp2(min(bits, 64)).rounded(.down)
    if levels > 4096 {
      lloydMax = distribution.manyLevelError / (12 * levels * levels)
    } else {
      guard let quantizer = LloydMax(levelCount: Int(levels), for: distribution) else { return nil }
      lloydMax = quantizer.mse
    }
  }

  /// How far, in dB, `mse` lies above Lloyd–Max; negative below. Nil where either is 0.
  public func decibelsAboveLloydMax(_ mse: Double) -> Double? { Floor.decibels(mse, lloydMax) }

  /// How far, in dB, `mse` lies above the Gaussian bound. Nil where either is 0.
  public func decibelsAboveGaussianBound(_ mse: Double) -> Double? { Floor.decibels(mse, gaussianBound) }

  private static func decibels(_ mse: Double, _ floor: Double) -> Double? {
    mse > 0 && floor > 0 ? 10 * nc_log10(mse / floor) : nil
  }
}

extension Floor: Portable {
  /// To read into.
  package static let blank = Floor(lloydMax: 0, gaussianBound: 0)

  private init(lloydMax: Double, gaussianBound: Double) {
    (self.lloydMax, self.gaussianBound) = (lloydMax, gaussianBound)
  }

  package mutating func carry(_ c: inout Carrier) throws {
    var (lloydMax, gaussianBound) = (lloydMax, gaussianBound)
    try c.carry(&lloydMax)
    try c.carry(&gaussianBound)
    self = Floor(lloydMax: lloydMax, gaussianBound: gaussianBound)
  }
}
