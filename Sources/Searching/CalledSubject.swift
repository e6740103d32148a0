import Guests
import NumKit
import StabilityTesting
import TensorFiles

/// How a kernel from outside is asked about rows.
package struct CalledRowKernel: CalledKernel {
  /// `softmax`, `rmsnorm`.
  package var operation: String
  /// What rows are numbers of, and results.
  package var inputs: ElementType
  package var results: ElementType
  /// The index that each row is asked about, of a cross-entropy.
  package var target: Int?
  /// Numbers beside the arrays.
  package var parameters: [GuestParameter]
  /// The shape of the results of so many rows of so many numbers.
  package var resultShape: @Sendable (_ rows: Int, _ length: Int) -> [Int]
  /// What becomes of numbers too large for the inputs' format.
  package var overflow: Overflow

  package init(
    _ operation: String, inputs: ElementType, results: ElementType, target: Int? = nil,
    parameters: [GuestParameter], overflow: Overflow = .special,
    resultShape: @escaping @Sendable (_ rows: Int, _ length: Int) -> [Int]
  ) {
    self.operation = operation
    self.inputs = inputs
    self.results = results
    self.target = target
    self.parameters = parameters
    self.overflow = overflow
    self.resultShape = resultShape
  }

  package var mostRows: Int { .max }
  package var arrayNames: [String] { ["input"] + (target == nil ? [] : ["target"]) }

  package func call(_ rows: [[Double]]) throws -> GuestCall {
    let n = rows.first?.count ?? 0
    var arrays = [
      try GuestArray("input", inputs, [rows.count, n], values: Array(rows.joined()), overflow: overflow)
    ]
    if let target {
      arrays.append(
        try GuestArray("target", .int64, [rows.count], values: rows.map { _ in Double(target) }))
    }
    return GuestCall(
      operation, inputs: arrays, results: [GuestResult("results", results, resultShape(rows.count, n))],
      parameters: parameters)
  }

  package var resultNames: [String] { ["results"] }

  package func results(of row: Int, among rows: Int, in array: GuestArray) -> [Double] {
    let each = array.count / rows
    return (row * each..<(row + 1) * each).map { array.value($0) }
  }
}

/// A kernel from outside that is asked about rows: what a call has, and which of its results are a row's.
package protocol CalledKernel: Sendable {
  /// The arrays' names, for lines that name them.
  var arrayNames: [String] { get }
  /// Numbers beside the arrays.
  var parameters: [GuestParameter] { get }
  /// Rows that a call may have.
  var mostRows: Int { get }
  /// One call about rows that are all as long.
  func call(_ rows: [[Double]]) throws -> GuestCall
  /// What a call's results are called.
  var resultNames: [String] { get }
  /// A row's results in one of them, of a call about so many.
  func results(of row: Int, among rows: Int, in array: GuestArray) -> [Double]
}

extension CalledKernel {
  /// Asks `kernel` about rows. Where a call of several gives nothing, each is asked about by itself, to know which it was; what hangs
  /// once is not waited for again.
  func answer(_ rows: [[Double]], _ kernel: any GuestKernel, hung: inout GuestFault?) -> [KernelAnswer] {
    if let hung { return rows.map { _ in .fault(hung) } }
    if rows.count > mostRows {
      return stride(from: 0, to: rows.count, by: mostRows).flatMap {
        answer(Array(rows[$0..<min($0 + mostRows, rows.count)]), kernel, hung: &hung)
      }
    }
    do {
      let answer = try kernel.call(call(rows), CallConditions())
      let arrays = resultNames.compactMap { name in answer.results.first { $0.name == name } }
      guard arrays.count == resultNames.count, arrays.allSatisfy({ $0.count % rows.count == 0 }) else {
        return rows.map { _ in .fault(GuestFault(.results, "gives no results")) }
      }
      return rows.indices.map { row in
        .results(arrays.flatMap { results(of: row, among: rows.count, in: $0) })
      }
    } catch let fault as GuestFault {
      if rows.count > 1 && fault.kind != .start {
        return rows.map { answer([$0], kernel, hung: &hung)[0] }
      }
      if fault.kind == .unsupported { return rows.map { _ in .declined } }
      if fault.kind == .hang { hung = fault }
      return rows.map { _ in .fault(fault) }
    } catch { return rows.map { _ in .fault(GuestFault(.failure, "\(error)")) } }
  }
}

extension SearchSubject {
  /// A kernel in a program or a library; `start` starts it for one thread, `makeJudge` makes a judge.
  package init<Q: Question>(
    name: String, _ kernel: some CalledKernel, inputs: NumberFormat, format: NumberFormat,
    start: @escaping @Sendable () throws -> any GuestKernel,
    makeJudge: @escaping @Sendable () throws -> Judge<Q>, item: @escaping @Sendable ([Double]) -> Q.Item
  ) {
    self.init(name: name, inputs: inputs, format: format, hasBatches: true) {
      let guest = try start()
      var hung: GuestFault?
      return SearchWorker(try makeJudge(), item: item, close: { guest.close() }) { rows in
        kernel.answer(rows, guest, hung: &hung)
      }
    }
  }

  /// The same of a kernel whose rows are questions with judges of their own.
  package init(
    name: String, _ kernel: some CalledKernel, inputs: NumberFormat, format: NumberFormat,
    start: @escaping @Sendable () throws -> any GuestKernel,
    judging: @escaping @Sendable ([Double], [Double]) throws -> (Judgement, ProvenRow)
  ) {
    self.init(name: name, inputs: inputs, format: format, hasBatches: kernel.mostRows > 1) {
      let guest = try start()
      var hung: GuestFault?
      return SearchWorker(judging: judging, close: { guest.close() }) { rows in
        kernel.answer(rows, guest, hung: &hung)
      }
    }
  }
}
