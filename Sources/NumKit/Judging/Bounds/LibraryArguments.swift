import NumKitNumbers

/// Where the platform's functions are measured.
enum LibraryArguments {
  /// Arguments of a function in a format: where glibc errs most, ends of the domain, halfway between the points of usual tables,
  /// and some spread over all there are.
  static func all(_ function: LibraryFunction, _ format: NumberFormat) -> [Double] {
    var list = hard(function, format)
    var random = RandomSource(seed: 0x6c69_626d, row: 0)
    for i in 0..<160 { list.append(spread(function, format, i, &random)) }
    return list
  }

  private static func spread(
    _ function: LibraryFunction, _ format: NumberFormat, _ i: Int, _ random: inout RandomSource
  ) -> Double {
    let unit = random.uniform()
    let small = Double.powerOfTwo(-Int(random.next() % UInt64(format.precision + 3))) * (1 + unit)
    let isEven = i % 2 == 0
    let binade = Double.powerOfTwo(Int(random.next() % 60) - 30) * (1 + unit)
    let signed = i % 4 < 2 ? small : -small
    switch function {
    case .exp: return isEven ? signed : exponent(format, i, unit) * ln2
    case .exp2: return isEven ? signed : exponent(format, i, unit)
    case .log: return isEven ? 1 + 0.4 * signed : binade
    case .log1p: return isEven ? 0.5 * small : binade
    case .tanh: return isEven ? signed : 40 * unit - 20
    }
  }

  /// What 2^x is finite for; mostly below 0, down to where results are subnormal.
  private static func exponent(_ format: NumberFormat, _ i: Int, _ unit: Double) -> Double {
    let least = Double(format.precision - format.minExponent)
    return i % 4 == 1 ? Double(format.maxExponent) * unit : -least * unit * unit
  }

  private static let ln2 = 0.6931471805599453

  private static func hard(_ function: LibraryFunction, _ format: NumberFormat) -> [Double] {
    let isDouble = format == .f64
    let (least, most) = (Double(format.minExponent), Double(format.maxExponent))
    var list: [Double]
    switch function {
    case .exp:
      list = [
        isDouble ? -0x1.1b7fb5b88f19bp+9 : -0x1.a2ed8cp-8, 0, (most + 0.999) * ln2, least * ln2 * 0.9999,
      ]
      list += breakpoints.map { $0 * ln2 }
    case .exp2:
      list = [isDouble ? 0x1.d777795514e0ap+9 : -0x1.491faap-7, 0, most + 0.999, least + 0.001]
      list += breakpoints
    case .log:
      let u = format.unitRoundoff
      list = [isDouble ? 0x1.201534f6847bap+0 : 0x1.0403f2p+0, 1, 1 + 2 * u, 1 - u]
      list += [format.largestFinite, format.smallestNormal]
      list += stride(from: 0.70, through: 1.42, by: 0.01)
    case .log1p:
      list = [isDouble ? 0x1.1e6d6e6624975p-1 : 0x1.a61d3ap-2, format.smallestNormal, format.largestFinite]
      list += stride(from: 0.01, through: 1.42, by: 0.02)
    case .tanh:
      list = [isDouble ? -0x1.cb105f41e574p-3 : 0x1.d48fdp-3, format.smallestNormal, 30, -30]
      list += stride(from: 0.1, through: 1.2, by: 0.015)
    }
    return list
  }

  /// Halfway between the points of tables of 32, 64 and 128 for 2^x, from −2 to 2.
  private static let breakpoints: [Double] = [32, 64, 128].flatMap { (points: Int) -> [Double] in
    stride(from: 1 - 2 * points, to: 2 * points, by: 7).map { (Double($0) + 0.5) / Double(points) }
  }
}
