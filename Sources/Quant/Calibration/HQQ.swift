import CSchemes

/// Half-quadratic quantization (Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023): for each group
/// the scale of its range, and a zero point z that makes Σ|x − x̂|^0.7 small, by turns of shrinking the error and averaging z.
///
/// The grid is asymmetric, of the scheme's bits and groups: codes 0 … 2^b − 1, with a scale and a zero point of 32 bits a group.
struct HQQ: Calibration {
  private static let power = 0.7
  private static let turns = 20
  var name: String { "hqq" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("hqq takes no number") }
  }

  func quantize(_ matrix: TensorMatrix, scheme: any Scheme, context: CureContext) throws
    -> (decoded: TensorMatrix, bits: Int)
  {
    guard let grid = SymmetricGrid(scheme) else {
      throw CureError.integersOnly(cure: name, scheme: scheme.name)
    }
    let groups = ScaleGroups(grid.granularity, rows: matrix.rows, columns: matrix.columns)
    var members = [[Int]](repeating: [], count: groups.count)
    groups.forEachRun { group, elements in members[group] += Array(elements) }
    var decoded = matrix
    let top = Double(2 * grid.top + 1)
    for group in members {
      let x = group.map { Double(matrix.values[$0]) }
      for (i, y) in zip(group, Self.fit(x, top: top)) { decoded.values[i] = Float(y) }
    }
    return (decoded, groups.count * 64 + matrix.values.count * grid.bits)
  }

  /// The decoded values of a group.
  private static func fit(_ x: [Double], top: Double) -> [Double] {
    guard let low = x.min(), let high = x.max(), high > low else { return x }
    let inverse = top / (high - low)
    var zero = -low * inverse
    func codes(_ z: Double) -> [Double] {
      x.map { min(max(($0 * inverse + z).rounded(.toNearestOrEven), 0), top) }
    }
    func values(_ z: Double) -> [Double] { codes(z).map { Double(Float(($0 - z) / inverse)) } }
    func size(_ y: [Double]) -> Double {
      zip(x, y).reduce(0) { $0 + nc_pow(($1.0 - $1.1).magnitude, power) }
    }
    var best = values(zero)
    var least = size(best)
    var beta = 10.0
    for _ in 0..<turns {
      let q = codes(zero)
      var sum = 0.0
      for k in x.indices {
        let e = x[k] - (q[k] - zero) / inverse
        // The proximal step of |e|^p: what of the error is given up.
        let shrunk = e == 0 ? 0 : max(e.magnitude - nc_pow(e.magnitude, power - 1) / beta, 0)
        sum += q[k] - (x[k] - (e < 0 ? -shrunk : shrunk)) * inverse
      }
      zero = sum / Double(x.count)
      let y = values(zero)
      let found = size(y)
      guard found < least else { break }
      (best, least) = (y, found)
      beta *= 1.01
    }
    return best
  }
}
