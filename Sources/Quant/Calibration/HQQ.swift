import CSchemes

/// Half-quadratic quantization (Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023): for each group
/// the scale of its range, and a zero point z that makes Σ|x − x̂|^0.7 small, by turns of shrinking the error and averaging z.
///
/// The grid is asymmetric, of the scheme's bits and groups: codes 0 … 2^b − 1, with a scale and a zero point of 32 bits a group.
struct HQQ: Calibration {
  var name: String { "hqq" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("hqq takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder {
    guard let grid = SymmetricGrid(scheme) else {
      throw CureError.integersOnly(cure: name, scheme: scheme.name)
    }
    let layout = GroupLayout(grid.granularity, rows: tensor.rows, columns: tensor.columns)
    let top = Double(2 * grid.top + 1)
    return ZeroPointCoder(
      layout: layout, top: top, shared: layout.isShared ? try Self.shared(tensor, layout, top) : [],
      sharedBits: layout.count * 64 + tensor.rows * tensor.columns * grid.bits)
  }

  /// The fits of groups that run through all rows: each turn reads the tensor once.
  private static func shared(_ tensor: TensorBands, _ layout: GroupLayout, _ top: Double) throws
    -> [ZeroPointFit]
  {
    var ranges = [(low: Double, high: Double)](repeating: (.infinity, -.infinity), count: layout.sharedCount)
    try tensor.forEach { _, band in
      layout.groups(rows: band.rows).forEachRun { group, elements in
        for i in elements {
          let x = Double(band.values[i])
          ranges[group] = (min(ranges[group].low, x), max(ranges[group].high, x))
        }
      }
    }
    var fits = ranges.map { ZeroPointFit(low: $0.low, high: $0.high, top: top) }
    while fits.contains(where: { !$0.isDone }) {
      try tensor.forEach { _, band in
        layout.groups(rows: band.rows).forEachRun { group, elements in
          if fits[group].isDone { return }
          for i in elements {
            let x = Double(band.values[i])
            fits[group].addSize(of: x)
            fits[group].addStep(of: x)
          }
        }
      }
      for k in fits.indices where !fits[k].isDone {
        if fits[k].judge() { fits[k].step() }
      }
    }
    return fits
  }
}

/// A group's scale, and its zero point as it is being fitted.
struct ZeroPointFit: Sendable {
  private static let power = 0.7
  private static let turns = 20

  private let top: Double
  /// 1 over the scale; 0 where all elements are alike.
  private let inverse: Double
  /// The zero point that is tried, and the best so far.
  private var zero: Double
  private var best: Double
  private var least = Double.infinity
  private var beta = 10.0
  private var turn = 0
  private(set) var isDone: Bool
  private var size = 0.0
  private var sum = 0.0
  private var count = 0

  init(low: Double, high: Double, top: Double) {
    self.top = top
    isDone = !(high > low)
    inverse = isDone ? 0 : top / (high - low)
    zero = -low * inverse
    best = zero
  }

  private func code(_ x: Double, _ zero: Double) -> Double {
    min(max((x * inverse + zero).rounded(.toNearestOrEven), 0), top)
  }

  private func decoded(_ x: Double, _ zero: Double) -> Double {
    Double(Float((code(x, zero) - zero) / inverse))
  }

  /// What becomes of an element.
  func value(_ x: Double) -> Double { inverse == 0 ? x : decoded(x, best) }

  /// Adds an element's error under the zero point tried.
  mutating func addSize(of x: Double) { size += nc_pow((x - decoded(x, zero)).magnitude, Self.power) }

  /// Adds what an element says of the next zero point.
  mutating func addStep(of x: Double) {
    let q = code(x, zero)
    let e = x - (q - zero) / inverse
    // The proximal step of |e|^p: what of the error is given up.
    let shrunk = e == 0 ? 0 : max(e.magnitude - nc_pow(e.magnitude, Self.power - 1) / beta, 0)
    sum += q - (x - (e < 0 ? -shrunk : shrunk)) * inverse
    count += 1
  }

  /// Keeps the zero point that was tried if it is better; returns whether another is to be tried.
  mutating func judge() -> Bool {
    isDone = !(turn == 0 || size < least) || turn == Self.turns
    if turn == 0 || size < least { (best, least) = (zero, size) }
    size = 0
    return !isDone
  }

  /// Goes on to the next one.
  mutating func step() {
    zero = sum / Double(count)
    (sum, count) = (0, 0)
    beta *= 1.01
    turn += 1
  }
}

/// Codes groups between their own ends.
private struct ZeroPointCoder: BandCoder {
  let layout: GroupLayout
  let top: Double
  let shared: [ZeroPointFit]
  let sharedBits: Int
  var rowUnit: Int { layout.unit }

  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    let groups = layout.groups(rows: band.rows)
    let fits = layout.figures(shared, of: band) { band, groups in
      var members = [[Double]](repeating: [], count: groups.count)
      groups.forEachRun { group, elements in members[group] += band.values[elements].map(Double.init) }
      return members.map { x in
        var fit = ZeroPointFit(low: x.min() ?? 0, high: x.max() ?? 0, top: top)
        while !fit.isDone {
          for y in x { fit.addSize(of: y) }
          guard fit.judge() else { break }
          for y in x { fit.addStep(of: y) }
          fit.step()
        }
        return fit
      }
    }
    var decoded = band
    groups.forEachRun { group, elements in
      for i in elements { decoded.values[i] = Float(fits[group].value(Double(band.values[i]))) }
    }
    return (decoded, 0)
  }
}
