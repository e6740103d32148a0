import NumKit
import Quant
import Reports

extension ActivationsReport {
  /// A row a tensor.
  var table: Table {
    typealias A = ActivationColumns
    let entries = entries
    let nothing = "no element is finite"
    func size(_ x: Double, unless reason: String = nothing) -> Cell { .number(x, unless: reason) }
    var table = Table(rows: entries.count)
    table.setWitnesses { i in
      let e = entries[i]
      let first = [e.profile.firstNaN, e.profile.firstInfinity].compactMap { $0 }
        .min { $0.index < $1.index }
      let massive = e.profile.massive.places.first.map {
        "the largest, \(Figures.number(Double($0.value))), at \(e.place($0))"
      }
      return first.map { "the first at \(e.place($0))" } ?? massive
    }
    table.add(A.tensor) { i in
      // Of a model the layer and the kind tell tensors apart in less room.
      let name = isModel ? ModelPlace(entries[i].tensor.tensorName).shown : entries[i].shownName
      return Cell(text: name, value: .text(entries[i].tensor.name))
    }
    table.add(A.type) { .text(entries[$0].tensor.type) }
    table.add(A.shape) { i in
      let shape = entries[i].tensor.shape
      return Cell(
        text: shape.map(String.init).joined(separator: " x "), value: .list(shape.map { .integer($0) }))
    }
    let counts: [(Column, KeyPath<TensorProfile, Int>)] = [
      (A.rows, \.rows), (A.length, \.columns), (A.finite, \.finiteCount), (A.zeros, \.zeroCount),
    ]
    for (column, path) in counts { table.add(column) { .count(entries[$0].profile[keyPath: path]) } }
    table.add(A.massive) { i in
      let p = entries[i].profile
      // Not "none is massive" but "none could be".
      return p.finiteCount == 0 ? .none(nothing) : .count(p.massive.count)
    }
    let sizes: [(Column, (TensorProfile) -> Double, String)] = [
      (A.smallest, { Double($0.smallest) }, nothing), (A.largest, { Double($0.largest) }, nothing),
      (A.mean, { $0.mean }, nothing), (A.deviation, { $0.standardDeviation }, nothing),
      (A.median, { $0.medianMagnitude }, nothing),
      (A.peakToMedian, { $0.peakToMedian }, "all elements are 0, or none is finite"),
      (A.skewness, { $0.skewness }, "all elements are equal, or none is finite"),
      (A.kurtosis, { $0.kurtosis }, "all elements are equal, or none is finite"),
      (A.maxMagnitude, { Double($0.largestMagnitude) }, nothing),
      (A.minMagnitude, { Double($0.smallestMagnitude) }, "all elements are 0, or none is finite"),
      (A.dynamicRange, { $0.dynamicRange }, "all elements are 0, or none is finite"),
    ]
    for (column, figure, reason) in sizes {
      table.add(column) { size(figure(entries[$0].profile), unless: reason) }
    }
    table.add(A.outlierChannels) { i in
      if entries[i].isWeight {
        return .none("of a weight it says nothing: its columns are inputs, not channels of tokens")
      }
      return entries[i].profile.outlierChannelCount.map { .count($0) }
        ?? .none("single channels of so many are not kept")
    }
    table.add(A.nan) { .count(entries[$0].profile.nanCount) }
    table.add(A.infinite) { .count(entries[$0].profile.infiniteCount) }
    table.add(A.nearMisses) { .count(entries[$0].profile.massive.nearMissCount) }
    func peak(_ i: Int, _ cell: (TensorPlace) -> Cell) -> Cell {
      entries[i].profile.largestPlaces.first.map(cell) ?? .none("no element is finite, or --largest is 0")
    }
    table.add(A.peakValue) { peak($0) { .exact(Double($0.value)) } }
    // Weights have rows and columns, what they are multiplied with tokens and channels.
    func ofKind(_ i: Int, weight: Bool, _ cell: (TensorPlace) -> Cell) -> Cell {
      if entries[i].isWeight == weight { return peak(i, cell) }
      return .none(weight ? "it has tokens and channels" : "a weight has rows and columns")
    }
    if entries.contains(where: { !$0.isWeight }) {
      table.add(A.peakToken) { ofKind($0, weight: false) { .count($0.row) } }
      table.add(A.peakChannel) { ofKind($0, weight: false) { .count($0.column) } }
    }
    if entries.contains(where: \.isWeight) {
      table.add(A.peakRow) { ofKind($0, weight: true) { .count($0.row) } }
      table.add(A.peakColumn) { ofKind($0, weight: true) { .count($0.column) } }
    }
    addData(to: &table)
    return table
  }

  private func addData(to table: inout Table) {
    typealias A = ActivationColumns
    let entries = entries
    func floats(_ x: [Float]) -> JSONValue { .list(x.map { .number(Double($0)) }) }
    func integers(_ x: [Int]) -> JSONValue { .list(x.map { .integer($0) }) }
    let data: [(Column, (Entry) -> JSONValue)] = [
      (A.firstNaN, { e in .optional(e.profile.firstNaN.map { Self.place($0, e) }) }),
      (A.firstInfinity, { e in .optional(e.profile.firstInfinity.map { Self.place($0, e) }) }),
      (A.largestPlaces, { e in .list(e.profile.largestPlaces.map { Self.place($0, e) }) }),
      (A.massivePlaces, { e in .list(e.profile.massive.places.map { Self.place($0, e) }) }),
      (A.massiveChannels, { e in integers(e.profile.massive.sortedChannels) }),
      (A.nearMissPlaces, { e in .list(e.profile.massive.nearMisses.map { Self.place($0, e) }) }),
      (A.cost, { e in .list(e.costs.map(Self.cost)) }),
      (A.formats, { e in .list(e.profile.losses.map(Self.loss)) }),
      (
        A.octaves,
        { e in
          .object([
            "first": .integer(e.profile.octaves.first), "counts": integers(e.profile.octaves.counts),
          ])
        }
      ),
      (A.channelMaxima, { e in floats(e.profile.columnMaxima) }),
      (A.channelOutliers, { e in integers(e.profile.columnOutliers) }),
      (A.tokenMaxima, { e in floats(e.profile.rowMaxima) }),
      (A.tokensPerMaximum, { e in .integer(e.profile.rowsPerMaximum) }),
    ]
    for (column, value) in data { table.add(column) { .data(value(entries[$0])) } }
  }

  private static func place(_ place: TensorPlace, _ e: Entry) -> JSONValue {
    .object([
      "index": .list(e.tensor.index(place).map { .integer($0) }),
      e.isWeight ? "row" : "token": .integer(place.row),
      e.isWeight ? "column" : "channel": .integer(place.column), "value": .number(Double(place.value)),
      "valueHex": .text(Figures.hex(Double(place.value))),
    ])
  }

  private static func cost(_ c: OutlierCost) -> JSONValue {
    .object([
      "scheme": .text(c.scheme), "groups": .integer(c.groupCount), "elements": .integer(c.restCount),
      "bits": .number(c.bitsWith), "bitsWithout": .number(c.bitsWithout), "sqnr": .number(c.sqnrWith),
      "sqnrWithout": .number(c.sqnrWithout), "flushed": .integer(c.flushedWith),
      "flushedWithout": .integer(c.flushedWithout),
    ])
  }

  private static func loss(_ loss: FormatLoss) -> JSONValue {
    .object([
      "dtype": .text(loss.format.name), "headroomBits": .number(loss.headroom),
      "overflow": .integer(loss.overflowCount), "flushed": .integer(loss.flushedCount),
      "digitless": .integer(loss.digitlessCount),
    ])
  }

  /// What machines find of each series of layers.
  var seriesTable: Table {
    typealias A = ActivationColumns
    let series = series
    func integers(_ x: [Int]) -> JSONValue { .list(x.map { .integer($0) }) }
    var table = Table("series", rows: series.count, for: .machines)
    table.add(A.file) { .text(series[$0].file) }
    table.add(A.pattern) { .text(series[$0].series.pattern) }
    table.add(A.layers) { .data(integers(series[$0].series.layers)) }
    table.add(A.channels) { i in
      .data(
        .list(
          series[i].series.courses.map { c in
            .object([
              "channel": .integer(c.channel), "born": .integer(c.born),
              "before": .optional(c.before.map { .integer($0) }), "last": .integer(c.last),
              "gone": .optional(c.gone.map { .integer($0) }), "massiveLayers": integers(c.massiveLayers),
              "peak": .number(Double(c.peak)), "peakLayer": .integer(c.peakLayer),
              "maxima": .list(c.maxima.map { .number(Double($0)) }),
            ])
          }))
    }
    table.add(A.seriesOutliers) { .data(integers(series[$0].series.outlierChannels)) }
    return table
  }
}
