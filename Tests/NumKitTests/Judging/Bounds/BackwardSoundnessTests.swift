import NumKit
import Testing

extension SoundnessTests {
  /// Attention's gradients: no kernel exceeds its bound, in the order of its sums or in any.
  @Test func gradientsKeepBothInvariants() throws {
    let worker = try ParallelRows(threads: 2, chunk: 16).reduce(
      count: (Self.setting ?? 8_000) / 2, progress: nil, make: { BackwardInvariants() },
      body: {
        try $0.check(HostileAttention(seed: Self.seed &+ 77, number: $1), number: $1)
        try $0.check(HostileAttention(pointed: $1, seed: Self.seed), number: $1)
      },
      merge: { $0.tally.merge($1.tally) })
    worker.tally.report("gradients", seed: Self.seed, isLong: Self.setting != nil)
    #expect(worker.tally.violations.isEmpty, "\(worker.tally.listed)")
    #expect(worker.tally.sound * 8 > worker.tally.runs)
  }
}

/// One thread's share of attention's gradients.
final class BackwardInvariants {
  var tally = Tally()

  func check(_ question: HostileAttention?, number: Int) throws {
    guard let q = question, q.parameters.isDifferentiable,
      case .float(let storage) = q.runners[0].configuration.storage
    else { return }
    var random = RandomSource(seed: 0xbac4, row: number)
    let tensors = Self.grouped(q.tensors, &random)
    let shape = tensors.shape
    guard q.parameters.fits(shape) else { return }
    let gradient = Self.gradient(tensors, &random).map { storage.round($0, overflow: q.overflow) }
    // What overflowed has no gradient.
    guard
      let reference = try? BackwardReference(
        tensors, gradient: gradient, q.parameters, format: q.format, overflow: q.overflow)
    else { return }
    tally.triples.insert(q.triple)
    var truth = BackwardTruth()
    reference.answer(keyHead: 0, into: &truth)
    let item = AttentionBackward.Item(tensors: tensors, gradient: gradient, keyHead: 0)
    var rows: [ResultRow] = []
    AttentionBackward(q.parameters).layout(of: item, into: &rows)
    let judges = (truth.q + truth.k + truth.v).map { Judge($0, q.format, q.overflow) }
    for (k, forward) in q.runners.enumerated() {
      guard let runner = BackwardRunner(forward),
        let made = runner.run(tensors, gradient: gradient, q.parameters, keyHead: 0)
      else { continue }
      let all = made.q + made.k + made.v
      for isOrdered in [true, false] {
        var model = BackwardErrorModel(
          runner, tensors, gradient: gradient, q.parameters, isOrdered: isOrdered)
        var start = 0
        for (row, judge) in zip(rows, judges) {
          tally.rows += 1
          let y = Array(all[start..<start + row.count])
          start += row.count
          var limits = judge.right
          let bound =
            limits.withUnsafeMutableBufferPointer { limits in
              judge.flat.value.withUnsafeBufferPointer {
                model?.bound(row, of: item, (), exact: $0, into: limits)
              }
            } ?? RowBound.none
          judge.check(
            "\(forward.algorithm) \(isOrdered ? "" : "in any order ")\(AttentionGradient.allCases[row.part])",
            y,
            bound, limits, wentWrong: false,
            "row \(row.row), \(q.description(k)), heads \(shape.heads), dO \(gradient.prefix(8))", &tally)
        }
      }
    }
  }

  /// The same queries for one head or for two that share their keys.
  private static func grouped(_ t: AttentionInputs, _ random: inout RandomSource) -> AttentionInputs {
    guard random.next() % 3 == 0 else { return t }
    var shape = t.shape
    shape.heads = 2
    let sign: Double = random.next() % 2 == 0 ? 1 : -1
    return AttentionInputs(q: t.q + t.q.map { sign * $0 }, k: t.k, v: t.v, shape: shape) ?? t
  }

  /// dO: random, or such that D and differences from it cancel.
  private static func gradient(_ t: AttentionInputs, _ random: inout RandomSource) -> [Double] {
    let s = t.shape
    let count = s.heads * s.queries * s.valueSize
    let size = [1, 1, 0.01, 100].randomElement(using: &random)!
    let kind = random.next() % 5
    return (0..<count).map { i in
      switch kind {
      case 0: random.next() % 4 == 0 ? size : 0
      case 1: size * (i % 2 == 0 ? 1 : -1)
      case 2: size * (t.v[i % t.v.count].isFinite ? t.v[i % t.v.count] : 1)
      case 3: size * 0x1p-20 * random.normal()
      default: size * random.normal()
      }
    }
  }
}
