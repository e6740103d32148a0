import NumKitNumbers
import NumKitQuestions
import RealModule

/// How sines and cosines of positions are made.
public struct PositionMethod: Sendable, Hashable {
  /// How an angle is brought near 0.
  public enum Reduction: Sendable, Hashable {
    /// As a library does: by π of as many digits as it takes.
    case exact
    /// Multiplied by a rounded 1/2π, as a GPU's fast sine does: what the product loses is lost.
    case turns
  }

  /// From angle to sine and cosine.
  public var reduction: Reduction
  /// Whether they are stored in the dtype and rows are turned in it, as from a table; else all is done in the compute format and
  /// rounded once.
  public var isTable: Bool
}

/// What the kernels of positions share: everything in the compute format, but for what a table stores.
struct PositionAngles<C: Scalar> {
  private let thetas: [C]
  private let amplitude: C?
  private let ids: NumberFormat?
  private let turn = C(rounding: 0.159154943091895335768883763372514362)
  private let isFast: Bool

  /// θᵢ = 1/base^(2i/d), each step rounded, as frameworks make them.
  init(_ f: Frequencies, dimensions d: Int, ids: NumberFormat?, _ reduction: PositionMethod.Reduction) {
    self.ids = ids
    isFast = reduction == .turns
    var base = f.base
    if case .ntk(let s) = f.scaling { base *= Double.pow(s, Double(d) / Double(d - 2)) }
    let b = C(rounding: base)
    var thetas: [C] = []
    for i in 0..<d / 2 {
      let power = C.power(b, C(rounding: Double(2 * i)) / C(rounding: Double(d)))
      let theta = C.one / power
      switch f.scaling {
      case .none, .ntk: thetas.append(theta)
      case .linear(let s): thetas.append(theta / C(rounding: s))
      case .yarn(let s, _):
        let (done, of) = f.rampShare(i, dimensions: d) ?? (0, 1)
        let ramp = C(rounding: Double(done)) / C(rounding: Double(of))
        let slow = C.one / (C(rounding: s) * power)
        thetas.append(slow * ramp + theta * (C.one - ramp))
      }
    }
    self.thetas = thetas
    if case .yarn(let s, _) = f.scaling {
      amplitude = C(rounding: 0.1 * Double.log(s) + 1)
    } else {
      amplitude = nil
    }
  }

  /// cos and sin of pair `i` at `position`.
  func turn(_ i: Int, at position: Int, _ trace: inout StageTrace) -> (cos: C, sin: C) {
    let m = ids.map { $0.round(Double(position)) } ?? Double(position)
    let angle = C(rounding: m) * thetas[i]
    trace.observe(angle, .angle)
    var (c, s): (C, C)
    if isFast {
      let turns = (angle * turn).exact
      let part = 2 * .pi * (turns - turns.rounded())
      (c, s) = (C(rounding: Double.cos(part)), C(rounding: Double.sin(part)))
    } else {
      (c, s) = (C(rounding: Double.cos(angle.exact)), C(rounding: Double.sin(angle.exact)))
    }
    if let amplitude { (c, s) = (c * amplitude, s * amplitude) }
    return (c, s)
  }
}

extension Scalar {
  /// a^b, correctly rounded but where Double's own is not.
  static func power(_ a: Self, _ b: Self) -> Self { Self(rounding: Double.pow(a.exact, b.exact)) }
}

extension RotaryFormula: ComputedFormula {
  public typealias Method = PositionMethod
  public static let algorithms: [FormulaAlgorithm<RotaryFormula>] = [
    RotaryKernel(isTable: true, reduction: .exact).algorithm(
      "table", "sines and cosines stored in the dtype, rows turned in it"),
    RotaryKernel(isTable: false, reduction: .exact).algorithm(
      "fly", "sines, cosines and turning in the compute format, rounded once"),
    RotaryKernel(isTable: true, reduction: .turns).algorithm(
      "table:fast", "as 'table', angles reduced by a rounded 1/2pi"),
    RotaryKernel(isTable: false, reduction: .turns).algorithm(
      "fly:fast", "as 'fly', angles reduced by a rounded 1/2pi"),
  ]
}

/// Rows turned pair by pair: a c − b s, b c + a s. A is the format that rows are turned in.
private struct RotaryKernel: FormulaMaker {
  typealias F = RotaryFormula
  let isTable: Bool
  let reduction: PositionMethod.Reduction

  func algorithm(_ name: String, _ summary: String) -> FormulaAlgorithm<RotaryFormula> {
    let method = PositionMethod(reduction: reduction, isTable: isTable)
    return FormulaAlgorithm(name, summary, method) { formula, configuration in
      guard let storage = configuration.storage.numberFormat else { return nil }
      // What is turned in the dtype takes the accumulator's place.
      var formats = configuration
      formats.accumulator = isTable ? storage : configuration.compute
      return ScalarDispatch.visit(
        formats, FormulaVisitor(formula: formula, configuration: configuration, make: self))
    }
  }

  func body<C: Scalar, R: Scalar>(
    _ formula: RotaryFormula, _ configuration: KernelConfiguration, _: C.Type, _: R.Type
  ) -> FormulaBody {
    var angles: (dimensions: Int, made: PositionAngles<C>)?
    return { row, x, results, trace in
      let d = x.count
      if angles?.dimensions != d {
        angles = (d, PositionAngles<C>(formula.frequencies, dimensions: d, ids: formula.ids, reduction))
      }
      guard let made = angles?.made else { return }
      let position = formula.positions[row]
      for i in 0..<d / 2 {
        let (cos, sin) = made.turn(i, at: position, &trace)
        let (c, s) = (R(rounding: cos.exact), R(rounding: sin.exact))
        let (first, second) = formula.pairing.places(i, dimensions: d)
        let (a, b) = (R(rounding: x[first]), R(rounding: x[second]))
        let (y, z) = (a * c - b * s, b * c + a * s)
        trace.observe(y, .output)
        trace.observe(z, .output)
        results[first] = configuration.store(y.exact)
        results[second] = configuration.store(z.exact)
      }
    }
  }
}

extension SinusoidalFormula: ComputedFormula {
  public typealias Method = PositionMethod
  public static let algorithms: [FormulaAlgorithm<SinusoidalFormula>] = [
    SinusoidalKernel(reduction: .exact).algorithm(
      "direct", "sines and cosines of m / base^(2i/d)", PositionMethod(reduction: .exact, isTable: false)),
    SinusoidalKernel(reduction: .turns).algorithm(
      "fast", "the same, angles reduced by a rounded 1/2pi",
      PositionMethod(reduction: .turns, isTable: false)),
  ]
}

private struct SinusoidalKernel: FormulaMaker {
  typealias F = SinusoidalFormula
  let reduction: PositionMethod.Reduction

  func body<C: Scalar, A: Scalar>(
    _ formula: SinusoidalFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    var angles: (dimensions: Int, made: PositionAngles<C>)?
    return { row, x, results, trace in
      let d = x.count
      if angles?.dimensions != d {
        angles = (d, PositionAngles<C>(formula.frequencies, dimensions: d, ids: formula.ids, reduction))
      }
      guard let made = angles?.made else { return }
      for i in 0..<d / 2 {
        let (cos, sin) = made.turn(i, at: formula.positions[row], &trace)
        results[2 * i] = configuration.store(sin.exact)
        results[2 * i + 1] = configuration.store(cos.exact)
      }
    }
  }
}

/// How slopes are made.
public enum AlibiMethod: Sendable, Hashable {
  /// Each as a power of two.
  case powers
  /// The first, multiplied by itself again and again.
  case products
}

extension AlibiFormula: ComputedFormula {
  public typealias Method = AlibiMethod
  public static let algorithms: [FormulaAlgorithm<AlibiFormula>] = [
    AlibiKernel(method: .powers).algorithm(
      "powers", "each slope a power of two, times the distance", .powers),
    AlibiKernel(method: .products).algorithm(
      "products", "each slope the one before times the first, times the distance", .products),
  ]
}

private struct AlibiKernel: FormulaMaker {
  typealias F = AlibiFormula
  let method: AlibiMethod

  func body<C: Scalar, A: Scalar>(
    _ formula: AlibiFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    var slopes: [C] = []
    return { row, x, results, trace in
      if slopes.count != x.count { slopes = makeSlopes(formula, x.count) }
      let distance = Double(formula.distances[row])
      let m = C(rounding: formula.ids.map { $0.round(distance) } ?? distance)
      for h in x.indices {
        let y = -(slopes[h] * m)
        trace.observe(y, .output)
        results[h] = configuration.store(y.exact)
      }
    }
  }

  private func makeSlopes<C: Scalar>(_ formula: AlibiFormula, _ n: Int) -> [C] {
    var slopes: [C] = []
    for h in 0..<n {
      if method == .powers || formula.startsAnew(head: h, of: n) {
        let (a, b) = formula.exponent(head: h, of: n)
        slopes.append(C.exp2(C(rounding: -Double(a) / Double(b))))
      } else {
        // Of the rest every other one of twice as many: the ratio is the same.
        slopes.append(slopes[h - 1] * slopes[0])
      }
    }
    return slopes
  }
}
