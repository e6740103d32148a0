import NumKitQuestions

/// A kernel that uses integers only, as hardware without a float unit runs it.
public protocol IntegerKernel: Sendable {
  /// The question it answers.
  static var operation: RowOperation { get }
  /// Its name on the command line.
  static var name: String { get }
  /// One line on how it works.
  static var summary: String { get }
  /// The scales 1/D of its unsigned 8-bit results that it offers, as D.
  static var probabilityScales: [Int] { get }

  /// Answers for the logits `codes`·`scale`; results are codes of scale 1/`denominator`, 0 … 255.
  static func run(
    _ codes: UnsafeBufferPointer<Int32>, scale: Double, denominator: Int,
    into results: UnsafeMutableBufferPointer<Int32>, scratch: UnsafeMutableBufferPointer<Int64>
  )
}

/// i-exp (Kim et al., "I-BERT: Integer-only BERT Quantization", ICML 2021, §3.5): e^x = 2^−z · e^p with p in (−ln 2, 0],
/// and e^p by the quadratic 0.3585 (p + 1.353)² + 0.344, all in integers.
///
/// Where the scale is too coarse to hold ln 2, codes are shifted left first, which is exact.
public enum PolynomialIntegerSoftmax: IntegerKernel {
  public static let operation = RowOperation.softmax
  public static let name = "i-exp"
  public static let summary = "integers only: I-BERT's polynomial exponential"
  public static let probabilityScales = [255, 256]

  public static func run(
    _ codes: UnsafeBufferPointer<Int32>, scale: Double, denominator: Int,
    into results: UnsafeMutableBufferPointer<Int32>, scratch: UnsafeMutableBufferPointer<Int64>
  ) {
    // The scale is brought to 2^−11 … 2^−10 by shifts, so that ln 2 has 9 bits and squares stay within 32.
    var step = scale > 0 && scale.isFinite ? scale : 1
    var shift = 0
    while step > 0x1p-10 {
      step *= 0.5
      shift += 1
    }
    while step <= 0x1p-11 {
      step *= 2
      shift -= 1
    }
    let ln2 = Int64((0.693147180559945 / step).rounded(.down))
    let b = Int64((1.353 / step).rounded(.down))
    let c = Int64((0.344 / (0.3585 * step * step)).rounded(.down))
    let m = Int64(codes.max() ?? 0)
    for i in codes.indices {
      let difference = Int64(codes[i]) - m
      // Beyond 2^40 every exponential is 0 anyway.
      let q =
        shift > 0
        ? (difference < -(1 << 8) || shift > 31 && difference < 0 ? -(1 << 40) : difference << Int64(shift))
        : difference >> Int64(Swift.min(-shift, 62))
      let z = -q / ln2
      let p = q + z * ln2
      let square = (p + b) * (p + b) + c
      scratch[i] = z < 63 ? square >> z : 0
    }
    normalize(scratch, denominator: denominator, into: results)
  }
}

/// e^−k·scale by a table of 256 entries in units of 2^−16, one for each difference k from the largest code.
public enum TableIntegerSoftmax: IntegerKernel {
  public static let operation = RowOperation.softmax
  public static let name = "table"
  public static let summary = "integers only: a 256-entry table of exponentials"
  public static let probabilityScales = [255, 256]

  public static func run(
    _ codes: UnsafeBufferPointer<Int32>, scale: Double, denominator: Int,
    into results: UnsafeMutableBufferPointer<Int32>, scratch: UnsafeMutableBufferPointer<Int64>
  ) {
    let m = codes.max() ?? 0
    withUnsafeTemporaryAllocation(of: Int64.self, capacity: 256) { table in
      for k in 0..<256 { table[k] = Int64((Double.exp(-Double(k) * scale) * 65536).rounded()) }
      for i in codes.indices { scratch[i] = table[Swift.min(Int(m) - Int(codes[i]), 255)] }
    }
    normalize(scratch, denominator: denominator, into: results)
  }
}

/// round(e·D / Σe), at most 255.
private func normalize(
  _ exponentials: UnsafeMutableBufferPointer<Int64>, denominator: Int,
  into results: UnsafeMutableBufferPointer<Int32>
) {
  var sum: Int64 = 0
  for e in exponentials { sum += e }
  guard sum > 0 else { return results.update(repeating: 0) }
  for i in exponentials.indices {
    results[i] = Int32(Swift.min((exponentials[i] * Int64(denominator) + sum / 2) / sum, 255))
  }
}
