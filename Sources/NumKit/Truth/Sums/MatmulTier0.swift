import CProof
import NumKitNumbers
import NumKitQuestions

/// Products of matrices in plain Double with proven bounds, up to `block` rows at a time: section 10 of
/// Documentation/CertifiedReference.md. One instance serves one thread.
final class MatmulTier0 {
  private static let lanes = Tier0.lanes
  /// Rows that are computed together.
  static let block = 64

  private let inputs: MatmulInputs
  private let target: nc_target
  private let needed: Double
  private let rowBounds = Buffer<Double>()
  private let columnBounds = Buffer<Double>()
  private let packed = Buffer<Double>()
  private let sums = Buffer<Double>()

  /// The results of the rows computed last, row by row.
  let rounded = Buffer<Double>()
  let value = Buffer<Double>()
  /// Relative; 0 where the result is exact.
  let error = Buffer<Double>()
  let open = Buffer<UInt8>()
  private(set) var rows = 0..<0
  private let magnitudes = Buffer<Double>()
  private var measured = 0..<0

  /// nil where the bounds do not hold: results of more than 24 bits, numbers that are not finite or far from 1.
  init?(_ inputs: MatmulInputs, _ format: NumberFormat) {
    guard let target = Tier0.target(format), format.nanEncoding != .negativeZero,
      inputs.a.inner < 1 << 20
    else { return nil }
    self.inputs = inputs
    self.target = target
    needed = Tier0.accuracy(format)
    rowBounds.reserve(3 * inputs.a.count)
    columnBounds.reserve(3 * inputs.b.count)
    let isUsable = withOperands { a, b in
      withUnsafePointer(to: a) { nc_matmul0_survey($0) } && withUnsafePointer(to: b) { nc_matmul0_survey($0) }
    }
    guard isUsable ?? false else { return nil }
    packed.reserve(Self.block * inputs.a.inner)
    sums.reserve(Self.lanes * Swift.max(tile, 1))
  }

  /// Columns that are answered while their numbers are in the cache.
  private var tile: Int { Swift.max(6, (1 << 15) / inputs.a.inner / 6 * 6) }

  @discardableResult
  private func withOperands<T>(_ body: (nc_vectors, nc_vectors) -> T) -> T? {
    inputs.a.values.withUnsafeBufferPointer { a in
      inputs.b.values.withUnsafeBufferPointer { b in
        guard let a = a.baseAddress, let b = b.baseAddress else { return nil }
        func vectors(_ x: UnsafePointer<Double>, _ count: Int, _ bounds: UnsafeMutablePointer<Double>)
          -> nc_vectors
        {
          nc_vectors(
            numbers: x, count: count, size: inputs.a.inner, reach: bounds, norm: bounds + count,
            grain: bounds + 2 * count)
        }
        return body(
          vectors(a, inputs.a.count, rowBounds.base), vectors(b, inputs.b.count, columnBounds.base))
      }
    }
  }

  /// Computes rows, `block` at most.
  func compute(_ rows: Range<Int>) {
    let columns = inputs.b.count
    for buffer in [rounded, value, error] { buffer.reserve(rows.count * columns) }
    open.reserve(rows.count * columns)
    self.rows = rows
    forTiles(rows, magnitudes: false) { a, b, row, count, column, n in
      let start = (row - rows.lowerBound) * columns
      nc_matmul0_round(
        sums.base, a, row, b, column, n, target,
        nc_attention_results(
          rounded: rounded.base + start, value: value.base + start, error: error.base + start,
          open: open.base + start, needed: needed, stride: columns, count: count))
    }
  }

  /// Σ|a||b| of a row of those computed last, column by column, each never below the exact one.
  func forMagnitudes(of row: Int, _ body: (Double) -> Void) {
    let columns = inputs.b.count
    if measured != rows {
      measured = rows
      magnitudes.reserve(rows.count * columns)
      forTiles(rows, magnitudes: true) { _, _, row, count, column, n in
        for i in 0..<count {
          let place = (row - rows.lowerBound + i) * columns + column
          for j in 0..<n { magnitudes.base[place + j] = sums.base[j * Self.lanes + i] }
        }
      }
    }
    let start = (row - rows.lowerBound) * columns
    for j in 0..<columns { body(magnitudes.base[start + j]) }
  }

  /// Multiplies eight rows with a tile of columns after the other, and hands the sums on.
  private func forTiles(
    _ rows: Range<Int>, magnitudes: Bool,
    _ body: (
      UnsafePointer<nc_vectors>, UnsafePointer<nc_vectors>, _ row: Int, _ rows: Int, _ column: Int,
      _ columns: Int
    ) -> Void
  ) {
    withOperands { a, b in
      withUnsafePointer(to: a) { a in
        withUnsafePointer(to: b) { b in
          let size = Self.lanes * inputs.a.inner
          let groups = Array(stride(from: rows.lowerBound, to: rows.upperBound, by: Self.lanes))
          for (g, row) in groups.enumerated() {
            nc_matmul0_pack(a, row, Swift.min(Self.lanes, rows.upperBound - row), packed.base + g * size)
          }
          for column in stride(from: 0, to: inputs.b.count, by: tile) {
            let n = Swift.min(tile, inputs.b.count - column)
            for (g, row) in groups.enumerated() {
              nc_matmul0_multiply(packed.base + g * size, b, column, n, magnitudes, sums.base)
              body(a, b, row, Swift.min(Self.lanes, rows.upperBound - row), column, n)
            }
          }
        }
      }
    }
  }
}

extension Truth {
  /// Takes over what the first tier knows of a row; returns the columns that it leaves open.
  mutating func take(_ tier: MatmulTier0, row: Int) -> [Int] {
    let n = rounded.count
    let start = (row - tier.rows.lowerBound) * n
    rounded.withUnsafeMutableBufferPointer {
      $0.baseAddress?.update(from: tier.rounded.base + start, count: n)
    }
    high.withUnsafeMutableBufferPointer { $0.baseAddress?.update(from: tier.value.base + start, count: n) }
    low.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    exponent.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    var open: [Int] = []
    for j in 0..<n {
      let error = tier.error.base[start + j]
      if tier.open.base[start + j] != 0 {
        open.append(j)
      } else if error == 0 {
        certificate.exact += 1
      } else {
        relativeError = Swift.max(relativeError, 1.01 * error)
        certificate.double += 1
      }
    }
    return open
  }
}
