/// What a search for clips tries, and what it judges them by.
struct ClippingRule: Sendable {
  /// Shares of a group's largest magnitude; of shares that lose as little the first is taken.
  let shares: [Double]
  /// Where a group of that largest magnitude is clipped at a share.
  let limit: @Sendable (_ largest: Float, _ share: Double) -> Float
  /// Adds what each group of a band loses.
  let add:
    @Sendable (_ decoded: TensorMatrix, _ band: TensorMatrix, _ groups: ScaleGroups, _ losses: inout [Double])
      -> Void
}

/// What groups lose where they are clipped at each share of their largest magnitude.
struct ClippingTrials: Sendable {
  private let rule: ClippingRule
  private let layout: GroupLayout
  /// A coder for each share.
  private let coders: [SchemeCoder]
  /// max |a| of each group that runs through all rows.
  private let sharedMaxima: [Float]

  /// Makes the scheme ready for the tensor, each group clipped where the rule has it lose least.
  static func coder(_ tensor: TensorBands, _ scheme: any Scheme, _ rule: ClippingRule) throws -> ClippingCoder
  {
    let layout = GroupLayout(scheme, rows: tensor.rows, columns: tensor.columns)
    let trials = try ClippingTrials(tensor, scheme, layout, rule)
    guard layout.isShared else {
      return try ClippingCoder(scheme, tensor, layout, unit: trials.rowUnit) { band, first in
        var losses = trials.noLosses(layout.groups(rows: band.rows).count)
        try trials.add(band, firstRow: first, to: &losses)
        return trials.best(losses, layout.maxima([], band))
      }
    }
    var losses = trials.noLosses(layout.sharedCount)
    try tensor.forEach(unit: trials.rowUnit) { first, band in
      try trials.add(band, firstRow: first, to: &losses)
    }
    let limits = trials.best(losses, trials.sharedMaxima)
    return try ClippingCoder(scheme, tensor, layout) { _, _ in limits }
  }

  /// Makes the scheme ready for each share; reads the tensor where it must know all of it.
  private init(_ tensor: TensorBands, _ scheme: any Scheme, _ layout: GroupLayout, _ rule: ClippingRule)
    throws
  {
    let (rows, columns) = (tensor.rows, tensor.columns)
    _ = try scheme.byteCount(rows: rows, columns: columns)
    let maxima = try layout.sharedMaxima(tensor)
    var surveys: [TensorSurvey] = []
    if scheme.needsSurvey {
      surveys = rule.shares.map { _ in TensorSurvey(columns: columns, for: [scheme]) }
      try tensor.forEach(unit: layout.unit) { _, band in
        let largest = layout.maxima(maxima, band)
        for (k, share) in rule.shares.enumerated() {
          surveys[k].add(
            Self.clamped(band, layout.groups(rows: band.rows), largest.map { rule.limit($0, share) }))
        }
      }
    }
    coders = try rule.shares.indices.map {
      try SchemeCoder(
        scheme, rows: rows, columns: columns, survey: surveys.indices.contains($0) ? surveys[$0] : nil)
    }
    (self.rule, self.layout, sharedMaxima) = (rule, layout, maxima)
  }

  /// All bands but the last have a multiple of so many rows.
  private var rowUnit: Int { coders.map(\.rowUnit).reduce(layout.unit, leastCommonMultiple) }

  private static func clamped(_ band: TensorMatrix, _ groups: ScaleGroups, _ limits: [Float]) -> TensorMatrix
  {
    var clamped = band
    groups.clamp(&clamped, limits)
    return clamped
  }

  /// Of each share and group.
  private func noLosses(_ groups: Int) -> [[Double]] {
    rule.shares.map { _ in [Double](repeating: 0, count: groups) }
  }

  /// Adds what a band's groups lose at each share.
  private func add(_ band: TensorMatrix, firstRow: Int, to losses: inout [[Double]]) throws {
    let groups = layout.groups(rows: band.rows)
    let maxima = layout.maxima(sharedMaxima, band)
    for (k, share) in rule.shares.enumerated() {
      let clamped = Self.clamped(band, groups, maxima.map { rule.limit($0, share) })
      let (decoded, _) = try coders[k].code(clamped, firstRow: firstRow)
      rule.add(decoded, band, groups, &losses[k])
    }
  }

  /// Where to clip groups with these losses at each share.
  private func best(_ losses: [[Double]], _ maxima: [Float]) -> [Float] {
    maxima.indices.map { group in
      var (least, limit) = (Double.infinity, maxima[group])
      for (k, share) in rule.shares.enumerated() where losses[k][group] < least {
        (least, limit) = (losses[k][group], rule.limit(maxima[group], share))
      }
      return limit
    }
  }
}
