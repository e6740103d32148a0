import NumKit

/// q = ⌊x/s + u⌋ with u uniform in [0, 1), so that E[q·s] = x for every x within ± the group's largest: each row has a stream of its
/// own under the seed.
struct StochasticRounding: Calibration {
  var name: String { "stochastic" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("stochastic takes no number") }
  }

  func quantize(_ matrix: TensorMatrix, scheme: any Scheme, context: CureContext) throws
    -> (decoded: TensorMatrix, bits: Int)
  {
    guard let grid = SymmetricGrid(scheme) else {
      throw CureError.integersOnly(cure: name, scheme: scheme.name)
    }
    let groups = ScaleGroups(grid.granularity, rows: matrix.rows, columns: matrix.columns)
    let scales = groups.maxima(matrix).map(grid.scale)
    var decoded = matrix
    for row in 0..<matrix.rows {
      var random = RandomSource(seed: context.seed, row: row)
      for column in 0..<matrix.columns {
        let i = row * matrix.columns + column
        let s = Double(scales[groups.group(row: row, column: column)])
        let x = Double(matrix.values[i]) / s
        let low = x.rounded(.down)
        // 53 random bits: up with probability x − ⌊x⌋.
        let u = Double(random.next() >> 11) * 0x1p-53
        let code = u < x - low ? low + 1 : low
        decoded.values[i] = Float(min(max(code, -Double(grid.top)), Double(grid.top)) * s)
      }
    }
    return (decoded, 8 * (try scheme.byteCount(rows: matrix.rows, columns: matrix.columns)))
  }
}
