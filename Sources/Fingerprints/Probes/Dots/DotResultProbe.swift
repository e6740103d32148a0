import NumKit

/// How the sum becomes a result: rounding, what is too large, what is below the smallest normal number, NaN.
struct DotResultProbe {
  let room: DotRoom
  /// Of the accumulator, where known.
  let accumulator: TraitValue?

  static func ask(_ i: DotInterview) throws {
    i.traits += try DotResultProbe(room: i.room, accumulator: i.accumulator).run()
  }

  func run() throws -> [Trait] {
    [try rounding(), try overflow(), try subnormals(), try specials()].flatMap { $0 }
  }

  private func rounding() throws -> [Trait] {
    let p = room.format.precision
    let ulp = Double.powerOfTwo(1 - p)
    var wider = false
    switch accumulator {
    case .bits(let n)?: wider = n >= p + 3
    case .atLeastBits(let n)?: wider = n >= p + 3
    default: break
    }
    guard wider else {
      let why =
        accumulator == nil
        ? "what the sum is kept in is not known"
        : "the sum has no more bits than the result: nothing is left to round"
      return [.undecided("rounding", why)]
    }
    let shares = [0.25, 0.5, 0.75]
    let rows =
      shares.map { room.terms([0: 1, room.n - 1: $0 * ulp]) } + [
        room.terms([0: 1 + ulp, room.n - 1: 0.5 * ulp])
      ]
    let y = try room.sums(rows)
    let again = try room.sums((0..<32).map { _ in rows[0] })
    let found = y.map { ($0 - 1) / ulp }
    let words =
      "1 and 0.25, 0.5, 0.75 ulp, and 1.5 ulp: " + found.map(ProbeText.number).joined(separator: ", ")
      + " ulp"
    if Set(again).count > 1 {
      return [Trait("rounding", .word("stochastic"), words + "; asked again, others")]
    }
    var traits: [Trait] = []
    switch found {
    case [0, 0, 1, 2]: traits.append(Trait("rounding", .word("nearest"), words))
    case [0, 0, 0, 1]: traits.append(Trait("rounding", .word("truncated"), words))
    case [0, 1, 1, 2]: traits.append(Trait("rounding", .word("nearest, ties away"), words))
    default: traits.append(.undecided("rounding", words))
    }
    // A half with something far below: rounded to f32 first, it is a tie.
    if case .bits(let n)? = accumulator, n >= 40, p < 24, traits[0].value == .word("nearest") {
      let row = room.terms([0: 1, 1: 0.5 * ulp, room.n - 1: 0x1p-30])
      if row.allSatisfy({ room.format.round($0) == $0 }) {
        let y = try room.sums([row])[0]
        traits.append(
          Trait(
            "double rounding", .word(y == 1 ? "yes" : "no"),
            "1, half an ulp and 2^-30: \(ProbeText.number((y - 1) / ulp)) ulp above 1"))
      }
    }
    return traits
  }

  private func overflow() throws -> [Trait] {
    let top = room.format.largestFinite
    let y = try room.sums([room.terms([0: top, 1: top])])[0]
    let words = "two of \(ProbeText.hex(top)): \(ProbeText.number(y))"
    if y == top { return [Trait("overflow", .word("saturates"), words)] }
    if y.isInfinite { return [Trait("overflow", .word("infinity"), words)] }
    return [y.isNaN ? Trait("overflow", .word("NaN"), words) : .undecided("overflow", words)]
  }

  private func subnormals() throws -> [Trait] {
    let format = room.format
    let small = format.smallestNormal * 0x1p-2
    var traits: [Trait] = []
    let y = try room.sums([room.terms([0: small])])[0]
    let words = "one term of \(ProbeText.hex(small)): \(ProbeText.number(y))"
    if y == small {
      traits.append(Trait("subnormals", .word("kept"), words))
    } else if y == 0, room.box.takesPairs {
      // In or out: a product that is normal again tells.
      let scale = Double.powerOfTwo(format.maxExponent)
      let z = try room.box.products([DotProbe(room.terms([0: small]), room.terms([0: scale]))])[0]
      // Nor does a sum of less range keep it.
      var isNarrow = false
      if case .bits(let n)? = accumulator { isNarrow = n < format.precision }
      let which =
        z == small * scale ? (isNarrow ? nil : "flushed in results") : z == 0 ? "flushed in inputs" : nil
      let more = words + ", times \(ProbeText.hex(scale)): \(ProbeText.number(z))"
      traits.append(which.map { Trait("subnormals", .word($0), more) } ?? .undecided("subnormals", more))
    } else {
      traits.append(.undecided("subnormals", words))
    }
    return traits
  }

  private func specials() throws -> [Trait] {
    guard room.format.hasNaN else { return [] }
    var probes = [DotProbe(room.terms([1: .nan]))]
    if room.box.takesPairs, room.format.hasInfinity {
      probes.append(DotProbe(room.terms([1: .infinity]), room.terms([0: 1])))
    }
    let y = try room.box.products(probes)
    var traits = [
      Trait("nan", .word(y[0].isNaN ? "spreads" : "is lost"), "x[1] = NaN, else 0: \(ProbeText.number(y[0]))")
    ]
    if y.count > 1 {
      traits.append(
        Trait(
          "zero times infinity", .word(y[1].isNaN ? "NaN" : "\(ProbeText.number(y[1]))"),
          "inf times 0 at 1: \(ProbeText.number(y[1]))"))
    }
    return traits
  }
}
