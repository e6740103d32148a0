import NumKitNumbers
import RealModule

/// Where generated logits come from; R is the range.
public enum Distribution: String, Sendable, CaseIterable {
  /// Uniform in [−R, R].
  case uniform
  /// N(0, R²).
  case normal
  /// R·e^N(0,1): positive, with a long tail.
  case lognormal
  /// R times Student's t with 3 degrees of freedom: heavy tails on both sides.
  case studentT = "student-t"
  /// N(0, 1) with one massive logit of R at a random place.
  case spike
  /// All R.
  case constant
  /// From −R to R in equal steps: the worst order for a running maximum.
  case ascending
  /// N(0, 1) with the first logit R: an attention sink.
  case sink
  /// N(0, 1), and N(0, R²) more at one place in a thousand: massive activations (FlashAttention-3, arXiv 2407.08608, §4.3).
  case outlier

  /// One line for a person.
  public var summary: String {
    switch self {
    case .uniform: return "uniform in [-R, R]"
    case .normal: return "normal, standard deviation R"
    case .lognormal: return "R e^N(0,1): positive, a long tail"
    case .studentT: return "R times Student's t, 3 degrees of freedom"
    case .spike: return "N(0,1), one logit of R at a random place"
    case .constant: return "all R"
    case .ascending: return "-R to R in equal steps"
    case .sink: return "N(0,1), the first logit R"
    case .outlier: return "N(0,1), and N(0,R^2) more at one place in a thousand"
    }
  }

  /// Fills `row` with logits of range `range`.
  public func fill(_ row: UnsafeMutableBufferPointer<Double>, range: Double, _ random: inout RandomSource) {
    switch self {
    case .uniform:
      for i in row.indices { row[i] = range * (2 * random.uniform() - 1) }
    case .normal:
      for i in row.indices { row[i] = range * random.normal() }
    case .lognormal:
      for i in row.indices { row[i] = range * Double.exp(random.normal()) }
    case .studentT:
      for i in row.indices {
        let (a, b, c) = (random.normal(), random.normal(), random.normal())
        row[i] = range * random.normal() / ((a * a + b * b + c * c) / 3).squareRoot()
      }
    case .spike, .sink:
      for i in row.indices { row[i] = random.normal() }
      if !row.isEmpty { row[self == .sink ? 0 : Int(random.next() % UInt64(row.count))] = range }
    case .outlier:
      for i in row.indices {
        row[i] = random.normal() + (random.uniform() < 0.001 ? range * random.normal() : 0)
      }
    case .constant:
      row.update(repeating: range)
    case .ascending:
      let steps = Double(Swift.max(row.count - 1, 1))
      for i in row.indices { row[i] = range * (2 * Double(i) / steps - 1) }
    }
  }
}
