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
///   affine mode: codes count from the end of larger magnitude, which is met exactly);
/// - ties: `even` (default), `away` (from zero), `up`;
/// - how s is stored: `f32` (default), `f16`; elements are rounded with the stored s.
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
        AffineInteger(bits: bits, signed: true, place, ties: .away),
        AffineInteger(bits: bits, signed: true, place, halfScale: true),
        AffineInteger(bits: bits, signed: false, place, rule: .torchao),
        AffineInteger(bits: bits, signed: false, place, rule: .compressedTensors),
        AffineInteger(bits: bits, signed: false, place, rule: .minimum),
        AffineInteger(bits: bits, signed: false, place, halfScale: true),
      ]
    }
    let mlx: [any Scheme] = [2, 3, 4, 5, 6, 8].map {
      AffineInteger(bits: $0, signed: false, .group(64), rule: .mlx)
    }
    return dialects + mlx
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
      ])
    let ties = name.take(["even": AffineInteger.Ties.even, "away": .away, "up": .up])
    let half = name.take(["f16": true, "f32": false])
    // MLX has one tie rule, and computes in its scales' format.
    guard name.isUsedUp, rule != .mlx || ties == nil && half == nil else { return nil }
    return AffineInteger(
      bits: bits, signed: signed, name.granularity ?? .tensor, rule: rule, ties: ties ?? .even,
      halfScale: half ?? false)
  })

/// q = clamp(round(x/s) + z), x̂ = (q − z)·s, with s and z for each block.
///
/// Stored for a block: s, f32 or f16; in asymmetric schemes then z, one byte, or in `:min` the minimum, as s is, in `:mlx` the bias. Codes
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
    case onnx, torchao, compressedTensors, minimum, mlx
  }
  enum Ties: Int32, Sendable, Hashable { case even, away, up }

  let bits: Int
  let signed: Bool
  let granularity: Granularity
  let rule: Rule
  let ties: Ties
  let halfScale: Bool

  init(
    bits: Int, signed: Bool, _ granularity: Granularity, rule: Rule? = nil, ties: Ties = .even,
    halfScale: Bool = false
  ) {
    self.bits = bits
    self.signed = signed
    self.granularity = granularity
    self.rule = rule ?? (signed ? .largestCode : .onnx)
    self.ties = ties
    self.halfScale = halfScale
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
    }
    if ties != .even { dialects.append(ties == .away ? "away" : "up") }
    if halfScale { dialects.append("f16") }
    return SchemeName.joined((signed ? "int" : "uint") + "\(bits)", granularity, dialects)
  }

  var elementBits: Int { bits }
  var hasZeros: Bool { !signed }
  var blockBytes: Int {
    (halfScale ? 2 : 4) * (hasOffset ? 2 : 1) + (signed || hasOffset ? 0 : 1)
  }
  /// Whether a block stores a number that codes count from.
  private var hasOffset: Bool { rule == .minimum || rule == .mlx }
  var rangeKind: BlockRangeKind {
    rule == .largestCode || rule == .halfSteps || signed && rule == .compressedTensors
      ? .magnitude : .extremes
  }
  var unrounded: (any Scheme)? {
    guard halfScale else { return nil }
    return AffineInteger(bits: bits, signed: signed, granularity, rule: rule, ties: ties)
  }

  private func stored(_ scale: Float) -> Float {
    guard halfScale else { return usableScale(scale) }
    if scale == 0 { return 1 }
    return Float(min(max(Float16(scale), .leastNonzeroMagnitude), .greatestFiniteMagnitude))
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

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    if rule == .mlx { return affineScale(range) }
    let steps = Float(2 * top + 1)
    let low = rule == .minimum ? range.lowest : min(range.lowest, 0)
    let high = rule == .minimum ? range.highest : max(range.highest, 0)
    let s: Float
    switch rule {
    case .largestCode: s = stored(range.magnitude / Float(top))
    case .halfSteps: s = stored(range.magnitude / (Float(top) + 0.5))
    case .compressedTensors where signed: s = stored(range.magnitude / (Float(top) + 0.5))
    case .noClipping: s = stored(max(-low / Float(top + 1), high / Float(top)))
    // (max − min) may be beyond f32: the quotient of the halves is not.
    case .onnx, .torchao, .compressedTensors, .minimum, .mlx:
      let width = high - low
      s = stored(width.isFinite ? width / steps : high / steps - low / steps)
    }
    var block = BlockScale(stored: s, scale: s, divisor: multiplies ? 1 / s : s)
    switch rule {
    case .largestCode, .halfSteps, .noClipping, .mlx: break
    case .compressedTensors where signed: break
    case .minimum: block.zero = halfScale ? Float(Float16(low)) : low
    case .torchao: block.zero = min(max(-(low / s).rounded(.toNearestOrEven), 0), steps)
    case .onnx: block.zero = min(max(-low / s, 0), steps).rounded(.toNearestOrEven)
    case .compressedTensors:
      let least = Float(-top - 1)
      block.zero = min(max(least - low / s, least), Float(top)).rounded(.toNearestOrEven) - least
    }
    return block
  }

  private var multiplies: Bool { rule == .halfSteps || rule == .torchao || rule == .noClipping }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    if halfScale {
      bytes.storeBytes(of: Float16(block.stored).bitPattern.littleEndian, as: UInt16.self)
    } else {
      bytes.storeBytes(of: block.stored.bitPattern.littleEndian, as: UInt32.self)
    }
    let rest = bytes + (halfScale ? 2 : 4)
    if hasOffset, halfScale {
      rest.storeBytes(of: Float16(block.zero).bitPattern.littleEndian, as: UInt16.self)
    } else if hasOffset {
      rest.storeBytes(of: block.zero.bitPattern.littleEndian, as: UInt32.self)
    } else if !signed {
      rest.storeBytes(of: UInt8(block.zero), as: UInt8.self)
    }
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    let s =
      halfScale
      ? Float(Float16(bitPattern: UInt16(littleEndian: bytes.loadUnaligned(as: UInt16.self))))
      : Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
    var block = BlockScale(stored: s, scale: s, divisor: s)
    let rest = bytes + (halfScale ? 2 : 4)
    if hasOffset, halfScale {
      block.zero = Float(Float16(bitPattern: UInt16(littleEndian: rest.loadUnaligned(as: UInt16.self))))
    } else if hasOffset {
      block.zero = Float(bitPattern: UInt32(littleEndian: rest.loadUnaligned(as: UInt32.self)))
    } else if !signed {
      block.zero = Float(rest.load(as: UInt8.self))
    }
    return block
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    if rule == .compressedTensors && !signed {
      let least = Float(-top - 1)
      nc_integers(values, run.divisors, run.zeros, run.count, least, Float(top), codes, 2, ties.rawValue)
      return
    }
    let form: Int32 = multiplies ? 1 : hasOffset ? 3 : 0
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
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    if hasOffset {
      let end = highestCode * block.scale + block.zero
      return (min(block.zero, end), max(block.zero, end))
    }
    let zero = signed ? 0 : block.zero
    return ((lowestCode - zero) * block.scale, (highestCode - zero) * block.scale)
  }
}
