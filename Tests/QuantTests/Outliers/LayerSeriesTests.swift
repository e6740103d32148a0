import Quant
import Testing

@Suite struct LayerSeriesTests {
  private func layer(_ planted: [(channel: Int, value: Float)], columns: Int = 16, background: Float = 0.5)
    throws
    -> TensorProfile
  {
    var values = [Float](repeating: background, count: 8 * columns)
    for p in planted { values[2 * columns + p.channel] = p.value }
    return try ProfileTests.profile(values, rows: 8, columns: columns)
  }

  @Test func aChannelIsFollowedFromBirthToEnd() throws {
    let quiet = try layer([])
    let tensors: [(name: String, profile: TensorProfile)] = [
      ("blk.10.x", try layer([(3, 900), (5, 600)])), ("blk.2.x", quiet), ("blk.4.x", try layer([(3, 700)])),
      ("blk.30.x", try layer([(3, 40)])), ("other", quiet), ("blk.4.y", quiet),
    ]
    let series = LayerSeries.series(of: tensors)
    #expect(series.count == 1)
    let s = try #require(series.first)
    #expect(s.pattern == "blk.*.x" && s.layers == [2, 4, 10, 30] && s.tensors == [1, 2, 0, 3])
    try #require(s.courses.map(\.channel) == [3, 5])
    let c = s.courses[0]
    #expect(c.before == 2 && c.born == 4 && c.last == 10 && c.gone == 30)
    #expect(c.peak == 900 && c.peakLayer == 10 && c.massiveLayers == [4, 10])
    #expect(c.maxima == [0.5, 700, 900, 40])
    #expect(s.courses[1].before == 4 && s.courses[1].born == 10 && s.courses[1].last == 10)
  }

  @Test func fromTheFirstToTheLast() throws {
    let loud = try layer([(1, 5000)])
    let s = try #require(LayerSeries.series(of: [("h0", loud), ("h1", loud)]).first)
    try #require(s.courses.count == 1)
    #expect(s.courses[0].before == nil && s.courses[0].gone == nil)
  }

  /// 6 % of the tokens of a quarter of the layers.
  @Test func outlierChannelsAreCountedOverTokensAndLayers() throws {
    func profile(_ outliers: [Int: Int]) throws -> TensorProfile {
      var values = [Float](repeating: 1, count: 100 * 4)
      for (channel, count) in outliers { for row in 0..<count { values[row * 4 + channel] = -6 } }
      return try ProfileTests.profile(values, rows: 100, columns: 4)
    }
    let tensors: [(String, TensorProfile)] = [
      ("l.0", try profile([0: 6, 1: 5, 2: 100])), ("l.1", try profile([1: 5])), ("l.2", try profile([3: 5])),
      ("l.3", try profile([:])), ("l.4", try profile([2: 7])),
    ]
    let s = try #require(LayerSeries.series(of: tensors).first)
    // Channel 0 has one layer of five, which is less than a quarter; channel 2 has two.
    #expect(s.outlierChannels == [2])
    let four = try #require(LayerSeries.series(of: Array(tensors.prefix(4))).first)
    #expect(four.outlierChannels == [0, 2])
  }

  @Test func namesThatAreNoSeries() throws {
    let (a, b) = (try layer([]), try layer([], columns: 8))
    #expect(LayerSeries.series(of: [("x.1", a), ("x.2", b)]).isEmpty)
    #expect(LayerSeries.series(of: [("x.1", a), ("x.01", a)]).isEmpty)
    #expect(LayerSeries.series(of: [("x.99999999999999999999", a), ("x.1", a)]).isEmpty)
    #expect(LayerSeries.series(of: [("a", a), ("b", a)]).isEmpty)
  }
}
