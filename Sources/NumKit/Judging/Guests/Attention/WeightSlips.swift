import NumKitNumbers
import NumKitQuestions
import RealModule

/// What kernels get wrong between scores and outputs: one line a family.
enum AttentionSlipRegistry {
  static let families: [any AttentionSlips.Type] = [
    QuotientSlips.self,
    HiddenKeySlips.self,
    RescaleSlips.self,
    SplitSlips.self,
    CastSlips.self,
  ]

  /// Of results that Double is much more precise than.
  static func slips(_ context: AttentionContext) -> [AttentionSlip] {
    guard context.format.precision <= 24, context.shape.keys > 1, !context.parameters.softmax.isClipped else {
      return []
    }
    return families.flatMap { $0.slips(context) }
  }
}

/// No softmax, or half of one.
enum QuotientSlips: AttentionSlips {
  static func slips(_ context: AttentionContext) -> [AttentionSlip] {
    var list = [
      AttentionSlip(name: "not divided by the sum of exponentials") { q in
        Exponentials(q.scores, sink: q.sink)?.weighted({ _ in 1 }, divisor: 1)
      },
      AttentionSlip(name: "divided by the sum of exponentials twice") { q in
        Exponentials(q.scores, sink: q.sink).map { e in e.weighted({ _ in 1 / e.sum }, divisor: e.sum) }
      },
      AttentionSlip(name: "the mean of the values that are seen") { q in
        let level = q.biases.map { $0 == -.infinity ? $0 : 0 }
        return Exponentials(level, sink: nil).map { e in e.weighted({ _ in 1 }, divisor: e.sum) }
      },
      AttentionSlip(name: "the value of the largest score alone") { q in
        Exponentials(q.scores, sink: nil).map { e in e.weighted({ e.terms[$0] == 1 ? 1 : 0 }, divisor: 1) }
      },
    ]
    for epsilon in [1e-3, 1e-5, 1e-6] {
      list.append(
        AttentionSlip(name: "\(epsilon) added to the sum of exponentials") { q in
          Exponentials(q.scores, sink: q.sink).map { e in e.weighted({ _ in 1 }, divisor: e.sum + epsilon) }
        })
    }
    return list
  }
}

/// Keys that are hidden too late or too little.
enum HiddenKeySlips: AttentionSlips {
  static func slips(_ context: AttentionContext) -> [AttentionSlip] {
    let p = context.parameters
    let mask = p.mask
    guard mask != AttentionMask(alignment: mask.alignment) else { return [] }
    var list = [
      AttentionSlip(name: "mask multiplied after the softmax, not renormalised") { q in
        let all = q.capped.indices.map { q.capped[$0] + (q.isHidden($0) ? 0 : q.biases[$0]) }
        return Exponentials(all, sink: q.sink).map { e in
          e.weighted({ q.isHidden($0) ? 0 : 1 }, divisor: e.sum)
        }
      },
      AttentionSlip(name: "scores multiplied by the mask: hidden ones are 0") { q in
        Exponentials(q.capped.indices.map { q.isHidden($0) ? 0 : q.capped[$0] + q.biases[$0] }, sink: q.sink)
          .map { e in e.weighted({ _ in 1 }, divisor: e.sum) }
      },
    ]
    if let cap = p.softcap {
      list.append(
        AttentionSlip(name: "softcap after the mask: hidden keys count as -cap") { q in
          let scores = q.raw.indices.map { cap * Double.tanh((q.raw[$0] + q.biases[$0]) / cap) }
          return Exponentials(scores, sink: q.sink).map { e in e.weighted({ _ in 1 }, divisor: e.sum) }
        })
    }
    // Where the mask is given these are questions of their own.
    if mask.additive.isEmpty {
      for (name, seen, hidden) in [
        ("mask added as 0 and 1", 1.0, 0.0), ("mask added as 1 and 0, inverted", 0, 1),
      ] {
        list.append(
          AttentionSlip(name: name) { q in
            let scores = q.capped.indices.map { q.capped[$0] + (q.isHidden($0) ? hidden : seen) }
            return Exponentials(scores, sink: q.sink).map { e in e.weighted({ _ in 1 }, divisor: e.sum) }
          })
      }
    }
    return list
  }
}

/// What is summed block by block, of maxima so far, and not brought to a maximum that grew.
enum RescaleSlips: AttentionSlips {
  /// What is not brought to the new maximum.
  private enum Part: String, CaseIterable {
    case output
    case sum
    case both = "sum and output"
  }

  static func slips(_ context: AttentionContext) -> [AttentionSlip] {
    let keys = context.shape.keys
    let sizes = ([1] + (3..<12).map { 1 << $0 }).filter { $0 < keys }
    var list: [AttentionSlip] = []
    for n in sizes {
      let blocks = n == 1 ? "key by key" : "in blocks of \(n)"
      for isBackward in [false, true] {
        let order = isBackward ? ", last block first" : ""
        for part in Part.allCases {
          for missed in Missed.usual {
            list.append(
              AttentionSlip(name: "\(part.rawValue) \(missed.words), \(blocks)\(order)") { q in
                slipped(q, n, isBackward, part, missed)
              })
          }
        }
      }
      // By its number where there are not too many.
      let count = (keys + n - 1) / n
      for k in 1..<Swift.max(1, count) where count <= mostBlocks {
        let place = "block \(k + 1) of \(count), \(blocks)"
        for part in Part.allCases {
          list.append(
            AttentionSlip(name: "\(part.rawValue) not rescaled at \(place)") { q in
              slipped(q, n, false, part, .block(k))
            })
        }
        list.append(AttentionSlip(name: "stale maximum in \(place)") { stale($0, n, k) })
      }
    }
    return list
  }

  /// Rows of so many blocks have a slip for each.
  private static let mostBlocks = 16

  /// Exponentials of block `k` made with the maximum of all before it.
  private static func stale(_ q: QueryInDouble, _ n: Int, _ k: Int) -> SlippedWeights? {
    guard let e = Exponentials(q.scores, sink: nil) else { return nil }
    func top(_ end: Int) -> Double {
      e.scores[..<Swift.min(end, e.scores.count)].reduce(-.infinity) { Swift.max($0, $1) }
    }
    let (before, after) = (top(k * n), top((k + 1) * n))
    guard before > -.infinity else { return nil }
    let excess = Double.exp(after - before)
    func factor(_ j: Int) -> Double { j / n == k ? excess : 1 }
    let sum = e.terms.indices.reduce(0) { $0 + e.terms[$1] * factor($1) }
    return e.weighted(factor, divisor: sum + (q.sink.map { Double.exp($0 - e.maximum) } ?? 0))
  }

  /// When it is not.
  private enum Missed {
    case all, last, first
    case block(Int)

    static let usual: [Missed] = [.all, .last, .first]

    var words: String {
      switch self {
      case .all: "never rescaled"
      case .last: "not rescaled at the last new maximum"
      case .first: "not rescaled at the first new maximum"
      case .block(let k): "not rescaled at block \(k + 1)"
      }
    }
  }

  private static func slipped(
    _ q: QueryInDouble, _ n: Int, _ isBackward: Bool, _ part: Part, _ missed: Missed
  ) -> SlippedWeights? {
    guard let e = Exponentials(q.scores, sink: nil) else { return nil }
    let count = (e.scores.count + n - 1) / n
    var factors = [Double](repeating: 1, count: count)
    // By how much the maximum grows, block by block in their order.
    var steps = [Double](repeating: 0, count: count)
    var grown: [Int] = []
    var m = -Double.infinity
    let order = isBackward ? Array((0..<count).reversed()) : Array(0..<count)
    for k in order {
      let end = Swift.min((k + 1) * n, e.scores.count)
      let top = e.scores[k * n..<end].reduce(-.infinity) { Swift.max($0, $1) }
      guard top > m else { continue }
      if m > -.infinity {
        steps[k] = top - m
        grown.append(k)
      }
      m = top
    }
    let lost: Set<Int> =
      switch missed {
      case .all: Set(grown)
      case .first: Set(grown.prefix(1))
      case .last: Set(grown.suffix(1))
      case .block(let k): Set(grown.filter { $0 == k })
      }
    // What was summed before a block has all later steps that are missed too much.
    var excess = 0.0
    for k in order.reversed() {
      factors[k] = Double.exp(excess)
      if lost.contains(k) { excess += steps[k] }
    }
    let wrong = e.terms.indices.reduce(0) { $0 + e.terms[$1] * factors[$1 / n] }
    let sink = q.sink.map { Double.exp($0 - e.maximum) } ?? 0
    let divisor = (part == .output ? e.sum : wrong) + sink
    return e.weighted({ part == .sum ? 1 : factors[$0 / n] }, divisor: divisor)
  }
}

/// Keys in shares whose answers are put together wrongly.
enum SplitSlips: AttentionSlips {
  static func slips(_ context: AttentionContext) -> [AttentionSlip] {
    let keys = context.shape.keys
    return [2, 4, 8, 16, 32].filter { 2 * $0 <= keys }.flatMap { splits in
      let n = (keys + splits - 1) / splits
      return [
        AttentionSlip(name: "the mean of \(splits) splits") { q in
          guard let e = Exponentials(q.scores, sink: nil) else { return nil }
          let sums = shares(e, n).map { RowSum.sum($0) }
          let seen = sums.count { $0 > 0 }
          return e.weighted({ sums[$0 / n] > 0 ? e.sum / sums[$0 / n] / Double(seen) : 0 }, divisor: e.sum)
        },
        AttentionSlip(name: "\(splits) splits merged without their maxima") { q in
          guard let e = Exponentials(q.scores, sink: nil) else { return nil }
          let tops = shares(e, n).map { $0.reduce(0) { Swift.max($0, $1) } }
          func factor(_ j: Int) -> Double { tops[j / n] > 0 ? 1 / tops[j / n] : 0 }
          return e.weighted(factor, divisor: e.terms.indices.reduce(0) { $0 + e.terms[$1] * factor($1) })
        },
        AttentionSlip(name: "\(splits) splits weighted by their maxima alone") { q in
          guard let e = Exponentials(q.scores, sink: nil) else { return nil }
          let parts = shares(e, n)
          let tops = parts.map { $0.reduce(0) { Swift.max($0, $1) } }
          let sums = parts.map { RowSum.sum($0) }
          return e.weighted(
            { sums[$0 / n] > 0 ? tops[$0 / n] / sums[$0 / n] : 0 }, divisor: tops.reduce(0, +))
        },
      ]
    }
  }

  private static func shares(_ e: Exponentials, _ n: Int) -> [ArraySlice<Double>] {
    stride(from: 0, to: e.terms.count, by: n).map { e.terms[$0..<Swift.min($0 + n, e.terms.count)] }
  }
}

/// Scores or probabilities that go through a format shorter than promised.
enum CastSlips: AttentionSlips {
  static func slips(_ context: AttentionContext) -> [AttentionSlip] {
    let usual = RowPlans.usual(context.format)
    let shorter = [NumberFormat.f16, .bf16, .f8e4m3fn].filter { $0.precision < usual.precision }
    return shorter.flatMap { x in
      // P may be cast to what results are stored in.
      let probabilities: [AttentionSlip] =
        x.precision >= context.format.precision
        ? []
        : [
          AttentionSlip(name: "probabilities in \(x.name)", cast: x) { q in
            Exponentials(q.scores, sink: q.sink).map { e in
              e.weighted({ change(e.terms[$0] / e.sum, x) }, divisor: e.sum)
            }
          },
          AttentionSlip(name: "probabilities in \(x.name), before they are divided by their sum", cast: x) {
            q in
            Exponentials(q.scores, sink: q.sink).map { e in
              e.weighted({ change(e.terms[$0], x) }, divisor: e.sum)
            }
          },
        ]
      guard x != .f8e4m3fn else { return probabilities }
      return probabilities + [
        AttentionSlip(name: "scores in \(x.name)", cast: x) { q in
          Exponentials(q.scores.map { x.round($0) }, sink: q.sink).map { e in
            e.weighted({ _ in 1 }, divisor: e.sum)
          }
        }
      ]
    }
  }

  /// How many times as large a number is once it is rounded.
  private static func change(_ value: Double, _ format: NumberFormat) -> Double {
    value == 0 ? 1 : format.round(value) / value
  }
}
