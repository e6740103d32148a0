import NumKit
import Synchronization
import Tolerances

/// A defect that is planted in the kernels of a command which is run within this process: how a gate is tried. It holds for the thread
/// that runs the command.
final class Planting: Sendable {
  @TaskLocal static var current: Planting?

  private let defect: Defect
  private let planted = Mutex(false)

  init(_ defect: Defect) { self.defect = defect }

  /// Whether there was a kernel to plant it in.
  var wasPlanted: Bool { planted.withLock { $0 } }

  /// Does `body` with it planted.
  func plant<R>(_ body: () throws -> R) rethrows -> R { try Self.$current.withValue(self, operation: body) }

  /// Who answers in kernels' places, on `rows`.
  func substitute(
    reading rows: any RowSource
  ) -> @Sendable (KernelCandidate) -> any Candidate<RowQuestion> {
    { [self] kernel in
      let wrong = DefectiveKernel(defect, inPlaceOf: kernel) { index in
        var row = [Double](repeating: 0, count: rows.length)
        try row.withUnsafeMutableBufferPointer { try rows.read(index, into: $0) }
        return row
      }
      guard let wrong else { return kernel }
      planted.withLock { $0 = true }
      return wrong
    }
  }
}
