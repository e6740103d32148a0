import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// Rotary positions as one kernel makes them, every position of a context: how far each is off, from where on neighbours are one, and
/// what it does to scores. Held against exact frequencies and sines to within 10⁻¹⁴.
package struct RotaryStudy: Sendable {
  /// What is asked; its positions are not used.
  package var formula: RotaryFormula
  /// Numbers in a row.
  package var dimensions: Int
  /// Positions 0 … count − 1.
  package var count: Int
  /// A sine, cosine or score (relative to |q||k|) is off beyond this.
  package var limit: Double
  /// Of queries and keys.
  package var seed: UInt64
  package var threads: Int

  package init(
    _ formula: RotaryFormula, dimensions: Int, count: Int, limit: Double, seed: UInt64, threads: Int = 1
  ) {
    (self.formula, self.dimensions, self.count) = (formula, dimensions, count)
    (self.limit, self.seed, self.threads) = (limit, seed, threads)
    self.formula.positions = RowPositions(from: 0, period: count)
  }

  /// Positions from a power of two to the next.
  package struct Octave: Sendable {
    /// The first; 0 stands with 1.
    package var from: Int
    /// The largest error of a sine or cosine.
    package var error = 0.0
    /// The largest error of a score of a query here, relative to |q||k|, of the queries and keys tried.
    package var score = 0.0
  }

  /// What was found.
  package struct Outcome: Sendable {
    /// The first m whose sines and cosines are all those of m + 1.
    package var firstAlike: Int?
    /// The first with a sine or cosine that is off beyond the limit, and its pair.
    package var firstOff: (position: Int, pair: Int)?
    /// The first with one that is NaN or infinite.
    package var firstNotFinite: Int?
    /// By octaves of the position.
    package var octaves: [Octave]

    /// The largest error of a sine or cosine.
    package var largestError: Double { octaves.reduce(0) { Swift.max($0, $1.error) } }
    /// The largest error of a score.
    package var largestScore: Double { octaves.reduce(0) { Swift.max($0, $1.score) } }
    /// Where the first octave begins whose scores are off beyond a limit.
    package func scoresOff(beyond limit: Double) -> Int? { octaves.first { $0.score > limit }?.from }
  }

  /// Looks at one kernel.
  ///
  /// - Throws: `FormulaError` where a format cannot be computed in.
  package func run(_ algorithm: FormulaAlgorithm<RotaryFormula>, _ configuration: KernelConfiguration) throws
    -> Outcome
  {
    let proven = formula.frequencies.proven(dimensions: dimensions)
    let block = 256
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: (count + block - 1) / block, progress: nil,
      make: {
        guard let runner = FormulaRunner(algorithm, configuration, formula: formula) else {
          throw FormulaError.cannotCompute(algorithm.name, configuration)
        }
        return Worker(self, runner, configuration, proven.thetas, proven.amplitude)
      },
      body: { worker, b in worker.look(at: b * block..<Swift.min((b + 1) * block, count)) },
      merge: { $0.merge($1) })
    return worker.outcome
  }

  private final class Worker {
    let study: RotaryStudy
    let runner: FormulaRunner<RotaryFormula>
    let configuration: KernelConfiguration
    let thetas: [(high: Double, low: Double)]
    let amplitude: Double
    var outcome: Outcome
    private let unit: [Double]
    private var last: [Double]
    private var turned: [Double]
    private var other: [Double]
    private var trace = StageTrace()

    init(
      _ study: RotaryStudy, _ runner: FormulaRunner<RotaryFormula>, _ configuration: KernelConfiguration,
      _ thetas: [(high: Double, low: Double)], _ amplitude: Double
    ) {
      self.study = study
      self.runner = runner
      self.configuration = configuration
      self.thetas = thetas
      self.amplitude = amplitude
      let d = study.dimensions
      outcome = Outcome(octaves: RotaryStudy.octaves(study.count))
      // A pair (1, 0) is turned to (cos, sin), without another rounding.
      var unit = [Double](repeating: 0, count: d)
      for i in 0..<d / 2 { unit[study.formula.pairing.places(i, dimensions: d).0] = 1 }
      self.unit = unit
      last = unit
      turned = unit
      other = unit
    }

    private func turn(_ x: [Double], at position: Int, into y: inout [Double]) {
      trace.startRow(position)
      x.withUnsafeBufferPointer { x in
        y.withUnsafeMutableBufferPointer { runner.run(position, x, into: $0, trace: &trace) }
      }
    }

    func look(at positions: Range<Int>) {
      turn(unit, at: positions.lowerBound, into: &last)
      for m in positions {
        let place = RotaryStudy.octave(of: m)
        hold(last, at: m, place)
        if isSampled(m) { outcome.octaves[place].score = Swift.max(outcome.octaves[place].score, score(m)) }
        if m + 1 >= study.count { break }
        turn(unit, at: m + 1, into: &turned)
        if turned == last, outcome.firstAlike.map({ m < $0 }) ?? true { outcome.firstAlike = m }
        swap(&turned, &last)
      }
    }

    /// Whether scores are looked at here: the first and last four of an octave, and some between.
    private func isSampled(_ m: Int) -> Bool {
      let from = m == 0 ? 0 : 1 << (Int.bitWidth - 1 - m.leadingZeroBitCount)
      let step = Swift.max(1, from / 32)
      return m - from < 4 || 2 * from - m <= 4 || m % step == 0
    }

    /// cos and sin of mθ to 10⁻¹⁴.
    private func exact(_ theta: (high: Double, low: Double), _ m: Int) -> (cos: Double, sin: Double) {
      let n = Double(m)
      let high = n * theta.high
      let low = (-high).addingProduct(n, theta.high) + n * theta.low
      let (c, s) = (Double.cos(high), Double.sin(high))
      return (c - low * s, s + low * c)
    }

    private func hold(_ y: [Double], at m: Int, _ place: Int) {
      for i in thetas.indices {
        let (first, second) = study.formula.pairing.places(i, dimensions: study.dimensions)
        let (c, s) = exact(thetas[i], m)
        let error = Swift.max((y[first] - amplitude * c).magnitude, (y[second] - amplitude * s).magnitude)
        // The larger of a number and NaN may be either.
        guard y[first].isFinite && y[second].isFinite else {
          if outcome.firstNotFinite.map({ m < $0 }) ?? true { outcome.firstNotFinite = m }
          outcome.octaves[place].error = .infinity
          continue
        }
        outcome.octaves[place].error = Swift.max(outcome.octaves[place].error, error)
        if error > study.limit, outcome.firstOff.map({ (m, i) < ($0.position, $0.pair) }) ?? true {
          outcome.firstOff = (m, i)
        }
      }
    }

    /// The largest error of scores between a query at m and keys at and before it, relative to |q||k|.
    private func score(_ m: Int) -> Double {
      var random = RandomSource(seed: study.seed, row: m)
      func drawn() -> [Double] {
        (0..<study.dimensions).map { _ in configuration.storage.numberFormat?.round(random.normal()) ?? 0 }
      }
      let (q, k) = (drawn(), drawn())
      let size = (q.reduce(0) { $0 + $1 * $1 } * k.reduce(0) { $0 + $1 * $1 }).squareRoot()
      turn(q, at: m, into: &turned)
      var worst = 0.0
      for distance in [0, 1, 16, 256] where distance <= m {
        turn(k, at: m - distance, into: &other)
        var computed = 0.0
        var wanted = 0.0
        for i in thetas.indices {
          let (first, second) = study.formula.pairing.places(i, dimensions: study.dimensions)
          computed += turned[first] * other[first] + turned[second] * other[second]
          let (c, s) = exact(thetas[i], distance)
          wanted += (q[first] * k[first] + q[second] * k[second]) * c
          wanted -= (q[second] * k[first] - q[first] * k[second]) * s
        }
        let error = (computed - amplitude * amplitude * wanted).magnitude / size
        worst = error.isNaN ? .infinity : Swift.max(worst, error)
      }
      return worst
    }

    func merge(_ other: Worker) {
      let theirs = other.outcome
      func earlier(_ a: Int?, _ b: Int?) -> Int? { [a, b].compactMap { $0 }.min() }
      outcome.firstAlike = earlier(outcome.firstAlike, theirs.firstAlike)
      outcome.firstNotFinite = earlier(outcome.firstNotFinite, theirs.firstNotFinite)
      if let off = theirs.firstOff,
        outcome.firstOff.map({ (off.position, off.pair) < ($0.position, $0.pair) }) ?? true
      {
        outcome.firstOff = off
      }
      for i in outcome.octaves.indices {
        outcome.octaves[i].error = Swift.max(outcome.octaves[i].error, theirs.octaves[i].error)
        outcome.octaves[i].score = Swift.max(outcome.octaves[i].score, theirs.octaves[i].score)
      }
    }
  }

  /// Which octave a position is in.
  private static func octave(of m: Int) -> Int { m < 2 ? 0 : Int.bitWidth - 1 - m.leadingZeroBitCount }

  private static func octaves(_ count: Int) -> [Octave] {
    (0...octave(of: Swift.max(count - 1, 1))).map { Octave(from: 1 << $0) }
  }
}
