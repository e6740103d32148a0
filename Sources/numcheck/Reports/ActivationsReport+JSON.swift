import NumKit
import Quant

extension ActivationsReport {
  func json(failures: [String]) -> JSONValue {
    .object([
      ("schema", .string("numcheck/1")), ("command", .string("activations")),
      (
        "settings",
        .object([
          ("massiveAbove", .number(settings.massiveLimit)), ("massiveRatio", .number(settings.massiveRatio)),
          ("medianScope", .string(settings.medianScope.rawValue)),
          ("outlierAbove", .number(Double(settings.outlierLimit))),
        ])
      ),
      ("results", .array(entries.map(result))),
      ("series", .array(series.map { Self.json($0.series, file: $0.file) })),
      ("leftOut", leftOut.json),
      ("failures", .array(failures.map { .string($0) })),
    ])
  }

  private func result(_ e: Entry) -> JSONValue {
    let p = e.profile
    func place(_ place: Place) -> JSONValue {
      .object([
        ("index", .array(e.tensor.index(place).map { .int($0) })), ("token", .int(place.row)),
        ("channel", .int(place.column)), ("value", .number(Double(place.value))),
        ("valueHex", .string(Figures.hex(Double(place.value)))),
      ])
    }
    func optional(_ p: Place?) -> JSONValue { p.map(place) ?? .null }
    let floats: ([Float]) -> JSONValue = { .array($0.map { .number(Double($0)) }) }
    let statistics: [(String, JSONValue)] = [
      ("finite", .int(p.finiteCount)), ("zeros", .int(p.zeroCount)), ("nan", .int(p.nanCount)),
      ("firstNaN", optional(p.firstNaN)), ("infinite", .int(p.infiniteCount)),
      ("firstInfinity", optional(p.firstInfinity)), ("min", .number(Double(p.smallest))),
      ("max", .number(Double(p.largest))), ("mean", .number(p.mean)), ("std", .number(p.standardDeviation)),
      ("medianMagnitude", .number(p.medianMagnitude)), ("skewness", .number(p.skewness)),
      ("kurtosis", .number(p.kurtosis)), ("maxMagnitude", .number(Double(p.largestMagnitude))),
      ("minMagnitude", .number(Double(p.smallestMagnitude))), ("dynamicRangeBits", .number(p.dynamicRange)),
    ]
    let found: [(String, JSONValue)] = [
      ("largest", .array(p.largestPlaces.map(place))),
      (
        "massive",
        .object([
          ("count", .int(p.massive.count)), ("places", .array(p.massive.places.map(place))),
          ("channels", .array(p.massive.sortedChannels.map { .int($0) })),
          ("nearMissCount", .int(p.massive.nearMissCount)),
          ("nearMisses", .array(p.massive.nearMisses.map(place))),
        ])
      ),
      ("cost", .array(e.costs.map(Self.json))),
      ("formats", .array(p.losses.map(Self.json))),
      (
        "octaves",
        .object([("first", .int(p.octaves.first)), ("counts", .array(p.octaves.counts.map { .int($0) }))])
      ),
      ("channelMaxima", floats(p.columnMaxima)),
      ("channelOutliers", .array(p.columnOutliers.map { .int($0) })),
      ("tokenMaxima", floats(p.rowMaxima)), ("tokensPerMaximum", .int(p.rowsPerMaximum)),
    ]
    return .object(
      [
        ("tensor", .string(e.tensor.name)), ("type", .string(e.tensor.type)),
        ("shape", .array(e.tensor.shape.map { .int($0) })), ("rows", .int(p.rows)),
        ("length", .int(p.columns)),
      ] + statistics + found)
  }

  private static func json(_ loss: FormatLoss) -> JSONValue {
    .object([
      ("dtype", .string(loss.format.name)), ("headroomBits", .number(loss.headroom)),
      ("overflow", .int(loss.overflowCount)), ("flushed", .int(loss.flushedCount)),
      ("digitless", .int(loss.digitlessCount)),
    ])
  }

  private static func json(_ s: LayerSeries, file: String) -> JSONValue {
    .object([
      ("file", .string(file)), ("pattern", .string(s.pattern)), ("layers", .array(s.layers.map { .int($0) })),
      (
        "channels",
        .array(
          s.courses.map { c in
            .object([
              ("channel", .int(c.channel)), ("born", .int(c.born)),
              ("before", c.before.map { .int($0) } ?? .null),
              ("last", .int(c.last)), ("gone", c.gone.map { .int($0) } ?? .null),
              ("massiveLayers", .array(c.massiveLayers.map { .int($0) })), ("peak", .number(Double(c.peak))),
              ("peakLayer", .int(c.peakLayer)), ("maxima", .array(c.maxima.map { .number(Double($0)) })),
            ])
          })
      ),
      ("outlierChannels", .array(s.outlierChannels.map { .int($0) })),
    ])
  }

  /// One line a tensor.
  var csv: String {
    var table = Table(
      columns: [
        "tensor", "type", "rows", "columns", "finite", "nan", "infinite", "zeros", "min", "max", "mean",
        "std",
        "median_magnitude", "kurtosis", "max_magnitude", "dynamic_range_bits", "massive", "near_misses",
        "top_value", "top_token", "top_channel", "outlier_channels",
      ].map { (title: $0, alignment: .left) })
    for e in entries {
      let p = e.profile
      let top = p.largestPlaces.first
      table.rows.append(
        [Figures.line(e.tensor.name), e.tensor.type]
          + [p.rows, p.columns, p.finiteCount, p.nanCount, p.infiniteCount, p.zeroCount].map(String.init)
          + [
            Double(p.smallest), Double(p.largest), p.mean, p.standardDeviation, p.medianMagnitude, p.kurtosis,
            Double(p.largestMagnitude), p.dynamicRange,
          ].map(Figures.number)
          + [
            "\(p.massive.count)", "\(p.massive.nearMissCount)",
            top.map { Figures.number(Double($0.value)) } ?? "",
            top.map { "\($0.row)" } ?? "", top.map { "\($0.column)" } ?? "",
            p.columnMaxima.isEmpty
              ? "" : "\(p.outlierChannels(share: LayerSeries.outlierShares.tokens).count)",
          ])
    }
    return table.csv
  }
}
