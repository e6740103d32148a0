import NumKit
import Quant
import TensorFiles

/// A tensor as rows × columns of f32, read as it is asked for: of a file, or generated.
struct MatrixSource: BandSource {
  let name: String
  let rows: Int
  let columns: Int
  /// The shape of a tensor with the same rows; nil where they do not lie along the last axis.
  let shape: [Int]?
  private let content: Content

  private enum Content {
    case tensor(TensorSource)
    case generated(any RowSource)
  }

  /// The tensor of `view`, called `name`, as `options` want its rows.
  init(_ view: TensorView, name: String, _ options: any InputChoice) throws {
    self.name = name
    let source = try view.source(axis: options.axis)
    columns = source.length
    rows = min(options.rows ?? source.count, source.count)
    if rows < source.count {
      shape = [rows, columns]
    } else {
      shape = view.shape.isEmpty || source.axis == view.shape.count - 1 ? view.shape : nil
    }
    content = .tensor(source)
  }

  /// Generated rows.
  init(_ options: any InputChoice) {
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
  static func only(_ options: any InputChoice) throws -> MatrixSource {
    guard let input = options.input else { return MatrixSource(options) }
    return try MatrixSource(
      TensorSpecifier(argument: input).open(), name: ArgumentText.shown(input), options)
  }

  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    switch content {
    case .tensor(let source):
      try source.copyNarrowed(
        elements: range.lowerBound * columns..<range.upperBound * columns, into: buffer, of: name)
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

/// The same element by element.
struct MatrixElements: ElementSource {
  let source: MatrixSource
  var rows: Int { source.rows }
  var columns: Int { source.columns }

  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    try source.read(elements: range, into: buffer)
  }
}

extension MatrixSource {
  /// The elements of `range`, numbered row by row.
  fileprivate func read(elements range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    if case .tensor(let source) = content {
      return try source.copyNarrowed(elements: range, into: buffer, of: name)
    }
    let rows = range.lowerBound / columns..<(range.upperBound + columns - 1) / columns
    let whole = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows.count * columns)
    defer { whole.deallocate() }
    try read(rows, into: whole)
    _ = buffer.update(
      fromContentsOf: UnsafeMutableBufferPointer(
        rebasing: whole[(range.lowerBound - rows.lowerBound * columns)...].prefix(range.count)))
  }

  /// What stands out of it.
  func profile(threads: Int) throws -> TensorProfile {
    try TensorProfile(MatrixElements(source: self), threads: threads)
  }
}
