import Foundation
import NumKit
import Testing

/// How near backward passes come to their bounds; that they stay within is in `SoundnessTests`.
@Suite struct BackwardBoundTests {
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
    let item = AttentionBackward.Item(tensors: tensors, gradient: gradient, keyHead: 0)
    guard
      var errors = BackwardErrorModel(
        pass, tensors, gradient: gradient, parameters, isOrdered: true),
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
              ResultRow(part: part, row: row, count: t.count), of: item, (), exact: t, into: $0)
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
