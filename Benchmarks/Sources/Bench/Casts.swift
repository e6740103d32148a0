import NumKit
import Quant

/// Encoding without blocks: casts, and int8 with one scale for the tensor.
func castCases(_ rows: Rows) -> [Case] {
  let names = [
    ("cast.f16", "f16"), ("cast.bf16", "bf16"), ("cast.e4m3", "f8e4m3fn"), ("cast.e5m2", "f8e5m2"),
    ("cast.e2m1", "f4e2m1"), ("quantize.int8", "int8@tensor"),
  ]
  let whole = names.compactMap { (name, wanted) -> Case? in
    guard let scheme = try? SchemeRegistry.scheme(named: wanted),
      let size = try? scheme.byteCount(rows: rows.count, columns: Rows.length)
    else { return nil }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    return Case(name: name, elements: rows.f32.count) {
      try? scheme.encode(
        UnsafeBufferPointer(rows.f32), rows: rows.count, columns: Rows.length, into: bytes)
    }
  }
  return whole + [knownRange(rows)].compactMap { $0 }
}

/// int8 with a scale that is known, as onnxruntime's QuantizeLinear is given one.
private func knownRange(_ rows: Rows) -> Case? {
  guard let scheme = try? SchemeRegistry.scheme(named: "int8@tensor") else { return nil }
  var survey = TensorSurvey(columns: Rows.length, for: [scheme])
  survey.add(UnsafeBufferPointer(rows.f32))
  guard
    let staged = try? StagedScheme(scheme, rows: rows.count, columns: Rows.length, survey: survey),
    let size = try? staged.bands.byteCount(rows: rows.count, columns: Rows.length)
  else { return nil }
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
  return Case(name: "quantize.int8.known", elements: rows.f32.count) {
    try? staged.bands.encode(
      UnsafeBufferPointer(rows.f32), rows: rows.count, columns: Rows.length, into: bytes)
  }
}
