import RealModule

/// A small generator with a state for each row, so that row k of a seed is the same whoever draws it (SplitMix64:
/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
public struct RandomSource: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// The stream of `row` under `seed`.
  public init(seed: UInt64, row: Int) {
    var mixer = RandomSource(state: seed)
    state = mixer.next() ^ (UInt64(bitPattern: Int64(row)) &* 0xd1b5_4a32_d192_ed03)
    state = next()
  }

  private init(state: UInt64) { self.state = state }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Uniform in (0, 1): an odd multiple of 2^−53.
  public mutating func uniform() -> Double {
    Double((next() >> 11) | 1) * 0x1p-53
  }

  /// N(0, 1), by Box and Muller.
  public mutating func normal() -> Double {
    let radius = (-2 * Double.log(uniform())).squareRoot()
    return radius * Double.cos(2 * .pi * uniform())
  }
}
