/// Where a scheme's answer changes from one value to the next while its scale stays.
public struct DecisionBoundary: Sendable, Hashable {
  /// What inputs up to `last` decode to.
  public let below: Float
  /// What inputs from the next float on decode to.
  public let above: Float
  /// The largest input that still decodes to `below`.
  public let last: Float
}

/// A boundary that two schemes put at different floats.
public struct BoundaryDifference: Sendable, Hashable {
  /// The values on both sides, which the schemes share.
  public let below: Float
  public let above: Float
  /// The largest inputs that the two schemes decode to `below`.
  public let first: Float
  public let second: Float

  /// How many floats apart they are.
  public var ulps: Int { abs(FloatOrder.position(first) - FloatOrder.position(second)) }
}

/// All decision boundaries of a scheme's codes, found float by float.
public struct DecisionBoundaries: Sendable, Hashable {
  /// Ascending.
  public let all: [DecisionBoundary]

  /// The boundaries between −`anchor` and `anchor`, for a block whose first two elements are ±`anchor` and hold its
  /// scale still, whose third is the input, and whose others are 0.
  ///
  /// Between two inputs with the same answer no boundary is looked for, so that this is every one of a scheme that
  /// is monotone under a fixed scale, as all here are. `limit` bounds how many are looked for (16-bit formats have
  /// 65 thousand). Throws `SchemeError.shape` for an anchor that is not positive and finite.
  public init(of scheme: any Scheme, anchor: Float, limit: Int = 4096) throws {
    guard anchor > 0, anchor.isFinite else {
      throw SchemeError.shape("an anchor must be a positive finite number")
    }
    let length = try DialectPair.blockLength(scheme, scheme)
    // The anchors must share the input's scale.
    let upright = (scheme as? any BlockedScheme)?.granularity == .channel
    let (rows, columns) = upright ? (length, 1) : (1, length)
    var row = [Float](repeating: 0, count: length)
    (row[0], row[1]) = (anchor, -anchor)
    var bytes = [UInt8](repeating: 0, count: try scheme.byteCount(rows: rows, columns: columns))
    var decoded = [Float](repeating: 0, count: length)

    func answer(_ position: Int) throws -> Float {
      row[2] = FloatOrder.float(position)
      try bytes.withUnsafeMutableBytes { raw in
        try row.withUnsafeBufferPointer { try scheme.encode($0, rows: rows, columns: columns, into: raw) }
        try decoded.withUnsafeMutableBufferPointer {
          try scheme.decode(UnsafeRawBufferPointer(raw), rows: rows, columns: columns, into: $0)
        }
      }
      return decoded[2]
    }

    var found: [DecisionBoundary] = []
    let (start, end) = (FloatOrder.position(-anchor), FloatOrder.position(anchor))
    // Stretches still to look at, the lowest last.
    var open = [(low: start, lowAnswer: try answer(start), high: end, highAnswer: try answer(end))]
    while let part = open.popLast(), found.count < limit {
      if DialectPair.same(part.lowAnswer, part.highAnswer) { continue }
      if part.high - part.low == 1 {
        found.append(
          DecisionBoundary(below: part.lowAnswer, above: part.highAnswer, last: FloatOrder.float(part.low)))
        continue
      }
      let middle = part.low + (part.high - part.low) / 2
      let value = try answer(middle)
      open.append((middle, value, part.high, part.highAnswer))
      open.append((part.low, part.lowAnswer, middle, value))
    }
    all = found
  }

  /// The boundaries between the same two values that another scheme puts elsewhere.
  public func differences(from other: DecisionBoundaries) -> [BoundaryDifference] {
    struct Sides: Hashable {
      let below: UInt32
      let above: UInt32
      init(_ boundary: DecisionBoundary) {
        below = boundary.below.bitPattern
        above = boundary.above.bitPattern
      }
    }
    let theirs = Dictionary(other.all.map { (Sides($0), $0) }, uniquingKeysWith: { first, _ in first })
    return all.compactMap { mine in
      guard let match = theirs[Sides(mine)], match.last.bitPattern != mine.last.bitPattern else { return nil }
      return BoundaryDifference(below: mine.below, above: mine.above, first: mine.last, second: match.last)
    }
  }
}

/// Floats by their place in ascending order; −0 stands below +0.
enum FloatOrder {
  static func position(_ x: Float) -> Int {
    let bits = Int(Int32(bitPattern: x.bitPattern))
    return bits >= 0 ? bits : Int(Int32.min) - bits - 1
  }

  static func float(_ position: Int) -> Float {
    let bits = position >= 0 ? position : Int(Int32.min) - position - 1
    return Float(bitPattern: UInt32(bitPattern: Int32(truncatingIfNeeded: bits)))
  }
}
