import NumKit

/// What becomes of NaN and infinities.
struct SpecialProbe {
  let room: RowRoom

  static func ask(_ i: RowInterview) throws { i.traits += try SpecialProbe(room: i.room).run() }

  func run() throws -> [Trait] {
    guard room.format.hasInfinity, room.format.hasNaN else {
      return [.undecided("specials", "\(room.format.name) has no infinity")]
    }
    func one(_ x: Double, rest: Double, _ place: Int) -> RowProbe {
      room.row([1: x], rest: rest, place: place)
    }
    let y = try room.box.read([
      one(.nan, rest: 1, 0), one(.nan, rest: 1, 1), one(.infinity, rest: 1, 0), one(.infinity, rest: 1, 1),
      one(-.infinity, rest: 1, 0), one(-.infinity, rest: 1, 1), room.row([:], rest: -.infinity, place: 0),
    ])
    func word(_ x: Double) -> String {
      if x.isNaN { return "NaN" }
      if x == 0 { return "0" }
      if x.isInfinite { return x < 0 ? "-inf" : "inf" }
      return (x - 1 / Double(room.n)).magnitude < 0.01 / Double(room.n) ? "1/n" : ProbeText.number(x)
    }
    var traits = [
      Trait(
        "nan", .word(y[0].isNaN && y[1].isNaN ? "spreads" : y[1].isNaN ? "stays" : "is lost"),
        "x[1] = NaN, else 1: \(word(y[0])) beside it, \(word(y[1])) itself"),
      Trait(
        "plus infinity", .word("\(word(y[3])), others \(word(y[2]))"),
        "x[1] = inf, else 1: \(word(y[3])) itself, \(word(y[2])) beside it"),
    ]
    if room.kind.isExponential {
      traits.append(
        Trait("minus infinity row", .word(word(y[6])), "all -inf: \(word(y[6]))"))
    }
    return traits
  }
}
