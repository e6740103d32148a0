import Foundation
import NumKit
import Testing

/// Backward passes stay within their bounds, on the questions that attack the forward pass and gradients drawn beside them.
@Suite struct BackwardBoundTests {
  @Test func gradientsKeepTheirBounds() throws {
    let worker = try ParallelRows(threads: 2, chunk: 16).reduce(
      count: (SoundnessTests.setting ?? 8_000) / 2, progress: nil, make: { BackwardInvariants() },
      body: {
        try $0.check(HostileAttention(seed: SoundnessTests.seed, number: $1), number: $1)
        try $0.check(HostileAttention(pointed: $1, seed: SoundnessTests.seed), number: $1)
      },
      merge: { $0.merge($1) })
    if SoundnessTests.setting != nil {
      print(
        "gradients: \(worker.rows) rows, \(worker.bounded) with a bound, \(worker.results) results, nearest \(worker.nearest)"
      )
    }
    #expect(worker.violations.isEmpty, "\(worker.violations.count): \(worker.violations.prefix(3))")
    // Bounds that are nowhere would hold everywhere, and so would wide ones.
    #expect(worker.bounded * 4 > worker.rows && worker.nearest > 0.9)
  }

  /// Compute and accumulator of each format.
  private static let plans: [(NumberFormat, NumberFormat)] = [
    (.f32, .f32), (.f16, .f16), (.f16, .f32), (.bf16, .bf16), (.bf16, .f32),
  ]

  /// Two queries with six keys, changed number by number into such as bring an error nearer to its bound: bound / error of the result where
  /// that is smallest. `NUMCHECK_TIGHTNESS=1` prints the table's lines of Documentation/Bounds.md.
  @Test(arguments: [AttentionAlgorithm.standard, .flash]) func gradientsComeNearTheirBounds(
    _ algorithm: AttentionAlgorithm
  ) throws {
    var ratios: [Double] = []
    for (storage, inside) in Self.plans {
      let configuration = KernelConfiguration(storage: .float(storage), compute: inside)
      let runner = AttentionRunner(algorithm, configuration, probabilities: storage, blockKeys: 3)
      let pass = try #require(BackwardRunner(runner))
      var nearest = 0.0
      for start in 0..<12 { nearest = Swift.max(nearest, try Self.climb(pass, storage, start, steps: 120)) }
      ratios.append(1 / nearest)
    }
    if ProcessInfo.processInfo.environment["NUMCHECK_TIGHTNESS"] != nil {
      let figures = ratios.map { String(format: "%.2f", $0) }.joined(separator: " | ")
      print("| attention backward \(algorithm.rawValue) | \(figures) |")
    }
    for ratio in ratios { #expect(ratio >= 1 && ratio <= 16, "\(algorithm): \(ratios)") }
  }

  /// The largest share of a bound that was reached.
  private static func climb(_ pass: BackwardRunner, _ format: NumberFormat, _ start: Int, steps: Int) throws
    -> Double
  {
    let shape = AttentionShape(queries: 2, keys: 6, headSize: 4, valueSize: 2)
    var random = RandomSource(seed: 0xc11b, row: start)
    let parts = [8, 24, 12, 4]
    var best = (0..<48).map { _ in format.round(2 * random.normal()) }
    var height = 0.0
    for step in 0...steps {
      var row = best
      if step > 0 {
        for _ in 0...random.next() % 2 {
          let i = Int(random.next() % 48)
          row[i] = format.round(
            random.next() % 3 == 0
              ? 2 * random.normal() : row[i] + format.ulp(of: row[i]) * random.normal() * 2)
        }
      }
      var all: [[Double]] = []
      var place = 0
      for count in parts {
        all.append(Array(row[place..<place + count]))
        place += count
      }
      guard let tensors = AttentionInputs(q: all[0], k: all[1], v: all[2], shape: shape) else {
        return height
      }
      let share = try share(pass, tensors, all[3], format)
      if share >= height { (best, height) = (row, share) }
    }
    return height
  }

  private static func share(
    _ pass: BackwardRunner, _ tensors: AttentionInputs, _ gradient: [Double], _ format: NumberFormat
  ) throws -> Double {
    let parameters = AttentionParameters()
    guard var errors = BackwardErrors(pass, tensors, gradient: gradient, parameters),
      let made = pass.run(tensors, gradient: gradient, parameters, keyHead: 0)
    else { return 0 }
    let reference = try BackwardReference(tensors, gradient: gradient, parameters, format: format)
    var truth = BackwardTruth()
    reference.answer(keyHead: 0, into: &truth)
    var share = 0.0
    for (part, (rows, results)) in [(truth.q, made.q), (truth.k, made.k), (truth.v, made.v)].enumerated() {
      for (row, answer) in rows.enumerated() {
        let flat = FlatTruth(answer)
        var limits = flat.value
        let kind = flat.value.withUnsafeBufferPointer { t in
          limits.withUnsafeMutableBufferPointer {
            errors.bound(
              ResultRow(part: part, row: row, count: t.count), keyHead: 0, exact: t, into: $0)
          }
        }
        guard kind == .sound else { continue }
        for i in limits.indices where limits[i] > 0 {
          let error = ((results[row * limits.count + i] - flat.value[i]) - flat.remainder[i]).magnitude
          share = Swift.max(share, error / limits[i])
        }
      }
    }
    return share
  }
}

/// One thread's share.
private final class BackwardInvariants {
  var rows = 0
  var bounded = 0
  var results = 0
  var nearest = 0.0
  var violations: [String] = []

  func merge(_ other: BackwardInvariants) {
    rows += other.rows
    bounded += other.bounded
    results += other.results
    nearest = Swift.max(nearest, other.nearest)
    violations += other.violations
  }

  func check(_ question: HostileAttention?, number: Int) throws {
    guard let q = question, q.parameters.isDifferentiable else { return }
    let shape = q.tensors.shape
    let isFinite = [q.tensors.q, q.tensors.k, q.tensors.v].allSatisfy { $0.allSatisfy(\.isFinite) }
    guard isFinite, q.parameters.mask.additive.allSatisfy({ $0 < .infinity }) else { return }
    var random = RandomSource(seed: 0x6ad, row: number)
    let size = [1, 1, 0.01, 30].randomElement(using: &random)!
    let drawn = (0..<shape.heads * shape.queries * shape.valueSize).map { _ in size * random.normal() }
    for (k, runner) in q.runners.enumerated() {
      guard let pass = BackwardRunner(runner) else { continue }
      let gradient = pass.stored(drawn, width: shape.valueSize)
      guard gradient.allSatisfy(\.isFinite),
        var errors = BackwardErrors(pass, q.tensors, gradient: gradient, q.parameters),
        let made = pass.run(q.tensors, gradient: gradient, q.parameters, keyHead: 0)
      else { continue }
      let reference = try BackwardReference(
        q.tensors, gradient: gradient, q.parameters, format: q.format, overflow: q.overflow)
      var truth = BackwardTruth()
      reference.answer(keyHead: 0, into: &truth)
      for (part, (rows, results)) in [(truth.q, made.q), (truth.k, made.k), (truth.v, made.v)].enumerated() {
        for (row, answer) in rows.enumerated() {
          let flat = FlatTruth(answer)
          let width = flat.value.count
          var limits = flat.value
          let kind = flat.value.withUnsafeBufferPointer { t in
            limits.withUnsafeMutableBufferPointer {
              errors.bound(ResultRow(part: part, row: row, count: width), keyHead: 0, exact: t, into: $0)
            }
          }
          self.rows += 1
          guard kind != .none else { continue }
          bounded += 1
          for i in 0..<width {
            let y = results[row * width + i]
            guard y.isFinite else { continue }
            self.results += 1
            let error = ((y - flat.value[i]) - flat.remainder[i]).magnitude
            nearest = Swift.max(nearest, limits[i] > 0 ? error / limits[i] : 0)
            if !(error <= limits[i] + answer.relativeError * flat.value[i].magnitude) {
              violations.append(
                "\(runner.algorithm) part \(part) row \(row) at \(i): \(y) for \(flat.value[i]), error \(error), bound \(limits[i]), dO \(gradient.prefix(4)), \(q.description(k))"
              )
            }
          }
        }
      }
    }
  }
}
