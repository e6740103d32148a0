import NumKit
import SystemPackage
import TensorFiles

/// Writes what attention answers into a file that is complete but for its name: `o`, and `lse` where the kind of file has names;
/// or `dq`, `dk` and `dv`.
enum AttentionWriter {
  static func finished(
    _ path: String, output: [Double], logSumExp: [Double], _ input: AttentionInput, dtype: NumberFormat,
    as type: DType?, lse: NumberFormat
  ) throws -> any UnfinishedFile {
    let element = try OutputType.element(.float(dtype), as: type)
    let width = input.tensors.shape.valueSize
    let shape = input.outputShape
    var declarations = [TensorWriter.Declaration("o", element, shape + [width])]
    let place = FilePath(argument: path)
    let hasNames = TensorWriter.hasNames(place)
    let lseElement: ElementType = lse == .f64 ? .f64 : .f32
    if hasNames { declarations.append(.init("lse", lseElement, shape)) }
    let writer = try TensorWriter(place, declarations)
    try writer.append(input.arranged(output, as: shape, width: width), to: hasNames ? "o" : nil)
    if hasNames { try writer.append(input.arranged(logSumExp, as: shape, width: 1), to: "lse") }
    return writer
  }

  /// The three gradients, each shaped and laid out as the tensor it is the gradient of.
  static func finished(
    _ path: String, _ gradients: BackwardTruths, _ input: AttentionInput, dtype: NumberFormat, as type: DType?
  ) throws -> any UnfinishedFile {
    let element = try OutputType.element(.float(dtype), as: type)
    let shape = input.tensors.shape
    let parts = [
      ("dq", gradients.q, input.outputShape, shape.headSize),
      ("dk", gradients.k, input.keyShape, shape.headSize),
      ("dv", gradients.v, input.valueShape, shape.valueSize),
    ]
    let writer = try TensorWriter(FilePath(argument: path), parts.map { .init($0.0, element, $0.2 + [$0.3]) })
    for (name, values, lead, width) in parts {
      try writer.append(input.arranged(values, as: lead, width: width), to: name)
    }
    return writer
  }
}
