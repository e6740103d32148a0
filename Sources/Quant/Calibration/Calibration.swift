/// A way of choosing scales or codes within a scheme.
public protocol Calibration: Sendable {
  /// The name, with its number: `percentile:99.9`.
  var name: String { get }

  /// What the scheme so used makes of a finite matrix, and the bits it stores.
  func quantize(_ matrix: TensorMatrix, scheme: any Scheme, context: CureContext) throws
    -> (decoded: TensorMatrix, bits: Int)
}

/// Every calibration by its name.
public enum CalibrationRegistry {
  /// One line for each kind.
  public static let kinds: [CureKind<any Calibration>] = [
    CureKind("minmax", "the scale from the largest |a|, as the scheme has it") { try MinMax($0) },
    CureKind("percentile", "clip each group at a percentile (99.9) of its |a|") { try PercentileClip($0) },
    CureKind("mse", "clip each group where its squared error is smallest") { try MSEClip($0) },
    CureKind("kl", "clip where the histogram keeps the most information (KL divergence)") {
      try EntropyClip($0)
    },
    CureKind("stochastic", "round up or down at random, so that the mean is right") {
      try StochasticRounding($0)
    },
    CureKind("awq-clip", "AWQ: clip each group where its product with the activations is best") {
      try ProductClip($0)
    },
    CureKind("hqq", "HQQ: fit each group's zero point to a heavy-tailed error") { try HQQ($0) },
    CureKind(
      "gptq", "GPTQ: make up for each column's error in the next, by the activations' Hessian",
      words: GPTQ.words
    ) { try GPTQ($0, $1) },
  ]

  /// The calibration of a name. Throws `CureError`.
  public static func calibration(named text: String) throws -> any Calibration {
    try CureKind.make(text, from: kinds, "calibration")
  }
}

/// Nothing but the scheme.
struct MinMax: Calibration {
  var name: String { "minmax" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("minmax takes no number") }
  }

  func quantize(_ matrix: TensorMatrix, scheme: any Scheme, context: CureContext) throws
    -> (decoded: TensorMatrix, bits: Int)
  {
    try matrix.coded(by: scheme)
  }
}

/// Which elements of a matrix share a scale, for any scheme.
struct ScaleGroups {
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
    } else {
      granularity = SchemeName(scheme.name)?.granularity ?? (scheme.independentRows == 1 ? .token : .tensor)
    }
    self.init(granularity, rows: rows, columns: columns)
  }

  init(_ granularity: Granularity, rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    height = granularity.blockRows(rows)
    width = granularity.blockColumns(columns)
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
