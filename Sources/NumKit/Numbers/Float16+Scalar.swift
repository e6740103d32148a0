import RealModule

// Functions and fused multiply-add go through Double: through Float they would round twice, and the
// compiler's own Float16.addingProduct does.
extension Float16: Scalar {
  @inlinable @inline(__always) public static var format: NumberFormat { .f16 }
  @inlinable @inline(__always) public init(rounding value: Double) {
    #if arch(x86_64)
      // Without AVX-512 a direct conversion is a library call; from a Float that is a binary16 already it is exact,
      // and one instruction.
      self = Float16(Float(NumberFormat.f16.round(value)))
    #else
      self = Float16(value)
    #endif
  }
  @inlinable public var exact: Double { Double(self) }
  @inlinable @inline(__always)
  public static func fusedMultiplyAdd(_ a: Float16, _ b: Float16, _ c: Float16) -> Float16 {
    Float16(rounding: roundingOddSum(of: Double(a) * Double(b), Double(c)))
  }
  @inlinable @inline(__always)
  public static func exp(_ x: Float16) -> Float16 { Float16(rounding: Double.exp(x.widened)) }
  @inlinable @inline(__always)
  public static func exp2(_ x: Float16) -> Float16 { Float16(rounding: Double.exp2(x.widened)) }
  @inlinable @inline(__always)
  public static func log(_ x: Float16) -> Float16 { Float16(rounding: Double.log(x.widened)) }
  @inlinable @inline(__always)
  public static func log1p(_ x: Float16) -> Float16 { Float16(rounding: Double.log(onePlus: x.widened)) }
  @inlinable @inline(__always)
  public static func sqrt(_ x: Float16) -> Float16 { Float16(rounding: Double.sqrt(x.widened)) }
  @inlinable @inline(__always)
  public static func tanh(_ x: Float16) -> Float16 { Float16(rounding: Double.tanh(x.widened)) }

  /// The exact value, for one number at a time. The instruction converts four, and where the compiler lets it find
  /// rubbish beside the one that counts (a subnormal, say) it takes five times as long as these integer steps.
  @inlinable @inline(__always)
  package var widened: Double {
    #if arch(x86_64)
      let magnitude = UInt32(bitPattern & 0x7fff) << 13
      let field = magnitude & 0x0f80_0000
      // Bias 15 becomes 127; a full exponent field full again; a subnormal 2^−14·f is 2^−14·(1 + f) − 2^−14.
      let rebiased = magnitude + (field == 0x0f80_0000 ? 224 << 23 : field == 0 ? 113 << 23 : 112 << 23)
      let value = Float(bitPattern: rebiased) - (field == 0 ? 0x1p-14 : 0)
      return Double(Float(bitPattern: value.bitPattern | UInt32(bitPattern & 0x8000) << 16))
    #else
      Double(self)
    #endif
  }
}
