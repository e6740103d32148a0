import NumKit

/// q = ⌊x/s + u⌋ with u uniform in [0, 1), so that E[q·s] = x for every x within ± the group's largest: each row has a stream of its
/// own under the seed.
struct StochasticRounding: Calibration {
  var name: String { "stochastic" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("stochastic takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder {
    guard let grid = SymmetricGrid(scheme) else {
      throw CureError.integersOnly(cure: name, scheme: scheme.name)
    }
    let layout = GroupLayout(grid.granularity, rows: tensor.rows, columns: tensor.columns)
    return StochasticCoder(
      grid: grid, layout: layout, shared: try layout.sharedMaxima(tensor), seed: context.seed,
      sharedBits: 8 * (try scheme.byteCount(rows: tensor.rows, columns: tensor.columns)))
  }
}

private struct StochasticCoder: BandCoder {
  let grid: SymmetricGrid
  let layout: GroupLayout
  let shared: [Float]
  let seed: UInt64
  let sharedBits: Int
  var rowUnit: Int { layout.unit }

  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    let groups = layout.groups(rows: band.rows)
    let scales = layout.maxima(shared, band).map(grid.scale)
    var decoded = band
    for row in 0..<band.rows {
      var random = RandomSource(seed: seed, row: firstRow + row)
      for column in 0..<band.columns {
        let i = row * band.columns + column
        let s = Double(scales[groups.group(row: row, column: column)])
        let x = Double(band.values[i]) / s
        let low = x.rounded(.down)
        // 53 random bits: up with probability x − ⌊x⌋.
        let u = Double(random.next() >> 11) * 0x1p-53
        let code = u < x - low ? low + 1 : low
        decoded.values[i] = Float(min(max(code, -Double(grid.top)), Double(grid.top)) * s)
      }
    }
    return (decoded, 0)
  }
}
