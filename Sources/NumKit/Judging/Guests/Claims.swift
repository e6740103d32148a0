import NumKitNumbers

/// What a kernel promises of itself: `accumulate=f32,compute=f32,algorithm=shifted`.
public struct Claims: Sendable, Hashable {
  /// The algorithm's name, with or without its order of summation; nil for any of its class.
  public var algorithm: String?
  /// What single operations round to.
  public var compute: NumberFormat?
  /// What sums round to.
  public var accumulate: NumberFormat?
  /// What attention casts probabilities to before they meet the values.
  public var probabilities: NumberFormat?

  /// Nothing.
  public init() {}

  /// Claims as they are written, in any order, each at most once.
  public init(parsing text: String) throws(ClaimError) {
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard pair.count == 2, !pair[1].isEmpty else { throw .form(String(part)) }
      switch pair[0] {
      case "algorithm" where algorithm == nil: algorithm = pair[1]
      case "compute" where compute == nil: compute = try Self.format(pair[0], pair[1])
      case "accumulate" where accumulate == nil: accumulate = try Self.format(pair[0], pair[1])
      case "probabilities" where probabilities == nil: probabilities = try Self.format(pair[0], pair[1])
      case "algorithm", "compute", "accumulate", "probabilities": throw .twice(pair[0])
      default: throw .name(pair[0])
      }
    }
  }

  private static func format(_ name: String, _ text: String) throws(ClaimError) -> NumberFormat {
    guard let format = DType(text)?.numberFormat, format.hasZero else { throw .format(name, text) }
    return format
  }

  /// Whether nothing is claimed.
  public var isEmpty: Bool { self == Claims() }
}

/// Why claims say nothing.
public enum ClaimError: Error, Hashable, CustomStringConvertible {
  /// It is not NAME=VALUE.
  case form(String)
  /// There is no such name.
  case name(String)
  /// It stands there twice.
  case twice(String)
  /// Not a format to compute in.
  case format(String, String)
  /// No such algorithm.
  case algorithm(String, known: [String])
  /// It says nothing about this question.
  case unfit(String)

  public var description: String {
    switch self {
    case .form(let text):
      return "claim '\(text)': must be NAME=VALUE, like accumulate=f32,compute=f32,algorithm=shifted"
    case .name(let name):
      return "no claim '\(name)'; there are: algorithm, compute, accumulate, probabilities"
    case .twice(let name): return "claim '\(name)' stands there twice"
    case .format(let name, let text): return "claim '\(name)=\(text)': not a format to compute in"
    case .algorithm(let name, let known):
      return "claim 'algorithm=\(name)': no such algorithm here; there are: \(known.joined(separator: ", "))"
    case .unfit(let name): return "claim '\(name)' says nothing about this operation"
    }
  }
}
