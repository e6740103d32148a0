import CMPFR
import NumKit
import Quant
import RealModule
import Testing

/// Sums without rounding worth speaking of, for the figures below.
private final class LongNumber {
  private let number = mpfr_ptr.allocate(capacity: 1)
  init(_ x: Double = 0) {
    mpfr_init2(number, 400)
    mpfr_set_d(number, x, MPFR_RNDN)
  }
  deinit {
    mpfr_clear(number)
    number.deallocate()
  }

  /// Adds (a − b)².
  func addSquare(_ a: Double, minus b: Double) {
    let d = LongNumber(a)
    mpfr_sub_d(d.number, d.number, b, MPFR_RNDN)
    mpfr_sqr(d.number, d.number, MPFR_RNDN)
    mpfr_add(number, number, d.number, MPFR_RNDN)
  }

  /// 10·log10(self/other).
  func decibels(over other: LongNumber) -> Double {
    let q = LongNumber()
    mpfr_div(q.number, number, other.number, MPFR_RNDN)
    mpfr_log10(q.number, q.number, MPFR_RNDN)
    mpfr_mul_ui(q.number, q.number, 10, MPFR_RNDN)
    return mpfr_get_d(q.number, MPFR_RNDN)
  }
}

/// What an outlier costs, computed once more from the definitions: scales and codes by hand, sums in MPFR.
@Suite struct OutlierCostTests {
  private let columns = 256

  /// Twelve rows with three massive activations, or a hundred with a channel of them.
  private func planted(rows: Int) -> [Float] {
    var random = RandomSource(seed: 11, row: 0)
    var values = (0..<rows * columns).map { _ in Float(random.normal() * 0.2) }
    if rows > 12 { for row in 0..<rows { values[row * columns + 40] = 600 + Float(row) } }
    values[5 * columns + 77] = 3456.5
    values[5 * columns + 90] = -700
    values[9 * columns + 3] = 801
    return values
  }

  private func isMassive(_ x: Float) -> Bool { x.magnitude > 500 }

  /// The decoded value of `x` in a group whose largest magnitude is `largest`.
  private func decode(_ x: Float, largest: Float, _ scheme: String) -> Float {
    switch scheme.prefix(while: { $0 != "@" }) {
    case "int8", "int4":
      let top: Float = scheme.hasPrefix("int8") ? 127 : 7
      let s = largest / top
      return min(max((x / s).rounded(.toNearestOrEven), -top - 1), top) * s
    case "f8e4m3fn":
      let s = largest / 448
      return Float(NumberFormat.f8e4m3fn.round(Double(x / s), overflow: .saturate)) * s
    case "mxfp8e4m3", "mxfp4":
      let format = scheme == "mxfp4" ? NumberFormat.f4e2m1 : .f8e4m3fn
      let s = Float(
        sign: .plus, exponent: Int(largest.exponent) - (scheme == "mxfp4" ? 2 : 8), significand: 1)
      return Float(format.round(Double(x / s), overflow: .saturate)) * s
    default:
      let s = Float(sign: .plus, exponent: Int(largest.exponent) - 6, significand: 1)
      return min(max((x / s).rounded(.toNearestOrEven), -128), 127) * s
    }
  }

  @Test(arguments: OutlierCost.schemes, [12, 100]) func figuresAgreeWithMPFR(_ scheme: String, _ rows: Int)
    throws
  {
    let values = planted(rows: rows)
    let profile = try ProfileTests.profile(values, rows: rows, columns: columns)
    try #require(profile.massive.count == (rows > 12 ? 103 : 3))
    let costs = try values.withUnsafeBufferPointer {
      try OutlierCost.costs(of: MemorySource($0, rows: rows, columns: columns), profile, threads: 2)
    }
    let cost = try #require(costs.first { $0.scheme == scheme })
    let width =
      scheme.hasSuffix("@tensor")
      ? rows * columns : scheme.hasSuffix("@token") ? columns : scheme.hasSuffix("@g128") ? 128 : 32
    let groups = stride(from: 0, to: values.count, by: width).map { $0..<$0 + width }.filter { range in
      values[range].contains(where: isMassive)
    }
    #expect(cost.groupCount == groups.count)
    let (energy, with, without) = (LongNumber(), LongNumber(), LongNumber())
    var (flushedWith, flushedWithout, count) = (0, 0, 0)
    for range in groups {
      let all = values[range].map(\.magnitude).max() ?? 0
      let rest = values[range].filter { !isMassive($0) }.map(\.magnitude).max() ?? 0
      for x in values[range] where !isMassive(x) {
        let (a, b) = (decode(x, largest: all, scheme), decode(x, largest: rest, scheme))
        count += 1
        energy.addSquare(Double(x), minus: 0)
        with.addSquare(Double(a), minus: Double(x))
        without.addSquare(Double(b), minus: Double(x))
        if a == 0 && x != 0 { flushedWith += 1 }
        if b == 0 && x != 0 { flushedWithout += 1 }
      }
      if range.contains(5 * columns + 77) {
        // Values of the grid from −rest to rest, one by one.
        func bits(_ largest: Float) -> Double {
          var seen: Set<Float> = []
          for k in -40_000...40_000 {
            seen.insert(decode(rest * Float(k) / 40_000, largest: largest, scheme) + 0)
          }
          // And small ones, where a float format has most of its own.
          for k in 0...6000 {
            let x = rest * Float(Double.exp2(-Double(k) / 256))
            for y in [x, -x] { seen.insert(decode(y, largest: largest, scheme) + 0) }
          }
          return Double.log2(Double(seen.count))
        }
        #expect((cost.bitsWith - bits(all)).magnitude < 1e-12)
        #expect((cost.bitsWithout - bits(rest)).magnitude < 1e-12)
      }
    }
    #expect(cost.restCount == count)
    #expect(cost.flushedWith == flushedWith && cost.flushedWithout == flushedWithout)
    #expect((cost.sqnrWith - energy.decibels(over: with)).magnitude < 1e-11)
    #expect((cost.sqnrWithout - energy.decibels(over: without)).magnitude < 1e-11)
  }

  @Test func withoutMassiveActivationsThereIsNoPrice() throws {
    let values = [Float](repeating: 1, count: 64)
    let profile = try ProfileTests.profile(values, rows: 1, columns: 64)
    let costs = try values.withUnsafeBufferPointer {
      try OutlierCost.costs(of: MemorySource($0, rows: 1, columns: 64), profile)
    }
    #expect(costs.isEmpty)
  }
}
