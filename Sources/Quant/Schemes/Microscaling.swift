import CSchemes
import NumKit

/// OCP Microscaling Formats (MX) v1.0.
///
/// Names: `mxfp8e4m3`, `mxfp8e5m2`, `mxfp6e3m2`, `mxfp6e2m3`, `mxfp4`, `mxint8`. The scale rule is a dialect, of amax in
/// a block and emax, the exponent of the largest element: `floor` (default) 2^(⌊log2 amax⌋ − emax), `ceil`
/// 2^(⌈log2 amax⌉ − emax), `rceil` 2^⌈log2(amax/largest)⌉, `even`: amax is first rounded to the element's
/// precision, halves up, in its bits, then as `floor` (for fp4 and e2m3 `ct` too: compressed-tensors rounds amax to one bit after the
/// point, for e4m3 as well: `mxfp8e4m3:ct`). With `,torchao`: its slips at the ends of the scales' range and in `rceil`. With `,away` ties of
/// elements go away from zero, as in Microsoft's microxcaling; `mxint8:symmetric`: codes −127 … 127 (microxcaling: with `,away`).
/// `mxfp8e4m3:mlx` and `mxfp4:mlx` are MLX's mxfp8 and mxfp4: `rceil` of amax divided by the largest element, code 127 for a block of
/// zeros, and ties of fp4 towards zero.
let microscalingFamily = SchemeFamily(
  file: "Microscaling",
  defaults: { Microscaling.Element.allCases.map { Microscaling($0) } },
  variants: {
    let rules: [any Scheme] = Microscaling.Element.allCases.flatMap { element in
      [Microscaling.Rule.ceil, .rceil, .even].map { Microscaling(element, $0) }
    }
    return rules + [
      Microscaling(.mxfp8e4m3, .compressedTensors), Microscaling(.mxfp8e4m3, .rceil, asTorchao: true),
      Microscaling(.mxfp4, .floor, asTorchao: true), Microscaling(.mxfp8e4m3, tiesAway: true),
      Microscaling(.mxfp4, tiesAway: true), Microscaling(.mxint8, isSymmetric: true),
      Microscaling(.mxint8, tiesAway: true, isSymmetric: true), Microscaling(.mxfp8e4m3, .mlx),
      Microscaling(.mxfp4, .mlx),
    ]
  },
  origin: { name in
    name.first(of: [
      "torchao": "torchao 0.18", "away": "microxcaling", "symmetric": "microxcaling",
      "mlx": "MLX 0.32", "ct": "compressed-tensors 0.20", "ceil": "", "rceil": "cuBLAS, torchao 0.18",
      "even": name.base == "mxfp4" || name.base == "mxfp6e2m3"
        ? "compressed-tensors 0.20, torchao 0.18" : "torchao 0.18",
    ]) ?? "OCP MX 1.0"
  },
  make: { name in
    guard let element = Microscaling.Element.allCases.first(where: { $0.rawValue == name.base }),
      name.granularity == nil
    else { return nil }
    var name = name
    var rule = name.take(["floor": .floor, "ceil": Microscaling.Rule.ceil, "rceil": .rceil, "even": .even])
    if rule == nil, name.take(["ct": true]) != nil {
      switch element {
      case .mxfp8e4m3: rule = .compressedTensors
      case .mxfp4, .mxfp6e2m3: rule = .even
      default: return nil
      }
    }
    if rule == nil, [.mxfp8e4m3, .mxfp4].contains(element) { rule = name.take(["mlx": .mlx]) }
    let asTorchao = element != .mxint8 && (name.take(["torchao": true]) ?? false)
    let isSymmetric = element == .mxint8 && (name.take(["symmetric": true]) ?? false)
    let tiesAway = name.take(["away": true]) ?? false
    guard name.isUsedUp, !asTorchao || !tiesAway, rule != .mlx || !asTorchao && !tiesAway else { return nil }
    return Microscaling(
      element, rule ?? .floor, asTorchao: asTorchao, tiesAway: tiesAway, isSymmetric: isSymmetric)
  })

/// Blocks of 32 in a row, the last of a row maybe shorter, with a power of two as their scale X: x̂ = X·element.
///
/// Stored for a block: E8M0. Elements are x/X to nearest even, saturating; MXINT8 is q/64 with q in −128 … 127 (`:symmetric`: from −127).
/// X is kept between 2^−127 and 2^127. A block of zeros has X = 2^−127. A block that holds NaN or an infinity has X = NaN
/// and decodes to nothing but NaN; its codes are those of NaN or, without such a code, zero.
///
/// `,torchao` (0.18): an infinity counts as 2^128 for the scale (`rceil`: the largest scale), so that its block stays finite. A scale of
/// code 0 divides by 2^−126 (`rceil`: by 1) and multiplies by 2^−127. `rceil` takes ⌈log2⌉ of a logarithm rounded to f32, which just
/// above a power of two is that power's own.
struct Microscaling: BlockedScheme {
  enum Element: String, Sendable, Hashable, CaseIterable {
    case mxfp8e4m3, mxfp8e5m2, mxfp6e3m2, mxfp6e2m3, mxfp4, mxint8

    var float: SmallFloat? {
      switch self {
      case .mxfp8e4m3: return .e4m3fn
      case .mxfp8e5m2: return .e5m2
      case .mxfp6e3m2: return .e3m2
      case .mxfp6e2m3: return .e2m3
      case .mxfp4: return .e2m1
      case .mxint8: return nil
      }
    }
    var largest: Float { float?.largest ?? 127.0 / 64 }
    var maxExponent: Int { float?.maxExponent ?? 0 }
    /// Bits of the significand after the point.
    var fractionBits: Int { float?.format.significandBits ?? 6 }
  }
  enum Rule: String, Sendable, Hashable {
    case floor, ceil, rceil, even, mlx
    case compressedTensors = "ct"
  }

  let element: Element
  let rule: Rule
  let asTorchao: Bool
  let tiesAway: Bool
  let isSymmetric: Bool
  // Of the element, at hand for every block.
  private let float: SmallFloat?
  private let largest: Float
  private let maxExponent: Int
  private let fractionBits: Int

  init(
    _ element: Element, _ rule: Rule = .floor, asTorchao: Bool = false, tiesAway: Bool = false,
    isSymmetric: Bool = false
  ) {
    self.tiesAway = tiesAway
    self.isSymmetric = isSymmetric
    self.element = element
    self.rule = rule
    self.asTorchao = asTorchao
    float = element.float
    largest = element.largest
    maxExponent = element.maxExponent
    fractionBits = rule == .compressedTensors ? 1 : element.fractionBits
  }

  var name: String {
    let dialects =
      (rule == .floor ? [] : [rule.rawValue]) + (asTorchao ? ["torchao"] : [])
      + (isSymmetric ? ["symmetric"] : []) + (tiesAway ? ["away"] : [])
    return SchemeName.joined(element.rawValue, nil, dialects)
  }
  var granularity: Granularity { .group(32) }
  var elementBits: Int { element.float?.bits ?? 8 }
  var blockBytes: Int { 1 }
  var rangeKind: BlockRangeKind { .magnitudeOfAll }
  var unrounded: (any Scheme)? {
    if let float = element.float { return ScaledCast(float, granularity) }
    return AffineInteger(bits: 8, signed: true, granularity)
  }

  /// The E8M0 code for the largest magnitude of a block.
  @inline(__always)
  func scaleCode(magnitude: Float) -> UInt8 {
    guard magnitude.isFinite || asTorchao && magnitude == .infinity else { return 0xff }
    var bits = magnitude.bitPattern
    switch rule {
    case .floor, .ceil: break
    case .even, .compressedTensors: bits = min(bits + 1 << UInt32(22 - fractionBits), 0x7f80_0000)
    case .mlx:
      let wanted = magnitude / largest
      // MLX's own exponents below −127 run round to large ones.
      return wanted == 0 ? 127 : UInt8(min(max(Self.ceilingOfLog2(wanted), -127), 127) + 127)
    case .rceil where asTorchao:
      let wanted = magnitude / largest
      if wanted == .infinity { return 254 }
      let exponent = Float(nc_log2(Double(wanted))).rounded(.up)
      return UInt8(min(max(exponent, -127), 127) + 127)
    case .rceil:
      // In f32 with the rounded reciprocal; E8M0's 0 is 2^−127, half of the smallest normal number.
      let wanted = (magnitude * (1 / largest)).bitPattern
      let fraction = wanted & 0x7f_ffff
      let up = wanted < 0x80_0000 ? fraction > 0x40_0000 : fraction != 0
      return UInt8(min(wanted >> 23 + (up ? 1 : 0), 254))
    }
    var exponent = Int(bits >> 23) - maxExponent
    if rule == .ceil && bits & 0x7f_ffff != 0 { exponent += 1 }
    return UInt8(min(max(exponent, 0), 254))
  }

  /// ⌈log2 x⌉ of x > 0.
  private static func ceilingOfLog2(_ x: Float) -> Int {
    Int(x.exponent) + (x.significand == 1 ? 0 : 1)
  }

  private func block(_ code: UInt8) -> BlockScale {
    var block = BlockScale(
      stored: Float(code), scale: Microscaling.power(Int(code) - 127),
      divisor: code == 0xff ? .nan : Microscaling.power(127 - Int(code)))
    if asTorchao && code == 0 { block.divisor = rule == .rceil ? 1 : 0x1p126 }
    return block
  }

  /// 2^e for −127 … 127; NaN for 128, E8M0's NaN.
  private static func power(_ e: Int) -> Float {
    if e == 128 { return .nan }
    return e == -127 ? Float(bitPattern: 0x40_0000) : Float(bitPattern: UInt32(e + 127) << 23)
  }

  @inline(__always)
  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    block(scaleCode(magnitude: range.magnitude))
  }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: UInt8(block.stored), as: UInt8.self)
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    var block = block(bytes.load(as: UInt8.self))
    // The loops give integers, not 64ths.
    if element == .mxint8 { block.scale /= 64 }
    return block
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    guard let float else {
      let least: Float = isSymmetric ? -127 : -128
      nc_integers(values, run.divisors, run.zeros, run.count, least, 127, codes, 5, tiesAway ? 1 : 0)
      return
    }
    if rule == .mlx && element == .mxfp4 {
      float.multiplyDown(values, run, into: codes)
    } else if tiesAway {
      float.multiplyAway(values, run, into: codes)
    } else {
      float.multiply(values, run, into: codes)
    }
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    if let float {
      float.scale(codes, run, into: values)
    } else {
      nc_signed_values(codes, run.scales, run.count, 8, values)
    }
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    let largest = float == nil ? 127 : largest
    let isLonger = element == .mxint8 && !isSymmetric
    return (isLonger ? -128 * block.scale : -largest * block.scale, largest * block.scale)
  }
}
