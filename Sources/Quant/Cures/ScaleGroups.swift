/// Which elements of a matrix share a scale, for any scheme.
struct ScaleGroups: Sendable {
  let rows: Int
  let columns: Int
  let height: Int
  let width: Int

  /// For a scheme without groups, such as a plain cast, the tensor.
  init(_ scheme: any Scheme, rows: Int, columns: Int) {
    let granularity: Granularity
    if let blocked = scheme as? any BlockedScheme {
      granularity = blocked.granularity
    } else if let blocks = scheme as? any GGMLScheme {
      granularity = .group(type(of: blocks).blockLength)
    } else if let rotated = scheme as? HIGGS {
      granularity = .group(rotated.block)
    } else {
      granularity = SchemeName(scheme.name)?.granularity ?? (scheme.independentRows == 1 ? .token : .tensor)
    }
    self.init(granularity, rows: rows, columns: columns)
  }

  init(_ granularity: Granularity, rows: Int, columns: Int) {
    self.init(
      rows: rows, columns: columns, height: granularity.blockRows(rows),
      width: granularity.blockColumns(columns))
  }

  init(rows: Int, columns: Int, height: Int, width: Int) {
    (self.rows, self.columns, self.height, self.width) = (rows, columns, height, width)
  }

  var across: Int { (columns + width - 1) / width }
  var count: Int { across * ((rows + height - 1) / height) }

  func group(row: Int, column: Int) -> Int { row / height * across + column / width }

  /// Calls `body` with stretches of elements of one group each, in the order of elements.
  func forEachRun(_ body: (_ group: Int, _ elements: Range<Int>) -> Void) {
    for row in 0..<rows {
      for start in stride(from: 0, to: columns, by: width) {
        let end = min(start + width, columns)
        body(group(row: row, column: start), row * columns + start..<row * columns + end)
      }
    }
  }

  /// max |a| of each group.
  func maxima(_ matrix: TensorMatrix) -> [Float] {
    var maxima = [Float](repeating: 0, count: count)
    forEachRun { group, elements in
      for i in elements { maxima[group] = max(maxima[group], matrix.values[i].magnitude) }
    }
    return maxima
  }

  /// Clamps each group's elements to ± its limit.
  func clamp(_ matrix: inout TensorMatrix, _ limits: [Float]) {
    forEachRun { group, elements in
      let limit = limits[group]
      for i in elements { matrix.values[i] = min(max(matrix.values[i], -limit), limit) }
    }
  }
}

/// Which elements of a tensor that is read in bands share a scale.
struct GroupLayout: Sendable {
  let rows: Int
  let columns: Int
  private let height: Int
  private let width: Int
  /// Whether groups run through all rows: then they are known only when all have been read, and there are few. Else each lies within
  /// bands of `unit` rows.
  let isShared: Bool

  /// For a scheme without groups, such as a plain cast, the tensor.
  init(_ scheme: any Scheme, rows: Int, columns: Int) {
    self.init(ScaleGroups(scheme, rows: rows, columns: columns))
  }

  init(_ granularity: Granularity, rows: Int, columns: Int) {
    self.init(ScaleGroups(granularity, rows: rows, columns: columns))
  }

  private init(_ groups: ScaleGroups) {
    (rows, columns, height, width) = (groups.rows, groups.columns, groups.height, groups.width)
    isShared = groups.rows > 1 && groups.height >= groups.rows
  }

  /// Bands of a multiple of so many rows hold whole groups, but for shared ones.
  var unit: Int { isShared ? 1 : height }

  /// How many shared groups there are.
  var sharedCount: Int { (columns + width - 1) / width }

  /// All groups.
  var count: Int { ScaleGroups(rows: rows, columns: columns, height: height, width: width).count }

  /// Whether groups are parts of rows, several to a row.
  var isWithinRows: Bool { height == 1 && width < columns }

  /// The groups of a band of so many rows; shared ones have the same numbers in every band.
  func groups(rows: Int) -> ScaleGroups {
    ScaleGroups(rows: rows, columns: columns, height: isShared ? max(rows, 1) : height, width: width)
  }

  /// A figure of each group of a band: of shared groups one that was found before, `shared`.
  func figures<T>(
    _ shared: [T], of band: TensorMatrix, _ find: (TensorMatrix, ScaleGroups) -> [T]
  ) -> [T] { isShared ? shared : find(band, groups(rows: band.rows)) }

  /// max |a| of each shared group; nothing where groups lie within bands.
  func sharedMaxima(_ tensor: TensorBands) throws -> [Float] {
    guard isShared else { return [] }
    var maxima = [Float](repeating: 0, count: sharedCount)
    try tensor.forEach { _, band in
      for (k, x) in groups(rows: band.rows).maxima(band).enumerated() { maxima[k] = max(maxima[k], x) }
    }
    return maxima
  }

  /// The same of the groups of a band.
  func maxima(_ shared: [Float], _ band: TensorMatrix) -> [Float] {
    figures(shared, of: band) { $1.maxima($0) }
  }
}
