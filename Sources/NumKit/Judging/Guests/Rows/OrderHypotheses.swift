import NumKitQuestions
import Synchronization

/// Right answers in the wrong place: of another row, of another element.
enum OrderHypotheses: RowHypotheses {
  static func changes(_ context: RowContext) -> [RowChange] {
    var list: [RowChange] = []
    let (rows, length, read) = (context.rows, context.length, context.read)
    func of(_ name: String, _ other: @escaping @Sendable (Int) -> Int) {
      var change = RowChange(name)
      change.item = { item in
        let row = item.row
        let from = other(row)
        guard (0..<rows).contains(from), from != row else { return }
        item = try read(from)
        item.row = row
      }
      list.append(change)
    }
    if rows > 1 {
      of("stale: the answer of the row before") { $0 - 1 }
      of("the answer of the row after") { $0 + 1 }
      of("the first row's answer in every row") { _ in 0 }
      of("the last row's answer in every row") { _ in rows - 1 }
    }
    if rows > 2 {
      of("rows swapped in pairs") { $0 ^ 1 }
      of("rows in reverse order") { rows - 1 - $0 }
    }
    let hasPlaces = context.operation.resultCount(length: length) == length && length > 1
    if hasPlaces && context.operation != .crossEntropyGradient && context.operation != .softmaxVJP {
      func at(_ name: String, _ reorder: @escaping @Sendable (inout [Double]) -> Void) {
        var change = RowChange(name)
        change.item = { reorder(&$0.values) }
        list.append(change)
      }
      at("results one place too far right") { x in x.insert(x.removeLast(), at: 0) }
      at("results one place too far left") { x in x.append(x.removeFirst()) }
      at("results in reverse order") { $0.reverse() }
      at("neighbouring results swapped") { x in
        for i in stride(from: 0, to: x.count - 1, by: 2) { x.swapAt(i, i + 1) }
      }
    }
    if hasPlaces && rows > 1 && rows * length <= 1 << 22 {
      var change = RowChange("results transposed")
      change.results = TransposedResults(context)
      list.append(change)
    }
    return list
  }
}

/// Results [rows, length] that were written as [length, rows]. All are held, once they are needed.
private final class TransposedResults: ResultSource {
  typealias Q = RowQuestion
  private let context: RowContext
  private let all = Mutex<[Double]>([])

  init(_ context: RowContext) { self.context = context }

  func results(of item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>) throws {
    let (rows, length) = (context.rows, context.length)
    try all.withLock { all in
      if all.isEmpty {
        all = Array(repeating: 0, count: rows * length)
        try all.withUnsafeMutableBufferPointer { buffer in
          for row in 0..<rows {
            try context.results.results(
              of: RowQuestion.Item(row: row, values: item.values, parameters: item.parameters),
              into: UnsafeMutableBufferPointer(rebasing: buffer[row * length..<(row + 1) * length]))
          }
        }
      }
      for i in 0..<length { results[i] = all[i * rows + item.row] }
    }
  }
}
