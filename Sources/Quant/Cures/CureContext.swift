/// What a cure may use beside the tensor.
public struct CureContext: Sendable {
  /// Seeds what is random.
  public var seed: UInt64
  /// Activations (tokens × inputs) that the tensor, then a weight (outputs × inputs), is multiplied with; without them a tensor
  /// is its own only witness.
  public var activations: TensorMatrix?
  /// Other activations, by which products are judged: no cure sees them. nil: by the same.
  public var judges: TensorMatrix?

  public init(seed: UInt64 = 1, activations: TensorMatrix? = nil, judges: TensorMatrix? = nil) {
    self.seed = seed
    self.activations = activations
    self.judges = judges
  }

  /// Cures see every other token, from the first on, and products are judged by the rest: a Hessian from few tokens fits these and
  /// no others. A single token is both.
  public init(seed: UInt64, splitting activations: TensorMatrix) {
    func tokens(from first: Int) -> TensorMatrix {
      let n = activations.columns
      let rows = stride(from: first, to: activations.rows, by: 2)
      let values = rows.flatMap { activations.values[$0 * n..<($0 + 1) * n] }
      return TensorMatrix(rows: n == 0 ? 0 : values.count / n, columns: n, values: values)
    }
    if activations.rows < 2 {
      self.init(seed: seed, activations: activations)
    } else {
      self.init(seed: seed, activations: tokens(from: 0), judges: tokens(from: 1))
    }
  }

  /// The activations that a cure of a tensor of so many columns cannot do without. Throws `CureError` where there are none, or none that
  /// fit and are finite.
  func activations(for cure: String, columns: Int) throws -> TensorMatrix {
    guard let activations else { throw CureError.needsActivations(cure) }
    guard activations.columns == columns else {
      throw CureError.activations(columns: activations.columns, needed: columns)
    }
    guard activations.isFinite else { throw CureError.notFinite }
    return activations
  }
}

/// Why a cure cannot be tried.
public enum CureError: Error, Hashable, CustomStringConvertible {
  /// There is no transform, calibration or cure of that name; there are those that are known.
  case unknown(String, of: String, known: [String])
  /// A number in the name is out of range, or should not be there.
  case parameter(String)
  /// It only works on symmetric integers with a scale.
  case integersOnly(cure: String, scheme: String)
  /// It only works on schemes whose blocks have a scale that it can choose.
  case blocksOnly(cure: String, scheme: String)
  /// It only works on types of ggml whose quantizers take importances.
  case importanceOnly(cure: String, scheme: String)
  /// It needs activations.
  case needsActivations(String)
  /// The activations do not fit the tensor.
  case activations(columns: Int, needed: Int)
  /// The tensor does not fit the cure.
  case shape(String)
  /// A tensor with NaN or infinities.
  case notFinite
  /// The transform makes numbers beyond f32 of the tensor.
  case overflow(String)

  public var description: String {
    switch self {
    case .unknown(let name, let kind, let known):
      return "unknown \(kind) '\(name)'; there are: \(known.joined(separator: ", "))"
    case .parameter(let why): return why
    case .integersOnly(let cure, let scheme):
      return "\(cure) chooses codes of intN and uintN schemes with a granularity, not of \(scheme)"
    case .blocksOnly(let cure, let scheme):
      return
        "\(cure) chooses codes under the scales of integers, floats and MX, NVFP4, NF4 and FP4 blocks, not of \(scheme)"
    case .importanceOnly(let cure, let scheme):
      return "\(cure) chooses codes of \(GGMLSchemes.weightedNames.joined(separator: ", ")), not of \(scheme)"
    case .needsActivations(let cure): return "\(cure) needs activations"
    case .activations(let columns, let needed):
      return "the activations have \(columns) channels, the tensor has \(needed) inputs"
    case .shape(let why): return why
    case .overflow(let transform): return "\(transform) makes numbers beyond f32 of this tensor"
    case .notFinite: return "a tensor with NaN or infinities cannot be transformed or calibrated"
    }
  }
}
