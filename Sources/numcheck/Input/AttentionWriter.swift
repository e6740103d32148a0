import NumKit
import SystemPackage
import TensorFiles

/// Writes `o`, and `lse` where the kind of file has names, into a file that is complete but for its name.
enum AttentionWriter {
  static func finished(
    _ path: String, output: [Double], logSumExp: [Double], _ input: AttentionInput, dtype: NumberFormat,
    as type: DType?, lse: NumberFormat
  ) throws -> any UnfinishedFile {
    let element = try OutputType.element(.float(dtype), as: type)
    let width = input.tensors.shape.valueSize
    var declarations = [TensorWriter.Declaration("o", element, input.outputShape + [width])]
    let place = FilePath(argument: path)
    let hasNames = TensorWriter.hasNames(place)
    let lseElement: ElementType = lse == .f64 ? .f64 : .f32
    if hasNames { declarations.append(.init("lse", lseElement, input.outputShape)) }
    let writer = try TensorWriter(place, declarations)
    try writer.append(input.arranged(output, width: width), to: hasNames ? "o" : nil)
    if hasNames { try writer.append(input.arranged(logSumExp, width: 1), to: "lse") }
    return writer
  }
}
