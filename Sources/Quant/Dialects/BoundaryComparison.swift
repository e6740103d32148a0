/// Where two schemes change from one value to the next, in a block whose largest magnitude is `anchor`.
public struct BoundaryComparison: Sendable {
  public let anchor: Float
  /// The boundaries of the first scheme, and of the second.
  public let first: DecisionBoundaries
  public let second: DecisionBoundaries

  /// Searches both. Throws what `DecisionBoundaries` throws.
  public init(_ a: any Scheme, _ b: any Scheme, anchor: Float) throws {
    self.anchor = anchor
    first = try DecisionBoundaries(of: a, anchor: anchor)
    second = try DecisionBoundaries(of: b, anchor: anchor)
  }

  /// The boundaries between the same two values that lie at different floats.
  public var moved: [BoundaryDifference] { first.differences(from: second) }

  /// The same, those nearest to zero first: what people look for.
  public var movedFromZero: [BoundaryDifference] {
    moved.sorted { ($0.first.magnitude, $0.first) < ($1.first.magnitude, $1.first) }
  }

  /// How many boundaries both have, wherever they lie.
  public var shared: Int {
    struct Sides: Hashable {
      let below: Float
      let above: Float
    }
    let theirs = Set(second.all.map { Sides(below: $0.below, above: $0.above) })
    return first.all.count { theirs.contains(Sides(below: $0.below, above: $0.above)) }
  }
}

extension DialectComparison {
  /// Which of two schemes is to be preferred on a tensor.
  public enum Preference: Sendable, Hashable {
    /// They decode alike.
    case same
    /// They differ at no cost.
    case even
    /// One keeps more numbers; the dB, of what each keeps, do not compare.
    case keepsMore(first: Bool)
    /// They differ by less than anyone would choose one for.
    case near
    /// One has a higher SQNR, by so many dB.
    case better(first: Bool, decibels: Double)
  }

  /// Below so many dB neither is better.
  public static let leastDecibels = 0.001

  public var preference: Preference {
    if differingBlocks == 0 { return .same }
    if first.lostCount != second.lostCount { return .keepsMore(first: first.lostCount < second.lostCount) }
    if cost == 0 { return .even }
    return cost.magnitude < Self.leastDecibels ? .near : .better(first: cost > 0, decibels: cost.magnitude)
  }
}
