import NumKit

/// What right results are made into, of whatever operation: for questions whose kernels no defect is planted in.
public enum ResultDefect: String, Sendable, CaseIterable {
  case zeros
  case negated
  case doubled
  case onePercent = "one-percent-too-large"
  case rotated = "one-place-too-far"
  case lastLost = "last-result-0"
  case mean = "row-mean-everywhere"

  /// What is wrong, in a few words.
  public var summary: String {
    switch self {
    case .zeros: "all results 0"
    case .negated: "results with the other sign"
    case .doubled: "results twice as large"
    case .onePercent: "results 1 % too large"
    case .rotated: "each result one place further in its row"
    case .lastLost: "the last result of a row 0"
    case .mean: "the mean of a row's results in all of its places"
    }
  }

  /// The row's results, as a kernel with the defect gives them.
  func apply(_ y: [Double], _ format: NumberFormat) -> [Double] {
    switch self {
    case .zeros: return y.map { _ in 0 }
    case .negated: return y.map { -$0 }
    case .doubled: return y.map { format.round(2 * $0) }
    case .onePercent: return y.map { format.round(1.01 * $0) }
    case .rotated: return y.isEmpty ? y : [y[y.count - 1]] + y.dropLast()
    case .lastLost: return y.isEmpty ? y : y.dropLast() + [0]
    case .mean:
      let mean = format.round(y.reduce(0, +) / Double(max(y.count, 1)))
      return y.map { _ in mean }
    }
  }
}
