import Guests
import NumKit
import RealModule

/// Results of fixed random inputs.
struct Sample {
  private(set) var codes: [UInt64] = []
  private(set) var ulp = 0.0
  /// How many no right kernel gives; nil where no bound is derived.
  private(set) var wrong: Int?
  private static let count = 64

  /// Of rows, every result of a few.
  init(_ box: any RowBox, _ traits: [Trait]) throws {
    let n = box.length
    let each = box.kind == .logSumExp ? 1 : n
    let rows = (0..<max(Self.count / each, 2)).map { row in
      var random = RandomSource(seed: 20, row: row)
      return (0..<n).map { _ in box.format.round(random.normal() * 2) }
    }
    let probes = rows.flatMap { row in (0..<each).map { RowProbe(row, place: $0) } }
    let y = try box.read(probes)
    keep(y, probes.map { Self.exact(box.kind, $0) }, box.format)
    let operations: [RowKind: RowOperation] = [
      .softmax: .softmax, .logSoftmax: .logSoftmax, .logSumExp: .logSumExp,
    ]
    guard let operation = operations[box.kind] else { return }
    var asked = RowVerification(
      operation, format: box.format, inputs: box.format, parameters: OperationParameters(), targets: nil)
    asked.triesPlans = false
    asked.claims = Self.claims(traits)
    let held = HeldResults<RowQuestion>(
      [try GuestNumbers.array("results", box.format, [rows.count, each], y)], counts: [each]
    ) { $0.row }
    // There is no bound for every way of computing.
    wrong = try? asked.run("sample", held, on: HeldRows(rows.flatMap { $0 }, length: n)).findings.wrong[0]
      .count
  }

  init(_ box: any DotBox, _ traits: [Trait]) throws {
    let n = box.length
    let rows = (0..<Self.count).map { row in
      var random = RandomSource(seed: 21, row: row)
      return (0..<n).map { _ in box.format.round(random.normal()) }
    }
    let y = try box.products(rows.map { DotProbe($0) })
    keep(
      y,
      rows.map { row in
        var sum = ExactSum()
        for x in row { sum.add(x) }
        return sum.value * box.factor
      }, box.format)
    guard box.factor == 1,
      let inputs = MatmulInputs(
        rows: rows.flatMap { $0 }, columns: [Double](repeating: 1, count: n), inner: n)
    else { return }
    var asked = MatmulVerification(inputs, storage: box.format, format: box.format)
    asked.triesPlans = false
    asked.claims = Self.claims(traits)
    let held = HeldResults<MatmulQuestion>(
      [try GuestNumbers.array("results", box.format, [rows.count, 1], y)], counts: [1]
    ) { $0.row }
    wrong = try? asked.run("sample", held).findings.wrong[0].count
  }

  /// What a kernel was found to compute and sum in, as far as a format is that.
  private static func claims(_ traits: [Trait]) -> Claims {
    func format(_ name: String) -> NumberFormat? {
      guard case .bits(let bits)? = traits.first(where: { $0.name == name })?.value else { return nil }
      return [NumberFormat.bf16, .f16, .f32, .f64].first { $0.precision == bits }
    }
    var claims = Claims()
    claims.compute = format("compute")
    claims.accumulate = format("accumulate")
    return claims
  }

  private mutating func keep(_ results: [Double], _ exact: [Double], _ format: NumberFormat) {
    codes = results.map { format.encode($0) }
    ulp = zip(results, exact).map { ($0 - $1).magnitude / format.ulp(of: $1) }.reduce(0) {
      $1.isNaN ? .infinity : max($0, $1)
    }
  }

  /// In Double, far more exact than results of 24 bits and less.
  private static func exact(_ kind: RowKind, _ probe: RowProbe) -> Double {
    let x = probe.values
    if kind.isExponential {
      let m = x.max() ?? 0
      let sum = x.reduce(0) { $0 + Double.exp($1 - m) }
      switch kind {
      case .logSumExp: return m + Double.log(sum)
      case .logSoftmax: return x[probe.place] - m - Double.log(sum)
      default: return Double.exp(x[probe.place] - m) / sum
      }
    }
    let n = Double(x.count)
    let mean = kind == .layerNorm ? x.reduce(0, +) / n : 0
    let square = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
    return (x[probe.place] - mean) / (square + 1e-5).squareRoot()
  }
}
