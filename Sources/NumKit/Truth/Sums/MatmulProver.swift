import CProof
import NumKitNumbers
import NumKitQuestions

/// The proven rows of a product: dot products of a row of A with every column of B. All are rational, so all are decided.
///
/// Where the products of a row and a column are few enough multiples of one power of two, a plain sum is exact (section 10 of
/// Documentation/CertifiedReference.md); this keeps ties, which short formats are full of, from MPFR.
public struct MatmulProver: Prover {
  public typealias Q = MatmulQuestion

  private let reference: SumReference
  private let rowGrains: [Double]
  private let columnGrains: [Double]
  private var magnitudes: [Double]
  private let tier0: MatmulTier0?
  private let block: Int

  /// How many rows are best answered by one prover, one after the other, so that every thread has some.
  public static func block(rows: Int, threads: Int) -> Int {
    Swift.max(8, Swift.min(MatmulTier0.block, rows / (2 * Swift.max(threads, 1)) / 8 * 8))
  }

  /// Results of `inputs`' product rounded to `format`, computed for `block` rows at a time where they are asked about in order.
  /// `usesFirstTier` says whether values known in Double will do where they can; nil where the problem is so large that pairs would
  /// take long.
  public init(_ inputs: MatmulInputs, format: NumberFormat, block: Int = 8, usesFirstTier: Bool? = nil) {
    self.block = Swift.max(1, Swift.min(block, MatmulTier0.block))
    let products = Double(inputs.a.count) * Double(inputs.b.count) * Double(inputs.a.inner)
    tier0 = usesFirstTier ?? (products > 0x1p31) ? MatmulTier0(inputs, format) : nil
    reference = SumReference(format: format)
    rowGrains = inputs.a.grains(inputs.a.values)
    columnGrains = inputs.b.grains(inputs.b.values)
    magnitudes = Array(repeating: 0, count: inputs.b.count)
  }

  public mutating func answer(_ item: MatmulQuestion.Item, into truths: inout [Truth]) {
    let n = item.inputs.a.inner
    truths[0].reset(count: item.inputs.b.count)
    var open = Array(columnGrains.indices)
    if let tier0 {
      if !tier0.rows.contains(item.row) {
        let start = item.row / block * block
        tier0.compute(start..<Swift.min(start + block, item.inputs.a.count))
      }
      open = truths[0].take(tier0, row: item.row)
    }
    item.inputs.a.values.withUnsafeBufferPointer { a in
      item.inputs.b.values.withUnsafeBufferPointer { b in
        guard let a = a.baseAddress, let b = b.baseAddress else { return }
        for j in open {
          magnitudes[j] = reference.answer(
            a + item.row * n, b + j * n, n, grain: rowGrains[item.row] * columnGrains[j], at: j,
            into: &truths[0])
        }
      }
    }
  }

  public func profile(of item: MatmulQuestion.Item, into profile: inout MatmulQuestion.Profile) {
    // The sum of magnitudes is itself computed, in n/8 + 8 additions and a product, or in 16 and n/16.
    let margin = 1 + Double(item.inputs.a.inner / 8 + 24) * 0x1p-53
    profile.magnitudes.removeAll(keepingCapacity: true)
    if let tier0 {
      tier0.forMagnitudes(of: item.row) { profile.magnitudes.append($0 * margin) }
      return
    }
    for m in magnitudes { profile.magnitudes.append(m * margin) }
  }

  public func makeProfile() -> MatmulQuestion.Profile { MatmulQuestion.Profile() }
}

extension SumReference {
  /// Answers Σ aᵢbᵢ, whose products are multiples of `grain`, a power of two; returns Σ|aᵢbᵢ| as it was computed.
  func answer(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int, grain: Double, at i: Int,
    into truth: inout Truth
  ) -> Double {
    let s = nc_dot2(a, b, n)
    if grain >= 0x1p-1000, s.magnitude <= 0x1p52 * grain {
      // Every product and every partial sum is a multiple of the grain below 2^53 of it.
      truth.setKnown(s.high, at: i, format)
    } else if !accept(Pair(s.high, s.low), Self.dotError(s, n), at: i, into: &truth) {
      answerExactly(a, b, n, 1, at: i, into: &truth)
    }
    return s.magnitude
  }
}
