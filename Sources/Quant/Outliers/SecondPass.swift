import CVector
import NumKit

/// A second pass, only where the sample that the first went by misled it: central moments about the true mean, and the lower
/// bits of the median's bins.
final class SecondPass {
  private let mean: Double
  /// Bins whose lower bits are counted.
  private let refined: [Int]
  private(set) var low: [[UInt32]]
  private(set) var squares = ExactSum()
  private(set) var cubes = ExactSum()
  private(set) var fourths = ExactSum()

  init(mean: Double, refined: [Int]) {
    self.refined = refined
    self.mean = mean
    low = refined.map { _ in [UInt32](repeating: 0, count: 1 << 16) }
  }

  func add(_ values: UnsafeBufferPointer<Float>) {
    guard let x = values.baseAddress else { return }
    for offset in stride(from: 0, to: values.count, by: FirstPass.grain) {
      let count = min(FirstPass.grain, values.count - offset)
      let moments = nc_central_moments(x + offset, count, mean)
      squares.add(moments.square)
      cubes.add(moments.cube)
      fourths.add(moments.fourth)
      for k in refined.indices { nc_refine_bins(x + offset, count, Int32(refined[k]), 0, &low[k]) }
    }
  }

  func merge(_ other: SecondPass) {
    squares.merge(other.squares)
    cubes.merge(other.cubes)
    fourths.merge(other.fourths)
    for k in low.indices {
      for j in low[k].indices { low[k][j] += other.low[k][j] }
    }
  }

  /// The lower bits counted of a bin; nil if it was not asked for.
  func counts(bin: Int) -> ArraySlice<UInt32>? { refined.firstIndex(of: bin).map { low[$0][...] } }
}
