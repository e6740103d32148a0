import NumKit
import RealModule

/// A way to see a sum of positive terms of which only a quotient is given: rows with one term of 1 and small ones, and a result in which
/// the last bit of the sum shows.
struct Observer: Sendable {
  let kind: RowKind
  let format: NumberFormat
  /// The input whose term is the large one.
  let large: Double
  /// An input without a term.
  let none: Double
  /// An input whose result is looked at instead of the large one's; its term is too small to move the sum, or whole steps of it.
  var reporter: Double?
  /// Inputs whose terms are added exactly.
  var extras: [Double] = []
  /// An input at the last place that is the largest of all, for kernels that leave that one out of the sum.
  var top: Double?

  init(
    _ kind: RowKind, _ format: NumberFormat, large: Double = 0, reporter: Double? = nil, extras: [Double] = []
  ) {
    (self.kind, self.format, self.large) = (kind, format, large)
    none = kind.isExponential ? format.round(large - 800) : 0
    (self.reporter, self.extras) = (reporter, extras)
  }

  /// How many of a row's elements are terms.
  func count(_ length: Int) -> Int { top == nil ? length : length - 1 }

  /// The input of a term that is `term` times the large one (of squares: that is `term`); nil where the format has none.
  func input(_ term: Double) -> Double? {
    if kind.isExponential {
      let x = format.round(large + Double.log(term))
      return x.isFinite && x > none ? x : nil
    }
    let x = format.round(term.squareRoot())
    return x > 0 && x.isFinite ? x : nil
  }

  /// The row with the large term at `place` and others where they are said to be.
  func probe(_ length: Int, large place: Int, _ small: [(place: Int, input: Double)]) -> RowProbe {
    var row = [Double](repeating: none, count: length)
    row[place] = large
    if let top { row[length - 1] = top }
    for (k, x) in small { row[k] = x }
    var looked = kind == .logSumExp ? 0 : place
    var inputs = extras
    if let reporter { inputs.append(reporter) }
    var free = count(length) - 1
    for (number, x) in inputs.enumerated() {
      while free >= 0 && (free == place || small.contains { $0.place == free }) { free -= 1 }
      guard free >= 0 else { break }
      row[free] = x
      if reporter != nil && number == inputs.count - 1 { looked = free }
      free -= 1
    }
    return RowProbe(row, place: looked)
  }
}

/// Observers to try, the simplest first.
struct ObserverPool {
  let kind: RowKind
  let format: NumberFormat
  /// Whether exponentials are relative to the maximum; where they are not, that must be near 0 for a term of 1.
  let subtracts: Bool
  private static let most = 240

  /// Those that look at the large term's own result.
  var direct: [Observer] {
    if kind.isExponential { return [Observer(kind, format)] }
    // A root halves what moves: it shows at some sizes, at others not.
    return (0..<48).compactMap { k in
      let x = format.round(1 + 0.4 * Double(k) / 48)
      return Observer(kind, format, large: x)
    }
  }

  /// Those for a kernel of log-sum-exp that leaves the largest term out of the sum.
  var besideLargest: [Observer] {
    (0..<32).map { k in
      var observer = Observer(kind, format, large: format.round(-0.6 - 0.08 * Double(k) / 32))
      observer.top = 0
      return observer
    }
  }

  /// Those whose result is about to round to a neighbour, so that it does when the sum moves by less than the format has bits: each a
  /// family whose members are meant to see alike, made when it is its turn.
  var families: [() -> [Observer]] {
    guard format.precision <= 24 else { return [] }
    var made: [() -> [Observer]] = []
    if kind.givesProbabilities { made.append { tiny(window: 0x1p-21) } }
    // Sums of f32's bits before those of f16's, exponentials in f32 before those in the format.
    for bits in [24, 11] where bits > format.precision {
      for compute in [NumberFormat.f32, format] {
        for isBase2 in [false, true] {
          let sums = LandedSums(
            kind: kind, format: format, model: TermModel(compute: compute, isBase2: isBase2), bits: bits)
          switch kind {
          case .softmax, .attention, .logSoftmax: made.append { sums.besideOne }
          case .logSumExp where !isBase2: made.append { sums.besideLargest }
          default: break
          }
        }
      }
    }
    if kind.givesProbabilities { made.append { tiny(window: 0x1p-17) } }
    return made
  }

  /// How far y is from the nearest midpoint of two numbers of the format, as a share of y.
  private func distance(_ y: Double) -> Double {
    let ulp = format.ulp(of: y)
    let steps = (y.magnitude / ulp)
    return ((steps - steps.rounded(.down)) - 0.5).magnitude * ulp / y.magnitude
  }

  /// Numbers of the format between two, at most so many to a binade.
  private func numbers(_ low: Double, _ high: Double, perBinade: Int) -> [Double] {
    var list: [Double] = []
    var x = format.round(low)
    while x <= high {
      list.append(x)
      let steps = max(1, Double.powerOfTwo(format.precision - 1) / Double(perBinade))
      x += format.ulp(of: x) * steps.rounded()
    }
    return list
  }

  /// Reporters with terms of 2^−28 and less: no sum in f32 sees them.
  private func tiny(window: Double) -> [Observer] {
    guard format.minExponent < -100 else { return [] }
    var made: [Observer] = []
    for m in numbers(0x1p-10, subtracts ? 60 : 0.14, perBinade: subtracts ? 64 : 128) {
      for x in numbers(20, 80, perBinade: 64) {
        let reporter = format.round(m - x)
        let y = Double.exp(reporter - m)
        if y < 0x1p-28, y > 0x1p-115, distance(y) < window {
          made.append(Observer(kind, format, large: m, reporter: reporter))
        }
      }
      if made.count >= (window > 0x1p-20 ? 4 * Self.most : Self.most) { break }
    }
    return made
  }
}
