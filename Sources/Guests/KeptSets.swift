import NumKit
import TensorFiles

/// How somebody says which places of a row are kept.
package enum KeptForm: String, Sendable, CaseIterable {
  /// 1 (or true) for those that are, 0 for the others.
  case mask
  /// Their numbers, in any order, and −1 where there are no more.
  case ids
  /// −∞ for those that are not, anything else for the others.
  case logits
}

/// Sets that somebody kept, row by row, as masks.
package struct KeptSets<Q: Question>: ResultSource {
  private let name: String
  private let form: KeptForm
  private let source: TensorSource
  private let number: @Sendable (Q.Item) -> Int

  /// The sets in `tensor`, whose shape is one of `shapes`, along `axis`; lists of numbers may be of any length. `number` is where among
  /// the rows an item stands.
  ///
  /// - Throws: `GuestError` for another shape; what reading throws.
  package init(
    _ tensor: TensorView, name: String, form: KeptForm, shapes: [[Int]], axis: Int?,
    number: @escaping @Sendable (Q.Item) -> Int
  ) throws {
    (self.name, self.form, self.number) = (name, form, number)
    let fits = shapes.contains { shape in
      guard form == .ids, let axis, shape.indices.contains(axis), tensor.shape.count == shape.count else {
        return tensor.shape == shape
      }
      return shape.indices.allSatisfy { $0 == axis || tensor.shape[$0] == shape[$0] }
    }
    guard fits else {
      let wanted = shapes.map { "\($0)" }.joined(separator: " or ")
      throw GuestError(
        "\(name): its shape is \(tensor.shape), but \(form.rawValue) of these rows have \(wanted)"
          + (form == .ids ? ", or fewer numbers a row" : ""))
    }
    source = try tensor.rows(axis: axis)
  }

  package func results(of item: Q.Item, into results: UnsafeMutableBufferPointer<Double>) throws {
    let row = number(item)
    var said = [Double](repeating: 0, count: source.length)
    try said.withUnsafeMutableBufferPointer { try source.copyDoubles(row..<row + 1, into: $0) }
    switch form {
    case .mask:
      for i in results.indices {
        guard said[i] == 0 || said[i] == 1 else {
          throw GuestError("\(name): row \(row) has \(said[i]) at \(i): a mask is 0 or 1")
        }
        results[i] = said[i]
      }
    case .logits:
      for i in results.indices { results[i] = said[i].isNaN ? .nan : said[i] == -.infinity ? 0 : 1 }
    case .ids:
      for i in results.indices { results[i] = 0 }
      for x in said where x != -1 {
        guard let id = Int(exactly: x), results.indices.contains(id) else {
          throw GuestError(
            "\(name): row \(row) has \(x), which is no token of \(results.count) (-1 where there are no more)"
          )
        }
        guard results[id] == 0 else { throw GuestError("\(name): row \(row) has token \(id) twice") }
        results[id] = 1
      }
    }
  }
}
