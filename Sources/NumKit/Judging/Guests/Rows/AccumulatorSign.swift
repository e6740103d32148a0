import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// Sums that are numbers of a short format.
///
/// What a row is divided by shows in its results: e^(zᵢ − max)/yᵢ is that sum, to within rounding, for each i, and their mean is known
/// far better. A sum kept in a short format is a number of it, whatever the order of additions; any other is that by chance, with a
/// probability of the width of what is known over the format's spacing, for each row anew.
struct AccumulatorSign: Sign {
  typealias Q = RowQuestion

  private let operation: RowOperation
  private let format: NumberFormat
  private var candidates: [(format: NumberFormat, isOn: Bool, chance: Double)]
  private var rows = 0
  /// Sums that were seen: the same row again is no new evidence.
  private var sums: Set<UInt64> = []

  init(_ context: RowContext) {
    operation = context.operation
    format = context.format
    var formats: [NumberFormat] = [.bf16, .f16]
    if !formats.contains(context.format) && context.format.precision < 11 {
      formats.insert(context.format, at: 0)
    }
    let promised = context.claims.accumulate ?? context.claims.compute ?? RowPlans.usual(context.format)
    candidates = formats.filter { $0.precision < promised.precision && $0.hasZero }.map { ($0, true, 1) }
  }

  mutating func see(_ item: RowQuestion.Item, results y: UnsafeBufferPointer<Double>, truths: [Truth]) {
    guard operation == .softmax || operation == .logSoftmax, item.values.count > 1, let truth = truths.first,
      let (sum, tolerance) = implied(item, y, truth)
    else { return }
    let exact = RowSum(item).sum
    // A sum that is right says nothing of what it was kept in.
    guard (sum - exact).magnitude > 4 * tolerance * exact else { return }
    // Nor does a 1, or what is a number of every format.
    guard (sum - NumberFormat.f8e5m2.round(sum)).magnitude > tolerance * sum || sum > 0x1p15 else { return }
    guard sums.insert(sum.bitPattern >> 30).inserted else { return }
    rows += 1
    for k in candidates.indices where candidates[k].isOn {
      let step = candidates[k].format.ulp(of: sum)
      let distance = (sum - candidates[k].format.round(sum)).magnitude
      candidates[k].isOn = distance <= tolerance * sum
      candidates[k].chance *= Swift.min(1, 2 * tolerance * sum / step)
    }
  }

  /// The sum that results imply, and how far, relatively, it may be off.
  private func implied(_ item: RowQuestion.Item, _ y: UnsafeBufferPointer<Double>, _ truth: Truth) -> (
    Double, Double
  )? {
    let row = RowSum(item)
    guard row.sum.isFinite, row.maximum.isFinite else { return nil }
    var mean = 0.0
    var squares = 0.0
    var n = 0.0
    let least = 2 * format.smallestNormal
    for i in y.indices {
      var ratio: Double
      if operation == .softmax {
        guard y[i] > least, y[i].isFinite, row.terms[i] > 0 else { continue }
        ratio = row.terms[i] / y[i] / row.sum
      } else {
        guard y[i].isFinite, row.z[i].isFinite else { continue }
        ratio = Double.exp(row.z[i] - row.maximum - y[i]) / row.sum
      }
      // Far from what it should be, but then for all alike.
      if n == 0 && !(ratio > 0x1p-20 && ratio < 0x1p20) { return nil }
      n += 1
      let d = ratio - mean
      mean += d / n
      squares += d * (ratio - mean)
    }
    guard n >= 8 else { return nil }
    let deviation = (squares / (n * (n - 1))).squareRoot()
    let known = 4 * deviation / mean + 0x1p-24
    // Not one sum at all.
    guard (squares / n).squareRoot() < 16 * Swift.max(format.unitRoundoff, 0x1p-24) * mean * 4 else {
      return nil
    }
    return (mean * row.sum, known)
  }

  var findings: [HypothesisFit] {
    guard rows > 0, let found = candidates.first(where: { $0.isOn && $0.chance < 1e-9 }) else { return [] }
    let name = found.format.name
    let isOwn = found.format == format ? " (the dtype)" : ""
    let exponent = Int(Double.log10(Swift.max(found.chance, 1e-300)).rounded(.up))
    return [
      HypothesisFit(
        "accumulator \(name)\(isOwn)",
        evidence:
          "the sums that \(rows) rows were divided by are all numbers of \(name), by chance once in 1e\(-exponent)"
      )
    ]
  }
}
