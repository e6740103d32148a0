import CVector
import NumKit

/// The second pass: central moments, and the exact counts that the first pass knows only to a bin of the upper 16 bits.
final class SecondPass {
  /// A magnitude's bits from which on elements are counted.
  private let thresholds: [Int32]
  /// Bins whose lower bits are counted.
  private let refined: [Int32]
  private let mean: Double
  private(set) var counts: [UInt64]
  private(set) var low: [[UInt32]]
  private(set) var squares = ExactSum()
  private(set) var cubes = ExactSum()
  private(set) var fourths = ExactSum()

  init(mean: Double, thresholds: [Int32], refined: [Int32]) {
    self.mean = mean
    self.thresholds = thresholds
    self.refined = refined
    counts = [UInt64](repeating: 0, count: thresholds.count)
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
      nc_count_from(x + offset, count, thresholds, thresholds.count, &counts)
      for k in refined.indices { nc_refine_bin(x + offset, count, refined[k], &low[k]) }
    }
  }

  func merge(_ other: SecondPass) {
    squares.merge(other.squares)
    cubes.merge(other.cubes)
    fourths.merge(other.fourths)
    for k in counts.indices { counts[k] += other.counts[k] }
    for k in low.indices {
      for j in low[k].indices { low[k][j] += other.low[k][j] }
    }
  }

  /// The bits of the element of `rank`, from 0, within a refined bin.
  func bits(bin: Int32, rank: UInt64) -> Int32? {
    guard let k = refined.firstIndex(of: bin) else { return nil }
    var below: UInt64 = 0
    for (j, n) in low[k].enumerated() {
      below += UInt64(n)
      if below > rank { return bin << 16 | Int32(j) }
    }
    return nil
  }
}
