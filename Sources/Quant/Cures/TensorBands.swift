import NumKit

/// A tensor as cures read it: in bands of rows, as it is or after the transforms before it. Memory is that of a band, whatever the
/// rows; a band has at least one.
public struct TensorBands: Sendable {
  let source: any BandSource
  private let elements: Int
  private let steps: [(name: String, transform: any PreparedTransform)]

  /// Reads `source` in bands of about `elements`; no digit depends on them.
  public init(_ source: some BandSource, elements: Int = 1 << 17) { self.init(source, elements, []) }

  private init(
    _ source: any BandSource, _ elements: Int, _ steps: [(name: String, transform: any PreparedTransform)]
  ) {
    (self.source, self.elements, self.steps) = (source, elements, steps)
  }

  /// Rows of the tensor.
  public var rows: Int { source.rows }
  /// Columns of the tensor.
  public var columns: Int { source.columns }

  /// The same after one more transform.
  func after(_ transform: any PreparedTransform, named name: String) -> TensorBands {
    TensorBands(source, elements, steps + [(name, transform)])
  }

  /// Calls `body` with the bands in order and the number of each band's first row; all but the last have a multiple of `unit` rows.
  ///
  /// Throws what reading throws, and `CureError.overflow` where a transform leaves the range of Float.
  public func forEach(
    unit: Int = 1, _ body: (_ firstRow: Int, _ band: TensorMatrix) throws -> Void
  ) throws {
    guard columns > 0 else { return }
    try BandReader(source, elements: elements).forEach(unit: unit) { first, values in
      let band = TensorMatrix(rows: values.count / columns, columns: columns, values: Array(values))
      try body(first, stages(of: band, firstRow: first).last ?? band)
    }
  }

  /// All of it, after the transforms.
  func whole() throws -> TensorMatrix {
    var values: [Float] = []
    values.reserveCapacity(rows * columns)
    try forEach { _, band in values += band.values }
    return TensorMatrix(rows: rows, columns: columns, values: values)
  }

  /// Some rows of the tensor as it is.
  func read(_ range: Range<Int>) throws -> TensorMatrix {
    var values = [Float](repeating: 0, count: range.count * columns)
    try values.withUnsafeMutableBufferPointer { try source.read(range, into: $0) }
    return TensorMatrix(rows: range.count, columns: columns, values: values)
  }

  /// A band of the tensor as it is, and after each transform.
  func stages(of band: TensorMatrix, firstRow: Int) throws -> [TensorMatrix] {
    var stages = [band]
    for step in steps {
      var next = stages[stages.count - 1]
      step.transform.apply(&next, firstRow: firstRow)
      guard next.isFinite else { throw CureError.overflow(step.name) }
      stages.append(next)
    }
    return stages
  }

  /// The tensor as it is, before all transforms.
  var given: TensorBands { TensorBands(source, elements, []) }

  /// What the transforms are undone by, from the last to the first: `decoded` becomes that of the tensor as it is.
  func undo(_ decoded: inout TensorMatrix, stages: [TensorMatrix], firstRow: Int) {
    for (step, given) in zip(steps, stages).reversed() {
      step.transform.undo(&decoded, given: given, firstRow: firstRow)
    }
  }
}

extension TensorBands {
  /// Whether all elements are numbers.
  func isFinite() throws -> Bool {
    var isFinite = true
    try forEach { _, band in isFinite = isFinite && band.isFinite }
    return isFinite
  }

  /// max |a| of each column, over finite elements.
  func columnMaxima() throws -> [Float] {
    var maxima = [Float](repeating: 0, count: columns)
    try forEach { _, band in
      for (j, x) in band.columnMaxima.enumerated() { maxima[j] = max(maxima[j], x) }
    }
    return maxima
  }

  /// The mean |a| of each column, over finite elements.
  func columnMeans() throws -> [Double] {
    var sums = [Double](repeating: 0, count: columns)
    try forEach { _, band in band.addColumnMagnitudes(to: &sums) }
    return sums.map { $0 / Double(max(rows, 1)) }
  }
}

extension TensorMatrix: BandSource {
  /// Copies `range` of the rows.
  public func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) {
    guard !range.isEmpty else { return }
    _ = buffer.update(fromContentsOf: values[range.lowerBound * columns..<range.upperBound * columns])
  }

  var isFinite: Bool { values.allSatisfy(\.isFinite) }

  /// Adds Σ|a| of each column, over finite elements.
  func addColumnMagnitudes(to sums: inout [Double]) {
    for row in 0..<rows {
      for j in 0..<columns where values[row * columns + j].isFinite {
        sums[j] += Double(values[row * columns + j].magnitude)
      }
    }
  }
}
