import CSchemes

/// Affine integers of 2 to 8 bits.
///
/// Names: `int4@g32` (symmetric), `uint4@g32` (asymmetric), `@tensor` where nothing is said. Dialects:
/// - symmetric, the divisor of amax: the largest code, as in `int8:127` (default); half the number of steps,
///   `int8:127.5` (torchao: x times the reciprocal of s); `int8:ct` (compressed-tensors: the same s, x over s); `int8:noclip`
///   (torchao), s = max(−min/128, max/127), x times the reciprocal of s;
/// - asymmetric: `dynamic` (default: ONNX DynamicQuantizeLinear), `torchao` (x times the reciprocal of s, the zero point
///   subtracted from the lowest code), `ct` (compressed-tensors: the zero point is added before rounding, both on −8 … 7), `min`
///   (codes count from the block's minimum, stored as s is in place of a zero point; the range need not include 0), `mlx` (MLX's
///   affine mode: codes count from the end of larger magnitude, which is met exactly), `awq` (AutoAWQ: the range is not widened to 0,
///   which leaves no zero point for it where all are of one sign; s is at least 10^−5/(2^b − 1));
/// - ties: `even` (default), `away` (from zero), `up`;
/// - how s is stored: `f32` (default), `f16`, `bf16`; elements are rounded with the stored s. With `ct,bf16` every operation is in bf16,
///   as compressed-tensors' are on tensors of bf16.
let integerFamily = SchemeFamily(
  file: "Integers",
  defaults: {
    let wide: [any Scheme] = [Granularity.tensor, .channel, .token, .group(128), .block(128, 128)].flatMap {
      [AffineInteger(bits: 8, signed: true, $0), AffineInteger(bits: 8, signed: false, $0)]
    }
    let narrow: [any Scheme] = [2, 3, 4].flatMap { bits in
      [Granularity.channel, .token, .group(32), .group(128)].flatMap {
        [AffineInteger(bits: bits, signed: true, $0), AffineInteger(bits: bits, signed: false, $0)]
      }
    }
    return wide + narrow
  },
  variants: {
    let group = Granularity.group(128)
    let dialects = [8, 4].flatMap { bits -> [any Scheme] in
      let place = bits == 8 ? Granularity.token : group
      return [
        AffineInteger(bits: bits, signed: true, place, rule: .halfSteps),
        AffineInteger(bits: bits, signed: true, place, rule: .noClipping),
        AffineInteger(bits: bits, signed: true, place, rule: .compressedTensors),
        AffineInteger(bits: bits, signed: true, place, rule: .compressedTensors, scales: .brain),
        AffineInteger(bits: bits, signed: true, place, ties: .away),
        AffineInteger(bits: bits, signed: true, place, scales: .half),
        AffineInteger(bits: bits, signed: true, place, scales: .brain),
        AffineInteger(bits: bits, signed: false, place, rule: .torchao),
        AffineInteger(bits: bits, signed: false, place, rule: .compressedTensors),
        AffineInteger(bits: bits, signed: false, place, rule: .compressedTensors, scales: .brain),
        AffineInteger(bits: bits, signed: false, place, rule: .minimum),
        AffineInteger(bits: bits, signed: false, place, rule: .awq),
        AffineInteger(bits: bits, signed: false, place, scales: .half),
      ]
    }
    let mlx: [any Scheme] = [2, 3, 4, 5, 6, 8].map {
      AffineInteger(bits: $0, signed: false, .group(64), rule: .mlx)
    }
    return dialects + mlx
  },
  origin: { name in
    let known = name.first(of: [
      "ct": "compressed-tensors 0.20", "torchao": "torchao 0.18", "noclip": "torchao 0.18", "mlx": "MLX 0.32",
      "awq": "AutoAWQ 0.2.9",
    ])
    if let known { return known }
    if name.dialects.contains(where: { $0.hasSuffix(".5") }) { return "torchao 0.18" }
    return name.base.hasPrefix("u") && name.dialects.isEmpty ? "ONNX" : ""
  },
  make: { name in
    let signed = !name.base.hasPrefix("u")
    let digits = name.base.dropFirst(signed ? 3 : 4)
    guard name.base == (signed ? "int" : "uint") + digits, let bits = Int(digits),
      (2...8).contains(bits)
    else { return nil }
    var name = name
    let top = (1 << (bits - 1)) - 1
    let rule: AffineInteger.Rule? =
      signed
      ? name.take([
        "\(top)": .largestCode, "\(top).5": .halfSteps, "noclip": .noClipping, "ct": .compressedTensors,
      ])
      : name.take([
        "dynamic": .onnx, "torchao": .torchao, "ct": .compressedTensors, "min": .minimum, "mlx": .mlx,
        "awq": .awq,
      ])
    let ties = name.take(["even": AffineInteger.Ties.even, "away": .away, "up": .up])
    let scales = name.take(["f16": AffineInteger.ScaleFormat.half, "bf16": .brain, "f32": .single])
    // MLX has one tie rule, and computes in its scales' format.
    guard name.isUsedUp, rule != .mlx || ties == nil && scales == nil else { return nil }
    return AffineInteger(
      bits: bits, signed: signed, name.granularity ?? .tensor, rule: rule, ties: ties ?? .even,
      scales: scales ?? .single)
  })

/// q = clamp(round(x/s) + z), x̂ = (q − z)·s, with s and z for each block.
///
/// Stored for a block: s, f32, f16 or bf16; in asymmetric schemes then z, one byte, or in `:min` the minimum, as s is, in `:mlx` the bias. Codes
/// are two's complement in symmetric schemes.
///
/// Symmetric: s = amax/divisor. Asymmetric: the block's range is widened to include 0; s = (max − min)/(2^b − 1),
/// z = round(clip(−min/s)). A block whose s is 0 gets s = 1; s is at least 2^−126 (f16: 2^−24, and at most
/// 65504). Infinities become the ends of the grid and NaN the code of 0 (in `:min` too: the nearest to it);
/// neither counts for the range.
///
/// `:mlx`: s = (max − min)/(2^b − 1), at least 10^−7, negative where max has the larger magnitude; that end over its nearest multiple of
/// s becomes s, and it the bias; x̂ = q·s + bias, rounded twice.
struct AffineInteger: BlockedScheme {
  enum Rule: Sendable, Hashable {
    case largestCode, halfSteps, noClipping
    case onnx, torchao, compressedTensors, minimum, mlx, awq
  }
  /// How a block's scale is stored, and its offset.
  enum ScaleFormat: String, Sendable, Hashable {
    case single = "f32"
    case half = "f16"
    case brain = "bf16"
  }
  enum Ties: Int32, Sendable, Hashable { case even, away, up }

  let bits: Int
  let signed: Bool
  let granularity: Granularity
  let rule: Rule
  let ties: Ties
  let scales: ScaleFormat

  init(
    bits: Int, signed: Bool, _ granularity: Granularity, rule: Rule? = nil, ties: Ties = .even,
    scales: ScaleFormat = .single
  ) {
    self.bits = bits
    self.signed = signed
    self.granularity = granularity
    self.rule = rule ?? (signed ? .largestCode : .onnx)
    self.ties = ties
    self.scales = scales
  }

  private var top: Int { (1 << (bits - 1)) - 1 }
  private var lowestCode: Float { signed ? Float(-top - 1) : 0 }
  private var highestCode: Float { signed ? Float(top) : Float(2 * top + 1) }

  var name: String {
    var dialects: [String] = []
    switch rule {
    case .largestCode, .onnx: break
    case .halfSteps: dialects.append("\(top).5")
    case .noClipping: dialects.append("noclip")
    case .torchao: dialects.append("torchao")
    case .compressedTensors: dialects.append("ct")
    case .minimum: dialects.append("min")
    case .mlx: dialects.append("mlx")
    case .awq: dialects.append("awq")
    }
    if ties != .even { dialects.append(ties == .away ? "away" : "up") }
    if scales != .single { dialects.append(scales.rawValue) }
    return SchemeName.joined((signed ? "int" : "uint") + "\(bits)", granularity, dialects)
  }

  var elementBits: Int { bits }
  var hasZeros: Bool { !signed }
  var blockBytes: Int {
    scaleBytes * (hasOffset ? 2 : 1) + (signed || hasOffset ? 0 : 1)
  }
  /// Whether a block stores a number that codes count from.
  private var hasOffset: Bool { rule == .minimum || rule == .mlx }
  var rangeKind: BlockRangeKind {
    rule == .largestCode || rule == .halfSteps || signed && rule == .compressedTensors
      ? .magnitude : .extremes
  }
  var unrounded: (any Scheme)? {
    guard scales != .single else { return nil }
    return AffineInteger(bits: bits, signed: signed, granularity, rule: rule, ties: ties)
  }

  /// Whether every operation is in bf16.
  private var isBrain: Bool { rule == .compressedTensors && scales == .brain }

  private var scaleBytes: Int { scales == .single ? 4 : 2 }

  private func stored(_ scale: Float) -> Float {
    switch scales {
    case .single: return usableScale(scale)
    case .half:
      if scale == 0 { return 1 }
      return Float(min(max(Float16(scale), .leastNonzeroMagnitude), .greatestFiniteMagnitude))
    case .brain: return min(rounded(usableScale(scale)), Float(bitPattern: 0x7f7f_0000))
    }
  }

  /// A number as it is stored beside the codes.
  private func rounded(_ x: Float) -> Float {
    switch scales {
    case .single: return x
    case .half: return Float(Float16(x))
    case .brain:
      var code: UInt16 = 0
      withUnsafePointer(to: x) { nc_bf16_cast($0, 1, &code) }
      return Float(bitPattern: UInt32(code) << 16)
    }
  }

  private func write(_ x: Float, to bytes: UnsafeMutableRawPointer) {
    switch scales {
    case .single: bytes.storeBytes(of: x.bitPattern.littleEndian, as: UInt32.self)
    case .half: bytes.storeBytes(of: Float16(x).bitPattern.littleEndian, as: UInt16.self)
    case .brain: bytes.storeBytes(of: UInt16(rounded(x).bitPattern >> 16).littleEndian, as: UInt16.self)
    }
  }

  private func number(at bytes: UnsafeRawPointer) -> Float {
    if scales == .single {
      return Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
    }
    let code = UInt16(littleEndian: bytes.loadUnaligned(as: UInt16.self))
    return scales == .half ? Float(Float16(bitPattern: code)) : Float(bitPattern: UInt32(code) << 16)
  }

  /// MLX's scale and bias.
  private func affineScale(_ range: BlockRange) -> BlockScale {
    let (low, high) = (range.lowest, range.highest)
    let width = max((high - low) / Float(2 * top + 1), 1e-7)
    let isLow = abs(low) > abs(high)
    let (edge, first) = isLow ? (low, width) : (high, -width)
    let nearest = (edge / first).rounded(.toNearestOrEven)
    let s = nearest == 0 ? first : edge / nearest
    return BlockScale(stored: s, scale: s, divisor: s, zero: nearest == 0 ? 0 : edge)
  }

  /// compressed-tensors' scale and zero point of a tensor of bf16.
  private func brainScale(_ range: BlockRange) -> BlockScale {
    let (least, top) = (Float(-top - 1), Float(top))
    if signed {
      let s = stored(rounded(range.magnitude) / (top + 0.5))
      return BlockScale(stored: s, scale: s, divisor: s)
    }
    let (low, high) = (rounded(min(range.lowest, 0)), rounded(max(range.highest, 0)))
    let s = stored(rounded(high - low) / (top - least))
    let zero = min(max(rounded(least - rounded(low / s)), least), top).rounded(.toNearestOrEven) - least
    return BlockScale(stored: s, scale: s, divisor: s, zero: zero)
  }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    if rule == .mlx { return affineScale(range) }
    if isBrain { return brainScale(range) }
    let steps = Float(2 * top + 1)
    let isWidened = rule != .minimum && rule != .awq
    let low = isWidened ? min(range.lowest, 0) : range.lowest
    let high = isWidened ? max(range.highest, 0) : range.highest
    let s: Float
    switch rule {
    case .largestCode: s = stored(range.magnitude / Float(top))
    case .halfSteps: s = stored(range.magnitude / (Float(top) + 0.5))
    case .compressedTensors where signed: s = stored(range.magnitude / (Float(top) + 0.5))
    case .noClipping: s = stored(max(-low / Float(top + 1), high / Float(top)))
    case .awq: s = stored(max(min(high - low, .greatestFiniteMagnitude), 1e-5) / steps)
    // (max − min) may be beyond f32: the quotient of the halves is not.
    case .onnx, .torchao, .compressedTensors, .minimum, .mlx:
      let width = high - low
      s = stored(width.isFinite ? width / steps : high / steps - low / steps)
    }
    var block = BlockScale(stored: s, scale: s, divisor: multiplies ? 1 / s : s)
    switch rule {
    case .largestCode, .halfSteps, .noClipping, .mlx: break
    case .compressedTensors where signed: break
    case .minimum: block.zero = rounded(low)
    case .torchao, .awq: block.zero = min(max(-(low / s).rounded(.toNearestOrEven), 0), steps)
    case .onnx: block.zero = min(max(-low / s, 0), steps).rounded(.toNearestOrEven)
    case .compressedTensors:
      let least = Float(-top - 1)
      block.zero = min(max(least - low / s, least), Float(top)).rounded(.toNearestOrEven) - least
    }
    return block
  }

  private var multiplies: Bool { rule == .halfSteps || rule == .torchao || rule == .noClipping }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    write(block.stored, to: bytes)
    if hasOffset {
      write(block.zero, to: bytes + scaleBytes)
    } else if !signed {
      bytes.storeBytes(of: UInt8(block.zero), toByteOffset: scaleBytes, as: UInt8.self)
    }
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    let s = number(at: bytes)
    var block = BlockScale(stored: s, scale: s, divisor: s)
    if hasOffset {
      block.zero = number(at: bytes + scaleBytes)
    } else if !signed {
      block.zero = Float(bytes.load(fromByteOffset: scaleBytes, as: UInt8.self))
    }
    return block
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    if rule == .compressedTensors && !signed {
      let least = Float(-top - 1)
      nc_integers(
        values, run.divisors, run.zeros, run.count, least, Float(top), codes, isBrain ? 7 : 2, ties.rawValue)
      return
    }
    let form: Int32 = isBrain ? 6 : multiplies ? 1 : hasOffset ? 3 : 0
    nc_integers(
      values, run.divisors, run.zeros, run.count, lowestCode, highestCode, codes, form, ties.rawValue)
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    if signed {
      nc_signed_values(codes, run.scales, run.count, Int32(bits), values)
    } else if hasOffset {
      nc_offset_values(codes, run.scales, run.zeros, run.count, values)
    } else {
      nc_unsigned_values(codes, run.scales, run.zeros, run.count, values)
    }
    if isBrain { nc_round_to_bf16(values, run.count) }
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    if hasOffset {
      let end = highestCode * block.scale + block.zero
      return (min(block.zero, end), max(block.zero, end))
    }
    let zero = signed ? 0 : block.zero
    let (low, high) = ((lowestCode - zero) * block.scale, (highestCode - zero) * block.scale)
    return isBrain ? (rounded(low), rounded(high)) : (low, high)
  }
}
