import NumKit

/// The mean of a row of floats.
struct Mean: Question {
  typealias Item = [Double]
  let name = "mean"

  func layout(of item: [Double], into rows: inout [ResultRow]) {
    rows.append(ResultRow(row: 0, count: 1))
  }
}

/// Rows to take means of.
struct MeanRows: ItemSource {
  typealias Q = Mean
  let rows: GeneratedRows
  var itemCount: Int { rows.rowCount }

  func makeItem() -> [Double] { Array(repeating: 0, count: rows.length) }

  func read(_ index: Int, given: inout [Double], stored: inout [Double]) -> InputChange {
    given.withUnsafeMutableBufferPointer { rows.read(index, into: $0) }
    stored = given.map { NumberFormat.f32.round($0) }
    return InputChange(changed: stored != given)
  }
}

/// A sum of products is proven by what numcheck has for them. 1/n is exact for the lengths here, powers of two.
struct MeanProver: Prover {
  typealias Q = Mean
  private let sums = SumReference(format: .f32)

  func answer(_ item: [Double], into truths: inout [Truth]) {
    let ones = [Double](repeating: 1, count: item.count)
    ones.withUnsafeBufferPointer { ones in
      item.withUnsafeBufferPointer {
        sums.dots(ones, $0, scale: 1 / Double(item.count), into: &truths[0])
      }
    }
  }
}

/// The mean as everybody writes it, with its error model: n − 1 additions and a division that is exact here.
struct FloatMean: Candidate {
  typealias Q = Mean
  let name = "sequential f32"

  func answer(
    _ item: [Double], into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) {
    var sum: Float = 0
    for x in item { sum += Float(x) }
    results[0] = Double(sum / Float(item.count))
  }

  func errorModel() -> (any ErrorModel<Mean>)? { Model() }

  private struct Model: ErrorModel {
    typealias Q = Mean

    func bound(
      _ row: ResultRow, of item: [Double], _ profile: Void, exact: UnsafeBufferPointer<Double>,
      into bounds: UnsafeMutableBufferPointer<Double>
    ) -> RowBound? {
      let steps = Double(item.count) * 0x1p-24
      let magnitudes = item.reduce(0) { $0 + $1.magnitude }
      bounds[0] = steps / (1 - steps) * magnitudes / Double(item.count) + 0x1p-149
      return .sound
    }
  }
}
