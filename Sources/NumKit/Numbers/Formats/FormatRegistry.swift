/// Every dtype, its aliases, and (for those that can be computed in) its scalar type: one line each.
public struct FormatRegistry: Sendable {
  /// The dtype.
  public let dtype: DType
  /// Other names it is known by, in lower case.
  public let aliases: [String]
  /// The type a kernel computes in; nil for integer grids and for e8m0, which has no zero and no sign.
  public let scalar: (any Scalar.Type)?
  /// The same with overflow to the largest number, for the 8-bit formats whose casts come both ways; nil for others.
  /// (f6 and f4 cannot do otherwise.)
  public let saturating: (any Scalar.Type)?

  init(
    _ format: NumberFormat, _ aliases: [String], _ scalar: (any Scalar.Type)?,
    saturating: (any Scalar.Type)? = nil
  ) {
    dtype = .float(format)
    self.aliases = aliases
    self.scalar = scalar
    self.saturating = saturating
  }

  init(_ format: IntegerFormat, _ aliases: [String]) {
    dtype = .integer(format)
    self.aliases = aliases
    scalar = nil
    saturating = nil
  }

  /// In the order that `list formats` shows.
  public static let all: [FormatRegistry] = [
    .init(.f64, ["float64", "double", "binary64", "fp64"], Double.self),
    .init(.f32, ["float32", "float", "single", "binary32", "fp32"], Float.self),
    .init(.tf32, ["tensorfloat32"], TensorFloat32.self),
    .init(.f16, ["float16", "half", "binary16", "fp16"], Float16.self),
    .init(.bf16, ["bfloat16"], BFloat16.self),
    .init(
      .f8e4m3fn,
      [
        "fp8_e4m3", "fp8_e4m3fn", "float8_e4m3fn", "f8e4m3", "f8_e4m3", "e4m3", "e4m3fn", "float8e4m3fn",
        "fp8",
      ],
      Float8E4M3FN.self, saturating: Simulated<Saturating<Float8E4M3FNFormat>>.self),
    .init(
      .f8e5m2, ["fp8_e5m2", "float8_e5m2", "f8_e5m2", "e5m2", "float8e5m2"],
      Float8E5M2.self, saturating: Simulated<Saturating<Float8E5M2Format>>.self),
    .init(
      .f8e4m3fnuz, ["fp8_e4m3fnuz", "float8_e4m3fnuz", "f8_e4m3fnuz", "float8e4m3fnuz", "e4m3fnuz"],
      Float8E4M3FNUZ.self, saturating: Simulated<Saturating<Float8E4M3FNUZFormat>>.self),
    .init(
      .f8e5m2fnuz, ["fp8_e5m2fnuz", "float8_e5m2fnuz", "f8_e5m2fnuz", "float8e5m2fnuz", "e5m2fnuz"],
      Float8E5M2FNUZ.self, saturating: Simulated<Saturating<Float8E5M2FNUZFormat>>.self),
    .init(
      .f8e3m4, ["fp8_e3m4", "float8_e3m4", "f8_e3m4", "e3m4", "float8e3m4"], Float8E3M4.self,
      saturating: Simulated<Saturating<Float8E3M4Format>>.self),
    .init(.f6e3m2, ["fp6_e3m2", "float6_e3m2fn", "f6_e3m2", "e3m2"], Float6E3M2.self),
    .init(.f6e2m3, ["fp6_e2m3", "float6_e2m3fn", "f6_e2m3", "e2m3"], Float6E2M3.self),
    .init(.f4e2m1, ["fp4_e2m1", "float4_e2m1fn", "float4e2m1", "e2m1", "fp4", "f4"], Float4E2M1.self),
    .init(.e8m0, ["f8e8m0fnu", "float8_e8m0fnu", "f8_e8m0", "float8e8m0", "ue8m0"], nil),
    .init(.int8, ["i8"]),
    .init(.uint8, ["u8"]),
    .init(.int4, ["i4"]),
    .init(.uint4, ["u4"]),
  ]
}

extension DType {
  /// The dtype of a canonical name or alias, in any case; nil if there is none.
  public init?(_ name: String) {
    let wanted = name.lowercased()
    guard
      let entry = FormatRegistry.all.first(where: {
        $0.dtype.name == wanted || $0.aliases.contains(wanted)
      })
    else { return nil }
    self = entry.dtype
  }
}
