import NumKit

/// Queries, keys and values drawn from a distribution, row by row of a seed.
public func drawnTensors(
  _ shape: AttentionShape, _ distribution: Distribution = .normal, range: Double = 1, seed: UInt64 = 1
) throws -> AttentionInputs {
  func fill(_ rows: Int, _ width: Int, _ stream: Int) -> [Double] {
    var x = [Double](repeating: 0, count: rows * width)
    x.withUnsafeMutableBufferPointer { b in
      for r in 0..<rows {
        var random = RandomSource(seed: seed, row: r + stream << 20)
        distribution.fill(
          UnsafeMutableBufferPointer(rebasing: b[r * width..<(r + 1) * width]), range: range, &random)
      }
    }
    return x
  }
  guard
    let made = AttentionInputs(
      q: fill(shape.heads * shape.queries, shape.headSize, 0),
      k: fill(shape.keyHeads * shape.keys, shape.headSize, 1),
      v: fill(shape.keyHeads * shape.keys, shape.valueSize, 2), shape: shape)
  else { throw UnfitAttention() }
  return made
}
