import NumKit
import StabilityTesting

/// The rows that may be asked about.
package struct RowLimits: Sendable {
  /// What they are numbers of.
  package var format: NumberFormat
  /// How long they are.
  package var lengths: ClosedRange<Int>
  /// How large finite numbers are at most.
  package var range: Double
  /// Whether −∞ may hide some, never all.
  package var allowsMasks: Bool
  /// Whether there may be NaN, +∞ and nothing but −∞.
  package var allowsSpecials: Bool
  /// Numbers of an element: 2 where elements are pairs, one after the other in a row. Only the first of a pair may be −∞.
  package var width = 1

  package init(
    _ format: NumberFormat, lengths: ClosedRange<Int>, range: Double = .infinity, allowsMasks: Bool = true,
    allowsSpecials: Bool = false
  ) {
    self.format = format
    self.lengths = lengths
    self.range = format.largest(upTo: range)
    self.allowsMasks = allowsMasks && format.hasInfinity
    self.allowsSpecials = allowsSpecials
  }

  /// What the numbers of a row may be.
  package var domain: FloatDomain {
    var domain = FloatDomain(format, in: -range...range)
    domain.hasMinusInfinity = allowsMasks || allowsSpecials
    (domain.hasInfinity, domain.hasNaN) = (allowsSpecials, allowsSpecials)
    return domain
  }

  /// Whether a row may be asked about.
  package func allows(_ row: [Double]) -> Bool {
    let domain = domain
    guard row.count % width == 0, lengths.contains(row.count / width), row.allSatisfy(domain.contains) else {
      return false
    }
    if width == 1 { return allowsSpecials || row.contains(where: \.isFinite) }
    return row.indices.allSatisfy { $0 % width == 0 || row[$0].isFinite }
      && stride(from: 0, to: row.count, by: width).contains { row[$0].isFinite }
  }

  /// A row made one that may be asked about; nil where it has no number left.
  func fitted(_ row: [Double]) -> [Double]? {
    var row = row
    row.removeLast(row.count % width)
    let (least, most) = (lengths.lowerBound * width, lengths.upperBound * width)
    if row.count > most { row.removeLast(row.count - most) }
    while row.count < least { row.append(row.count >= width ? row[row.count - width] : 0) }
    for i in row.indices {
      var x = format.round(row[i], overflow: .special)
      if i % width != 0 && x == -.infinity { x = -range }
      if x == -.infinity && !(allowsMasks || allowsSpecials) { x = -range }
      if (x == .infinity || x.isNaN) && !allowsSpecials { x = x.isNaN ? 0 : range }
      if x.isFinite { x = max(-range, min(range, x)) }
      row[i] = x
    }
    return allows(row) ? row : nil
  }

  var families: [RowFamily] { RowFamily.allCases.filter { allowsMasks || !$0.isMasked } }

  /// Lengths at which kernels turn: the shortest, those around powers of two, and some between.
  var turningLengths: [Int] {
    var all = [1, 2, 3, 4, 5, 6, 7, 10, 12, 20, 24, 40, 48, 96, 100, 200, 384, 1000, 3000, 10_000]
    for k in 3...40 { all += [-1, 0, 1].map { (1 << k) + $0 } }
    all += [lengths.lowerBound, lengths.upperBound]
    return Set(all.filter(lengths.contains)).sorted()
  }
}

extension RowLimits {
  /// Lengths up to this are cheap: all families are tried on them.
  static let shortLength = 272

  /// The rows that a search begins with, in an order by chance that is the seed's.
  func starts(_ random: inout RandomSource) -> [[Double]] {
    let long: [RowFamily] = [.level, .blockEdge, .ascending, .farBelow, .tail, .gaussian, .last]
    var plans: [(RowFamily, Int)] = []
    for n in turningLengths {
      for family in n <= Self.shortLength ? families : long.filter({ families.contains($0) }) {
        plans.append((family, n))
      }
    }
    // The longest come last of their kind: they cost most.
    plans.shuffle(using: &random)
    let limit = 2048
    plans = plans.filter { $0.1 <= limit } + plans.filter { $0.1 > limit }.sorted { $0.1 < $1.1 }
    // Every so often a long one, so that short budgets see some.
    var (shorts, longs) = (plans.filter { $0.1 <= limit }[...], plans.filter { $0.1 > limit }[...])
    var rows: [[Double]] = []
    while !shorts.isEmpty || !longs.isEmpty {
      for _ in 0..<8 {
        if let plan = shorts.popFirst() { rows += fresh(plan.0, plan.1, &random).map { [$0] } ?? [] }
      }
      if let plan = longs.popLast() { rows += fresh(plan.0, plan.1, &random).map { [$0] } ?? [] }
    }
    return rows
  }

  /// A row of a kind.
  func fresh(_ family: RowFamily, _ length: Int, _ random: inout RandomSource) -> [Double]? {
    if width > 1 { return freshPairs(family, length, &random) }
    var row = [Double](repeating: 0, count: length)
    family.fill(&row, format, range: range, &random)
    if allowsSpecials && random.chance(0.2) && !row.isEmpty {
      let special = random.one(of: [Double.nan, .infinity, -.infinity])
      if random.chance(0.2) {
        row = row.map { _ in special }
      } else {
        row[random.integer(in: 0...length - 1)] = special
      }
    }
    return fitted(row)
  }

  /// A row of any kind, short more often than not.
  func fresh(_ random: inout RandomSource) -> [Double]? {
    let short = min(lengths.upperBound, max(lengths.lowerBound, 64))
    let range =
      random.chance(0.9)
      ? lengths.lowerBound...short : lengths.lowerBound...min(lengths.upperBound, max(short, 2048))
    return fresh(random.one(of: families), random.length(in: range), &random)
  }
}
