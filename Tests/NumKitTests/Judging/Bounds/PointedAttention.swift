import NumKit
import RealModule

extension HostileAttention {
  /// A question in which one source of errors stands out: products that are exact, few keys, level or rising scores or such as a bias
  /// cancels, values that cancel or of which all but one are 0.
  init?(pointed number: Int, seed: UInt64) {
    var random = RandomSource(seed: seed ^ 0x9017_7ed0, row: number)
    let narrow: [NumberFormat] = [.bf16, .f16, .f8e4m3fn, .f8e5m2, .tf32, .f32]
    let format = narrow.randomElement(using: &random)!
    let (compute, accumulator): (NumberFormat, NumberFormat) =
      switch random.next() % 3 {
      case 0: (format, format)
      case 1: (format, .f64)
      default: (.f32, format)
      }
    let storage = random.next() % 2 == 0 ? compute : format
    let pattern = random.next() % 6
    // Scores that just keep within what a lazy maximum allows, and then do not, by themselves.
    let isLazy = pattern == 5
    let keys = isLazy ? 3 : [1, 2, 2, 3, 3, 4, 12, 40].randomElement(using: &random)!
    let shape = AttentionShape(
      queries: 1, keys: keys, headSize: 1, valueSize: Int(1 + random.next() % 2))
    let base = [0.0, 1, 5, 11, 20, 60].randomElement(using: &random)!
    let step = [0.125, 0.25, 0.5, 2, 4].randomElement(using: &random)!
    let laziness = [0.0, 3, 8].randomElement(using: &random)!
    let isZero = random.next() % 2 == 0
    var (k, biases) = ([Double](repeating: base, count: keys), [Double](repeating: 0, count: keys))
    for j in 0..<keys {
      switch pattern {
      case 0: k[j] = isZero ? 0 : base
      case 1: k[j] = base + 0.1 * random.normal()
      case 2: k[j] = step * Double(j)
      case 3: k[j] = step * (Double(j) + random.uniform())
      case 5:
        k[j] = j == 0 ? 0.3 * random.uniform() : laziness * (0.93 + 0.07 * (Double(j - 1) + random.uniform()))
      default:
        k[j] = (j % 2 == 0 ? 1 : -1) * (base + 0.2 * random.normal())
      }
    }
    var parameters = AttentionParameters(scale: 1)
    let scale = isLazy ? 1 : [1, 1, 0.75, 0.37, 1.3].randomElement(using: &random)!
    parameters.scale = scale
    parameters.placement = random.next() % 4 == 0 ? .before : .after
    if random.next() % 4 == 0 && !isLazy {
      parameters.softcap = [16, 30, 7.3, 2].randomElement(using: &random)!
    }
    if pattern == 4 {
      for j in 0..<keys {
        var s = k[j] * scale
        if let cap = parameters.softcap { s = cap * Double.tanh(s / cap) }
        biases[j] = compute.round(-s)
      }
      parameters.mask = AttentionMask()
      parameters.mask.additive = biases
    }
    let isClipped = random.next() % 4 == 0 && !isLazy
    if isClipped {
      parameters.softmax = .clipped(lower: -random.uniform(), upper: 1 + 0.2 * random.uniform())
    }
    let values = random.next() % 3
    let size = 1 + random.uniform() * random.uniform()
    let v = (0..<keys * shape.valueSize).map { i -> Double in
      let j = i / shape.valueSize
      switch values {
      case 0: return j == 0 ? size : 0
      case 1: return (j % 2 == 0 ? size : -size) * (1 + 0.01 * random.normal())
      default: return random.normal()
      }
    }
    guard let tensors = AttentionInputs(q: [1], k: k, v: v, shape: shape) else { return nil }
    self.init(
      tensors, parameters,
      KernelConfiguration(storage: .float(storage), compute: compute, accumulator: accumulator),
      block: isLazy ? 1 : Int(1 + random.next() % 2), laziness: laziness,
      isClipped: isClipped)
  }

  /// A question whose maximum errs by as much as it is: a bias cancels most of its score, rounded up by half an ulp to bf16. Of the others,
  /// near 0, one has a value and rounds its difference down, and the rest, which are the sum, round theirs up.
  init?(cancelled number: Int, keys: Int = 100_000) {
    var random = RandomSource(seed: 0xca4c_e11e, row: number)
    let format = NumberFormat.bf16
    let u = format.unitRoundoff
    let (maximum, computed) = (2 + 4 * u, 4.0)
    let odd = (0..<8).map { 4 * u * Double(2 * $0 + 1) }
    /// How far e^(s − m̂) is above the exact one, for −s next to a midpoint of the difference; less what its bound grows by.
    func excess(_ middle: Double, rounds steps: Double) -> Double {
      let difference = computed + middle + 4 * u * steps
      return Double.log(format.round(Double.exp(-difference))) + maximum + middle - steps * u * middle
    }
    guard let low = odd.max(by: { excess($0, rounds: -1) < excess($1, rounds: -1) }),
      let high = odd.min(by: { excess($0, rounds: 1) < excess($1, rounds: 1) })
    else { return nil }
    var k = [Double](repeating: 0, count: 2 * keys)
    (k[0], k[1]) = (512, maximum)
    k[2] = -format.round(low * (1 - 2 * u))
    for j in 2..<keys { k[2 * j] = -format.round(high * (1 + 2 * u)) }
    var v = [Double](repeating: 0, count: keys)
    v[1] = format.round(1 + random.uniform())
    var parameters = AttentionParameters(scale: 1)
    parameters.mask = AttentionMask()
    parameters.mask.additive = [-512] + [Double](repeating: 0, count: keys - 1)
    let shape = AttentionShape(queries: 1, keys: keys, headSize: 2, valueSize: 1)
    guard let tensors = AttentionInputs(q: [1, 1], k: k, v: v, shape: shape) else { return nil }
    self.init(
      tensors, parameters,
      KernelConfiguration(storage: .float(format), compute: format, accumulator: .f64), block: keys,
      laziness: 0, isClipped: false)
  }

  private init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters,
    _ configuration: KernelConfiguration,
    block: Int, laziness: Double, isClipped: Bool
  ) {
    self.parameters = parameters
    runners = AttentionAlgorithm.allCases.filter { !isClipped || $0 == .naive || $0 == .standard }
      .map {
        AttentionRunner($0, configuration, blockKeys: block, laziness: $0 == .flash ? laziness : 0)
      }
    plans = runners
    inputs = nil
    format = runners[0].outputFormat
    overflow = configuration.overflow
    given = tensors
    self.tensors = runners[0].stored(tensors)
  }
}
