extension TensorProfile {
  /// The channels with the largest |a|, the largest first, of equals the first; empty where channels are not kept.
  public func largestChannels(_ count: Int) -> [Int] { Self.largest(count, columnMaxima) }

  /// The entries of `rowMaxima` with the largest |a|, the largest first, of equals the first.
  public func largestTokenGroups(_ count: Int) -> [Int] { Self.largest(count, rowMaxima) }

  /// How many channels LLM.int8() would count in this layer alone: |a| ≥ `settings.outlierLimit` in 6 % of the tokens; nil where
  /// channels are not kept.
  public var outlierChannelCount: Int? {
    columnMaxima.isEmpty ? nil : outlierChannels(share: LayerSeries.outlierShares.tokens).count
  }

  private static func largest(_ count: Int, _ values: [Float]) -> [Int] {
    var found: [Int] = []
    for k in values.indices {
      if found.count == count, let last = found.last, !(values[k] > values[last]) { continue }
      found.insert(k, at: found.firstIndex { values[k] > values[$0] } ?? found.endIndex)
      if found.count > count { found.removeLast() }
    }
    return found
  }
}
