import NumKit
import TensorFiles

/// What a kernel gives for all items of a problem, asked in batches.
package struct WholeAnswer: Sendable {
  /// Each output, of all items; what no call gave is NaN.
  package private(set) var results: [GuestArray]
  /// What went wrong on the way.
  package private(set) var findings: [GuestFinding] = []
  /// How many calls it took, and how many gave nothing.
  package private(set) var callCount = 0
  package private(set) var lostCalls = 0
  /// Why there are no results at all; nil where a call gave some.
  package private(set) var fault: GuestFault?
  /// Which of the outputs that may be left out were given.
  package private(set) var given: Set<String> = []

  /// Elements that a call is given at most, inputs and results together; one item has what it has.
  private static let batchElements = 1 << 22

  /// Asks `kernel` about all items. Throws where it cannot be started, or says that the question is none for it.
  package init(
    _ kernel: any GuestKernel, _ problem: GuestProblem, progress: ((Int) -> Void)? = nil
  ) throws(GuestFault) {
    let count = problem.itemCount
    results = problem.whole.results.map { result in
      GuestArray(
        result.name, result.type, result.shape,
        bytes: Self.nothing(result.type, result.count))
    }
    let each =
      problem.inputs.reduce(0) { $0 + $1.perItem * $1.array.rowCount }
      + zip(problem.outputs, results).reduce(0) { $0 + $1.0.perItem * $1.1.rowCount }
    let batch = max(1, min(count, Self.batchElements / max(each, 1)))
    var done = 0
    while done < count {
      let items = Array(done..<min(done + batch, count))
      callCount += 1
      do throws(GuestFault) {
        let answer = try kernel.call(
          count == items.count ? problem.whole : problem.call(items: items), CallConditions())
        for result in answer.results {
          guard let k = results.firstIndex(where: { $0.name == result.name }) else { continue }
          given.insert(result.name)
          let start = problem.outputs[k].perItem * done * results[k].rowCount * result.width
          results[k].bytes.replaceSubrange(start..<start + result.bytes.count, with: result.bytes)
        }
      } catch {
        if error.kind == .start || (error.kind == .unsupported && callCount == 1) { throw error }
        lostCalls += 1
        // The first, but that what a kernel does wrong comes before what it was not run for.
        if fault.map({ error.kind.isOfTheKernel && !$0.kind.isOfTheKernel }) ?? true {
          fault = error
          findings = [GuestFinding(error.kind.rawValue, error.description)]
        }
        // What hangs once is not waited for again and again.
        if error.kind == .hang { break }
      }
      done += items.count
      progress?(done)
    }
    if lostCalls < callCount { fault = nil }
  }

  private static func nothing(_ type: ElementType, _ count: Int) -> [UInt8] {
    let code = type.fillCode(otherwise: false)
    let one = (0..<type.guestWidth).map { UInt8(truncatingIfNeeded: code >> UInt64(8 * $0)) }
    return (0..<count).flatMap { _ in one }
  }
}
