import NumKit
import RealModule

/// The numerical comparison of FlashAttention-3 (arXiv 2407.08608, §4.3): f16 and fp8 ways to compute one attention, each by its RMSE
/// against the truth of the inputs before any rounding.
public struct AttentionComparison: Sendable {
  /// One way: a kernel, and what the inputs are made into first.
  public struct Way: Sendable {
    /// What it is called.
    public let name: String
    /// The kernel.
    public let runner: AttentionRunner
    /// How q, k and v are brought to fp8; nil leaves them to the kernel's storage format.
    public let scaling: ScaledInputs?
  }

  /// The paper's rows.
  public static let ways: [Way] = {
    func runner(_ a: AttentionAlgorithm, _ storage: NumberFormat, _ compute: NumberFormat, p: NumberFormat)
      -> AttentionRunner
    {
      AttentionRunner(
        a, KernelConfiguration(storage: .float(storage), compute: compute, accumulator: .f32),
        probabilities: p,
        probabilityScale: p == .f8e4m3fn ? 256 : 1, blockKeys: 128)
    }
    let e4m3 = NumberFormat.f8e4m3fn
    let flash8 = runner(.flash, .f32, .f32, p: e4m3)
    return [
      Way(name: "standard f16", runner: runner(.standard, .f16, .f16, p: .f16), scaling: nil),
      Way(name: "flash f16", runner: runner(.flash, .f16, .f32, p: .f16), scaling: nil),
      Way(
        name: "standard fp8, scale a tensor", runner: runner(.standard, .f32, .f16, p: e4m3),
        scaling: ScaledInputs(block: nil, rotates: false)),
      Way(
        name: "flash fp8, scale a block, rotated", runner: flash8,
        scaling: ScaledInputs(block: 128, rotates: true)),
      Way(
        name: "flash fp8, scale a tensor, rotated", runner: flash8,
        scaling: ScaledInputs(block: nil, rotates: true)),
      Way(
        name: "flash fp8, scale a block", runner: flash8, scaling: ScaledInputs(block: 128, rotates: false)),
    ]
  }()

  /// The errors of each of `ways`, and what proved the truth.
  ///
  /// - Throws: `AttentionError` where one cannot run (rotation needs a head size that is a power of two), `UnfitAttention` where the
  ///   parameters do not fit.
  public static func run(
    _ ways: [Way], _ tensors: AttentionInputs, _ parameters: AttentionParameters, seed: UInt64, threads: Int,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> (sums: [ErrorSums], certificate: Certificate) {
    let candidates = try ways.map { way in
      var prepared = way.runner.stored(tensors)
      if let scaling = way.scaling {
        var random = RandomSource(seed: seed, row: -2)
        guard let made = scaling.applied(to: tensors, .f8e4m3fn, using: &random) else {
          throw AttentionError.cannotRun(way.runner)
        }
        prepared = made
      }
      return AttentionCandidate(way.runner, parameters, on: prepared, isBounded: false, name: way.name)
    }
    var trial = Trial(
      AttentionForward(parameters, logSumExp: false), candidates: candidates, format: .f32, threads: threads
    ) {
      _ in try AttentionProver(tensors, parameters, format: .f32, accuracy: 0x1p-24)
    }
    trial.measuresResults = false
    trial.measuresSums = true
    // Keys and values are made ready once a block.
    let rows = tensors.shape.heads * tensors.shape.queries
    trial.chunk = Swift.max(1, Swift.min(256, rows / (4 * Swift.max(threads, 1))))
    let found = try trial.run(on: AttentionQueries(tensors, block: trial.chunk), progress: progress)
    return (found.entries.map { $0.parts[0].sums }, found.certificate)
  }
}
