import CMPFR

/// A row of enclosures whose exponents have no end: each is value·2^(far·2²⁸) with a whole number far ≤ 0.
///
/// MPFR's own exponents end at 2^±2³⁰, which e^−10⁹ is below; beyond, the sign of a sum of such would be lost. Values are kept
/// above 2^−2³⁰ by taking what is beyond e^−1.8·10⁸ out of an exponential.
final class WideStorage {
  private let values = EnclosureStorage()
  private let registers = EnclosureStorage()
  /// The second exponent of each; nil for 0.
  private(set) var far: [Rational?] = []

  /// Bits that one step of the second exponent stands for.
  static let step = 1 << 28
  /// Beyond so many steps nothing of a number is left beside another.
  private static let farthest = 8

  /// Makes room for `count` numbers; their values are lost.
  func reserve(_ count: Int, precision: Int) {
    values.reserve(count, precision: precision)
    registers.reserve(3, precision: precision)
    far.removeAll(keepingCapacity: true)
    far.append(contentsOf: repeatElement(nil, count: count))
  }

  /// The first part of a number.
  subscript(i: Int) -> Enclosure { values[i] }

  func setZero(_ i: Int) {
    values[i].set(0)
    far[i] = nil
  }

  /// Says what the second exponent of the number in `self[i]` is.
  func setFar(_ i: Int, _ exponent: Rational?) { far[i] = exponent }

  /// e^x, x known to within 1. Overwrites x.
  func setExponential(_ i: Int, of x: Enclosure) {
    far[i] = nil
    if mpfr_cmp_d(x.upper, -0x1p27) < 0 {
      // n·2²⁸·log 2 with n the whole part of the quotient: x − that is between −1.9·10⁸ and 1.
      let (whole, unit, n) = (registers[0], registers[1], registers[2].scratch)
      whole.setLogOfTwo()
      unit.setScaled(whole, bits: 28)
      mpfr_div(n, x.upper, unit.upper, MPFR_RNDZ)
      mpfr_trunc(n, n)
      if nc_mpfr_is_zero(n) == 0 {
        far[i] = Rational(n)
        mpfr_neg(n, n, MPFR_RNDN)
        whole.set(exact: n)
        values[i].setProduct(nonnegative: whole, unit)
        x.add(values[i])
      }
    }
    values[i].setExponential(x)
  }

  /// Adds x·2^(exponent·2²⁸), x no number of this row's.
  func add(_ i: Int, _ x: Enclosure, _ exponent: Rational?) {
    if x.isExactZero { return }
    if values[i].isExactZero {
      values[i].set(x)
      far[i] = exponent
      return
    }
    let steps = Self.steps(from: far[i], to: exponent)
    if steps == 0 { return values[i].add(x) }
    if steps < 0 {
      registers[0].setScaled(x, bits: steps * Self.step)
      return values[i].add(registers[0])
    }
    registers[0].set(values[i])
    values[i].setScaled(registers[0], bits: -steps * Self.step)
    far[i] = exponent
    values[i].add(x)
  }

  /// The whole number as one enclosure; where MPFR has no such exponent an end at 0 keeps the sign.
  func collapse(_ i: Int, into result: Enclosure) {
    if far[i] == nil { return result.set(values[i]) }
    result.setScaled(values[i], bits: Self.steps(from: nil, to: far[i]) * Self.step)
  }

  /// The second exponent of a product.
  static func product(_ a: Rational?, _ b: Rational?) -> Rational? {
    guard let a else { return b }
    guard let b else { return a }
    return a + b
  }

  /// b − a, held between ±`farthest`.
  private static func steps(from a: Rational?, to b: Rational?) -> Int {
    if a == nil && b == nil || a === b { return 0 }
    let difference = (b ?? Rational.zero) - (a ?? Rational.zero)
    if difference < Rational(-farthest) { return -farthest }
    if difference > Rational(farthest) { return farthest }
    return Int(difference.approximate)
  }
}
