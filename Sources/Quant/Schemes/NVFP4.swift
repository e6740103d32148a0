import CSchemes

/// NVFP4 as it is shipped. `nvfp4` is what torchao 0.17 and 0.18 write (`nvfp4:torchao-0.18`); `nvfp4:div` torchao 0.12 to 0.16
/// (`nvfp4:torchao-0.12` and so on), `nvfp4:ct` compressed-tensors, `nvfp4:modelopt` NVIDIA's Model Optimizer, `nvfp4:te` NVIDIA's Transformer
/// Engine, `nvfp4:single` torchao without a scale for the tensor, `nvfp4:mlx` MLX, `nvfp4:ue5m3` the same with scales of a wider range.
/// `nvfp4:4over6` is Four over Six (Cook et al., arXiv 2512.02010), `nvfp4:4over6,mae` by absolute errors, `nvfp4:te,4over6` Transformer
/// Engine's. All take tiles of 16 × 16 too: `nvfp4@b16x16:te`.
let nvfp4Family = SchemeFamily(
  file: "NVFP4",
  defaults: { [NVFP4(.torchao)] },
  variants: {
    let plain: [any Scheme] = [
      NVFP4.Rule.torchaoDividing, .compressedTensors, .modelopt, .single, .mlx, .ue5m3, .transformerEngine,
      .fourOverSix,
    ].map { NVFP4($0) }
    return plain + [
      NVFP4(.fourOverSix, choice: .absolute), NVFP4(.transformerEngine, choice: .absolute),
      NVFP4(.transformerEngine, .block(16, 16)), NVFP4(.fourOverSix, .block(16, 16)),
    ]
  },
  releases: ["torchao"] + (12...18).map { "torchao-0.\($0)" },
  origin: { name in
    name.first(of: [
      "div": "torchao 0.12 to 0.16", "ct": "compressed-tensors 0.20", "modelopt": "modelopt 0.47",
      "single": "torchao 0.18", "mlx": "MLX 0.32", "te": "Transformer Engine", "4over6": "Four over Six",
      "ue5m3": "",
    ]) ?? "torchao 0.18"
  },
  make: { name in
    guard name.base == "nvfp4", [nil, .group(16), .block(16, 16)].contains(name.granularity) else {
      return nil
    }
    var name = name
    let rule =
      name.take([
        "torchao": NVFP4.Rule.torchao, "torchao-0.17": .torchao, "torchao-0.18": .torchao,
        "div": .torchaoDividing, "torchao-0.12": .torchaoDividing, "torchao-0.13": .torchaoDividing,
        "torchao-0.14": .torchaoDividing, "torchao-0.15": .torchaoDividing, "torchao-0.16": .torchaoDividing,
        "ct": .compressedTensors, "modelopt": .modelopt, "single": .single, "mlx": .mlx, "ue5m3": .ue5m3,
        "te": .transformerEngine,
      ]) ?? (name.take(["4over6": NVFP4.Rule.fourOverSix]) ?? .torchao)
    var choice: NVFP4.Choice?
    switch rule {
    case .fourOverSix: choice = name.take(["mse": .squared, "mae": .absolute]) ?? .squared
    case .transformerEngine: choice = name.take(["4over6": .absolute])
    default: break
    }
    return name.isUsedUp ? NVFP4(rule, name.granularity ?? .group(16), choice: choice) : nil
  })

/// Blocks of 16 e2m1 elements in a row, or tiles of 16 × 16, an e4m3 scale s for each, and one f32 for the tensor.
///
/// - torchao: g = amax_t/2688 is stored (2688 = 448·6); s = e4m3(clamp(amax_b/6/g, 2^−6, 448)); elements are x·((1/g)/s), values
///   e·(g·s). `:div`: elements are x/(g·s). `:single`: without g. `:ue5m3`: without g, elements are x/s, s is at least 2^−17, of five
///   exponent bits without a sign.
/// - MLX: without g; s = e4m3(amax_b/6), 0 too, under which all is 0; elements are x/s, ties towards zero.
/// - compressed-tensors: G = (1/amax_t)·2688 is stored, 1 where that is no number; s = e4m3(G·(amax_b/6)), 1/8 where that is 0;
///   elements are x/(s/G), values e·(s/G).
/// - modelopt: g as torchao's; s = e4m3(clamp(amax_b/(6·g), 2^−9, 448)), 1 of a block of zeros; elements are x/(s·g).
/// - Transformer Engine: amax_t is stored, G = 2688/amax_t; s = e4m3(amax_b·(G·⅙)); elements are x·(1/(s·(1/G))), values
///   e·(s·amax_t·(1/2688)).
/// - Four over Six: amax_t is stored, G = 1536/amax_t; s = e4m3((amax_b/6)·G), or e4m3 of 1.5 times that, whichever has the smaller
///   squared (`mae`: absolute) error in the block; elements are x·(1/((1/G)·s)), values e·s·amax_t/1536.
///
/// The last block of a row may be shorter. Neither NaN nor infinities count for amax (the libraries' own scales become NaN or
/// infinite): an infinity becomes the largest value of its block, NaN a zero. A zero tensor has g = 1. amax_t is at least
/// 2^−126 for G.
struct NVFP4: BlockedScheme {
  enum Rule: String, Sendable, Hashable {
    case torchao
    case torchaoDividing = "div"
    case compressedTensors = "ct"
    case modelopt, single, mlx, ue5m3
    case transformerEngine = "te"
    case fourOverSix = "4over6"
  }
  /// By which error one of two scales is chosen.
  enum Choice: Sendable, Hashable { case squared, absolute }

  let rule: Rule
  let granularity: Granularity
  let choice: Choice?

  init(_ rule: Rule, _ granularity: Granularity = .group(16), choice: Choice? = nil) {
    self.rule = rule
    self.granularity = granularity
    self.choice = choice ?? (rule == .fourOverSix ? .squared : nil)
  }

  var name: String {
    var dialects = rule == .torchao ? [] : [rule.rawValue]
    if choice == .absolute { dialects.append(rule == .fourOverSix ? "mae" : "4over6") }
    return SchemeName.joined("nvfp4", granularity == .group(16) ? nil : granularity, dialects)
  }
  var elementBits: Int { 4 }
  var blockBytes: Int { 1 }
  var hasZeros: Bool { rule == .fourOverSix }
  var hasTensorScale: Bool { ![.single, .mlx, .ue5m3].contains(rule) }
  var unrounded: (any Scheme)? { ScaledCast(.e2m1, granularity) }

  /// What the largest block's scale times six is.
  private var range: Float { choice == nil ? 2688 : 1536 }

  func tensorScale(magnitude: Float) -> Float {
    switch rule {
    case .single, .mlx, .ue5m3: return 1
    case .compressedTensors:
      let scale = 1 / max(magnitude, .leastNormalMagnitude) * 2688
      return scale.isFinite ? scale : 1
    case .torchao, .modelopt: return magnitude == 0 ? 1 : max(magnitude / 2688, .leastNonzeroMagnitude)
    // 1/(g·s) stays finite.
    case .torchaoDividing: return magnitude == 0 ? 1 : max(magnitude / 2688, 0x1p-120)
    case .transformerEngine, .fourOverSix: return magnitude
    }
  }

  /// G of Transformer Engine and Four over Six.
  private func encodeScale(_ tensor: Float) -> Float { min(range / tensor, .greatestFiniteMagnitude) }

  private func block(_ s: Float, _ tensor: Float) -> BlockScale {
    switch rule {
    case .torchao: return BlockScale(stored: s, scale: tensor * s, divisor: 1 / tensor / s)
    case .torchaoDividing, .modelopt: return BlockScale(stored: s, scale: tensor * s, divisor: tensor * s)
    case .compressedTensors: return BlockScale(stored: s, scale: s / tensor, divisor: s / tensor)
    case .single: return BlockScale(stored: s, scale: s, divisor: 1 / s)
    case .ue5m3: return BlockScale(stored: s, scale: s, divisor: s)
    case .mlx: return BlockScale(stored: s, scale: s, divisor: s == 0 ? .infinity : s)
    case .transformerEngine:
      let divisor = 1 / (s * (1 / encodeScale(tensor)))
      return BlockScale(
        stored: s, scale: s * tensor * (1 / range), divisor: min(divisor, .greatestFiniteMagnitude))
    case .fourOverSix:
      // Values are divided last, so that they need the tensor's scale beside the block's.
      let divisor = s == 0 ? 0 : 1 / (1 / encodeScale(tensor) * s)
      return BlockScale(
        stored: s, scale: s, divisor: min(divisor, .greatestFiniteMagnitude), zero: tensor)
    }
  }

  /// The block's scale before it is rounded.
  private func wanted(_ range: BlockRange, _ tensor: Float) -> Float {
    switch rule {
    case .compressedTensors: return tensor * (range.magnitude / 6)
    case .modelopt:
      let scale = range.magnitude / (6 * tensor)
      return scale == 0 ? 1 : max(scale, 0x1p-9)
    case .torchao, .torchaoDividing: return max(range.magnitude / 6 / tensor, 0x1p-6)
    case .single: return max(range.magnitude / 6, 0x1p-6)
    case .ue5m3: return max(range.magnitude / 6, 0x1p-17)
    case .mlx: return range.magnitude / 6
    case .transformerEngine where choice == nil:
      return min(range.magnitude * (encodeScale(tensor) * (1 / 6)), .greatestFiniteMagnitude)
    case .transformerEngine, .fourOverSix: return range.magnitude / 6 * encodeScale(tensor)
    }
  }

  private func rounded(_ wanted: Float) -> Float {
    rule == .ue5m3 ? UE5M3.value(UE5M3.code(wanted)) : E4M3Scale.value(E4M3Scale.code(wanted))
  }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    let s = rounded(wanted(range, tensor))
    return block(rule == .compressedTensors && s == 0 ? 0.125 : s, tensor)
  }

  func blockScale(_ range: BlockRange, tensor: Float, of elements: BlockElements) -> BlockScale {
    let six = blockScale(range, tensor: tensor)
    guard let choice else { return six }
    let four = block(rounded(wanted(range, tensor) * 1.5), tensor)
    let trial = ScaleTrial(scheme: self, choice: choice, tensor: tensor, divisor: self.range)
    return trial.error(four, elements) < trial.error(six, elements) ? four : six
  }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(
      of: rule == .ue5m3 ? UE5M3.code(block.stored) : E4M3Scale.code(block.stored), as: UInt8.self)
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    let code = bytes.load(as: UInt8.self)
    return block(rule == .ue5m3 ? UE5M3.value(code) : E4M3Scale.value(code), tensor)
  }

  private var multiplies: Bool {
    switch rule {
    case .torchao, .single, .transformerEngine, .fourOverSix: return true
    case .torchaoDividing, .compressedTensors, .modelopt, .mlx, .ue5m3: return false
    }
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    if rule == .mlx {
      SmallFloat.e2m1.divideDown(values, run, into: codes)
    } else if multiplies {
      SmallFloat.e2m1.multiply(values, run, into: codes)
    } else {
      SmallFloat.e2m1.divide(values, run, into: codes)
    }
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    SmallFloat.e2m1.scale(codes, run, into: values)
    if rule == .fourOverSix { nc_ratios(values, run.zeros, range, run.count, values) }
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    let largest = rule == .fourOverSix ? 6 * block.scale * block.zero / range : 6 * block.scale
    return (-largest, largest)
  }
}

/// What a scale would cost a block of Four over Six.
private struct ScaleTrial {
  let scheme: NVFP4
  let choice: NVFP4.Choice
  let tensor: Float
  let divisor: Float

  /// The block's error under a scale, summed in f32 along each row, rows in a tree, as the libraries do.
  func error(_ block: BlockScale, _ elements: BlockElements) -> Float {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * elements.columns + elements.rows) { room in
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: elements.columns) { codes in
        guard let numbers = room.baseAddress, let codes = codes.baseAddress else { return 0 }
        let n = elements.columns
        let (divisors, scales, values) = (numbers, numbers + n, numbers + 2 * n)
        let rows = numbers + 3 * n
        for i in 0..<n {
          divisors[i] = block.divisor
          // ((e·s)·amax)/range: the products are rounded one by one.
          scales[i] = block.stored
        }
        let run = BlockRun(count: n, scales: scales, divisors: divisors, zeros: scales)
        for row in 0..<elements.rows {
          let x = elements.start + row * elements.stride
          scheme.encode(x, run, into: codes)
          SmallFloat.e2m1.scale(codes, run, into: values)
          var sum: Float = 0
          for i in 0..<n {
            let e = values[i] * tensor / divisor - x[i]
            sum += choice == .squared ? e * e : e.magnitude
          }
          rows[row] = sum
        }
        var count = elements.rows
        while count > 1 {
          let half = (count + 1) / 2
          for row in 0..<count / 2 { rows[row] += rows[half + row] }
          count = half
        }
        return rows[0]
      }
    }
  }
}

/// Block scales of five exponent bits and three of the significand, without a sign: 2^−17 … 114688, the last code NaN.
enum UE5M3 {
  /// The code of the nearest to `x` ≥ 0, ties to even, too large ones as the largest.
  static func code(_ x: Float) -> UInt8 {
    guard x > 0 else { return 0 }
    guard x < 114_688 else { return 0xfe }
    let exponent = max(Int(x.exponent), -14)
    let units = (x / Float(sign: .plus, exponent: exponent - 3, significand: 1)).rounded(.toNearestOrEven)
    return UInt8((exponent + 14) * 8 + Int(units))
  }

  static func value(_ code: UInt8) -> Float {
    if code == 0xff { return .nan }
    let (exponent, fraction) = (max(Int(code >> 3), 1), Int(code & 7) + (code >= 8 ? 8 : 0))
    return Float(sign: .plus, exponent: exponent - 18, significand: Float(fraction))
  }
}
