import NumKitNumbers
import NumKitQuestions

/// The truth of a normalisation: each result of a row, rounded correctly, with digits enough to measure errors in ulps. One instance
/// serves one thread.
///
/// Both are y = N·w/√D + b with N = n·xᵢ − S and D = nQ − S² + n²ε, S counting as 0 in the RMS norm. Pairs answer with a proven
/// bound (section 16 of Documentation/CertifiedReference.md), MPFR enclosures of the exact N and D what they leave open. As the
/// root of a number that is known exactly y is rational or not, and where it is a tie or a number of the format the enclosure
/// becomes that number; so refining ends.
public final class NormReference {
  /// The question.
  public let operation: Normalization
  /// What results are rounded to.
  public let format: NumberFormat
  /// What results too large, and exact infinities, are rounded to.
  public let overflow: Overflow

  private let usesFastTiers: Bool
  private let pairs = NormPairs()
  private let enclosures = NormEnclosures()
  private var signs: [Double] = []
  private var pending: [Int] = []

  /// Prepares to answer with results rounded to `format`; without the fast tier MPFR answers all.
  public init(
    _ operation: Normalization, format: NumberFormat, overflow: Overflow = .special,
    usesFastTiers: Bool = true
  ) {
    self.overflow = overflow
    self.operation = operation
    self.format = format
    self.usesFastTiers = usesFastTiers
  }

  /// Answers for `row`, whose elements are taken exactly as they are.
  ///
  /// - Precondition: the parameters fit rows of this length (`NormParameters.check`).
  public func answer(
    _ row: UnsafeBufferPointer<Double>, parameters: NormParameters, into truth: inout Truth
  ) {
    precondition((try? parameters.check(operation, length: row.count)) != nil, "parameters of this row")
    answerSpecial(row, parameters, &truth)
    if overflow == .saturate { truth.saturate(format) }
  }

  /// The same, with what is too large as `Overflow.special` says.
  private func answerSpecial(
    _ row: UnsafeBufferPointer<Double>, _ parameters: NormParameters, _ truth: inout Truth
  ) {
    truth.reset(count: row.count)
    var hasInfinity = false
    for x in row {
      if x.isNaN { return know(.nan, row.count, &truth) }
      hasInfinity = hasInfinity || x.isInfinite
    }
    guard hasInfinity else { return answer(row, parameters.epsilon, parameters, &truth) }
    if parameters.degenerate == .safe {
      signs.removeAll(keepingCapacity: true)
      signs.append(contentsOf: row.lazy.map { $0.isInfinite ? ($0 > 0 ? 1 : -1) : 0 })
      return signs.withUnsafeBufferPointer { answer($0, 0, parameters, &truth) }
    }
    for i in row.indices {
      let y = operation.isCentered || row[i].isInfinite ? .nan : 0 * parameters.weight(i)
      truth.setKnown(y.isNaN ? .nan : 0, at: i, format)
    }
  }

  private func know(_ value: Double, _ count: Int, _ truth: inout Truth) {
    for i in 0..<count { truth.setKnown(value, at: i, format) }
  }

  /// For a row of finite numbers.
  private func answer(
    _ row: UnsafeBufferPointer<Double>, _ epsilon: Double, _ parameters: NormParameters,
    _ truth: inout Truth
  ) {
    guard let first = row.first else { return }
    let level = operation.isCentered ? first : 0
    let isLevel = row.allSatisfy { $0 == level }
    if isLevel && epsilon == 0 && parameters.degenerate == .ieee { return know(.nan, row.count, &truth) }
    pending.removeAll(keepingCapacity: true)
    let isFast = usesFastTiers && !isLevel && pairs.prepare(row, operation, epsilon: epsilon)
    for i in row.indices {
      let (w, b) = (parameters.weight(i), parameters.bias(i))
      // N = 0: what is left is the bias.
      if isLevel || !operation.isCentered && row[i] == 0 || w == 0 {
        truth.setKnown(w.isFinite ? b + 0 : .nan, at: i, format)
      } else if isFast && w.isFinite && b.isFinite {
        let (value, error) = pairs.result(i, weight: w, bias: b)
        if !truth.accept(value, error, at: i, format) { pending.append(i) }
      } else {
        pending.append(i)
      }
    }
    if pending.isEmpty { return }
    enclosures.load(row, operation, epsilon: epsilon)
    pending.removeAll { i in settleSpecial(i, row[i], parameters, &truth) }
    var precision = 128
    while !pending.isEmpty {
      enclosures.prepare(precision: precision)
      pending.removeAll { i in
        enclosures.decide(
          row[i], weight: parameters.weight(i), bias: parameters.bias(i), at: i, format, into: &truth)
      }
      precision *= 2
    }
  }

  /// A weight or bias that is not finite, or deviations of exactly 0.
  private func settleSpecial(
    _ i: Int, _ x: Double, _ parameters: NormParameters, _ truth: inout Truth
  ) -> Bool {
    let (w, b) = (parameters.weight(i), parameters.bias(i))
    let sign = Double(enclosures.deviationSign(x))
    guard sign == 0 || !w.isFinite || !b.isFinite else { return false }
    truth.setKnown((w.isFinite ? 0 : sign * w) + b, at: i, format)
    return true
  }
}

/// The proven answers of a normalisation.
public struct NormProver: Prover {
  public typealias Q = NormQuestion

  private let reference: NormReference

  /// Results of `operation` rounded to `format`.
  public init(_ operation: Normalization, format: NumberFormat, overflow: Overflow = .special) {
    reference = NormReference(operation, format: format, overflow: overflow)
  }

  public func answer(_ item: NormQuestion.Item, into truths: inout [Truth]) {
    item.values.withUnsafeBufferPointer {
      reference.answer($0, parameters: item.parameters, into: &truths[0])
    }
  }

  public func profile(of item: NormQuestion.Item, into profile: inout NormProfile) {
    item.values.withUnsafeBufferPointer { profile.update($0, reference.operation) }
  }

  public func makeProfile() -> NormProfile { NormProfile() }
}
