import NumKit
import RealModule

/// A question of attention drawn at random, made to beat a bound, and the runners that answer it.
struct HostileAttention {
  /// As the kernels are given them, and as they store them.
  let given: AttentionInputs
  let tensors: AttentionInputs
  let parameters: AttentionParameters
  let runners: [AttentionRunner]
  /// What bounds are told of them: where inputs are wider than outputs, runners store outputs as inputs, and the caller rounds them.
  let plans: [AttentionRunner]
  /// What tensors are numbers of.
  let inputs: NumberFormat?
  let format: NumberFormat
  let overflow: Overflow

  var triple: String {
    let c = runners[0].configuration
    return (inputs == nil ? "" : "\(format.name) of ")
      + "\(c.storage) × \(c.compute.name) × \(c.accumulator.name)"
  }

  func description(_ k: Int) -> String {
    let r = runners[k]
    let s = tensors.shape
    return
      "\(triple) \(overflow), P \(r.probabilities?.name ?? "-") × \(r.probabilityScale), tiles \(r.blockKeys)"
      + " \(r.splits ?? 0), lazy \(r.laziness), scale \(parameters.scale ?? .nan) \(parameters.placement),"
      + " cap \(parameters.softcap ?? .nan), sentinel \(r.sentinel ?? .nan), norm \(parameters.norm == nil ? "-" : "yes"), \(parameters.softmax), \(s.queries) × \(s.keys) × \(s.headSize),"
      + " mask \(parameters.mask.additive.prefix(12)) causal \(parameters.mask.causal),"
      + " q \(tensors.q.prefix(8)), k \(tensors.k.prefix(12)), v \(tensors.v.prefix(8))"
  }

  /// Question `number` of `seed`; nil where the drawn numbers do not fit each other. A sparse one is small and has few options, so that
  /// one source of errors stands out. `isWide` where inputs are numbers of a format that holds more than the outputs'.
  init?(seed: UInt64, number: Int, isSparse: Bool = false, isWide: Bool = false) {
    var random = RandomSource(seed: seed ^ 0xa77e_4710, row: number)
    let formats = HostileQuestion.computable
    let storage = formats.randomElement(using: &random)!
    let plain = random.next() % 4 == 0
    // Narrower compute formats than storage have no bound: mostly wider ones.
    let wider = formats.filter { $0.precision >= storage.precision && $0.minExponent <= storage.minExponent }
    let compute =
      plain ? storage : (random.next() % 8 == 0 ? formats : wider).randomElement(using: &random)!
    let accumulator =
      random.next() % 3 == 0 ? compute : formats.randomElement(using: &random)!
    overflow = random.next() % 3 == 0 ? .saturate : .special
    let dtype: DType = random.next() % 12 == 0 && !isWide ? .integer(.int8) : .float(storage)
    let configuration = KernelConfiguration(
      storage: dtype, compute: compute, accumulator: accumulator, overflow: overflow)
    let keys = (isSparse ? [1, 2, 2, 3, 4, 8, 17] : [1, 2, 3, 7, 16, 17, 33, 70]).randomElement(
      using: &random)!
    let shape = AttentionShape(
      queries: Int(1 + random.next() % 3), keys: keys,
      headSize: (isSparse ? [1, 1, 2, 4] : [1, 2, 3, 4, 9, 16, 64]).randomElement(using: &random)!,
      valueSize: Int(1 + random.next() % 3))
    guard let tensors = Self.draw(shape, (storage, compute, accumulator), &random) else { return nil }
    let isPlain = isSparse && random.next() % 4 > 0
    parameters = isPlain ? AttentionParameters(scale: 1) : Self.parameters(shape, compute, &random)
    let p = random.next() % 3 == 0 ? formats.randomElement(using: &random)! : nil
    let pScale = random.next() % 4 == 0 ? [256, 2, 0.5, 0x1p-8, 0x1p20].randomElement(using: &random)! : 1
    let laziness = random.next() % 3 == 0 ? [0.7, 3, 8].randomElement(using: &random)! : 0
    let block = [1, 2, 5, 16, 64].randomElement(using: &random)!
    let splits = random.next() % 2 == 0 ? Int(1 + random.next() % 5) : nil
    // A finite score in place of hidden ones, far below the others, among them, above them.
    let sentinels: [Double?] = [nil, nil, nil, nil, nil, -1e4, -65504, -40, -2, 3]
    let sentinel = sentinels.randomElement(using: &random)!
    var isClipped = false
    if case .clipped = parameters.softmax { isClipped = true }
    let plans = AttentionAlgorithm.allCases.filter { !isClipped || $0 == .naive || $0 == .standard }.map {
      AttentionRunner(
        $0, configuration, probabilities: p, probabilityScale: pScale, blockKeys: block,
        splits: $0 == .splitKV ? splits : nil, laziness: $0 == .flash ? laziness : 0,
        sentinel: sentinel)
    }
    // Outputs are rounded once if what they are stored in first holds what is computed.
    let wide = formats.filter { $0 != storage && $0.holdsNumbers(of: compute) }
    guard !isWide || !wide.isEmpty && compute.holdsNumbers(of: storage) else { return nil }
    let inputs = isWide ? wide.randomElement(using: &random)! : nil
    self.inputs = inputs
    self.plans = plans
    runners = plans.map {
      var runner = $0
      if let inputs { runner.configuration.storage = .float(inputs) }
      return runner
    }
    format = plans[0].outputFormat
    given = tensors
    self.tensors = runners[0].stored(tensors)
  }

  private static func draw(
    _ shape: AttentionShape, _ formats: (NumberFormat, NumberFormat, NumberFormat),
    _ random: inout RandomSource
  ) -> AttentionInputs? {
    let kind = random.next() % 8
    let sizes = [1, 1, 1, 0.1, 4, 20]
    func fill(_ rows: Int, _ width: Int, _ random: inout RandomSource, isValue: Bool) -> [Double] {
      let size = sizes.randomElement(using: &random)!
      if kind == 0 || (isValue && kind == 1) {
        return (0..<rows).flatMap { _ in HostileRow.draw(width, formats, temperature: 1, &random) }
          .map { $0.isFinite ? $0 : 0 }
      }
      var x = (0..<rows * width).map { _ in size * random.normal() }
      switch kind {
      case 2: for i in x.indices where random.next() % 5 == 0 { x[i] *= 30 }
      // Ascending keys: a new maximum with every tile.
      case 3: for i in x.indices { x[i] = size * (0.1 + Double(i / width) / Double(rows)) }
      case 4: for i in x.indices where i >= width { x[i] = x[i - width] }
      case 5: for i in x.indices { x[i] *= 0x1p-12 }
      // Nearly cancelling products.
      case 6: for i in x.indices { x[i] = i % 2 == 0 ? size : -size * (1 + 0.01 * random.normal()) }
      default: break
      }
      return x
    }
    return AttentionInputs(
      q: fill(shape.queries, shape.headSize, &random, isValue: false),
      k: fill(shape.keys, shape.headSize, &random, isValue: false),
      v: fill(shape.keys, shape.valueSize, &random, isValue: true), shape: shape)
  }

  private static func parameters(
    _ shape: AttentionShape, _ compute: NumberFormat, _ random: inout RandomSource
  ) -> AttentionParameters {
    let scales: [Double?] = [nil, nil, nil, nil, 1, 0.37, 0.125, 0.02, random.next() % 4 == 0 ? 1000 : 1e-4]
    let caps: [Double?] = [nil, nil, nil, 3, 30, 0.5]
    let (n, m) = (shape.queries, shape.keys)
    var mask = AttentionMask(causal: random.next() % 3 == 0 && m >= n)
    if random.next() % 2 == 0 {
      let none = -Double.infinity
      let hidden = [none, none, -1e9, -3e38, -compute.largestFinite / 2, -compute.largestFinite / 8]
        .randomElement(
          using: &random)!
      let slope = random.uniform()
      let share = random.uniform() * 0.8
      mask.additive = (0..<n * m).map {
        random.uniform() < share ? hidden : slope * Double(($0 % m) - m / 2) * Double(random.next() % 2)
      }
    }
    var softmax = AttentionSoftmax.plain
    switch random.next() % 6 {
    case 0: softmax = .sink([[0, 0.4, -3, 10].randomElement(using: &random)!])
    case 1: softmax = .clipped(lower: -random.uniform(), upper: 1 + random.uniform())
    default: break
    }
    let norms: [QueryKeyNorm?] = [nil, nil, nil, nil, QueryKeyNorm(.l2), QueryKeyNorm(.rms, epsilon: 1e-6)]
    return AttentionParameters(
      scale: scales.randomElement(using: &random)!, placement: random.next() % 2 == 0 ? .before : .after,
      softcap: caps.randomElement(using: &random)!, norm: norms.randomElement(using: &random)!,
      softmax: softmax, mask: mask)
  }
}
