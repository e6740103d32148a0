import NumKitNumbers

/// How the quotients of a row were rounded, whatever its exponentials are.
///
/// A softmax that divides by its sum in the results' format gives numbers e/s, or e·(1/s), of which e is any number of the format and s
/// the same for the row. Where e's spacing is wider than the results' not every number is such a quotient rounded in one way, and which
/// are tells the ways apart: with the right way and the right s all results are. The largest result is that of e = 1, which leaves few s.
struct QuotientRounding {
  /// A way to round.
  enum Way: CaseIterable {
    case nearest, down, up
  }

  /// Results of a row that are looked at.
  private static let most = 4096

  private let format: NumberFormat
  /// Ways, of quotients and of products with a reciprocal, that all rows so far may have been rounded in.
  private var open: [(way: Way, isProduct: Bool)]
  /// Results of these rows.
  private(set) var count = 0
  private(set) var rows = 0

  /// Of results up to f32: quotients in Double tell how those are rounded.
  init?(_ format: NumberFormat) {
    guard format.precision <= 24, format.significandBits > 0 else { return nil }
    self.format = format
    open = Way.allCases.flatMap { [($0, false), ($0, true)] }
  }

  /// The one way that explains all results; nil where none does, more than one, or there are few.
  var way: Way? {
    let ways = Set(open.map(\.way))
    return count >= 256 && ways.count == 1 ? ways.first : nil
  }

  /// Looks at a row.
  mutating func see(_ y: UnsafeBufferPointer<Double>) {
    guard !open.isEmpty else { return }
    guard let top = y.max(), top > 0, top < 1 else { return }
    // What is smaller may be made of what is subnormal. Some thousand are enough.
    let least = format.smallestNormal * 0x1p20
    let results = Array(y.lazy.filter { $0 >= least && $0 != top }.prefix(Self.most))
    if results.contains(where: { !$0.isFinite || $0 > 1 }) { return }
    rows += 1
    count += results.count
    open = open.filter { way, isProduct in
      divisors(top, way, isProduct).contains { s in
        results.allSatisfy { isMade($0, s, way, isProduct) }
      }
    }
  }

  /// What may have been divided by, or multiplied with, where the largest result is `top`.
  private func divisors(_ top: Double, _ way: Way, _ isProduct: Bool) -> [Double] {
    if isProduct { return [top] }
    let near = format.round(1 / top)
    let step = format.ulp(of: near)
    return (-4...4).map { near + Double($0) * step }.filter { rounded(1 / $0, way) == top }
  }

  private func isMade(_ y: Double, _ s: Double, _ way: Way, _ isProduct: Bool) -> Bool {
    let near = format.round(isProduct ? y / s : y * s)
    let step = format.ulp(of: near)
    return (-2...2).contains { k in
      let e = near + Double(k) * step
      return rounded(isProduct ? e * s : e / s, way) == y
    }
  }

  private func rounded(_ x: Double, _ way: Way) -> Double {
    let r = format.round(x)
    switch way {
    case .nearest: return r
    case .down: return r > x ? r - format.ulp(of: x) : r
    case .up: return r < x ? r + format.ulp(of: x) : r
    }
  }
}
