import NumKitNumbers
import NumKitQuestions

extension KernelConfiguration {
  /// Rounds a row to the storage dtype, integer grids with a scale of the row's own; returns whether anything changed.
  public func roundInputs(_ row: [Double], into rounded: inout [Double]) -> Bool {
    var changed = false
    switch storage {
    case .float(let format):
      for i in row.indices {
        let r = format.round(row[i], overflow: overflow)
        rounded[i] = r
        changed = changed || !(r == row[i] || r.isNaN && row[i].isNaN)
      }
    case .integer(let format):
      var grid = IntegerGrid(format)
      grid.fit(count: row.count) { row[$0] }
      for i in row.indices {
        rounded[i] = grid.value(grid.code(row[i]))
        changed = changed || rounded[i] != row[i]
      }
    }
    return changed
  }
}

extension OperationParameters {
  /// As a kernel of this configuration is given them: temperature and cotangent rounded to the compute format. The limit
  /// τ → ∞ is one in formats without an infinity too.
  public func rounded(to configuration: KernelConfiguration) -> OperationParameters {
    var copy = self
    if temperature.isFinite {
      copy.temperature = configuration.compute.round(temperature)
      if !copy.temperature.isFinite { copy.temperature = configuration.compute.largestFinite }
    }
    copy.cotangent = cotangent.map { configuration.compute.round($0) }
    return copy
  }
}
