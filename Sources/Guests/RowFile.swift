import NumKit
import TensorFiles

/// Results of an operation on rows, in a file: in the shape that the inputs have, along the same axis; without that axis, or with 1 in
/// its place, where a row has one result; with two more axes at the end for a Jacobian.
public struct RowFile: ResultSource {
  public typealias Q = RowQuestion

  /// The results' file.
  public let file: GuestFile
  private let perRow: Int

  /// - Parameters:
  ///   - shape: that of the inputs.
  ///   - axis: the one that rows run along, from 0.
  ///   - rows: how many rows are asked about, if not all.
  ///   - format: the results', where it is not their elements' own.
  public init(
    _ tensor: TensorView, name: String, operation: RowOperation, shape: [Int], axis: Int, rows: Int? = nil,
    format: NumberFormat? = nil
  ) throws {
    let length = shape.isEmpty ? 1 : shape[axis]
    perRow = operation.resultCount(length: length)
    var shapes = [Self.results(operation, shape, axis)]
    var alongAxis: Int? = axis
    if operation == .logSumExp || operation == .crossEntropy {
      if !shape.isEmpty {
        var kept = shape
        kept[axis] = 1
        shapes.append(kept)
      }
      alongAxis = nil
    }
    if operation == .softmaxJacobian || shape.isEmpty { alongAxis = nil }
    // The first rows alone, one after another.
    if let rows, !shape.isEmpty, axis == shape.count - 1 || shape.count == 2 {
      let first = Self.results(operation, [rows, length], 1)
      if tensor.shape == first && !shapes.contains(first) {
        shapes = [first]
        if alongAxis != nil { alongAxis = 1 }
      }
    }
    file = try GuestFile(tensor, name: name, shapes: shapes, axis: alongAxis, format: format)
  }

  /// The shape that results of inputs of `shape` have.
  public static func results(_ operation: RowOperation, _ shape: [Int], _ axis: Int) -> [Int] {
    guard !shape.isEmpty else { return operation == .softmaxJacobian ? [1, 1] : [] }
    var others = shape
    let length = others.remove(at: axis)
    switch operation {
    case .logSumExp, .crossEntropy: return others
    case .softmaxJacobian: return others + [length, length]
    default: return shape
    }
  }

  public func results(of item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) throws {
    try file.copy(item.row * perRow..<(item.row + 1) * perRow, into: results)
  }
}
