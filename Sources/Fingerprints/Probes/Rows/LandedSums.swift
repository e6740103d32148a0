import NumKit
import RealModule

/// How a kernel may make its terms: what exponentials are rounded to, and whether they are powers of 2 of a scaled input.
struct TermModel: Sendable, Hashable {
  let compute: NumberFormat
  let isBase2: Bool

  /// The term of an input beside a largest one of 0.
  func term(_ x: Double) -> Double {
    guard isBase2 else { return compute.round(Double.exp(x)) }
    let log2e = compute.round(1.442695040888963407359924681)
    return compute.round(Double.exp2(compute.round(x * log2e)))
  }
}

/// Rows whose result is within a step of the sum of a midpoint of two results, however few bits these have: beside the large term stand
/// terms that are whole steps of the sum, so that it is exact in whatever order they are added, and lands where it is meant to.
struct LandedSums {
  let kind: RowKind
  let format: NumberFormat
  let model: TermModel
  /// Significant bits of the sum that is looked at.
  let bits: Int

  /// A term's input, and how many steps it is.
  private struct Whole {
    let input: Double
    let steps: Int
    /// What is left of the term, in steps.
    let rest: Double
  }
  /// Extras together are less than that of the large term: so small a sum keeps a lost term as it is until it meets the large one.
  private static let most = 0.24
  private static let wanted = 64
  /// How far from whole steps a term may be, and all extras together.
  private static let rest = (one: 0.04, all: 0.05)

  /// Rows that look at the large term's own result: 1/s, as a quotient or by a logarithm, or the logarithm of that.
  var besideOne: [Observer] {
    let step = Double.powerOfTwo(1 - bits)
    var steps = targets(1, 1 / (1 + Self.most), step) { 1 / $0 - 1 }
    // Logarithms of few bits are rounded themselves.
    if model.compute.precision < 24 {
      steps += targets(step, Double.log(1 + Self.most), step) { Double.expMinusOne($0) }
    }
    return rows(wholes(step: step), step: step, steps: steps).map { Observer(kind, format, extras: $0) }
  }

  /// Rows of a log-sum-exp that leaves the largest term, at the last place, out of its sum, which is near 1/2.
  var besideLargest: [Observer] {
    let step = Double.powerOfTwo(-bits)
    let wholes = wholes(step: step)
    var made: [Observer] = []
    var x = format.round(-0.69)
    while x < -0.6 && made.count < Self.wanted {
      let (large, term) = (x, model.term(x))
      x += format.ulp(of: x)
      let own = (term / step).rounded()
      guard term >= 0.5, (term - own * step).magnitude < Self.rest.one / 2 * step else { continue }
      let base = own * step
      let steps = targets(Double.log(onePlus: base + 0.5 * Self.most), Double.log(onePlus: base), step) {
        Double.expMinusOne($0) - base
      }
      made += rows(wholes, step: step, steps: steps).map {
        var observer = Observer(kind, format, large: large, extras: $0)
        observer.top = 0
        return observer
      }
    }
    return made
  }

  /// Of each midpoint of two results in a range how many steps the extras must be, so that one more passes it.
  private func targets(_ a: Double, _ b: Double, _ step: Double, _ rest: (Double) -> Double) -> [Int] {
    var found: [Int] = []
    var y = format.round(min(a, b))
    while y < max(a, b) {
      let next = y + format.ulp(of: y)
      let steps = rest((y + next) / 2) / step
      y = next
      let whole = steps.rounded(.down)
      if whole >= 1, (0.15...0.85).contains(steps - whole) { found.append(Int(whole)) }
    }
    // Few extras first: they err least.
    return found.sorted()
  }

  /// Inputs whose terms are whole steps, or so nearly that several are.
  private func wholes(step: Double) -> [Whole] {
    // Where small terms can be no less than half a step they are lost as ties, beside even sums.
    let unit = model.compute.precision < 24 && model.compute.smallestPositive * 2 >= step ? 2 : 1
    var found: [Int: Whole] = [:]
    var x = format.round(-Double.log(4))
    while x > -Double(bits + 1) * 0.6931 {
      let term = model.term(x)
      let steps = (term / step).rounded()
      let whole = Whole(input: x, steps: Int(steps), rest: term / step - steps)
      if whole.steps >= 1, whole.steps % unit == 0, whole.rest.magnitude < Self.rest.one,
        whole.rest.magnitude < found[whole.steps]?.rest.magnitude ?? 1
      {
        found[whole.steps] = whole
      }
      x -= max(format.ulp(of: x), 0x1p-10)
    }
    let all = found.values.sorted { $0.steps < $1.steps }
    // A fair share of each size.
    let most = 128
    return all.count <= most ? all : (0..<most).map { all[$0 * all.count / most] }
  }

  /// Up to five extras of so many steps in all.
  private func rows(_ wholes: [Whole], step: Double, steps: [Int]) -> [[Double]] {
    guard !wholes.isEmpty else { return [] }
    let n = wholes.count
    var pairs: [Int: [Int]] = [0: []]
    for i in 0..<n { pairs[wholes[i].steps] = [i] }
    for i in 0..<n {
      for j in i..<n {
        let sum = wholes[i].steps + wholes[j].steps
        if pairs[sum] == nil { pairs[sum] = [i, j] }
      }
    }
    // Where there are few, more of them together.
    var more = pairs
    if n <= 64 {
      for (sum, parts) in pairs.sorted(by: { $0.key < $1.key }) where parts.count == 2 {
        for k in 0..<n where more[sum + wholes[k].steps] == nil {
          more[sum + wholes[k].steps] = parts + [k]
        }
      }
    }
    let sums = pairs.keys.sorted()
    let limit = Int(Self.most / step)
    var made: [[Double]] = []
    for wanted in steps where wanted <= limit && made.count < Self.wanted {
      for sum in sums.prefix(while: { $0 <= wanted }) {
        guard let rest = more[wanted - sum], let own = pairs[sum] else { continue }
        let extras = (own + rest).map { wholes[$0] }
        guard extras.reduce(0, { $0 + $1.rest }).magnitude < Self.rest.all else { continue }
        made.append(extras.map(\.input))
        break
      }
    }
    return made
  }
}
