import Guests
import NumKit
import StabilityTesting
import TensorFiles

/// An array of a question, as its kernel gets it.
package struct SearchedArray: Sendable {
  /// What it is called among a call's arrays: `a`.
  package let name: String
  package let shape: [Int]
  package let values: [Double]
  /// What a called kernel gets them in, where that is not the inputs' format.
  package let format: NumberFormat?

  package init(name: String, shape: [Int], values: [Double], format: NumberFormat? = nil) {
    (self.name, self.shape, self.values, self.format) = (name, shape, values, format)
  }
}

/// A question whose rows are pairs of numbers: what arrays they are, and how results are judged.
package protocol PairedQuestion: Sendable {
  var operation: String { get }
  /// What pairs are numbers of, and results.
  var inputs: NumberFormat { get }
  var format: NumberFormat { get }
  /// The arrays of a call about rows that are all as long.
  func arrays(_ rows: [[Double]]) -> [SearchedArray]
  var parameters: [GuestParameter] { get }
  var mostRows: Int { get }
  /// What a call's results are called, and their shapes; of each the places of a row's.
  var resultNames: [String] { get }
  func resultShapes(rows: Int, length: Int) -> [[Int]]
  func resultPlaces(of row: Int, among rows: Int, count: Int) -> Range<Int>
  /// What a kernel from outside may err by is what its claims allow.
  func judge(_ row: [Double], _ results: [Double]) throws -> (Judgement, ProvenRow)
}

extension PairedQuestion {
  package var mostRows: Int { .max }
  package var resultNames: [String] { ["results"] }

  package func resultPlaces(of row: Int, among rows: Int, count: Int) -> Range<Int> {
    let each = count / rows
    return row * each..<(row + 1) * each
  }

  /// The first and second numbers of pairs.
  package static func columns(_ row: [Double]) -> ([Double], [Double]) {
    let places = stride(from: 0, to: row.count, by: 2)
    return (places.map { row[$0] }, places.map { row[$0 + 1] })
  }

  /// What one judge says of one item.
  ///
  /// - Throws: `GuestFault` where there are more results than the item has, or fewer.
  package static func judged<Q: Question>(_ judge: Judge<Q>, _ item: Q.Item, _ results: [Double]) throws -> (
    Judgement, ProvenRow
  ) {
    let count = judge.resultCount(item)
    guard count == results.count else {
      throw GuestFault(.results, "gives \(results.count) results, not \(count)")
    }
    let judgement = judge.judge(item, results)
    return (judgement, ProvenRow(exact: judge.exact, rounded: judge.rounded, allowed: judge.allowed))
  }
}

/// A kernel from outside that answers a question of pairs.
package struct CalledPairs<Q: PairedQuestion>: CalledKernel {
  let question: Q
  let overflow: Overflow
  private let names: [String]
  private let elements: (inputs: ElementType, results: ElementType)

  /// Of rows that are stored as elements of a file.
  package init(_ question: Q, inputs: ElementType, results: ElementType, overflow: Overflow = .special) {
    (self.question, self.overflow) = (question, overflow)
    elements = (inputs, results)
    names = question.arrays([[1, 1]]).map(\.name)
  }

  package var arrayNames: [String] { names }
  package var parameters: [GuestParameter] { question.parameters }
  package var mostRows: Int { question.mostRows }

  package func call(_ rows: [[Double]]) throws -> GuestCall {
    let arrays = try question.arrays(rows).map {
      let own = $0.format.flatMap { ElementType(.float($0)) }
      return try GuestArray(
        $0.name, own ?? elements.inputs, $0.shape, values: $0.values, overflow: overflow)
    }
    let shapes = question.resultShapes(rows: rows.count, length: (rows.first?.count ?? 0) / 2)
    return GuestCall(
      question.operation, inputs: arrays,
      results: zip(resultNames, shapes).map { GuestResult($0, elements.results, $1) },
      parameters: question.parameters)
  }

  package var resultNames: [String] { question.resultNames }

  package func results(of row: Int, among rows: Int, in array: GuestArray) -> [Double] {
    question.resultPlaces(of: row, among: rows, count: array.count).map { array.value($0) }
  }
}

extension SearchSubject {
  /// A kernel of ours of pairs; `run` answers a row, `judge` holds it to its own error model.
  package init(
    name: String, inputs: NumberFormat, format: NumberFormat,
    run: @escaping @Sendable ([Double]) throws -> [Double],
    judge: @escaping @Sendable ([Double], [Double]) throws -> (Judgement, ProvenRow)
  ) {
    self.init(name: name, inputs: inputs, format: format, hasBatches: false) {
      SearchWorker(judging: judge) { rows in
        rows.map { row in
          do { return .results(try run(row)) } catch { return .fault(GuestFault(.failure, "\(error)")) }
        }
      }
    }
  }
}
