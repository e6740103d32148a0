import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// Gradients by another formula than the derivative's. What a slip would give is computed in Double and compared: far nearer to one than to
/// the truth says so.
struct GradientSign: Sign {
  typealias Q = AttentionBackward

  private let parameters: AttentionParameters
  private let tolerance: Double
  /// So many products are looked at: a handful of heads, or a part of a large one.
  private var budget = 0x1p28
  /// By name and part: Σ |result − slip|², Σ |result − truth|², Σ |truth|².
  private var found: [String: [Distances]] = [:]
  private var order: [String] = []

  fileprivate struct Distances {
    var slip = 0.0
    var truth = 0.0
    var size = 0.0
    var isFinite = true
  }

  init(_ parameters: AttentionParameters, _ format: NumberFormat) {
    self.parameters = parameters
    tolerance = Swift.min(0.04, 256 * format.unitRoundoff)
  }

  mutating func see(
    _ item: AttentionBackward.Item, results: UnsafeBufferPointer<Double>, truths: [Truth]
  ) {
    let s = item.tensors.shape
    budget -= Double(s.group * s.queries * s.keys * (s.headSize + s.valueSize) * 8)
    guard budget > 0 else { return }
    let truth = truths.flatMap(\.rounded)
    let head = HeadInDouble(item, parameters)
    let sizes = [s.group * s.queries * s.headSize, s.keys * s.headSize, s.keys * s.valueSize]
    for slip in GradientSlip.all {
      guard let made = slip.make(head) else { continue }
      if found[slip.name] == nil {
        order.append(slip.name)
        found[slip.name] = Array(repeating: Distances(), count: 3)
      }
      var start = 0
      for part in 0..<3 {
        defer { start += sizes[part] }
        guard let numbers = made[part], numbers.count == sizes[part] else { continue }
        for i in 0..<sizes[part] {
          let (y, t) = (results[start + i], truth[start + i])
          found[slip.name]?[part].add(result: y, slip: numbers[i], truth: t)
        }
      }
    }
  }

  var findings: [HypothesisFit] {
    var best = [Double](repeating: .infinity, count: 3)
    var fits: [(name: String, parts: [(Int, Distances)])] = []
    for name in order {
      guard let all = found[name] else { continue }
      let parts = all.indices.filter { all[$0].fits(tolerance) }
      for part in parts { best[part] = Swift.min(best[part], all[part].slip) }
      if !parts.isEmpty { fits.append((name, parts.map { ($0, all[$0]) })) }
    }
    // Of slips that are alike the nearest.
    return fits.compactMap { name, parts in
      let own = parts.filter { $0.1.slip <= 2 * best[$0.0] }
      guard !own.isEmpty else { return nil }
      let said = own.map { part, d in
        "\(AttentionGradient.allCases[part].rawValue) is within \(Self.share(d.slip, d.size)) of that, and "
          + "\(Self.share(d.truth, d.size)) from the truth"
      }
      return HypothesisFit(name, evidence: said.joined(separator: "; "))
    }
  }

  private static func share(_ square: Double, _ size: Double) -> String {
    let x = 100 * (square / size).squareRoot()
    return x < 0.01 ? "0.01 %" : "\((x * 100).rounded() / 100) %"
  }
}

extension GradientSign.Distances {
  fileprivate mutating func add(result: Double, slip other: Double, truth exact: Double) {
    guard result.isFinite, exact.isFinite, other.isFinite else {
      isFinite = isFinite && !result.isFinite && !exact.isFinite
      return
    }
    slip += (result - other) * (result - other)
    truth += (result - exact) * (result - exact)
    size += exact * exact
  }

  fileprivate func fits(_ tolerance: Double) -> Bool {
    isFinite && size > 0 && slip <= tolerance * tolerance * size
      && truth > Swift.max(16 * tolerance * tolerance * size, 64 * slip)
  }
}

/// One key head's numbers in Double, query after query: what slips are made of.
struct HeadInDouble {
  let shape: AttentionShape
  let scale: Double
  /// Probabilities, dP, tanh's slope and probabilities of hidden keys as well, [group·queries, keys].
  private(set) var p: [Double]
  private(set) var dP: [Double]
  private(set) var slope: [Double]
  private(set) var unmasked: [Double]
  /// D of each query.
  private(set) var level: [Double]
  let q: ArraySlice<Double>
  let k: ArraySlice<Double>
  let gradient: ArraySlice<Double>

  var rows: Int { level.count }

  init(_ item: AttentionBackward.Item, _ parameters: AttentionParameters) {
    let s = item.tensors.shape
    let rows = s.rows(ofKeyHead: item.keyHead)
    let keys = item.keyHead * s.keys
    shape = s
    scale = parameters.scale ?? 1 / Double(s.headSize).squareRoot()
    q = item.tensors.q[rows.lowerBound * s.headSize..<rows.upperBound * s.headSize]
    k = item.tensors.k[keys * s.headSize..<(keys + s.keys) * s.headSize]
    gradient = item.gradient[rows.lowerBound * s.valueSize..<rows.upperBound * s.valueSize]
    p = Array(repeating: 0, count: rows.count * s.keys)
    (dP, slope, unmasked) = (p, p, p)
    level = Array(repeating: 0, count: rows.count)
    for (i, row) in rows.enumerated() {
      let query = QueryInDouble(item.tensors, parameters, row: row)
      for j in 0..<s.keys {
        let place = i * s.keys + j
        slope[place] = query.slope[j]
        for c in 0..<s.valueSize {
          dP[place] +=
            gradient[gradient.startIndex + i * s.valueSize + c]
            * item.tensors.numbers.v[(keys + j) * s.valueSize + c]
        }
      }
      guard let e = Exponentials(query.scores, sink: query.sink) else { continue }
      for j in 0..<s.keys {
        let place = i * s.keys + j
        p[place] = e.terms[j] / e.sum
        unmasked[place] =
          query.isHidden(j) ? Double.exp(query.capped[j] - e.maximum) / e.sum : p[place]
        level[i] += p[place] * dP[place]
      }
    }
  }

  /// The derivative of scores, with D and probabilities as they are or others.
  func derivative(level other: ((Int) -> Double)? = nil, p others: [Double]? = nil, sloped: Bool = true)
    -> [Double]
  {
    (others ?? p).indices.map { place in
      let i = place / shape.keys
      return (others ?? p)[place] * (dP[place] - (other?(i) ?? level[i])) * (sloped ? slope[place] : 1)
    }
  }

  /// dQ of such derivatives.
  func queries(_ ds: [Double], factor: Double? = nil) -> [Double] {
    var out = [Double](repeating: 0, count: rows * shape.headSize)
    for i in 0..<rows {
      for j in 0..<shape.keys where ds[i * shape.keys + j] != 0 {
        let x = ds[i * shape.keys + j] * (factor ?? scale)
        for c in 0..<shape.headSize {
          out[i * shape.headSize + c] += x * k[k.startIndex + j * shape.headSize + c]
        }
      }
    }
    return out
  }

  /// dK of such derivatives, of the queries in `among`.
  func keys(_ ds: [Double], factor: Double? = nil, among: Range<Int>? = nil) -> [Double] {
    sum(ds, q, shape.headSize, factor ?? scale, among)
  }

  /// dV of such probabilities.
  func values(_ p: [Double], among: Range<Int>? = nil) -> [Double] {
    sum(p, gradient, shape.valueSize, 1, among)
  }

  private func sum(
    _ weights: [Double], _ x: ArraySlice<Double>, _ width: Int, _ factor: Double, _ among: Range<Int>?
  ) -> [Double] {
    var out = [Double](repeating: 0, count: shape.keys * width)
    for i in among ?? 0..<rows {
      for j in 0..<shape.keys where weights[i * shape.keys + j] != 0 {
        let w = weights[i * shape.keys + j] * factor
        for c in 0..<width { out[j * width + c] += w * x[x.startIndex + i * width + c] }
      }
    }
    return out
  }
}

/// A formula that is not the derivative's.
struct GradientSlip: Sendable {
  /// What the kernel got wrong.
  let name: String
  /// dQ, dK and dV by it, those that it changes; nil where it is none here.
  let make: @Sendable (HeadInDouble) -> [[Double]?]?

  /// What kernels of the backward pass get wrong: one entry each.
  static let all: [GradientSlip] = [
    GradientSlip(name: "D left out: dS = P∘dP") { h in both(h, h.derivative(level: { _ in 0 })) },
    GradientSlip(name: "D of the query before") { h in
      both(h, h.derivative(level: { h.level[Swift.max($0 - 1, 0)] }))
    },
    GradientSlip(name: "D added, not subtracted") { h in both(h, h.derivative(level: { -h.level[$0] })) },
    GradientSlip(name: "P left out of dS") { h in
      both(h, h.derivative(p: h.p.map { $0 == 0 ? 0 : 1 }))
    },
    GradientSlip(name: "slope of the softcap left out") { h in
      h.slope.allSatisfy { $0 == 1 } ? nil : both(h, h.derivative(sloped: false))
    },
    GradientSlip(name: "gradient not scaled") { h in scaled(h, 1) },
    GradientSlip(name: "gradient scaled twice") { h in scaled(h, h.scale * h.scale) },
    GradientSlip(name: "gradient times log2 e, of scores in base 2") { h in
      scaled(h, h.scale / Double.log(2))
    },
    GradientSlip(name: "gradient times ln 2, of scores in base 2") { h in scaled(h, h.scale * Double.log(2))
    },
    GradientSlip(name: "gradient of the opposite sign") { h in
      scaled(h, -h.scale).map { [$0[0], $0[1], h.values(h.p).map(-)] }
    },
    GradientSlip(name: "mask left out where P is recomputed") { h in
      guard h.unmasked != h.p else { return nil }
      let ds = h.derivative(p: h.unmasked)
      return [h.queries(ds), h.keys(ds), h.values(h.unmasked)]
    },
    GradientSlip(name: "not summed over the query heads of a key head: the first alone") { h in
      group(h, 0..<h.shape.queries)
    },
    GradientSlip(name: "not summed over the query heads of a key head: the last alone") { h in
      group(h, h.rows - h.shape.queries..<h.rows)
    },
    GradientSlip(name: "the last query left out of sums over queries") { h in
      h.rows > 1 ? group(h, 0..<h.rows - 1, always: true) : nil
    },
    GradientSlip(name: "the last key's dK and dV left out") { h in
      guard h.shape.keys > 1 else { return nil }
      func without(_ x: [Double], _ width: Int) -> [Double] {
        x.dropLast(width) + Array(repeating: 0, count: width)
      }
      return [
        nil, without(h.keys(h.derivative()), h.shape.headSize), without(h.values(h.p), h.shape.valueSize),
      ]
    },
    GradientSlip(name: "the mean over the query heads of a key head, not the sum") { h in
      let n = Double(h.shape.group)
      guard n > 1 else { return nil }
      return [nil, h.keys(h.derivative(), factor: h.scale / n), h.values(h.p.map { $0 / n })]
    },
    GradientSlip(name: "dK and dV swapped") { h in
      h.shape.headSize == h.shape.valueSize ? [nil, h.values(h.p), h.keys(h.derivative())] : nil
    },
    rounded(.f16), rounded(.bf16),
    GradientSlip(name: "dS transposed") { h in
      guard h.rows == h.shape.keys else { return nil }
      let (n, ds) = (h.rows, h.derivative())
      return both(h, ds.indices.map { ds[$0 % n * n + $0 / n] })
    },
    GradientSlip(name: "P transposed where it meets dO") { h in
      guard h.rows == h.shape.keys else { return nil }
      let n = h.rows
      return [nil, nil, h.values(h.p.indices.map { h.p[$0 % n * n + $0 / n] })]
    },
  ]

  private static func rounded(_ format: NumberFormat) -> GradientSlip {
    GradientSlip(name: "P and dS in \(format.name)") { h in
      let ds = h.derivative().map { format.round($0) }
      return [h.queries(ds), h.keys(ds), h.values(h.p.map { format.round($0) })]
    }
  }

  private static func both(_ h: HeadInDouble, _ ds: [Double]) -> [[Double]?] {
    [h.queries(ds), h.keys(ds), nil]
  }

  private static func scaled(_ h: HeadInDouble, _ factor: Double) -> [[Double]?]? {
    if factor == h.scale { return nil }
    let ds = h.derivative()
    return [h.queries(ds, factor: factor), h.keys(ds, factor: factor), nil]
  }

  private static func group(_ h: HeadInDouble, _ among: Range<Int>, always: Bool = false) -> [[Double]?]? {
    guard always || h.shape.group > 1 else { return nil }
    return [nil, h.keys(h.derivative(), among: among), h.values(h.p, among: among)]
  }
}
