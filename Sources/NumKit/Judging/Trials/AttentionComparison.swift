import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth
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

  private final class Worker {
    var sums: [ErrorSums]
    let reference: AttentionReference
    var certificate = Certificate()
    init(_ count: Int, _ reference: AttentionReference) {
      sums = Array(repeating: ErrorSums(), count: count)
      self.reference = reference
    }
  }

  /// The errors of each of `ways`, and what proved the truth.
  ///
  /// - Throws: `AttentionError` where one cannot run (rotation needs a head size that is a power of two), `UnfitAttention` where the
  ///   parameters do not fit.
  public static func run(
    _ ways: [Way], _ tensors: AttentionInputs, _ parameters: AttentionParameters, seed: UInt64, threads: Int,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> (sums: [ErrorSums], certificate: Certificate) {
    let shape = tensors.shape
    let prepared = try ways.map { way in
      guard let scaling = way.scaling else { return way.runner.stored(tensors) }
      var random = RandomSource(seed: seed, row: -2)
      guard let made = scaling.applied(to: tensors, .f8e4m3fn, using: &random) else {
        throw AttentionError.cannotRun(way.runner)
      }
      return made
    }
    let rows = shape.heads * shape.queries
    let chunk = 64
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: (rows + chunk - 1) / chunk, progress: { progress?(Swift.min($0 * chunk, rows)) },
      make: { Worker(ways.count, try AttentionReference(tensors, parameters, format: .f32)) },
      body: { w, k in
        let range = k * chunk..<Swift.min((k + 1) * chunk, rows)
        let reference = w.reference
        let results = try ways.indices.map { i in
          guard let r = ways[i].runner.run(prepared[i], parameters, rows: range) else {
            throw AttentionError.cannotRun(ways[i].runner)
          }
          return r.output
        }
        var (truth, lse) = (Truth(), Truth())
        for row in range {
          reference.answer(
            head: row / shape.queries, query: row % shape.queries, into: &truth, logSumExp: &lse)
          w.certificate.merge(truth.certificate)
          let place = (row - range.lowerBound) * shape.valueSize
          for i in ways.indices {
            results[i][place..<place + shape.valueSize].withUnsafeBufferPointer { w.sums[i].add($0, truth) }
          }
        }
      },
      merge: { a, b in
        for i in a.sums.indices { a.sums[i].merge(b.sums[i]) }
        a.certificate.merge(b.certificate)
      })
    return (worker.sums, worker.certificate)
  }
}
