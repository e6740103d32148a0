import NumKit
import RealModule
import TestSupport

/// Rows that normalisations find hard.
enum NormRowKind: Int, CaseIterable {
  case normal, scaled, shifted, wide, constant, almostConstant, subnormal, nearOverflow, integers, spike,
    alternating,
    ascending, sparse, shiftedSpike

  /// A row of finite numbers of `format`.
  func make(_ n: Int, _ format: NumberFormat, _ random: inout RandomBits) -> [Double] {
    func uniform() -> Double { Double(random.next() >> 11) * 0x1p-53 }
    func normal() -> Double {
      (-2 * Double.log(1 - uniform())).squareRoot() * Double.cos(2 * .pi * uniform())
    }
    func power(_ low: Int, _ high: Int) -> Double {
      Double(
        sign: .plus, exponent: low + Int(random.next() % UInt64(Swift.max(1, high - low + 1))), significand: 1
      )
    }
    let (low, high) = (format.minExponent - format.significandBits, format.maxExponent)
    let size = power(Swift.max(low, -30), Swift.min(high - 2, 30))
    let row: [Double]
    switch self {
    case .normal: row = (0..<n).map { _ in normal() }
    case .scaled: row = (0..<n).map { _ in normal() * size }
    case .shifted:
      let noise = size * power(-format.significandBits - 2, 0)
      row = (0..<n).map { _ in size + noise * normal() }
    case .wide: row = (0..<n).map { _ in normal() * power(low, high - 2) }
    case .constant: row = Array(repeating: format.round(normal() * size), count: n)
    case .almostConstant:
      let place = Int(random.next() % UInt64(n))
      row = (0..<n).map { $0 == place ? size * (1 + format.epsilon) : size }
    case .subnormal: row = (0..<n).map { _ in normal() * format.smallestPositive * 4 }
    case .nearOverflow:
      row = (0..<n).map { _ in (0.5 + 0.5 * uniform()) * format.largestFinite * (normal() < 0 ? -1 : 1) }
    case .integers: row = (0..<n).map { _ in (normal() * 3).rounded() }
    case .spike:
      let place = Int(random.next() % UInt64(n))
      row = (0..<n).map { $0 == place ? size * 64 : normal() }
    case .alternating: row = (0..<n).map { $0 % 2 == 0 ? size : -size }
    case .ascending: row = (0..<n).map { size * (Double($0) - Double(n / 2)) }
    case .sparse: row = (0..<n).map { _ in uniform() < 0.2 ? normal() * size : 0 }
    case .shiftedSpike:
      let place = Int(random.next() % UInt64(n))
      row = (0..<n).map { $0 == place ? -size * 30 : size + 0.01 * size * normal() }
    }
    let top = format.largestFinite
    return row.map { x in
      let y = format.round(x)
      return y.isFinite ? y : x < 0 ? -top : top
    }
  }
}

/// Weight and bias of `n` numbers of `format`, sometimes none.
func hostileParameters(
  _ operation: Normalization, _ n: Int, _ format: NumberFormat, _ random: inout RandomBits
) -> NormParameters {
  func draw() -> Double { format.round(Double(Int(random.next() % 4001) - 2000) / 512) }
  let epsilons = [0, 1e-5, 1e-6, 1e-12, 1, 0x1p-40]
  let epsilon = epsilons[Int(random.next() % UInt64(epsilons.count))]
  let hasWeight = random.next() % 3 > 0
  let hasBias = operation == .layerNorm && random.next() % 3 > 0
  return NormParameters(
    epsilon: epsilon, weight: hasWeight ? (0..<n).map { _ in draw() } : [],
    bias: hasBias ? (0..<n).map { _ in draw() } : [])
}
