import NumKit
import Quant
import TensorFiles

/// A tensor of a file as tokens × channels, read piece by piece as f32.
struct FileTensor: ElementSource {
  /// `FILE:TENSOR`, or `FILE` where that holds one without a name.
  let name: String
  /// The tensor's name in the file.
  let tensorName: String
  /// The elements' type.
  let type: String
  let shape: [Int]
  let rows: Int
  let columns: Int
  /// The axis of channels, from 0.
  let axis: Int
  /// nil in what only describes the tensor.
  private var source: TensorSource?

  init(_ view: TensorView, name: String, axis: Int = -1) throws {
    self.name = name
    tensorName = view.name
    type = view.elementType.name
    shape = view.shape
    let source = try view.source(axis: axis)
    (self.axis, rows, columns) = (source.axis, source.count, source.length)
    self.source = source
  }

  /// The one tensor that `text` names.
  static func one(_ text: String, axis: Int = -1) throws -> FileTensor {
    try FileTensor(TensorSpecifier(argument: text).open(), name: ArgumentText.shown(text), axis: axis)
  }

  /// Makes its bytes ready; throws where they are damaged.
  func open() throws { try source?.tensor.open() }

  /// The same without its file, which may be closed then.
  var described: FileTensor {
    var copy = self
    copy.source = nil
    return copy
  }

  /// The index of an element in the tensor's shape.
  func index(_ place: TensorPlace) -> [Int] {
    guard !shape.isEmpty else { return [] }
    var index = [Int](repeating: 0, count: shape.count)
    var rest = place.row
    for k in shape.indices.reversed() where k != axis {
      index[k] = rest % shape[k]
      rest /= shape[k]
    }
    index[axis] = place.column
    return index
  }

  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    guard let source else { throw UsageError("\(name): is closed") }
    try source.copyNarrowed(elements: range, into: buffer, of: name)
  }
}
