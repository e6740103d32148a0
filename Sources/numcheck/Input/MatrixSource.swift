import NumKit
import Quant
import TensorFiles

/// A tensor as rows × columns of f32, read as it is asked for: of a file, in plain numbers or in ggml's blocks, or
/// generated.
struct MatrixSource: BandSource {
  let name: String
  let rows: Int
  let columns: Int
  /// The shape of a tensor with the same rows; nil where they do not lie along the last axis.
  let shape: [Int]?
  private let content: Content

  private enum Content {
    case numbers(RowReader)
    case blocks(TensorView, any Scheme, rowBytes: Int)
    case generated(any RowSource)
  }

  /// The tensor of `view`, called `name`, as `options` want its rows.
  init(_ view: TensorView, name: String, _ options: InputOptions) throws {
    self.name = name
    let all: Int
    if case .block = view.elementType {
      let scheme = try Self.scheme(of: view, name)
      let last = view.shape.count - 1
      guard options.axis == -1 || options.axis == last else {
        throw UsageError("\(name): its \(view.elementType) blocks run along the last axis only")
      }
      columns = view.shape.last ?? 1
      guard view.count > 0 else { throw UsageError("\(name): shape \(view.shape) has no elements") }
      all = view.count / columns
      content = .blocks(view, scheme, rowBytes: try scheme.byteCount(rows: 1, columns: columns))
    } else {
      let isScalar = view.shape.isEmpty
      let reader = try view.rows(axis: isScalar && options.axis == -1 ? nil : options.axis)
      (columns, all) = (reader.length, reader.count)
      content = .numbers(reader)
    }
    rows = min(options.rows ?? all, all)
    if rows < all {
      shape = [rows, columns]
    } else if case .numbers(let reader) = content, !view.shape.isEmpty, reader.axis != view.shape.count - 1 {
      shape = nil
    } else {
      shape = view.shape
    }
  }

  /// Generated rows.
  init(_ options: InputOptions) {
    rows = options.rows ?? 256
    columns = options.length ?? 1024
    shape = [rows, columns]
    let range = Figures.number(options.range)
    name = "\(options.distribution.rawValue), R = \(range), seed \(options.seed)"
    content = .generated(
      GeneratedRows(
        options.distribution, range: options.range, rows: rows, length: columns, seed: options.seed))
  }

  /// The one tensor that `options` name, or generated rows.
  static func only(_ options: InputOptions) throws -> MatrixSource {
    guard let input = options.input else { return MatrixSource(options) }
    return try MatrixSource(TensorSpecifier(input).open(), name: input, options)
  }

  /// What decodes the blocks of a tensor.
  private static func scheme(of view: TensorView, _ name: String) throws -> any Scheme {
    guard case .block(let type) = view.elementType,
      let scheme = GGMLSchemes.scheme(ofBlockType: type.name)
    else { throw UsageError("\(name): its \(view.elementType) elements are not decoded here") }
    return scheme
  }

  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    switch content {
    case .numbers(let reader):
      try reader.copyFloats(range, into: buffer)
      try refuseOverflow(
        UnsafeMutableBufferPointer(rebasing: buffer[..<(range.count * columns)]), of: name,
        type: reader.tensor.elementType
      ) { try reader.copyDoubles(range, into: $0) }
    case .blocks(let view, let scheme, let rowBytes):
      try view.withRawBytes(range.lowerBound * rowBytes..<range.upperBound * rowBytes) {
        try scheme.decode($0, rows: range.count, columns: columns, into: buffer)
      }
    case .generated(let source):
      try withUnsafeTemporaryAllocation(of: Double.self, capacity: columns) { row in
        for index in range {
          try source.read(index, into: row)
          let start = (index - range.lowerBound) * columns
          for column in 0..<columns { buffer[start + column] = Float(row[column]) }
          if let x = row.first(where: { $0.isFinite && Float($0).isInfinite }) {
            throw BeyondSingle(tensor: name, value: x)
          }
        }
      }
    }
  }
}
