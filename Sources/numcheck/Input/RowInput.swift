import NumKit

/// The rows of a run: generated, or those of a tensor in a file.
struct RowInput {
  let rows: any RowSource
  let origin: RowOrigin
  /// The dimensions beside the rows' axis.
  let otherShape: [Int]
  /// The rows' axis, from 0.
  let axis: Int

  /// Every row there is of `options.length` numbers, or what `options` ask for. `operation` has its own length by default; nil for a
  /// question that has not.
  init(
    _ options: any InputChoice, operation: RowOperation? = nil, dtype: DType? = nil, exhaustive: Bool = false
  ) throws {
    if exhaustive {
      let all = try Self.exhaustive(dtype, length: options.length ?? 0)
      rows = all
      origin = .exhaustive
      otherShape = [all.rowCount]
      axis = 1
      return
    }
    if let input = options.input {
      let tensor = try TensorRows(input, axis: options.axis, limit: options.rows)
      rows = tensor
      origin = .file(ArgumentText.shown(input), shape: tensor.shape)
      axis = tensor.shape.isEmpty || options.rows != nil ? (tensor.shape.isEmpty ? 0 : 1) : tensor.axis
      var others = tensor.shape
      if !others.isEmpty { others.remove(at: tensor.axis) }
      otherShape = options.rows == nil ? others : [tensor.rowCount]
    } else {
      let length = options.length ?? (operation == .softmaxJacobian ? 32 : 1024)
      let count = options.rows ?? 256
      rows = GeneratedRows(
        options.distribution, range: options.range, rows: count, length: length, seed: options.seed)
      origin = .generated(options.distribution, range: options.range, seed: options.seed)
      otherShape = [count]
      axis = 1
    }
    if operation == .softmaxJacobian && rows.length > 4096 {
      throw UsageError(
        "a Jacobian of rows of \(rows.length) has as many entries squared; the limit is 4096 a row")
    }
  }

  private static func exhaustive(_ dtype: DType?, length: Int) throws -> ExhaustiveRows {
    guard let format = dtype?.numberFormat else {
      throw UsageError("--exhaustive needs a floating-point --dtype")
    }
    guard let rows = ExhaustiveRows(format, length: length) else {
      throw UsageError(
        "--exhaustive: all rows of \(length) numbers in \(format.name) are more than 2^26; "
          + "only pairs of 16 bits go further, for softmax")
    }
    return rows
  }

  /// Row number `row`, exactly as it is.
  func row(_ row: Int) throws -> [Double] {
    var values = [Double](repeating: 0, count: rows.length)
    try values.withUnsafeMutableBufferPointer { try rows.read(row, into: $0) }
    return values
  }

  /// What the kernel was given where a witness stands.
  func witnessInput(
    _ witness: ErrorStatistics.Witness?, _ configuration: KernelConfiguration, _ operation: RowOperation
  ) throws -> WitnessInput? {
    // One of another run's part may lie elsewhere.
    guard let witness, witness.row < rows.rowCount else { return nil }
    let given = try row(witness.row)
    var rounded = given
    _ = configuration.roundInputs(given, into: &rounded)
    let maximum = rounded.reduce(-Double.infinity) { $1.isNaN ? $0 : Swift.max($0, $1) }
    let index = operation == .softmaxJacobian ? witness.index / rounded.count : witness.index
    let hasOwn = operation.resultCount(length: rounded.count) >= rounded.count
    return WitnessInput(
      input: hasOwn && rounded.indices.contains(index) ? rounded[index] : nil, rowMaximum: maximum)
  }
}
