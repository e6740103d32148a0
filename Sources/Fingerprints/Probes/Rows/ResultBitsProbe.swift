import NumKit

/// What numbers results are: where all have fewer bits than their format, they were computed in fewer.
struct ResultBitsProbe {
  let room: RowRoom

  static func ask(_ i: RowInterview) throws { i.resultBits = max(1, try ResultBitsProbe(room: i.room).run()) }

  /// The most significant bits of many results.
  func run() throws -> Int {
    var probes: [RowProbe] = []
    for k in 0..<256 {
      var random = RandomSource(seed: 5, row: k)
      let values = (0..<room.n).map { _ in room.format.round(random.normal() * 2) }
      probes.append(RowProbe(values, place: room.kind == .logSumExp ? 0 : k % room.n))
    }
    return try room.box.read(probes).map(RowRoom.bits).max() ?? 0
  }
}
