import CSchemes

/// Half-quadratic quantization (Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023): for each group
/// the scale of its range, and a zero point z that makes Σ|x − x̂|^0.7 small, by turns of shrinking the error and averaging z.
///
/// As HQQ 0.2.8 has it: all groups of a tensor stop together, after 20 turns or where the mean |x − x̂| of the tensor has grown, and keep the
/// zero points of the last turn; a range below 10^−4 has scale 1, and no scale is below 1/20000.
///
/// The grid is asymmetric, of the bits and groups of `intN` or `uintN`: codes 0 … 2^b − 1, with a scale and a zero point of 32 bits a group.
struct HQQ: Calibration {
  private static let power = 0.7
  private static let turns = 20
  /// What it weighs the error's part that is kept with: earlier releases let it grow by 1 % a turn.
  private static let beta = 10.0
  var name: String { "hqq" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("hqq takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder {
    guard let integers = scheme as? AffineInteger else {
      throw CureError.integersOnly(cure: name, scheme: scheme.name)
    }
    let layout = GroupLayout(integers.granularity, rows: tensor.rows, columns: tensor.columns)
    var points = ZeroPoints(
      layout, top: Float((1 << integers.bits) - 1),
      sharedBits: layout.count * 64 + tensor.rows * tensor.columns * integers.bits)
    try points.measure(tensor)
    var least = Double.infinity
    for _ in 0..<Self.turns {
      let error = try points.turn(tensor, beta: Self.beta, power: Self.power)
      guard error < least else { break }
      least = error
    }
    return points
  }
}

/// The zero points of all groups on their way: two numbers a group are held, and each turn reads the tensor once. Numbers are Float where
/// the original has them so; means are of Double.
private struct ZeroPoints: BandCoder {
  private let layout: GroupLayout
  private let top: Float
  let sharedBits: Int
  /// 1/s of each group.
  private var inverses: [Float] = []
  private var zeros: [Float] = []
  var rowUnit: Int { layout.unit }

  init(_ layout: GroupLayout, top: Float, sharedBits: Int) {
    (self.layout, self.top, self.sharedBits) = (layout, top, sharedBits)
  }

  /// Calls `body` with each stretch of elements of one group of a band, and the group's number in the tensor.
  private func forEachRun(
    _ band: TensorMatrix, firstRow: Int, _ body: (_ group: Int, _ elements: Range<Int>) -> Void
  ) {
    let groups = layout.groups(rows: band.rows)
    let first = layout.isShared ? 0 : firstRow / layout.unit * groups.across
    groups.forEachRun { body(first + $0, $1) }
  }

  /// Finds each group's range.
  mutating func measure(_ tensor: TensorBands) throws {
    var lowest = [Float](repeating: .infinity, count: layout.count)
    var highest = [Float](repeating: -.infinity, count: layout.count)
    try tensor.forEach(unit: layout.unit) { firstRow, band in
      forEachRun(band, firstRow: firstRow) { group, elements in
        for x in band.values[elements] {
          lowest[group] = min(lowest[group], x)
          highest[group] = max(highest[group], x)
        }
      }
    }
    inverses = zip(lowest, highest).map { low, high in
      high - low <= 1e-4 ? 1 : min(top / (high - low), 2e4)
    }
    zeros = zip(lowest, inverses).map { -$0 * $1 }
  }

  private func code(_ x: Float, _ group: Int) -> Float {
    min(max((x * inverses[group] + zeros[group]).rounded(.toNearestOrEven), 0), top)
  }

  /// One turn; the mean |x − x̂| before it.
  mutating func turn(_ tensor: TensorBands, beta: Double, power: Double) throws -> Double {
    var sums = [Double](repeating: 0, count: layout.count)
    var counts = [Int](repeating: 0, count: layout.count)
    var total = 0.0
    try tensor.forEach(unit: layout.unit) { firstRow, band in
      forEachRun(band, firstRow: firstRow) { group, elements in
        let (inverse, zero) = (inverses[group], zeros[group])
        counts[group] += elements.count
        for x in band.values[elements] {
          let q = code(x, group)
          let e = x - (q - zero) / inverse
          let size = Double(e.magnitude)
          total += size
          // The proximal step of |e|^p: what of the error is given up.
          let shrunk = e == 0 ? 0 : Float(max(size - nc_pow(size, power - 1) / beta, 0))
          sums[group] += Double(q - (x - (e < 0 ? -shrunk : shrunk)) * inverse)
        }
      }
    }
    for group in zeros.indices where counts[group] > 0 {
      zeros[group] = Float(sums[group] / Double(counts[group]))
    }
    return total / Double(max(tensor.rows * tensor.columns, 1))
  }

  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    var decoded = band
    forEachRun(band, firstRow: firstRow) { group, elements in
      let scale = 1 / inverses[group]
      for i in elements { decoded.values[i] = (code(band.values[i], group) - zeros[group]) * scale }
    }
    return (decoded, 0)
  }
}
