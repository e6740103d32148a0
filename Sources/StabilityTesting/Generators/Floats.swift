import NumKit
import RealModule

/// Generators of the numbers of one format, class by class, as Doubles: `Floats(.bf16).subnormal`. Of a type, `Generator<Float>.floats`
/// makes them.
public struct Floats: Sendable {
  /// The format.
  public let format: NumberFormat

  /// Numbers of `format`.
  public init(_ format: NumberFormat) { self.format = format }

  private func generator(_ domain: FloatDomain, _ make: @escaping @Sendable (inout RandomSource) -> Double)
    -> Generator<Double>
  {
    Generator { draw in try draw.float(domain, make) }
  }

  /// Finite numbers in `range` of every kind: simple ones, uniform and normal ones, ones of every size, near thresholds, extremes.
  public func finite(in range: ClosedRange<Double>? = nil) -> Generator<Double> {
    let domain = FloatDomain(format, in: range)
    return generator(domain) { [self] in mixed(domain, &$0) }
  }

  /// Any finite number.
  public var finite: Generator<Double> { finite(in: nil) }

  /// Any number at all, infinities and NaN among them.
  public var any: Generator<Double> {
    var domain = FloatDomain(format)
    (domain.hasNaN, domain.hasInfinity, domain.hasMinusInfinity) = (true, true, true)
    return generator(domain) { [self, domain] random in
      random.chance(0.15) ? random.one(of: [.nan, .infinity, -.infinity]) : mixed(domain, &random)
    }
  }

  /// Normal numbers: every exponent and every significand as likely.
  public var normal: Generator<Double> {
    drawn {
      $0.magnitude >= format.smallestNormal
    } settings: {
      $0.hasZero = false; $0.hasSubnormal = false
    }
  }

  /// Subnormal numbers; a format that has none has no such generator: it makes nothing.
  public var subnormal: Generator<Double> {
    let format = format
    var domain = FloatDomain(format)
    (domain.hasZero, domain.hasNormal) = (false, false)
    let count = format.hasZero ? (1 << format.significandBits) - 1 : 0
    return generator(domain) { random in
      guard count > 0 else { return 0 }
      let magnitude = Double(random.integer(in: 1...count)) * format.smallestPositive
      return random.chance(0.5) ? -magnitude : magnitude
    }
  }

  private func drawn(
    _ isWanted: @escaping @Sendable (Double) -> Bool, settings: (inout FloatDomain) -> Void
  ) -> Generator<Double> {
    let format = format
    var domain = FloatDomain(format)
    settings(&domain)
    return generator(domain) { random in
      for _ in 0..<32 {
        let x = format.anyFinite(&random)
        if isWanted(x) { return x }
      }
      return format.smallestNormal
    }
  }

  /// Zeros of both signs.
  public var zero: Generator<Double> {
    var domain = FloatDomain(format)
    (domain.hasSubnormal, domain.hasNormal) = (false, false)
    return generator(domain) { $0.chance(0.5) ? 0 : -0.0 }
  }

  /// Infinities of both signs; nothing where a format has none.
  public var infinite: Generator<Double> {
    var domain = FloatDomain(format)
    (domain.hasInfinity, domain.hasMinusInfinity) = (true, true)
    domain.condition = { _ in false }
    return generator(domain) { $0.chance(0.5) ? .infinity : -.infinity }
  }

  /// NaN; nothing where a format has none.
  public var nan: Generator<Double> {
    var domain = FloatDomain(format)
    domain.hasNaN = true
    domain.condition = { _ in false }
    return generator(domain) { _ in .nan }
  }

  /// Uniform in `range`.
  public func uniform(in range: ClosedRange<Double>) -> Generator<Double> {
    generator(FloatDomain(format, in: range)) {
      range.lowerBound + (range.upperBound - range.lowerBound) * $0.uniform()
    }
  }

  /// N(0, scale²), infinities left out.
  public func gaussian(_ scale: Double = 1) -> Generator<Double> {
    generator(FloatDomain(format)) { scale * $0.normal() }
  }

  /// Magnitudes in `range`, positive, whose logarithms are uniform; of both signs unless `isSigned` is false.
  public func logUniform(in range: ClosedRange<Double>, isSigned: Bool = true) -> Generator<Double> {
    let top = format.round(range.upperBound, overflow: .saturate)
    var domain = FloatDomain(format, in: (isSigned ? -top : range.lowerBound)...top)
    domain.condition = { $0.magnitude >= range.lowerBound }
    let (low, high) = (Double.log(range.lowerBound), Double.log(range.upperBound))
    return generator(domain) {
      let x = Double.exp(low + (high - low) * $0.uniform())
      return isSigned && $0.chance(0.5) ? -x : x
    }
  }

  /// Numbers half way between two neighbours of a narrower format, and up to `ulps` steps of this one from there: what a conversion
  /// rounds one way or the other.
  ///
  /// - Precondition: this format has more bits than `narrower`.
  public func midpoints(of narrower: NumberFormat, ulps: Int = 1) -> Generator<Double> {
    precondition(format.significandBits > narrower.significandBits, "midpoints of a narrower format")
    let format = format
    var domain = FloatDomain(format)
    domain.condition = { x in
      (-ulps...ulps).contains { Self.isMidpoint(format.stepped(x, by: $0), of: narrower) }
    }
    return generator(domain) { random in
      let x = narrower.anyFinite(&random)
      let next = narrower.stepped(x, by: 1)
      let middle = x + (next - x) / 2
      return format.stepped(middle, by: random.integer(in: -ulps...ulps))
    }
  }

  /// Whether `x` is half way between two neighbours of `format`.
  public static func isMidpoint(_ x: Double, of format: NumberFormat) -> Bool {
    guard x.isFinite, x.magnitude < format.largestFinite else { return false }
    let ulp = format.ulp(of: x)
    return (x / ulp - (x / ulp).rounded(.down)) == 0.5
  }

  /// Numbers at most `ulps` steps from one of `thresholds`; the format's own unless given.
  public func near(_ thresholds: [Double]? = nil, ulps: Int = 2) -> Generator<Double> {
    let format = format
    let all = (thresholds ?? format.thresholds).map { format.round($0, overflow: .saturate) }
    var domain = FloatDomain(format)
    domain.condition = { x in
      all.contains { (format.stepped($0, by: -ulps)...format.stepped($0, by: ulps)).contains(x) }
    }
    return generator(domain) { random in
      all.isEmpty ? .nan : format.stepped(random.one(of: all), by: random.integer(in: -ulps...ulps))
    }
  }

  private func mixed(_ domain: FloatDomain, _ random: inout RandomSource) -> Double {
    for _ in 0..<16 {
      let x = format.round(one(domain, &random), overflow: .saturate)
      if domain.contains(x) { return x }
    }
    let (low, high) = (domain.range.lowerBound, domain.range.upperBound)
    return low + (high - low) * random.uniform()
  }

  private func one(_ domain: FloatDomain, _ random: inout RandomSource) -> Double {
    let size = min(domain.range.upperBound.magnitude, 16)
    switch random.next() % 16 {
    case 0...1: return random.one(of: [0, 1, -1, 2, -2, 3, 10])
    case 2...5: return size * (2 * random.uniform() - 1)
    case 6...7: return random.normal()
    case 8...11: return format.anyFinite(&random)
    case 12...13: return format.stepped(random.one(of: format.thresholds), by: random.integer(in: -2...2))
    case 14: return Double(random.integer(in: -100...100)) / 8
    default:
      let x = random.one(of: [format.largestFinite, format.smallestNormal, format.smallestPositive, 1])
      return random.chance(0.5) ? -x : x
    }
  }
}

extension Generator where Value: Scalar {
  /// Numbers of a type: all finite ones, or those that `choose` chooses, as in `.floats { $0.midpoints(of: .bf16) }`.
  public static func floats(_ choose: (Floats) -> Generator<Double> = { $0.finite }) -> Generator {
    choose(Floats(Value.format)).map { Value(rounding: $0) }
  }
}
