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

  func quantize(_ matrix: TensorMatrix, scheme: any Scheme, context: CureContext) throws
    -> (decoded: TensorMatrix, bits: Int)
  {
    guard let integers = scheme as? AffineInteger else {
      throw CureError.integersOnly(cure: name, scheme: scheme.name)
    }
    let groups = ScaleGroups(integers.granularity, rows: matrix.rows, columns: matrix.columns)
    var fit = Fit(matrix, groups, top: Float((1 << integers.bits) - 1))
    var least = Double.infinity
    for _ in 0..<Self.turns {
      let error = fit.turn(beta: Self.beta, power: Self.power)
      guard error < least else { break }
      least = error
    }
    return (fit.decoded, groups.count * 64 + matrix.values.count * integers.bits)
  }

  /// The zero points of all groups on their way. Numbers are Float where the original has them so; means are of Double.
  private struct Fit {
    private let matrix: TensorMatrix
    private let groups: ScaleGroups
    private let top: Float
    /// 1/s of each group.
    private var inverses: [Float]
    private var zeros: [Float]

    init(_ matrix: TensorMatrix, _ groups: ScaleGroups, top: Float) {
      self.matrix = matrix
      self.groups = groups
      self.top = top
      var lowest = [Float](repeating: .infinity, count: groups.count)
      var highest = [Float](repeating: -.infinity, count: groups.count)
      groups.forEachRun { group, elements in
        for x in matrix.values[elements] {
          lowest[group] = min(lowest[group], x)
          highest[group] = max(highest[group], x)
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
    mutating func turn(beta: Double, power: Double) -> Double {
      var sums = [Double](repeating: 0, count: groups.count)
      var counts = [Int](repeating: 0, count: groups.count)
      var total = 0.0
      groups.forEachRun { group, elements in
        let (inverse, zero) = (inverses[group], zeros[group])
        counts[group] += elements.count
        for x in matrix.values[elements] {
          let q = code(x, group)
          let e = x - (q - zero) / inverse
          total += Double(e.magnitude)
          // The proximal step of |e|^p: what of the error is given up.
          let size = Double(e.magnitude)
          let shrunk = e == 0 ? 0 : Float(max(size - nc_pow(size, power - 1) / beta, 0))
          sums[group] += Double(q - (x - (e < 0 ? -shrunk : shrunk)) * inverse)
        }
      }
      for group in zeros.indices where counts[group] > 0 {
        zeros[group] = Float(sums[group] / Double(counts[group]))
      }
      return total / Double(max(matrix.values.count, 1))
    }

    var decoded: TensorMatrix {
      var decoded = matrix
      groups.forEachRun { group, elements in
        let scale = 1 / inverses[group]
        for i in elements { decoded.values[i] = (code(matrix.values[i], group) - zeros[group]) * scale }
      }
      return decoded
    }
  }
}
