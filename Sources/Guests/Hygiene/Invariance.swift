import NumKit
import TensorFiles

/// One change that should change no bit, and how many it changes.
package struct InvarianceCell: Sendable, Equatable {
  /// `batch of 1`, `position in the batch`.
  package let name: String
  /// Results that were compared, and of those the ones with other bits.
  package var compared = 0
  package var differing = 0
  /// The most bits by which two results differ: ⌈log₂(steps of the format + 1)⌉; nil where one of them is NaN.
  package var bits: Int? = 0
  /// Where, and both codes.
  package var witness: String?
  /// Why nothing was compared; nil where something was.
  package var reason: String?

  package init(_ name: String) { self.name = name }

  /// `0 bits`, `3 bits in 17 of 4,096`.
  package var text: String {
    if let reason { return reason }
    if differing == 0 { return "0 bits" }
    let size = bits.map { "\($0) bit\($0 == 1 ? "" : "s")" } ?? "NaN"
    return "\(size) in \(differing) of \(compared)"
  }
}

/// Asks the same in other company: alone, at another place, in another order, with more beside it, on more threads, again.
package struct Invariance {
  private let kernel: any GuestKernel
  private let problem: GuestProblem
  private let seed: UInt64
  private let threads: [Int]
  private let splits: [Int]

  /// `threads` are numbers of threads to run with, `splits` numbers of parts that keys are split into (the parameter `splits`).
  package init(
    _ kernel: any GuestKernel, _ problem: GuestProblem, seed: UInt64, threads: [Int] = [1, 2, 4],
    splits: [Int] = []
  ) {
    self.kernel = kernel
    self.problem = problem
    self.seed = seed
    self.threads = threads
    self.splits = splits
  }

  /// The variables by which usual libraries are told how many threads to use.
  static func environment(threads: Int) -> [String: String] {
    let names = [
      "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
      "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS",
    ]
    return Dictionary(uniqueKeysWithValues: names.map { ($0, "\(threads)") })
  }

  /// Every cell. Throws where the first call fails.
  package func run() throws(GuestFault) -> [InvarianceCell] {
    let count = min(problem.itemCount, 16)
    let all = Array(0..<count)
    let base = try answer(all)
    var cells: [InvarianceCell] = []
    var random = RandomSource(seed: seed, row: 0x696e)
    cells.append(
      cell("batch of 1 against \(count)") { cell throws(GuestFault) in
        guard count > 1 else { return cell.reason = "one \(problem.itemName) only" }
        for item in spread(count, 4) { compare(try answer([item]), [item], base, all, &cell) }
      })
    cells.append(
      cell("position in the batch") { cell throws(GuestFault) in
        guard count > 1 else { return cell.reason = "one \(problem.itemName) only" }
        for shift in Set([1, count / 2, count - 1]).sorted() where shift > 0 {
          let moved = all.map { ($0 + shift) % count }
          compare(try answer(moved), moved, base, all, &cell)
        }
      })
    let permuted = all.shuffled(using: &random)
    cells.append(
      cell("\(problem.itemName)s permuted") { cell throws(GuestFault) in
        guard count > 2 else {
          return cell.reason = "\(count) \(problem.itemName)\(count == 1 ? "" : "s") only"
        }
        compare(try answer(permuted), permuted, base, all, &cell)
      })
    cells.append(
      cell("padding of the batch") { cell throws(GuestFault) in
        guard problem.inputs.contains(where: { $0.perItem > 0 }) else {
          return cell.reason = "one \(problem.itemName) only"
        }
        let padded = all + (0..<5).map { $0 % count }
        compare(try answer(padded), padded, base, all, &cell)
      })
    cells.append(
      cell("run to run") { cell throws(GuestFault) in
        for _ in 0..<3 { compare(try answer(all), all, base, all, &cell) }
      })
    cells.append(
      cell("process to process") { cell throws(GuestFault) in
        kernel.restart(environment: [:])
        compare(try answer(all), all, base, all, &cell)
      })
    cells.append(
      cell("threads \(threads.map(String.init).joined(separator: ", "))") { cell throws(GuestFault) in
        for n in threads {
          kernel.restart(environment: Self.environment(threads: n))
          compare(try answer(all), all, base, all, &cell)
        }
      })
    kernel.restart(environment: [:])
    if !splits.isEmpty {
      cells.append(
        cell("keys in \(splits.map(String.init).joined(separator: ", ")) parts") { cell throws(GuestFault) in
          for n in splits {
            compare(try answer(all, [GuestParameter("splits", Double(n))]), all, base, all, &cell)
          }
        })
    }
    return cells
  }

  private func answer(_ items: [Int], _ parameters: [GuestParameter] = []) throws(GuestFault) -> [GuestArray]
  {
    try kernel.call(problem.call(items: items, parameters: parameters), CallConditions()).results
  }

  /// A cell whose calls fail says so.
  private func cell(_ name: String, _ fill: (inout InvarianceCell) throws(GuestFault) -> Void)
    -> InvarianceCell
  {
    var cell = InvarianceCell(name)
    do throws(GuestFault) {
      try fill(&cell)
    } catch {
      cell.reason = error.description
    }
    return cell
  }

  private func spread(_ count: Int, _ limit: Int) -> [Int] {
    let n = min(count, limit)
    return (0..<n).map { n < 2 ? 0 : $0 * (count - 1) / (n - 1) }
  }

  /// Compares what both calls say of the same items.
  private func compare(
    _ a: [GuestArray], _ itemsA: [Int], _ b: [GuestArray], _ itemsB: [Int], _ cell: inout InvarianceCell
  ) {
    let places = Dictionary(itemsB.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    for (k, output) in problem.outputs.enumerated() where k < a.count && k < b.count {
      let each = max(output.perItem, 1) * a[k].rowCount
      let size = output.perItem > 0 ? each : a[k].count
      for (here, item) in itemsA.enumerated() {
        guard let there = places[item], output.perItem > 0 || here == 0 else { continue }
        cell.compared += size
        let (x, y) = (a[k], b[k])
        let (from, to) = (here * size * x.width, there * size * y.width)
        if x.bytes[from..<from + size * x.width].elementsEqual(y.bytes[to..<to + size * y.width]) { continue }
        for i in 0..<size where x.code(here * size + i) != y.code(there * size + i) {
          note(x.code(here * size + i), y.code(there * size + i), x, here * size + i, item, &cell)
        }
      }
    }
  }

  private func note(
    _ a: UInt64, _ b: UInt64, _ array: GuestArray, _ index: Int, _ item: Int, _ cell: inout InvarianceCell
  ) {
    cell.differing += 1
    let steps = array.type.steps(a, b)
    let bits = steps.map { UInt64.bitWidth - $0.leadingZeroBitCount }
    let isWorst =
      cell.witness == nil || (bits == nil && cell.bits != nil)
      || (bits.flatMap { new in cell.bits.map { new > $0 } } ?? false)
    guard isWorst else { return }
    cell.bits = bits
    func hex(_ code: UInt64) -> String {
      let digits = String(code, radix: 16)
      return "0x" + String(repeating: "0", count: max(0, array.width * 2 - digits.count)) + digits
    }
    cell.witness =
      "\(problem.itemName) \(item), \(array.name)\(multiIndex(index, in: array.shape)): \(array.type.guestValue(a)) (\(hex(a))) "
      + "against \(array.type.guestValue(b)) (\(hex(b)))"
  }
}
