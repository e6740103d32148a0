import NumKit
import RealModule

/// In how many bits x − max is computed, where results have few: two logits whose probability is so near a midpoint of two results that
/// the last bit of their difference decides which of them is given.
///
/// What each number of bits gives is known for many such rows. All but one are contradicted by some, or what is left is a least number.
struct StraddlingArguments {
  let room: RowRoom

  /// A way to compute e^(x − max), and to divide by a sum of it and 1.
  private struct Way: Hashable {
    let bits: Int
    let isBase2: Bool
    let ending: Ending
  }

  private enum Ending: Hashable {
    /// The sum is 1: what is added to it is lost.
    case one
    /// By the sum, or by its logarithm, taken from x.
    case quotient, logarithm
  }

  private struct Row {
    let top: Double
    let x: Double
  }

  private static let log2e = 1.442695040888963407359924681
  /// More bits than any result shows.
  private static let exact = 40

  func run() throws -> Trait? {
    let rows = rows
    let y = try room.box.read(rows.map { probe($0) })
    guard y.allSatisfy({ $0.isFinite && $0 > 0 }) else { return nil }
    var left = ways
    var decisive = 0
    var example: (row: Row, y: Double)?
    for (row, y) in zip(rows, y) {
      let before = left.count
      left.removeAll { !allowed(row, $0).contains(y) }
      if left.count < before {
        decisive += 1
        example = (row, y)
      }
    }
    guard let least = left.map(\.bits).min(), let example else { return nil }
    let all = Set(left.map(\.bits))
    let how = left.allSatisfy(\.isBase2) ? ", as 2^y with y = x log2(e) in as many" : ""
    let words =
      "\(ProbeText.row(probe(example.row).values)): \(ProbeText.number(example.y)), the last of \(decisive) such rows to rule out other numbers of bits"
    // A format that is no wider than results leaves nothing near a midpoint.
    guard least > room.format.precision else { return nil }
    return all.count == 1
      ? Trait("compute", .bits(least), words + how) : Trait("compute", .atLeastBits(least), words + how)
  }

  private func probe(_ row: Row) -> RowProbe {
    room.row([0: row.top, 1: row.x], rest: room.none(row.top), place: 1)
  }

  private var isWide: Bool { room.format.minExponent < -100 }

  private var ways: [Way] {
    let endings: [Ending] = isWide ? [.one] : [.one, .quotient, .logarithm]
    return (Array(room.format.precision...27) + [Self.exact]).flatMap { bits in
      [false, true].flatMap { isBase2 in
        endings.map { Way(bits: bits, isBase2: isBase2, ending: $0) }
      }
    }
  }

  /// Exponentials so small that a sum in f32 is 1, or of formats of little range one in 11 bits, and as large as a logit may be.
  private var rows: [Row] {
    let format = room.format
    let range = isWide ? 18.5...78 : 7.8...9.7
    let tops = (0..<24).map {
      format.round(range.lowerBound + (range.upperBound - range.lowerBound) * Double($0) / 24)
    }
    var made: [Row] = []
    for top in tops {
      for offset in 0...14 {
        for sign in [1.0, -1.0] {
          let e = Double.exp(sign * .powerOfTwo(-offset) - top)
          for s in isWide ? [1] : [1, 1 + e] {
            let ulp = format.ulp(of: e / s)
            let middle = ((e / s / ulp).rounded(.down) + 0.5) * ulp
            let meant = format.round(Double.log(middle * s) + top)
            guard meant.magnitude >= 0x1p-13, meant < 2 else { continue }
            for step in [-1.0, 0, 1] {
              let x = format.round(meant + step * format.ulp(of: meant))
              if range.contains(top - x) { made.append(Row(top: top, x: x)) }
            }
          }
        }
      }
    }
    return made
  }

  /// The results that a way may give, whose exponentials and quotients err by a unit or so of its bits.
  private func allowed(_ row: Row, _ way: Way) -> ClosedRange<Double> {
    func round(_ v: Double) -> Double { Self.rounded(v, bits: way.bits) }
    let log2e = round(Self.log2e)
    func power(_ maximum: Double) -> Double {
      way.isBase2
        ? Double.exp2(round(round(row.x * log2e) - round(maximum * log2e)))
        : Double.exp(round(row.x - maximum))
    }
    let e = power(row.top)
    var (low, high): (Double, Double)
    switch way.ending {
    case .one: (low, high) = (e, e)
    case .quotient: (low, high) = (e / (1 + e), e / (1 + e))
    case .logarithm:
      // Of a sum that was rounded.
      let unit = Double.powerOfTwo(-way.bits)
      (low, high) = (
        power(round(row.top + Double.log(onePlus: e + unit))),
        power(round(row.top + Double.log(onePlus: e - unit)))
      )
    }
    let slack = max(3 * Double.powerOfTwo(-way.bits), 0x1p-26)
    return room.format.round(low * (1 - slack))...room.format.round(high * (1 + slack))
  }

  /// To so many significant bits, nearest.
  private static func rounded(_ x: Double, bits: Int) -> Double {
    guard x != 0, x.isFinite else { return x }
    let unit = Double.powerOfTwo(Int(x.exponent) - bits + 1)
    return (x / unit).rounded(.toNearestOrEven) * unit
  }
}
