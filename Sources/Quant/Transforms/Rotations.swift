import CSchemes
import NumKit

/// H·diag(±1) on blocks of channels: QuaRot's and FlashAttention-3's randomized Hadamard transform; `plain`: without the signs, as
/// MR-GPTQ's micro-rotations (Egiazarian et al., arXiv 2509.23202).
struct Hadamard: Transform {
  /// Channels of a block; nil: the largest power of two that divides the columns.
  let length: Int?
  let isPlain: Bool
  var name: String {
    let parameters = (length.map { ["\($0)"] } ?? []) + (isPlain ? ["plain"] : [])
    return "hadamard" + (parameters.isEmpty ? "" : ":" + parameters.joined(separator: ","))
  }

  static let words: KeyValuePairs = ["plain": "without random signs"]

  init(_ number: Double?, _ words: Set<String> = []) throws {
    isPlain = words.contains("plain")
    guard let number else {
      length = nil
      return
    }
    guard let n = Int(exactly: number), n >= 2, n & (n - 1) == 0, n <= 1 << 20 else {
      throw CureError.parameter("hadamard: the block must be a power of two from 2 on")
    }
    length = n
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    let n = length ?? largestPowerOfTwo(dividing: tensor.columns)
    guard n >= 2, tensor.columns % n == 0 else {
      throw CureError.shape(
        "hadamard: \(tensor.columns) channels are no blocks of \(length.map(String.init) ?? "a power of two")"
      )
    }
    var random = RandomSource(seed: context.seed, row: -2)
    let signs: [Double] = (0..<tensor.columns).map { _ in isPlain || random.next() & 1 == 0 ? 1 : -1 }
    return SignedHadamard(length: n, signs: signs, storedBits: isPlain ? 0 : 64)
  }
}

private struct SignedHadamard: PreparedTransform {
  let length: Int
  let signs: [Double]
  /// The seed.
  let storedBits: Int

  func apply(_ band: inout TensorMatrix, firstRow: Int) { change(&band, inverse: false) }
  func undo(_ band: inout TensorMatrix, given: TensorMatrix, firstRow: Int) { change(&band, inverse: true) }

  private func change(_ matrix: inout TensorMatrix, inverse: Bool) {
    var block = [Double](repeating: 0, count: length)
    let columns = matrix.columns
    for start in stride(from: 0, to: matrix.values.count, by: length) {
      let first = start % columns
      for j in 0..<length {
        block[j] = Double(matrix.values[start + j]) * (inverse ? 1 : signs[first + j])
      }
      nc_walsh_hadamard(&block, length)
      for j in 0..<length {
        matrix.values[start + j] = Float(block[j] * (inverse ? signs[first + j] : 1))
      }
    }
  }
}

/// A random orthogonal matrix on blocks of channels, uniformly distributed: the Q of a Gaussian matrix's QR with the signs of R's
/// diagonal (Stewart 1980).
struct RandomRotation: Transform {
  /// Channels of a block; nil: all, or the largest divisor up to `limit`.
  let length: Int?
  var name: String { length.map { "rotation:\($0)" } ?? "rotation" }

  /// The largest block: the matrix takes its square in memory, and its cube in time.
  static let limit = 1024

  init(_ number: Double?) throws {
    guard let number else {
      length = nil
      return
    }
    guard let n = Int(exactly: number), (2...Self.limit).contains(n) else {
      throw CureError.parameter("rotation: the block must be 2 to \(Self.limit)")
    }
    length = n
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    let columns = tensor.columns
    let n = length ?? (1...min(columns, Self.limit)).last { columns % $0 == 0 } ?? 1
    guard n >= 2, columns % n == 0 else {
      throw CureError.shape("rotation: \(columns) channels are no blocks of \(n)")
    }
    return OrthogonalBlocks(length: n, seed: context.seed)
  }
}

package struct OrthogonalBlocks: PreparedTransform {
  private let rotation: OrthogonalMatrix
  private var length: Int { rotation.length }
  /// Row-major.
  package var matrix: [Double] { rotation.matrix }

  package var storedBits: Int { 64 }

  package init(length: Int, seed: UInt64) { rotation = OrthogonalMatrix(length: length, seed: seed) }

  package func apply(_ band: inout TensorMatrix, firstRow: Int) { change(&band, by: rotation.matrix) }
  package func undo(_ band: inout TensorMatrix, given: TensorMatrix, firstRow: Int) {
    change(&band, by: rotation.transposed)
  }

  private func change(_ target: inout TensorMatrix, by matrix: [Double]) {
    var result = [Double](repeating: 0, count: length)
    for start in stride(from: 0, to: target.values.count, by: length) {
      target.values.withUnsafeBufferPointer { values in
        if let base = values.baseAddress { nc_apply_matrix(matrix, base + start, &result, length) }
      }
      for j in 0..<length { target.values[start + j] = Float(result[j]) }
    }
  }
}
