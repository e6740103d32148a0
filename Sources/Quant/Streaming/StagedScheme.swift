/// A scheme made ready for one tensor, whose rows can now be encoded in bands, in any order and at once.
///
/// The bytes of the whole tensor are `prefix`, then those of the bands one after another; where the layout gathers
/// parts of all blocks, each of `sections` apart.
public struct StagedScheme: Sendable {
  /// The scheme as it was asked for.
  public let scheme: any Scheme
  /// What stands before all bands: scales of the tensor, masks.
  public let prefix: [UInt8]
  /// Encodes a band. All but the last have a multiple of `rowUnit` rows.
  public let bands: any Scheme
  /// See `bands`.
  public let rowUnit: Int

  /// Makes `scheme` ready for a tensor of so many rows; `survey` has seen all of them where `scheme.needsSurvey`.
  ///
  /// Throws `SchemeError.shape` where the scheme does not fit, or the survey is of another tensor.
  public init(_ scheme: any Scheme, rows: Int, columns: Int, survey: TensorSurvey?) throws {
    _ = try scheme.byteCount(rows: rows, columns: columns)
    self.scheme = scheme
    if rows == 0 || columns == 0 {
      (prefix, bands, rowUnit) = ([], scheme, 1)
      return
    }
    if let unit = scheme.independentRows {
      (prefix, bands, rowUnit) = ([], scheme, min(unit, rows))
      return
    }
    if let length = (scheme as? any BlockedScheme)?.flatBlockLength {
      (prefix, bands, rowUnit) = ([], scheme, Self.unit(length, columns))
      return
    }
    guard let survey, survey.columns == columns, survey.rows == rows else {
      throw SchemeError.shape("\(scheme.name) needs a survey of all \(rows) rows of \(columns) elements")
    }
    if let double = scheme as? DoubleQuantized {
      let mean = survey.meanBlockMagnitude
      prefix = withUnsafeBytes(of: mean.bitPattern.littleEndian) { [UInt8]($0) }
      bands = DoubleQuantized(inner: double.inner, knownMean: mean)
      rowUnit = Self.unit(64 * DoubleQuantized.group, columns)
    } else if let integers = scheme as? LLMInt8 {
      let kept = LLMInt8.keptColumns(magnitudes: survey.magnitudes)
      (prefix, bands, rowUnit) = (kept.mask, LLMInt8(known: kept.columns, isRelease: integers.isRelease), 1)
    } else if let blocked = scheme as? any BlockedScheme {
      let staged = StagedBlocks(blocked, survey)
      // Rows of a tile stay together.
      let unit = blocked.granularity.independentRows ?? 1
      (prefix, bands, rowUnit) = (staged.prefix, staged, min(unit, rows))
    } else {
      // Nothing here; a scheme of someone else's that shares something among all rows takes them all at once.
      (prefix, bands, rowUnit) = ([], scheme, max(rows, 1))
    }
  }

  /// The fewest rows that are a multiple of `elements` elements.
  private static func unit(_ elements: Int, _ columns: Int) -> Int {
    var (a, b) = (elements, max(columns, 1))
    while b != 0 { (a, b) = (b, a % b) }
    return elements / a
  }

  /// How many bytes each part of the layout takes for so many rows: parts of the same number from all bands follow one
  /// another.
  public func sections(rows: Int, columns: Int) throws -> [Int] {
    let total = try bands.byteCount(rows: rows, columns: columns)
    if let blocked = bands as? any BlockedScheme, let length = blocked.flatBlockLength {
      let stored = (rows * columns + length - 1) / length * blocked.blockBytes
      return [stored, total - stored]
    }
    if bands is DoubleQuantized {
      let blocks = (rows * columns + BitsandbytesBlocks.usualSize - 1) / BitsandbytesBlocks.usualSize
      let groups = (blocks + DoubleQuantized.group - 1) / DoubleQuantized.group
      return [4 * groups, blocks, total - 4 * groups - blocks]
    }
    return [total]
  }
}

extension Scheme {
  /// Whether something of the whole tensor must be known before its first row can be encoded.
  public var needsSurvey: Bool {
    independentRows == nil && (self as? any BlockedScheme)?.flatBlockLength == nil
  }
}
