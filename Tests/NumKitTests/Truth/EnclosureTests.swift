import CMPFR
import NumKit
import Testing

/// Enclosures of few bits, where ends, ties and the numbers of formats often coincide, beside the same expression at 700 bits.
@Suite struct EnclosureTests {
  private static let width = 24
  private static let formats: [NumberFormat] = [
    .f64, .f32, .f16, .bf16, .f8e4m3fn, .f8e5m2, .f8e4m3fnuz, .f6e2m3, .f6e3m2, .f4e2m1, .e8m0,
  ]

  /// The same operation on an enclosure and on a number.
  private struct Pool {
    let enclosures = EnclosureStorage()
    let values = EnclosureStorage()
    /// Whether 700 bits rounded what stands there, or what it was made of.
    var isRounded = [Bool](repeating: false, count: EnclosureTests.width + 1)
    var random: RandomSource

    init(seed: UInt64, precision: Int) {
      enclosures.reserve(EnclosureTests.width + 1, precision: precision)
      values.reserve(EnclosureTests.width + 1, precision: 700)
      random = RandomSource(seed: seed, row: precision)
    }

    func value(_ i: Int) -> mpfr_ptr { values[i].scratch }

    mutating func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }

    /// Fills place `i` from places before it.
    mutating func fill(_ i: Int) {
      let e = enclosures[i]
      let y = value(i)
      guard i >= 4 else {
        let small = [0, 1, 1, 0.5, 2, 3, 0.75, -1, -3, 1.5, -0.375, 5, 0.0625, 7, -40, 0.1][pick(16)]
        e.set(small)
        mpfr_set_d(y, small, MPFR_RNDN)
        return
      }
      let (a, b) = (pick(i), pick(i))
      let (x, z) = (value(a), value(b))
      let (p, q) = (enclosures[a], enclosures[b])
      let isNonnegative = nc_mpfr_sgn(p.lower) >= 0
      var t: Int32 = 0
      switch pick(16) {
      case 0:
        e.setSum(p, q)
        t |= mpfr_add(y, x, z, MPFR_RNDN)
      case 1:
        e.setDifference(p, q)
        t |= mpfr_sub(y, x, z, MPFR_RNDN)
      case 2 where isNonnegative, 3 where isNonnegative:
        e.setProduct(nonnegative: p, q)
        t |= mpfr_mul(y, x, z, MPFR_RNDN)
      case 4 where nc_mpfr_sgn(q.lower) > 0:
        e.setQuotient(p, positive: q)
        t |= mpfr_div(y, x, z, MPFR_RNDN)
      case 5 where mpfr_cmp_si(p.upper, 100) < 0 && mpfr_cmp_si(p.lower, -1_000_000_000) > 0:
        e.setExponential(p)
        t |= mpfr_exp(y, x, MPFR_RNDN)
      case 6, 13, 14:
        e.set(p)
        e.clamp()
        mpfr_set_si(y, 1, MPFR_RNDN)
        mpfr_min(y, x, y, MPFR_RNDN)
        if nc_mpfr_sgn(y) < 0 { mpfr_set_zero(y, 1) }
      case 7:
        e.set(p)
        e.takeTanh()
        t |= mpfr_tanh(y, x, MPFR_RNDN)
      case 8 where isNonnegative && nc_mpfr_sgn(q.lower) > 0:
        e.setShare(of: p, beside: q)
        t |= mpfr_add(y, x, z, MPFR_RNDN)
        t |= mpfr_div(y, x, y, MPFR_RNDN)
      case 9 where isNonnegative:
        e.setLogOnePlus(p)
        t |= mpfr_log1p(y, x, MPFR_RNDN)
      case 10 where isNonnegative:
        e.set(p)
        e.takeSquareRoot()
        t |= mpfr_sqrt(y, x, MPFR_RNDN)
      case 11 where nc_mpfr_sgn(q.lower) > 0, 12 where nc_mpfr_sgn(q.lower) > 0:
        // x, in an enclosure that does not know it.
        enclosures[EnclosureTests.width].setQuotient(p, positive: q)
        e.setProduct(nonnegative: q, enclosures[EnclosureTests.width])
        t |= nc_mpfr_set(y, x, MPFR_RNDN)
      default:
        let n = 1 + pick(3)
        e.setProduct(p, n)
        e.negate()
        t |= mpfr_mul_si(y, x, -n, MPFR_RNDN)
      }
      isRounded[i] = t != 0 || isRounded[a] || isRounded[b]
    }
  }

  /// No value is outside, none at an end that is said to be open, and a rounding that is claimed is that of the value.
  @Test(arguments: [2, 3, 5, 8, 12, 53])
  func everyClaimHolds(_ precision: Int) {
    let oracles = Self.formats.map { ($0, ExactRounding($0)) }
    var counts = (open: 0, closed: 0, decided: 0, undecided: 0)
    for seed in 0..<1500 as Range<UInt64> {
      var pool = Pool(seed: seed, precision: precision)
      for i in 0..<Self.width {
        pool.fill(i)
        let (e, y) = (pool.enclosures[i], pool.value(i))
        guard mpfr_number_p(y) != 0, mpfr_number_p(e.lower) != 0, mpfr_number_p(e.upper) != 0 else { break }
        // Beyond what 700 bits tell apart the value says nothing.
        if nc_mpfr_is_zero(y) == 0, nc_mpfr_get_exp(y) < -400 || nc_mpfr_get_exp(y) > 400 {
          break
        }
        let below = nc_mpfr_cmp(e.lower, y)
        let above = nc_mpfr_cmp(e.upper, y)
        let isRounded = pool.isRounded[i]
        let place = "\(precision) bits, seed \(seed), \(i)"
        #expect(below < 0 || below == 0 && (isRounded || !e.openEnds.contains(.lower)), "\(place)")
        #expect(above > 0 || above == 0 && (isRounded || !e.openEnds.contains(.upper)), "\(place)")
        if e.isExact { #expect(e.openEnds == []) }
        // A short number that was rounded may be a tie that the value is beside.
        if e.isExact || isRounded && mpfr_min_prec(y) < 100 { continue }
        counts.open += e.openEnds == [.lower, .upper] ? 1 : 0
        counts.closed += e.openEnds == [.lower, .upper] ? 0 : 1
        for (format, oracle) in oracles {
          guard let claimed = e.rounded(to: format) else {
            counts.undecided += 1
            continue
          }
          counts.decided += 1
          // An exact 0 has no sign.
          let expected = nc_mpfr_is_zero(y) != 0 ? format.round(0) : oracle.round(y)
          #expect(
            claimed == expected && claimed.sign == expected.sign || claimed.isNaN && expected.isNaN,
            "\(format.name), \(place): \(claimed), not \(expected)")
        }
      }
    }
    #expect(
      counts.open > 1000 && counts.closed > 15 && counts.decided > 1000 && counts.undecided > 100,
      "\(counts)")
  }

  /// A value that a clamp has put at the end is rounded as that end, one strictly inside as beside it.
  @Test func aClampCloses() {
    let room = EnclosureStorage()
    room.reserve(4, precision: 64)
    let (a, b, tie) = (room[0], room[1], room[2])
    // e^(−2⁴⁰) is positive, below anything; 1 less it is below 1.
    b.set(-0x1p40)
    a.setExponential(b)
    #expect(a.sign == 1 && a.rounded(to: .f16) == 0 && a.rounded(to: .e8m0) == 0x1p-127)
    b.set(1)
    tie.setDifference(b, a)
    #expect(tie.openEnds == [.lower, .upper] && mpfr_cmp_si(tie.upper, 1) == 0)
    // Times a tie of f16 and a hair below it; clamped it may be the tie.
    b.set(1 + 0x1p-11)
    a.setProduct(nonnegative: tie, b)
    #expect(a.rounded(to: .f16) == 1)
    b.set(1 + 0x1.8p-10)
    a.setProduct(nonnegative: tie, b)
    #expect(a.rounded(to: .f16) == 1 + 0x1p-10)
    b.set(3)
    a.set(1)
    tie.setQuotient(a, positive: b)
    a.setProduct(nonnegative: tie, b)
    #expect(a.openEnds == [.lower, .upper] && a.rounded(to: .f16) == 1)
    a.clamp()
    #expect(a.openEnds == .lower && mpfr_cmp_si(a.upper, 1) == 0)
    b.set(1 + 0x1.8p-10)
    tie.setProduct(nonnegative: a, b)
    #expect(tie.rounded(to: .f16) == nil)
    b.set(1)
    tie.setDifference(a, b)
    tie.clamp()
    #expect(tie.isExactZero && tie.rounded(to: .f8e4m3fn) == 0)
  }

  /// What NaN stands for at one end is not what it stands for at the other.
  @Test func nanAtBothEndsIsNoAnswer() {
    let room = EnclosureStorage()
    room.reserve(3, precision: 4)
    func between(_ low: Double, _ high: Double) -> Enclosure {
      room[1].set(1)
      _ = mpfr_set_d(UnsafeMutablePointer(mutating: room[1].lower), low, MPFR_RNDD)
      _ = mpfr_set_d(UnsafeMutablePointer(mutating: room[1].upper), high, MPFR_RNDU)
      return room[1]
    }
    let wide = between(-1e30, 1e30)
    #expect(wide.rounded(to: .f8e4m3fn) == nil && wide.rounded(to: .e8m0) == nil)
    let large = between(1e29, 1e30)
    #expect(large.rounded(to: .f8e4m3fn)?.isNaN == true)
    let negative = between(-3, -2)
    #expect(negative.rounded(to: .e8m0)?.isNaN == true && negative.rounded(to: .f4e2m1) == nil)
  }
}
