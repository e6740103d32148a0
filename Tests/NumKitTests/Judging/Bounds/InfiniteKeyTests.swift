import NumKit
import Testing

/// Infinite keys, whose scores are −∞ for the rows that see them.
@Suite struct InfiniteKeyTests {
  /// One query of one number, four keys, of which the last is −∞.
  private static let tensors = AttentionInputs(
    q: [0.5], k: [0.25, -1.5, 1, -.infinity], v: [-0.25, 0.5, 0.75, -0.125],
    shape: AttentionShape(queries: 1, keys: 4, headSize: 1))

  private static func status(
    _ algorithm: AttentionAlgorithm, _ accumulator: NumberFormat, hides: Bool
  ) throws -> (bound: RowBound?, hasMinusInfinity: Bool) {
    var mask = AttentionMask()
    if hides { mask.additive = [0, 0, 0, -.infinity] }
    let parameters = AttentionParameters(scale: 1, mask: mask)
    let tensors = try #require(tensors)
    let reference = try AttentionReference(tensors, parameters, format: .f16, lseFormat: .f64)
    var (truth, lse) = (Truth(), Truth())
    reference.answer(head: 0, query: 0, into: &truth, logSumExp: &lse)
    let configuration = KernelConfiguration(storage: .float(.f16), compute: .f64, accumulator: accumulator)
    var errors = try #require(
      AttentionErrors(AttentionRunner(algorithm, configuration), tensors, parameters))
    var limits = [0.0]
    let bound = errors.bound(reference.profile, row: 0, truth: FlatTruth(truth).value, into: &limits)
    return (bound, reference.profile.hasMinusInfinity)
  }

  @Test(arguments: AttentionAlgorithm.allCases, [NumberFormat.f32, .f8e4m3fn])
  func rowsThatSeeThemHaveNoBound(_ algorithm: AttentionAlgorithm, _ accumulator: NumberFormat) throws {
    let (bound, hasMinusInfinity) = try Self.status(algorithm, accumulator, hides: false)
    #expect(hasMinusInfinity)
    #expect(bound == RowBound.none)
  }

  @Test(arguments: [AttentionAlgorithm.flash, .splitKV])
  func hiddenOnesLeaveTheBound(_ algorithm: AttentionAlgorithm) throws {
    let (bound, hasMinusInfinity) = try Self.status(algorithm, .f32, hides: true)
    #expect(!hasMinusInfinity)
    #expect(bound == .sound)
  }
}
