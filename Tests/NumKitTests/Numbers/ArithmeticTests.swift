import CMPFR
import NumKit
import TestSupport
import Testing

@Suite struct ArithmeticTests {
  static let narrow = FormatRegistry.scalars(bits: 4...8)
  static let wide = FormatRegistry.scalars(bits: 16...19)

  /// The first of + − × ÷ of the two that is not the exact result, rounded once.
  static func mistake<S: Scalar>(_ a: S, _ b: S, _ truth: ExactRounding) -> String? {
    let (x, y) = (a.exact, b.exact)
    if !same((a + b).exact, truth.binary(x, y) { mpfr_add($0, $1, $2, $3) }) { return "\(x) + \(y)" }
    if !same((a - b).exact, truth.binary(x, y) { mpfr_sub($0, $1, $2, $3) }) { return "\(x) - \(y)" }
    if !same((a * b).exact, truth.binary(x, y) { mpfr_mul($0, $1, $2, $3) }) { return "\(x) * \(y)" }
    if !same((a / b).exact, truth.binary(x, y) { mpfr_div($0, $1, $2, $3) }) { return "\(x) / \(y)" }
    return nil
  }

  @Test(arguments: narrow)
  func everyPairIsRoundedOnce(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) -> String? {
      let truth = ExactRounding(S.format, overflow: S.overflow)
      let values = S.everyValue
      for a in values {
        for b in values {
          if let wrong = Self.mistake(a, b, truth) { return wrong }
          let (x, y) = (a.exact, b.exact)
          if (a == b, a < b, a <= b, a > b, a >= b) != (x == y, x < y, x <= y, x > y, x >= y) {
            return "\(x) <=> \(y)"
          }
        }
      }
      return nil
    }
    #expect(check(type) == nil)
  }

  @Test(arguments: wide)
  func structuredPairsAreRoundedOnce(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) -> String? {
      let truth = ExactRounding(S.format, overflow: S.overflow)
      var pairs = Operands<S>(seed: 3)
      for i in 0..<1_500_000 {
        let (a, b) = pairs.next(kind: i % 6)
        if let wrong = Self.mistake(a, b, truth) { return wrong }
      }
      return nil
    }
    #expect(check(type) == nil)
  }

  @Test(arguments: FormatRegistry.scalars(bits: 4...6))
  func everyTripleFusesWithOneRounding(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) -> String? {
      let truth = ExactRounding(S.format, overflow: S.overflow)
      let values = S.everyValue
      for a in values {
        for b in values {
          for c in values {
            let y = truth.fusedMultiplyAdd(a.exact, b.exact, c.exact)
            if !same(S.fusedMultiplyAdd(a, b, c).exact, y) { return "\(a.exact) * \(b.exact) + \(c.exact)" }
          }
        }
      }
      return nil
    }
    #expect(check(type) == nil)
  }

  /// The third is any number, or cancels the product but for a rounding, or is far below it: where the product is a tie,
  /// its sign alone decides.
  @Test(arguments: FormatRegistry.scalars(bits: 8...64))
  func structuredTriplesFuseWithOneRounding(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) -> String? {
      let truth = ExactRounding(S.format, overflow: S.overflow)
      var operands = Operands<S>(seed: 4)
      for i in 0..<300_000 {
        let (a, b) = operands.next(kind: i % 5)
        let c: S
        switch i / 5 % 3 {
        case 0: c = operands.next(kind: 0).0
        case 1: c = -(a * b)
        default: c = operands.next(kind: 2).0
        }
        let y = truth.fusedMultiplyAdd(a.exact, b.exact, c.exact)
        if !same(S.fusedMultiplyAdd(a, b, c).exact, y) { return "\(a.exact) * \(b.exact) + \(c.exact)" }
      }
      return nil
    }
    #expect(check(type) == nil)
  }

  /// What Swift's own Float16.addingProduct answers with 36800, being rounded twice.
  @Test func binary16FusesWithOneRounding() {
    #expect(Float16.fusedMultiplyAdd(1664, 22.125, 0.0002288) == 36832)
  }
}

/// Pairs of numbers that are hard to round: close exponents, subnormals, products at the underflow boundary, ties
/// of sums and of quotients.
struct Operands<S: Scalar> {
  private var random: RandomBits
  private let format = S.format

  init(seed: UInt64) { random = RandomBits(seed: seed) }

  mutating func next(kind: Int) -> (S, S) {
    let a = random.next()
    let other = random.next()
    let fraction = UInt64(format.significandBits)
    let fields = (UInt64(1) << UInt64(format.exponentBits)) - 1
    let field = Int(a >> fraction & fields)
    func number(_ exponentField: Int) -> S {
      let e = UInt64(Swift.min(Swift.max(exponentField, 0), Int(fields)))
      let mask = fields << fraction
      return value(other & ~mask | e << fraction)
    }
    switch kind {
    case 1:
      return (
        value(a), number(field + Int.random(in: -format.precision - 2...format.precision + 2, using: &random))
      )
    case 2:
      let sign = (a >> 63) << UInt64(format.bitWidth - 1)
      return (value(sign | a & ((2 << fraction) - 1)), value(other))
    case 3:
      // The product's exponent lies between the smallest subnormal's and the smallest normal's, or about there.
      let target = format.minExponent - Int.random(in: -2...format.precision + 1, using: &random)
      return (value(a), number(target - (field - format.bias) + format.bias))
    case 4:
      let x = value(a)
      let half = format.ulp(of: x.exact) / 2 * Double(1 + other % 4)
      return (x, S(rounding: other >> 63 == 0 ? half : -half))
    case 5:
      // A quotient that is a tie, which only a subnormal one can be: an odd multiple of half the smallest number.
      let odd = 1 + 2 * (a % UInt64(2 * format.precision))
      let significand = 1 + other % (Swift.max((1 << UInt64(format.precision)) / odd, 1))
      let b =
        Double(significand)
        * .powerOfTwo(Int.random(in: 1...format.maxExponent - format.precision, using: &random))
      return (S(rounding: Double(odd) * 0.5 * format.smallestPositive * b), S(rounding: b))
    default: return (value(a), value(other))
    }
  }

  private func value(_ code: UInt64) -> S { S(rounding: format.decode(code & format.codes.upperBound)) }
}
