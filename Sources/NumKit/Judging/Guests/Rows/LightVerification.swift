import CJudging
import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Softmax in bulk: rows whose results are all well within what a right kernel may err by are only measured. All others, and some all
/// over, are left to those who derive bounds.
///
/// A kernel that subtracts the maximum, adds one exponential after the other and divides, all of it in f32, may err by at least
/// p·(u·(max − x) + u + u·Σₖ Sₖ) with u = 2⁻²⁴ and Sₖ its partial sums over the whole: the exponent's rounding, the quotient's, and that
/// of each addition (Documentation/Bounds.md). This, less a millionth, costs nothing; where it is among the plans that a kernel may
/// have, what is within it is within the widest of their bounds.
struct LightVerification: Sendable {
  private let format: NumberFormat
  private let overflow: Overflow

  /// Work below this is not worth it.
  private static let leastResults = 1 << 20

  /// nil where it does not apply.
  init?(_ v: RowVerification, rows: Int, length: Int) {
    let compute = v.claims.compute ?? RowPlans.usual(v.format)
    guard v.operation == .softmax, v.parameters.temperature == 1, !v.roundsInputs, compute == .f32,
      (v.claims.accumulate ?? compute) == .f32, v.claims.algorithm == nil || v.claims.algorithm == "shifted",
      v.format.precision <= 24, v.format.hasZero, v.inputs.precision <= 24, v.overflow == .special,
      rows >= 256, rows * length >= Self.leastResults
    else { return nil }
    format = v.format
    overflow = v.overflow
  }

  /// What was measured, and the rows that are left.
  struct Found: Portable {
    var statistics: ErrorStatistics
    var certificate = Certificate()
    var left: [Int] = []

    mutating func merge(_ other: Found) {
      statistics.merge(other.statistics)
      certificate.merge(other.certificate)
      left += other.left
    }

    mutating func carry(_ c: inout Carrier) throws {
      try c.carry(&statistics)
      try c.carry(&certificate)
      try c.carry(&left, blank: 0) { try $0.carry(count: &$1) }
    }
  }

  /// Measures all rows but those that some bound must be derived for in any case, `apart`. Where several processes share the rows, those
  /// with a share only throw `SharedElsewhere`: what is left is of who puts shares together.
  func run(
    on rows: some RowSource, _ results: any ResultSource<RowQuestion>, apart: Set<Int>, threads: Int,
    progress: (@Sendable (Int) -> Void)?
  ) throws -> Found {
    let isPart = Sharing.isPartial
    var found = try Sharing.share(
      "light", units: rows.rowCount, make: { Found(statistics: ErrorStatistics(overflow: overflow)) },
      work: { range in
        try ParallelRows(threads: threads, chunk: 16).reduce(
          count: range.count, progress: progress,
          make: { Worker(format, overflow, length: rows.length) },
          body: { worker, k in
            let row = range.lowerBound + k
            if !apart.contains(row) { return try worker.measure(row, of: rows, results) }
            worker.found.left.append(row)
            // Who watches what is read sees every row in one of the shares.
            if isPart { try worker.read(row, of: rows) }
          }, merge: { $0.found.merge($1.found) }
        ).found
      }, merge: { $0.merge($1) })
    if isPart { throw SharedElsewhere() }
    found.left.sort()
    return found
  }

  private final class Worker {
    var found: Found
    private let format: NumberFormat
    private let light = LightTruth()
    private var item: RowQuestion.Item
    private var narrow: [Float]
    private var y: [Double]
    private var truth = Truth()
    private var flat = FlatTruth()

    init(_ format: NumberFormat, _ overflow: Overflow, length: Int) {
      self.format = format
      found = Found(statistics: ErrorStatistics(overflow: overflow))
      item = RowQuestion.Item(values: Array(repeating: 0, count: length))
      narrow = Array(repeating: 0, count: length)
      y = Array(repeating: 0, count: length)
    }

    func read(_ row: Int, of rows: some RowSource) throws {
      item.row = row
      try item.values.withUnsafeMutableBufferPointer { try rows.read(row, into: $0) }
    }

    func measure(_ row: Int, of rows: some RowSource, _ results: any ResultSource<RowQuestion>) throws {
      try read(row, of: rows)
      try y.withUnsafeMutableBufferPointer { try results.results(of: item, into: $0) }
      if !isWithin() { return found.left.append(row) }
      flat.update(truth)
      y.withUnsafeBufferPointer {
        found.statistics.add(
          row: row, computed: $0, truth: truth, flat: flat, unit: .ulp(format), bounds: nil)
      }
      found.certificate.merge(truth.certificate)
    }

    private func isWithin() -> Bool {
      let n = y.count
      let isSame = item.values.withUnsafeBufferPointer { x in
        narrow.withUnsafeMutableBufferPointer { narrow in
          var differ = 0
          for i in 0..<n {
            let f = Float(x[i])
            narrow[i] = f
            differ &+= Double(f) == x[i] ? 0 : 1
          }
          return differ == 0
        }
      }
      guard isSame, let maximum = narrow.withUnsafeBufferPointer({ light.answer($0, format, into: &truth) })
      else { return false }
      return item.values.withUnsafeBufferPointer { x in
        truth.high.withUnsafeBufferPointer { p in
          y.withUnsafeBufferPointer { y in
            guard let x = x.baseAddress, let p = p.baseAddress, let y = y.baseAddress else { return false }
            let u = 0x1p-24
            let margin = 1 - 0x1p-20
            let stored = format == .f32 ? 0 : format.unitRoundoff
            let constant = margin * (u + stored + u * nc_additions(p, n))
            return nc_within(y, x, p, maximum, constant, margin * u, format == .f32 ? 0x1p-151 : 0, n) != 0
          }
        }
      }
    }
  }
}

extension GuestFindings {
  /// With results besides that were measured, and none of which is wrong.
  func adding(_ light: LightVerification.Found, items: Int, format: NumberFormat) -> GuestFindings {
    var entry = measurement.entries[0]
    entry.parts[0].kernel.merge(light.statistics)
    entry.parts[0].total.merge(light.statistics)
    entry.parts[0].verdict = Verdict(
      entry.parts[0].kernel, inherent: measurement.inherent[0], inherentShare: measurement.inherentShare[0],
      bound: entry.parts[0].bound,
      unit: .ulp(format))
    var certificate = measurement.certificate
    certificate.merge(light.certificate)
    var all = GuestFindings(
      measurement: Measurement(
        entries: [entry], certificate: certificate, inherent: measurement.inherent,
        inherentUlp: measurement.inherentUlp, inherentShare: measurement.inherentShare,
        inputsRounded: measurement.inputsRounded,
        overflowedInputs: measurement.overflowedInputs, overflowedItems: measurement.overflowedItems,
        items: items), wrong: wrong)
    all.fits = fits
    all.hypotheses = hypotheses
    return all
  }
}
