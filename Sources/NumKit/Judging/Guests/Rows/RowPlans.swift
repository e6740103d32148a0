import NumKitKernels
import NumKitNumbers
import NumKitQuestions

/// The ways in which a kernel over rows may compute: those that a right one is held to, and those that figures are tried on.
public struct RowPlans: Sendable {
  /// The question.
  public let operation: RowOperation
  /// What results are stored in.
  public let format: NumberFormat
  /// What inputs are numbers of; one that the compute format does not hold is rounded when it is loaded.
  public let inputs: NumberFormat
  /// Temperature, target, cotangent and policy, as a kernel gets them.
  public let parameters: OperationParameters

  /// All parts.
  public init(
    _ operation: RowOperation, format: NumberFormat, inputs: NumberFormat, parameters: OperationParameters
  ) {
    self.operation = operation
    self.format = format
    self.inputs = inputs
    self.parameters = parameters
  }

  /// What a kernel computes in that promises nothing: f32, or the results' format where that is more.
  public static func usual(_ format: NumberFormat) -> NumberFormat { format.precision > 24 ? format : .f32 }

  /// The plans whose widest bound a kernel with these claims is held to. Without an algorithm those of the usual class: the maximum is
  /// subtracted, nothing is lost to cancellation.
  public func promised(_ claims: Claims) throws(ClaimError) -> [GuestPlan<RowQuestion>] {
    if claims.probabilities != nil { throw .unfit("probabilities") }
    let compute = claims.compute ?? Self.usual(format)
    let accumulate = claims.accumulate ?? compute
    return try algorithms(claims).map { plan($0, compute, accumulate) }
  }

  private func algorithms(_ claims: Claims) throws(ClaimError) -> [Algorithm] {
    let all = Algorithm.all(for: operation, dtype: .float(format))
    guard let name = claims.algorithm else {
      return all.filter(Self.isUsual)
    }
    let found = all.filter { $0.description == name || $0.kernel == name }
    if found.isEmpty { throw .algorithm(name, known: all.map(\.description)) }
    return found
  }

  /// Whether a kernel that promises nothing may compute so: its errors are known, and nothing is lost to overflow or cancellation.
  private static func isUsual(_ algorithm: Algorithm) -> Bool {
    guard let arithmetic = algorithm.arithmetic else { return false }
    switch arithmetic.ending {
    case .hyperbolicTangent: return false
    case .reciprocal, .reciprocalOfSmaller: return true
    default: return arithmetic.shift != .none
    }
  }

  /// Every algorithm in each of the usual pairs of formats, those with fine formats first.
  public var known: [GuestPlan<RowQuestion>] {
    let usual = Self.usual(format)
    var pairs = [(usual, usual), (format, usual), (format, format)]
    if usual != .f64 { pairs.insert((.f64, .f64), at: 0) }
    var seen: Set<[NumberFormat]> = []
    pairs = pairs.filter { $0.0.hasZero && seen.insert([$0.0, $0.1]).inserted }
    return pairs.flatMap { c, a in
      Algorithm.all(for: operation, dtype: .float(format)).filter { $0.arithmetic != nil }.map {
        plan($0, c, a)
      }
    }
  }

  private func plan(_ algorithm: Algorithm, _ compute: NumberFormat, _ accumulate: NumberFormat)
    -> GuestPlan<RowQuestion>
  {
    let configuration = KernelConfiguration(
      storage: .float(format), compute: compute, accumulator: accumulate)
    let (parameters, inputs) = (parameters, inputs)
    // What is usual need not be claimed.
    let unusual = Self.isUsual(algorithm) ? "" : "algorithm=\(algorithm),"
    let claims = "\(unusual)compute=\(compute.name),accumulate=\(accumulate.name)"
    return GuestPlan("\(algorithm), \(Self.precisions(compute, accumulate))", claims: claims) {
      ErrorBounds(algorithm, configuration, parameters: parameters, inputs: inputs)
    }
  }

  /// `computed and summed in f32`.
  static func precisions(_ compute: NumberFormat, _ accumulate: NumberFormat) -> String {
    compute == accumulate
      ? "computed and summed in \(compute.name)"
      : "computed in \(compute.name), summed in \(accumulate.name)"
  }
}
