/// The largest elements kept aside as they are, with their places; the tensor has zeros there. (SpQR, arXiv 2306.03078, and
/// SqueezeLLM, arXiv 2306.07629, keep outliers of weights so.)
struct OutlierSplit: Transform {
  let share: Double
  var name: String { "split:\(shortName(share))" }

  init(_ number: Double?) throws {
    share = number ?? 0.001
    guard share > 0, share <= 1 else {
      throw CureError.parameter("split: the share must be above 0 and at most 1")
    }
  }

  func prepare(_ matrix: TensorMatrix, scheme: any Scheme, context: CureContext) -> any PreparedTransform {
    let count = min(matrix.values.count, max(1, Int((share * Double(matrix.values.count)).rounded(.up))))
    let order = matrix.values.indices.sorted {
      (matrix.values[$1].magnitude, $0) < (matrix.values[$0].magnitude, $1)
    }
    let places = order.prefix(count).sorted()
    return KeptElements(places: places, values: places.map { matrix.values[$0] })
  }
}

private struct KeptElements: PreparedTransform {
  let places: [Int]
  let values: [Float]

  /// A value and a place, 32 bits each.
  var storedBits: Int { 64 * places.count }

  func apply(_ matrix: inout TensorMatrix) {
    for place in places { matrix.values[place] = 0 }
  }

  /// The elements kept are multiplied as they are, beside the rest.
  func applyOpposite(_ activations: inout TensorMatrix) {}
  func undoOpposite(_ activations: inout TensorMatrix) {}

  func undo(_ matrix: inout TensorMatrix) {
    for (place, value) in zip(places, values) { matrix.values[place] = value }
  }
}
