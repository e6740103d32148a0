import CSchemes
import NumKit

/// A random orthogonal matrix, by a seed.
struct OrthogonalMatrix {
  let length: Int
  /// Row-major.
  let matrix: [Double]
  let transposed: [Double]

  /// Gram and Schmidt on Gaussian rows, twice, which is enough.
  init(length n: Int, seed: UInt64) {
    length = n
    var q = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      var random = RandomSource(seed: seed, row: -3 - i)
      var row = (0..<n).map { _ in random.normal() }
      for _ in 0..<2 {
        for k in 0..<i {
          let other = q[k * n..<(k + 1) * n]
          let dot = zip(row, other).reduce(0) { $0 + $1.0 * $1.1 }
          other.withUnsafeBufferPointer { nc_add_scaled(&row, $0.baseAddress, -dot, n) }
        }
      }
      let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      for j in 0..<n { q[i * n + j] = row[j] / norm }
    }
    matrix = q
    transposed = (0..<n * n).map { q[$0 % n * n + $0 / n] }
  }
}
