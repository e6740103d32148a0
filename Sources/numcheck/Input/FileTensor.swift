import Foundation
import NumKit
import Quant
import TensorFiles

/// A tensor of a file as tokens × channels, read piece by piece: numbers of any type, ggml's blocks decoded.
struct FileTensor: ElementSource {
  /// `FILE:TENSOR`, or `FILE` where that holds one tensor.
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
  private let view: TensorView
  private let reader: RowReader?
  private let blocks: BlockType?

  /// Every tensor that `text` names: one, or all of a file's that can be read as numbers.
  static func all(_ text: String, axis: Int) throws -> (tensors: [FileTensor], leftOut: [LeftOut]) {
    let specifier = TensorSpecifier(text)
    if specifier.tensorName != nil || specifier.path == "-" {
      return ([try FileTensor(specifier.open(), name: text, axis: axis)], [])
    }
    let file = try TensorFile.open(specifier.path)
    guard file.tensors.count != 1 else {
      return ([try FileTensor(file.onlyTensor(), name: text, axis: axis)], [])
    }
    var found: [FileTensor] = []
    var leftOut: [LeftOut] = []
    for view in file.views {
      let name = "\(text):\(view.name)"
      do { found.append(try FileTensor(view, name: name, axis: axis)) } catch {
        leftOut.append(LeftOut(name, error))
      }
    }
    // Names in the order of text have layer 11 before layer 2.
    let names = found.map(\.tensorName)
    if names == names.sorted() {
      found.sort { $0.tensorName.compare($1.tensorName, options: .numeric) == .orderedAscending }
    }
    return (found, leftOut)
  }

  init(_ view: TensorView, name: String, axis: Int) throws {
    self.name = name
    self.view = view
    tensorName = view.name
    type = view.elementType.name
    shape = view.shape
    guard view.count > 0 else { throw UsageError("\(name): the tensor has no elements") }
    if case .block(let kind) = view.elementType {
      guard Self.scheme(view.elementType) != nil else {
        throw UsageError("\(name): its \(kind.name) blocks cannot be decoded here")
      }
      guard axis == -1 || axis == shape.count - 1 else {
        throw UsageError("\(name): blocks of \(kind.name) are read along the last axis only")
      }
      blocks = kind
      reader = nil
      self.axis = shape.count - 1
      columns = shape.last ?? 1
    } else {
      let isScalar = view.shape.isEmpty
      let rows = try view.rows(axis: isScalar && axis == -1 ? nil : axis)
      blocks = nil
      self.axis = rows.axis
      columns = rows.length
      reader = self.axis == shape.count - 1 || isScalar ? nil : rows
    }
    rows = view.count / columns
  }

  private static func scheme(_ type: ElementType) -> (any Scheme)? {
    guard case .block(let kind) = type else { return nil }
    return GGMLSchemes.scheme(ofBlockType: kind.name)
  }

  /// The index of an element in the tensor's shape.
  func index(_ place: Place) -> [Int] {
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
    if let blocks, let scheme = Self.scheme(view.elementType) {
      // Whole blocks around the range; rows are whole blocks, so blocks never straddle them.
      let width = blocks.elementCount
      let first = range.lowerBound / width
      let end = (range.upperBound + width - 1) / width
      try view.withRawBytes(first * blocks.byteCount..<end * blocks.byteCount) { bytes in
        try Self.copy(range, from: first * width..<end * width, into: buffer) {
          try scheme.decode(bytes, rows: 1, columns: $0.count, into: $0)
        }
      }
    } else if let reader {
      let first = range.lowerBound / columns
      let end = (range.upperBound + columns - 1) / columns
      try Self.copy(range, from: first * columns..<end * columns, into: buffer) {
        try reader.copyFloats(first..<end, into: $0)
        try refuseOverflow($0, of: name, type: view.elementType) {
          try reader.copyDoubles(first..<end, into: $0)
        }
      }
    } else {
      try view.copyFloats(range, into: buffer)
      try refuseOverflow(
        UnsafeMutableBufferPointer(rebasing: buffer[..<range.count]), of: name, type: view.elementType
      ) { try view.copyDoubles(range, into: $0) }
    }
  }

  /// Fills `buffer` with `range` of what `fill` makes of the larger `whole`.
  private static func copy(
    _ range: Range<Int>, from whole: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>,
    _ fill: (UnsafeMutableBufferPointer<Float>) throws -> Void
  ) throws {
    if whole == range { return try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<range.count])) }
    let scratch = UnsafeMutableBufferPointer<Float>.allocate(capacity: whole.count)
    defer { scratch.deallocate() }
    try fill(scratch)
    let offset = range.lowerBound - whole.lowerBound
    for k in 0..<range.count { buffer[k] = scratch[offset + k] }
  }
}
