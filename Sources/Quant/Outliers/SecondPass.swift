import CVector
import NumKit

/// A second pass, only where the sample that the first went by misled it: central moments about the true mean, and the lower
/// bits of the median's bins.
final class SecondPass {
  private let mean: Double
  private var refined: [RefinedBins]
  private(set) var squares = ExactSum()
  private(set) var cubes = ExactSum()
  private(set) var fourths = ExactSum()

  init(mean: Double, refined: [Int]) {
    self.refined = refined.map { RefinedBins($0..<$0 + 1) }
    self.mean = mean
  }

  func add(_ values: UnsafeBufferPointer<Float>) {
    guard let x = values.baseAddress else { return }
    for offset in stride(from: 0, to: values.count, by: FirstPass.grain) {
      let count = min(FirstPass.grain, values.count - offset)
      let moments = nc_central_moments(x + offset, count, mean)
      squares.add(moments.square)
      cubes.add(moments.cube)
      fourths.add(moments.fourth)
      for k in refined.indices { refined[k].add(x + offset, count) }
    }
  }

  func merge(_ other: SecondPass) {
    squares.merge(other.squares)
    cubes.merge(other.cubes)
    fourths.merge(other.fourths)
    for k in refined.indices { refined[k].merge(other.refined[k]) }
  }

  /// The counts that were asked for of a bin; nil if none were.
  func refined(bin: Int) -> RefinedBins? {
    var found = refined.first { $0.bins.contains(bin) }
    found?.countWaiting()
    return found
  }
}
