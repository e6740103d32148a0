import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Results cut off instead of rounded: all of them half an ulp too small in the mean, whatever else is wrong with them.
///
/// Of a row all results may be too large or too small by one factor (the sum's error; in logarithms, by one term), which shows as an
/// error in ulps in proportion to the significand (the reciprocal of an ulp). What is left of the mean error at a significand of 0 is
/// the rounding's own: 0 to nearest, −1/2 toward zero, +1/2 away from it. A least-squares line in each row tells the two apart. Where
/// results are divided in their own format the quotients themselves tell (`QuotientRounding`), also beside an exponential that errs by
/// more than that in the mean.
struct RoundingSign: Sign {
  typealias Q = RowQuestion

  private static let truncated = "results truncated instead of rounded"
  private static let away = "results rounded away from zero"

  private let format: NumberFormat
  private let operation: RowOperation
  private var intercepts: [(value: Double, weight: Double)] = []
  // Operations with one result a row have no line: their errors are taken together.
  private var pooled: [Double] = []
  private var quotients: QuotientRounding?

  init(_ context: RowContext) {
    format = context.format
    operation = context.operation
    let compute = context.claims.compute ?? RowPlans.usual(format)
    if operation == .softmax && compute == format { quotients = QuotientRounding(format) }
  }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard let truth = truths.first else { return }
    quotients?.see(y)
    let flat = FlatTruth(truth)
    var points: [(x: Double, u: Double)] = []
    for i in y.indices {
      let t = flat.value[i]
      guard y[i].isFinite, t.isFinite, t.magnitude >= 2 * format.smallestNormal, y[i] != 0 else { continue }
      let ulp = format.ulp(of: t)
      let error = ((y[i] - t) - flat.remainder[i]) / ulp * (t < 0 ? -1 : 1)
      points.append(((operation.isLogarithm ? 1 : t.magnitude) / ulp, error))
    }
    if y.count == 1 {
      if let only = points.first { pooled.append(only.u) }
      return
    }
    guard points.count >= 64 else { return }
    let n = Double(points.count)
    let mx = points.reduce(0) { $0 + $1.x } / n
    let mu = points.reduce(0) { $0 + $1.u } / n
    var xx = 0.0
    var xu = 0.0
    for p in points {
      xx += (p.x - mx) * (p.x - mx)
      xu += (p.x - mx) * (p.u - mu)
    }
    guard xx > 1e-6 * n * mx * mx else { return }
    let slope = xu / xx
    var rest = 0.0
    for p in points {
      let e = p.u - mu - slope * (p.x - mx)
      rest += e * e
    }
    let variance = rest / (n - 2) * (1 / n + mx * mx / xx)
    guard variance > 0, variance < 1 else { return }
    intercepts.append((mu - slope * mx, 1 / variance))
  }

  var findings: [HypothesisFit] {
    if let quotients, let way = quotients.way, way != .nearest {
      return [
        HypothesisFit(
          way == .down ? Self.truncated : Self.away,
          evidence: "all \(quotients.count) results of \(quotients.rows) rows are quotients of numbers of"
            + " \(format.name) that were rounded so, and not all are rounded to nearest")
      ]
    }
    let mean: Double
    let deviation: Double
    let rows: Int
    if intercepts.isEmpty {
      guard pooled.count >= 32, pooled.allSatisfy({ $0.magnitude < 4 }) else { return [] }
      let n = Double(pooled.count)
      rows = pooled.count
      mean = pooled.reduce(0, +) / n
      let m = mean
      deviation = (pooled.reduce(0) { $0 + ($1 - m) * ($1 - m) } / (n * (n - 1))).squareRoot()
    } else {
      rows = intercepts.count
      let weights = intercepts.reduce(0) { $0 + $1.weight }
      mean = intercepts.reduce(0) { $0 + $1.value * $1.weight } / weights
      deviation = (1 / weights).squareRoot()
    }
    guard mean.magnitude > 0.35, mean.magnitude < 0.65, deviation < 0.04 else { return [] }
    let shown = (mean * 100).rounded() / 100
    return [
      HypothesisFit(
        mean < 0 ? Self.truncated : Self.away,
        evidence:
          "in \(rows) rows results are off by \(shown) ulp in the mean beside what they all share, to within "
          + "\((deviation * 400).rounded() / 100)")
    ]
  }
}
