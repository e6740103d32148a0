import NumKitNumbers

extension TensorProfile: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    for count in [\Self.finiteCount, \.zeroCount, \.nanCount, \.infiniteCount]
      as [WritableKeyPath<Self, Int>]
    {
      try c.carry(count: &self[keyPath: count])
    }
    for x in [\Self.smallest, \.largest, \.largestMagnitude, \.smallestMagnitude]
      as [WritableKeyPath<Self, Float>]
    {
      try c.carry(&self[keyPath: x])
    }
    for x in [\Self.mean, \.standardDeviation, \.skewness, \.kurtosis, \.medianMagnitude]
      as [WritableKeyPath<Self, Double>]
    {
      try c.carry(&self[keyPath: x])
    }
    let blank = TensorPlace(index: 0, columns: 1, value: 0)
    for place in [\Self.firstNaN, \.firstInfinity] as [WritableKeyPath<Self, TensorPlace?>] {
      try c.carry(&self[keyPath: place], blank: blank, carryPlace)
    }
    try carryLosses(&c)
    for places in [\Self.largestPlaces, \.massive.places, \.massive.nearMisses]
      as [WritableKeyPath<Self, [TensorPlace]>]
    {
      try c.carry(&self[keyPath: places], blank: blank, carryPlace)
    }
    try c.carry(count: &massive.count)
    try c.carry(count: &massive.nearMissCount)
    try c.carry(&massive.restMagnitude)
    var channels = massive.sortedChannels.map { (channel: $0, count: massive.channels[$0] ?? 0) }
    try c.carry(&channels, blank: (channel: 0, count: 0)) {
      try $0.carry(count: &$1.channel)
      try $0.carry(count: &$1.count)
    }
    massive.channels = Dictionary(channels.map { ($0.channel, $0.count) }) { first, _ in first }
    try c.carry(&octaves.first)
    try c.carry(&octaves.counts, blank: 0) { try $0.carry(count: &$1) }
    try c.carry(&columnMaxima, blank: 0) { try $0.carry(&$1) }
    try c.carry(&columnOutliers, blank: 0) { try $0.carry(count: &$1) }
    try c.carry(&rowMaxima, blank: 0) { try $0.carry(&$1) }
    guard [0, columns].contains(columnMaxima.count), columnOutliers.count == columnMaxima.count else {
      throw CarrierError()
    }
  }

  private func carryPlace(_ c: inout Carrier, _ place: inout TensorPlace) throws {
    var (index, value) = (place.index, place.value)
    try c.carry(count: &index)
    try c.carry(&value)
    guard !c.isReading || index < count else { throw CarrierError() }
    if c.isReading { place = TensorPlace(index: index, columns: columns, value: value) }
  }

  /// One for each format of the settings, or none.
  private mutating func carryLosses(_ c: inout Carrier) throws {
    var count = losses.count
    try c.carry(count: &count)
    guard [0, settings.formats.count].contains(count) else { throw CarrierError() }
    losses = try (0..<count).map { k in
      var (headroom, overflow, flushed, digitless) = (0.0, 0, 0, 0)
      if !c.isReading {
        (headroom, overflow) = (losses[k].headroom, losses[k].overflowCount)
        (flushed, digitless) = (losses[k].flushedCount, losses[k].digitlessCount)
      }
      try c.carry(&headroom)
      try c.carry(count: &overflow)
      try c.carry(count: &flushed)
      try c.carry(count: &digitless)
      return FormatLoss(
        format: settings.formats[k], headroom: headroom, overflowCount: overflow, flushedCount: flushed,
        digitlessCount: digitless)
    }
  }
}

extension OutlierCost: Portable {
  /// To read into.
  package static let blank = OutlierCost(
    scheme: "", groupCount: 0, restCount: 0, bitsWith: 0, bitsWithout: 0, sqnrWith: 0, sqnrWithout: 0,
    flushedWith: 0, flushedWithout: 0)

  package mutating func carry(_ c: inout Carrier) throws {
    var scheme = scheme
    var counts = [groupCount, restCount, flushedWith, flushedWithout]
    var figures = [bitsWith, bitsWithout, sqnrWith, sqnrWithout]
    try c.carry(&scheme)
    try c.carry(fixed: &counts) { try $0.carry(count: &$1) }
    try c.carry(fixed: &figures) { try $0.carry(&$1) }
    self = OutlierCost(
      scheme: scheme, groupCount: counts[0], restCount: counts[1], bitsWith: figures[0],
      bitsWithout: figures[1], sqnrWith: figures[2], sqnrWithout: figures[3], flushedWith: counts[2],
      flushedWithout: counts[3])
  }
}
