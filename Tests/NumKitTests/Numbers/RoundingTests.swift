import NumKit
import TestSupport
import Testing

@Suite struct RoundingTests {
  static let small = FormatRegistry.floats.filter { $0.bitWidth <= 19 }

  /// Where the hardware has the format, or a longer one that begins like it.
  static let hardware: [(name: String, value: @Sendable (UInt64) -> Double)] = [
    ("f16", { Double(Float16(bitPattern: UInt16($0))) }),
    ("bf16", { Double(Float(bitPattern: UInt32($0) << 16)) }),
    ("tf32", { Double(Float(bitPattern: UInt32($0) << 13)) }),
  ]

  @Test func everyCodeIsWhatTheHardwareSays() throws {
    for (name, value) in Self.hardware {
      let format = try #require(FormatRegistry.format(name))
      let wrong = format.codes.first { code in
        let x = value(code)
        return !same(format.decode(code), x) || (!x.isNaN && format.encode(x) != code)
      }
      #expect(wrong == nil, "\(name)")
    }
  }

  /// Between any two neighbours: the midpoint goes to the even code, the Doubles beside it to their own side.
  @Test(arguments: small)
  func everyMidpointGoesToEven(format: NumberFormat) {
    let positive = format.codes.map(format.decode).filter { $0.isFinite && ($0 > 0 || same($0, 0)) }
    let signs = format.hasSign ? [1.0, -1] : [1]
    var wrong: Double?
    for (code, (low, high)) in zip(positive, positive.dropFirst()).enumerated() {
      let middle = (low + high) / 2
      let even = code % 2 == 0 ? low : high
      for sign in signs {
        for (x, expected) in [(middle.nextDown, low), (middle, even), (middle.nextUp, high)] {
          let y = expected == 0 && format.nanEncoding == .negativeZero ? 0 : sign * expected
          if !same(format.round(sign * x), y) || !same(format.round(sign * x, overflow: .saturate), y) {
            wrong = sign * x
          }
        }
      }
    }
    #expect(wrong == nil)
    #expect(positive.count > 2 && zip(positive, positive.dropFirst()).allSatisfy(<))
  }

  /// Where the next number would be, were there one, decides what overflows.
  @Test(arguments: small)
  func overflowBeginsAtTheMidpoint(format: NumberFormat) throws {
    let finite = format.codes.map(format.decode).filter { $0.isFinite && $0 > 0 }
    let largest = try #require(finite.last)
    let next = format.precision == 1 ? 2 * largest : 2 * largest - finite[finite.count - 2]
    let middle = (largest + next) / 2
    let largestIsEven = format.encode(largest) % 2 == 0
    let special = format.hasInfinity ? Double.infinity : format.hasNaN ? .nan : largest
    for sign in format.hasSign ? [1.0, -1] : [1] {
      for x in [middle.nextUp, next, 1e300, .greatestFiniteMagnitude, .infinity] {
        #expect(same(format.round(sign * x), sign * special))
        #expect(same(format.round(sign * x, overflow: .saturate), sign * largest))
      }
      #expect(same(format.round(sign * middle.nextDown), sign * largest))
      #expect(same(format.round(sign * middle), sign * (largestIsEven ? largest : special)))
      #expect(same(format.round(sign * middle, overflow: .saturate), sign * largest))
    }
  }

  @Test func binary32AndBinary16RoundLikeTheHardware() {
    var random = RandomBits(seed: 1)
    var wrong: Double?
    for i in 0..<1_000_000 {
      // Every exponent that matters, the subnormal range and the overflow boundary, and close to ties.
      let exponent = Double(Int.random(in: -160...130, using: &random))
      var x = (1 + Double(random.next() >> 12) * 0x1p-52) * .powerOfTwo(Int(exponent))
      if i % 2 == 0 { x = Double(bitPattern: x.bitPattern & ~((1 << 28) - 1) &+ random.next() % 3 &- 1) }
      if i % 3 == 0 { x = -x }
      let y = Double(Float(x))
      if !same(NumberFormat.f32.round(x), y) || NumberFormat.f32.encode(x) != UInt64(Float(x).bitPattern) {
        wrong = x
      }
      let h = x * 0x1p+100  // near binary16's range now and then
      for z in [x, h, y] where !same(Double(Float16(rounding: z)), Double(Float16(z))) { wrong = z }
    }
    #expect(wrong == nil)
    #expect(NumberFormat.f32.largestFinite == Double(Float.greatestFiniteMagnitude))
    #expect(NumberFormat.f64.largestFinite == .greatestFiniteMagnitude)
    #expect(NumberFormat.f64.smallestPositive == .leastNonzeroMagnitude)
    #expect(NumberFormat.f64.round(0.1) == 0.1 && NumberFormat.f64.encode(-0.1) == (-0.1).bitPattern)
  }

  /// The loops that kernels run are compiled apart for each type: they must be the same function as the record's.
  @Test func compiledLoopsRoundLikeTheRecord() {
    var random = RandomBits(seed: 2)
    let x = (0..<100_000).map { i in
      i % 2 == 0
        ? Double(bitPattern: random.next())
        : (Double(random.next() >> 11) * 0x1p-53 - 0.5)
          * .powerOfTwo(Int.random(in: -20...20, using: &random))
    }
    #expect(firstDifference(x, BFloat16.self) == nil)
    #expect(firstDifference(x, TensorFloat32.self) == nil)
    #expect(firstDifference(x, Float16.self) == nil)
    #expect(firstDifference(x, Float.self) == nil)
    #expect(firstDifference(x, Float8E4M3FN.self) == nil)
    #expect(firstDifference(x, Float8E5M2.self) == nil)
    #expect(firstDifference(x, Float8E4M3FNUZ.self) == nil)
    #expect(firstDifference(x, Float8E5M2FNUZ.self) == nil)
    #expect(firstDifference(x, Simulated<Saturating<Float8E4M3FNFormat>>.self) == nil)
    #expect(firstDifference(x, Float6E2M3.self) == nil)
    #expect(firstDifference(x, Float6E3M2.self) == nil)
    #expect(firstDifference(x, Float4E2M1.self) == nil)
  }

  @inline(__always)
  private func firstDifference<S: Scalar>(_ x: [Double], _: S.Type) -> Double? {
    var y = [S](repeating: .zero, count: x.count)
    for i in x.indices { y[i] = S(rounding: x[i]) }
    let (format, overflow) = (S.format, S.overflow)
    return x.indices.first { !same(y[$0].exact, format.round(x[$0], overflow: overflow)) }.map { x[$0] }
  }

  /// ulp(y) is the spacing around y, and the smallest one below the normal range.
  @Test(arguments: small.filter(\.hasSign))
  func ulpIsTheSpacing(format: NumberFormat) {
    let finite = format.codes.map(format.decode).filter { $0.isFinite && ($0 > 0 || same($0, 0)) }
    let wrong = zip(finite, finite.dropFirst()).first { low, high in
      format.ulp(of: low) != high - low || format.ulp(of: -low) != high - low
        || format.ulp(of: (low + high) / 2) != high - low
    }
    #expect(wrong == nil)
    #expect(format.ulp(of: .nan).isNaN && format.ulp(of: .infinity).isNaN)
    #expect(format.ulp(of: 2 * format.largestFinite) == 2 * format.ulp(of: format.largestFinite))
  }
}
