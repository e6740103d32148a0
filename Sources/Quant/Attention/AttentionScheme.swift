import NumKit
import RealModule

/// A way to compute attention with few bits: how q, k and v are stored, what P is cast to, and what P·V is summed in.
///
/// Scores of integer codes are summed in int32, those of floating-point codes in f32; both are then multiplied by the scales in f32.
/// The softmax runs online over tiles of keys, in f32; its denominator sums P before the cast.
public struct AttentionScheme: Sendable {
  /// What a tensor is stored as.
  public enum Coding: Sendable, Hashable {
    /// Numbers of a format.
    case plain(NumberFormat)
    /// Codes beside f32 scales that bring the largest number of what shares one to the format's largest; a token is a row of a head's
    /// matrix. (Of a product over channels no group of a row's numbers could be factored out, and only values have channels' scales.)
    case scaled(DType, Granularity)
    /// Codes −127 … 127, ties away from zero, in SageAttention's groups: of each `warp` tokens those share a scale, amax/127 + 10^−7, whose
    /// place within eight is in the same run of `run`.
    case threaded(warp: Int, run: Int)
    /// What comes out of a key-value cache in the scheme of that name, the last tokens in f16, and those that make no whole `step`; then
    /// rounded to f16.
    case cached(String, recent: Int, step: Int = 1)
  }

  /// The name by which it is asked for.
  public let name: String
  /// What it does, in a line.
  public let summary: String
  /// How queries are stored.
  public let queries: Coding
  /// How keys are stored.
  public let keys: Coding
  /// How values are stored.
  public let values: Coding
  /// Whether the keys' mean over tokens is taken off first: every score of a query moves alike, which softmax does not see.
  public var smoothsKeys = false
  /// Whether queries and keys are rotated first, by random signs and a Hadamard matrix.
  public var rotates = false
  /// What P is cast to; an integer format goes with integer values.
  public let probabilities: DType
  /// What P is multiplied by before the cast.
  public var probabilityScale = 1.0
  /// What P·V is summed in within a tile, where it is not int32.
  public var accumulator = NumberFormat.f32
  /// Keys a tile.
  public var tile = 64

  /// The largest p that the cast of P flushes to zero: half the smallest number P can be, over S; ties go to the even 0.
  public var underflowThreshold: Double {
    switch probabilities {
    case .float(let f): return f.smallestPositive / 2 / probabilityScale
    case .integer: return 0.5 / probabilityScale
    }
  }

  /// The share of a row's P predicted to become 0: for scores normal about `mean` with deviation `deviation` beside the row's `maximum`,
  /// p = e^(s − max) ≤ t where s ≤ max + ln t, which has the probability Φ((max + ln t − mean)/deviation).
  public func predictedUnderflow(mean: Double, deviation: Double, maximum: Double) -> Double {
    let edge = maximum + Double.log(underflowThreshold) - mean
    guard deviation > 0 else { return edge >= 0 ? 1 : 0 }
    return 0.5 * Double.erfc(-edge / (deviation * 2.0.squareRoot()))
  }
}
