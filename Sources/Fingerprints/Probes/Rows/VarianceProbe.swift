import NumKit

/// How a layer norm finds the variance: E[x²] − E[x]² loses what stands far from 0.
struct VarianceProbe {
  let room: RowRoom

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind == .layerNorm else { return }
    i.traits.append(try VarianceProbe(room: i.room).run())
  }

  func run() throws -> Trait {
    let format = room.format
    // Numbers whose squares have more bits than any accumulator of the format's size keeps.
    let far = Double.powerOfTwo(format.precision - 2)
    guard far * 2 <= format.largestFinite else {
      return .undecided("variance", "\(format.name) does not reach far enough")
    }
    var values = [Double](repeating: far, count: room.n)
    for k in stride(from: 1, to: room.n, by: 2) { values[k] = far + 1 }
    let y = try room.box.read([RowProbe(values, place: 0), RowProbe(values, place: 1)])
    let words =
      "\(ProbeText.hex(far)) and \(ProbeText.hex(far + 1)) in turn: \(ProbeText.number(y[0])) and \(ProbeText.number(y[1])), right -1 and 1"
    if (y[0] + 1).magnitude < 0.05, (y[1] - 1).magnitude < 0.05 {
      return Trait("variance", .word("of deviations"), words)
    }
    return Trait("variance", .word("loses far rows"), words)
  }
}
