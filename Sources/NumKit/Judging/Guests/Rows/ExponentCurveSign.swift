import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// An exponential that is another function: results beside the largest of their row, which is e⁰ divided by the sum, err by what depends
/// on x − max alone, smoothly. A last resort, for it says less than the answer to another question.
struct ExponentCurveSign: Sign {
  typealias Q = RowQuestion

  private let isAsked: Bool
  private let format: NumberFormat
  /// z = (x − max)/τ, and how much the logarithm of the result beside the largest is more than z.
  private var points: [(z: Double, more: Double)] = []

  /// Results of a row that are looked at.
  private static let most = 1024

  init(_ context: RowContext) {
    let tau = context.parameters.temperature
    isAsked = context.operation == .softmax && tau > 0 && tau < .infinity
    format = context.format
  }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard isAsked, let top = item.values.indices.max(by: { item.values[$0] < item.values[$1] }),
      item.values[top].isFinite, y[top] > 0, y[top].isFinite
    else { return }
    let step = Swift.max(1, y.count / Self.most)
    for i in stride(from: 0, to: y.count, by: step) {
      let z = (item.values[i] - item.values[top]) / item.parameters.temperature
      guard z < 0, y[i].isFinite, y[i] > format.smallestNormal / format.unitRoundoff else { continue }
      points.append((z, Double.log(y[i] / y[top]) - z))
    }
  }

  var findings: [HypothesisFit] {
    guard points.count >= 256 else { return [] }
    let sorted = points.sorted { $0.z < $1.z }
    let worst = sorted.reduce(0) { Swift.max($0, $1.more.magnitude) }
    // Rounding errs by some u, with no regard for its neighbours.
    guard worst > 32 * format.unitRoundoff, worst < .infinity, isSmooth(sorted.map(\.more)) else { return [] }
    let count = "\(sorted.count) results beside the largest of their row"
    if let factor = factor(sorted, worst) {
      return [
        HypothesisFit(
          "exponents multiplied by \(shown(factor, 5))", evidence: "\(count) are e to that times (x − max)/τ")
      ]
    }
    if let n = power(sorted, worst) {
      return [
        HypothesisFit("(1 + x/\(n))^\(n) for e^x", evidence: "\(count) are that of (x − max)/τ")
      ]
    }
    return [
      HypothesisFit(
        "a poor exponential",
        evidence:
          "\(count) err by a factor of up to \(shown(Double.exp(worst), 3)), and by the same where x − max is the same"
      )
    ]
  }

  /// Whether neighbours differ by much less than all do: von Neumann's ratio, 1 where they have nothing to do with each other.
  private func isSmooth(_ e: [Double]) -> Bool {
    let n = Double(e.count)
    let mean = e.reduce(0, +) / n
    let variance = e.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
    let steps = zip(e, e.dropFirst()).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / (2 * (n - 1))
    return variance > 0 && steps < 0.02 * variance
  }

  /// The factor of all exponents, where there is one.
  private func factor(_ points: [(z: Double, more: Double)], _ worst: Double) -> Double? {
    let slope =
      points.reduce(0) { $0 + $1.z * $1.more } / points.reduce(0) { $0 + $1.z * $1.z }
    return isNear(points, worst) { slope * $0 } ? 1 + slope : nil
  }

  /// The n of (1 + z/n)^n, where results are of that.
  private func power(_ points: [(z: Double, more: Double)], _ worst: Double) -> Int? {
    (1...20).lazy.map { 1 << $0 }.first { n in
      let n = Double(n)
      return isNear(points, worst) { $0 > -n ? n * Double.log(onePlus: $0 / n) - $0 : .infinity }
    }
  }

  private func isNear(
    _ points: [(z: Double, more: Double)], _ worst: Double, _ curve: (Double) -> Double
  ) -> Bool {
    points.allSatisfy { ($0.more - curve($0.z)).magnitude < 0.05 * worst }
  }

  private func shown(_ x: Double, _ digits: Int) -> String {
    guard x != 0, x.isFinite else { return "\(x)" }
    let scale = Double.pow(10, Double(digits - 1) - Double.log10(x.magnitude).rounded(.down))
    return "\((x * scale).rounded() / scale)"
  }
}
