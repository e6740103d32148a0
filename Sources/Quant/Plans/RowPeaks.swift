/// How large the numbers of a tensor are, row by row: what a sample must not miss.
///
/// A block's error grows with its largest number, and a few weights far above all others are usual ("super weights": Yu et al., arXiv
/// 2411.07191): one row may make most of a tensor's error, and no standard error knows of a row that a sample left out.
struct RowPeaks {
  private static let block = 32

  private let columns: Int
  /// Σ of the squared peaks of a row's blocks.
  private var sizes: [Float]

  init(rows: Int, columns: Int) {
    self.columns = columns
    sizes = Array(repeating: 0, count: rows)
  }

  /// Adds a band of whole rows; numbers that are not finite count as 0.
  mutating func add(_ firstRow: Int, _ band: UnsafeBufferPointer<Float>) {
    guard columns > 0 else { return }
    for row in 0..<band.count / columns {
      var sum: Float = 0
      for start in stride(from: row * columns, to: (row + 1) * columns, by: Self.block) {
        let peak = Self.peak(.init(rebasing: band[start..<min(start + Self.block, (row + 1) * columns)]))
        sum += peak * peak
      }
      sizes[firstRow + row] = sum
    }
  }

  private static func peak(_ x: UnsafeBufferPointer<Float>) -> Float {
    var wide = SIMD16<Float>.zero
    let whole = x.count / 16 * 16
    let bytes = UnsafeRawBufferPointer(x)
    for start in stride(from: 0, to: whole, by: 16) {
      let bits = bytes.loadUnaligned(fromByteOffset: 4 * start, as: SIMD16<UInt32>.self)
      let size = unsafeBitCast(bits & 0x7fff_ffff, to: SIMD16<Float>.self)
      wide.replace(with: size, where: (size .> wide) .& (size .< .infinity))
    }
    var peak = wide.max()
    for i in whole..<x.count where x[i].magnitude > peak && x[i].isFinite { peak = x[i].magnitude }
    return peak
  }

  /// The runs of `unit` rows with the largest numbers, `count` of them, ascending.
  func largest(_ count: Int, unit: Int) -> [Int] {
    let runs = stride(from: 0, to: sizes.count, by: unit).map { start in
      sizes[start..<min(start + unit, sizes.count)].reduce(0, +)
    }
    let order = runs.indices.sorted { (runs[$1], $0) < (runs[$0], $1) }
    return order.prefix(count).sorted()
  }
}
