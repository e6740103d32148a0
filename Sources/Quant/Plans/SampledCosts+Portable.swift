import NumKitNumbers

extension SampledCost: Portable {
  /// To read into.
  package static let blank = SampledCost(scheme: "", bytes: 0, noise: 0)

  package mutating func carry(_ c: inout Carrier) throws {
    var (scheme, bytes, faults) = (scheme, bytes, faults)
    var figures = [noise, uncertainty]
    try c.carry(&scheme)
    try c.carry(count: &bytes)
    try c.carry(fixed: &figures) { try $0.carry(&$1) }
    try c.carry(count: &faults)
    self = SampledCost(
      scheme: scheme, bytes: bytes, noise: figures[0], uncertainty: figures[1], faults: faults)
  }
}

extension SampledCosts: Portable {
  /// To read into.
  package static let blank = SampledCosts(rows: 0, columns: 0, judge: "", costs: [])

  package mutating func carry(_ c: inout Carrier) throws {
    for count in [\Self.rows, \.columns, \.measuredRows, \.nonFinite] as [WritableKeyPath<Self, Int>] {
      try c.carry(count: &self[keyPath: count])
    }
    guard !rows.multipliedReportingOverflow(by: max(columns, 1)).overflow else { throw CarrierError() }
    try c.carry(&judge)
    try c.carry(&costs, blank: .blank) { try $0.carry(&$1) }
    try c.carry(&skipped, blank: .blank) { try $0.carry(&$1) }
  }
}
