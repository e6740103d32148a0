import NumKit

/// Whether a product is added with one rounding: (1 + 2^−h)² beside −(1 + 2^(1 − h)) leaves 2^−2h where it is.
struct FusionProbe {
  let room: DotRoom
  /// Two terms that meet first, and the bits of their sum.
  let places: (Int, Int)
  let bits: Int

  static func ask(_ i: DotInterview) throws {
    guard let places = i.places, case .bits(let bits)? = i.accumulator else { return }
    i.traits.append(try FusionProbe(room: i.room, places: (places.first, places.second), bits: bits).run())
  }

  func run() throws -> Trait {
    guard room.box.takesPairs else { return .undecided("fma", "products are not ours to choose") }
    // An accumulator of fewer bits than the inputs may round these first.
    let p = min(room.format.precision, bits)
    let h = p - 1
    let fits = bits >= 2 * h + 1
    let x = 1 + Double.powerOfTwo(-h)
    let other = -(1 + Double.powerOfTwo(1 - h))
    let exact = Double.powerOfTwo(-2 * h)
    guard room.format.round(exact) == exact else {
      return .undecided("fma", "what a product loses is below the smallest number of \(room.format.name)")
    }
    func probe(_ product: Int, _ rest: Int) -> DotProbe {
      DotProbe(room.terms([product: x, rest: other]), room.terms([product: x, rest: 1]))
    }
    let y = try room.box.products([probe(places.1, places.0), probe(places.0, places.1)])
    let words =
      "(1 + 2^-\(h))^2 - (1 + 2^-\(h - 1)) at \(places.1) and \(places.0): \(y.map(ProbeText.number).joined(separator: ", or the other way round "))"
    if y.contains(exact) { return Trait("fma", .word(fits ? "products are exact" : "fused"), words) }
    if y.allSatisfy({ $0 == 0 }) { return Trait("fma", .word("products rounded"), words) }
    return .undecided("fma", words)
  }
}
