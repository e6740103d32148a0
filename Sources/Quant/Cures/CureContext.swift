/// What a cure may use beside the tensor.
public struct CureContext: Sendable {
  /// Seeds what is random.
  public var seed: UInt64
  /// Activations (tokens × inputs) that the tensor, then a weight (outputs × inputs), is multiplied with; without them a tensor
  /// is its own only witness.
  public var activations: TensorMatrix?

  public init(seed: UInt64 = 1, activations: TensorMatrix? = nil) {
    self.seed = seed
    self.activations = activations
  }

  /// Throws where the activations have other columns than `matrix`.
  func check(_ matrix: TensorMatrix) throws {
    guard let activations, activations.columns != matrix.columns else { return }
    throw CureError.activations(columns: activations.columns, needed: matrix.columns)
  }
}

/// Why a cure cannot be tried.
public enum CureError: Error, Hashable, CustomStringConvertible {
  /// There is none of that name.
  case unknown(String)
  /// A number in the name is out of range, or should not be there.
  case parameter(String)
  /// It only works on symmetric integers with a scale.
  case integersOnly(cure: String, scheme: String)
  /// It needs activations.
  case needsActivations(String)
  /// The activations do not fit the tensor.
  case activations(columns: Int, needed: Int)
  /// The tensor does not fit the cure.
  case shape(String)
  /// A tensor with NaN or infinities.
  case notFinite

  public var description: String {
    switch self {
    case .unknown(let name): return "unknown cure '\(name)'"
    case .parameter(let why): return why
    case .integersOnly(let cure, let scheme):
      return "\(cure) chooses codes of intN schemes with a granularity, not of \(scheme)"
    case .needsActivations(let cure): return "\(cure) needs activations"
    case .activations(let columns, let needed):
      return "the activations have \(columns) channels, the tensor has \(needed) inputs"
    case .shape(let why): return why
    case .notFinite: return "a tensor with NaN or infinities cannot be transformed or calibrated"
    }
  }
}
