import NumKit
import RealModule
import TestSupport
import Testing

/// What is done to whole rows answers what is done to one number at a time.
@Suite struct RowFunctionTests {
  @Test(arguments: FormatRegistry.scalars(bits: 4...19))
  func everyExponentialOfARow(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) {
      let values = Array(S.everyValue)
      let e = applied(values, S.formExponentials)
      #expect(values.indices.first { !same(e[$0].exact, S.exp(values[$0]).exact) } == nil)
      let e2 = applied(values, S.formExponentials2)
      #expect(values.indices.first { !same(e2[$0].exact, S.exp2(values[$0]).exact) } == nil)
    }
    check(type)
  }

  /// Sums over rows of every kind: those that cross binades upwards and down, through zero, to ties, stagnation, overflow
  /// and NaN.
  @Test(arguments: FormatRegistry.scalars(bits: 4...64), Terms.allCases)
  func sumsAreAddedOneByOne(type: any Scalar.Type, terms: Terms) {
    func check<S: Scalar>(_: S.Type) {
      var random = RandomBits(seed: 5)
      for n in [0, 1, 2, 31, 33, 100, 700] {
        for _ in 0..<20 {
          var values = (0..<n).map { _ in terms.term(S.self, &random) }
          let start = terms.term(S.self, &random)
          let expected = values.reduce(start) { $0 + $1 }.exact
          let sum = values.withUnsafeMutableBufferPointer { S.sum($0, from: start) }.exact
          #expect(same(sum, expected), "\(start.exact) + \(values.map(\.exact))")
        }
      }
    }
    check(type)
  }

  @Test(arguments: FormatRegistry.scalars(bits: 4...64))
  func maximumAndPeak(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) {
      var random = RandomBits(seed: 6)
      for n in [1, 2, 5, 33, 100, 101, 102, 103, 104] {
        for terms in Terms.allCases + [.anything, .anything] {
          var values = (0..<n).map { _ in terms.term(S.self, &random) }
          let m = values.reduce(values[0], S.larger).exact
          values.withUnsafeMutableBufferPointer {
            #expect(same(S.maximum($0).exact, m))
            let peak = S.peak($0)
            #expect(peak.isFinite == $0.allSatisfy { $0.exact.isFinite })
            #expect(peak.largest == $0.map(\.exact.magnitude).filter(\.isFinite).max() ?? 0)
          }
        }
      }
    }
    check(type)
  }

  /// In place, from the second element of a longer buffer, so that no alignment is taken for granted.
  private func applied<S: Scalar>(_ values: [S], _ body: (UnsafeMutableBufferPointer<S>) -> Void) -> [S] {
    var padded = [S.one] + values
    padded.withUnsafeMutableBufferPointer { body(UnsafeMutableBufferPointer(rebasing: $0[1...])) }
    #expect(padded[0] == .one)
    return Array(padded.dropFirst())
  }
}

/// Rows that bring a running sum into every situation.
enum Terms: CaseIterable, Sendable {
  case anything, positive, small, huge, nearOne, zeros, halves

  func term<S: Scalar>(_: S.Type, _ random: inout RandomBits) -> S {
    let unit = Double.random(in: -1..<1, using: &random)
    let big = S.format.largestFinite
    switch self {
    case .anything:
      let special = [
        Double.nan, -.nan, .infinity, -.infinity, big, -big, -0.0, 0, S.format.smallestNormal, 1, -1,
      ]
      return S(
        rounding: Int.random(in: 0..<40, using: &random) == 0 ? special.randomElement(using: &random)! : unit)
    case .positive: return S(rounding: unit.magnitude * 8)
    case .huge: return S(rounding: (unit * 0.5 + 0.2) * big / 4)
    case .small: return S(rounding: unit * S.format.smallestNormal * 2)
    case .nearOne: return S(rounding: 1 + unit * 4 * Double.exp2(-Double(S.format.precision)))
    case .zeros: return S(rounding: unit < 0.9 ? (unit < 0 ? -0.0 : 0) : unit)
    // Multiples of half a unit in the last place of numbers near 4: ties, up and down over the edges of binades.
    case .halves:
      return S(
        rounding: (unit * 8).rounded() * 4 * Double.exp2(-Double(S.format.precision)) + (unit > 0.8 ? 1 : 0))
    }
  }
}
