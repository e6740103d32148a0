import NumKit
import TensorFiles

/// Writes `o`, and `lse` where the kind of file has names.
enum AttentionWriter {
  static func write(
    _ path: String, output: [Double], logSumExp: [Double], _ input: AttentionInput, dtype: NumberFormat,
    as type: DType?, lse: NumberFormat
  ) throws {
    let wanted = type ?? .float(dtype)
    guard let element = ElementType(wanted), wanted.numberFormat != nil else {
      throw UsageError("--output cannot hold \(wanted); write the exact values with --as f32 (or f64)")
    }
    guard let f = wanted.numberFormat, f.precision >= dtype.precision, f.largestFinite >= dtype.largestFinite
    else {
      throw UsageError("--as \(wanted) cannot hold every value of \(dtype.name)")
    }
    let width = input.tensors.shape.valueSize
    var declarations = [TensorWriter.Declaration("o", element, input.outputShape + [width])]
    let hasNames = path.hasSuffix(".safetensors")
    let lseElement: ElementType = lse == .f64 ? .f64 : .f32
    if hasNames { declarations.append(.init("lse", lseElement, input.outputShape)) }
    let writer = try TensorWriter(path, declarations)
    try writer.append(input.arranged(output, width: width), to: hasNames ? "o" : nil)
    if hasNames { try writer.append(input.arranged(logSumExp, width: 1), to: "lse") }
    try writer.finish()
  }
}
