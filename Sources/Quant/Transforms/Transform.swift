/// A change of the tensor that is undone after decoding, which leaves the scheme an easier one between.
public protocol Transform: Sendable {
  /// The name, with its number: `smooth:0.5`.
  var name: String { get }

  /// Chooses what it needs for a matrix and the scheme that follows.
  func prepare(_ matrix: TensorMatrix, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
}

/// A transform with its parameters chosen.
public protocol PreparedTransform: Sendable {
  /// Bits stored beside the tensor to undo it.
  var storedBits: Int { get }
  /// Changes the matrix.
  func apply(_ matrix: inout TensorMatrix)
  /// Changes it back, up to rounding in Float.
  func undo(_ matrix: inout TensorMatrix)
  /// Changes the other factor of a product along columns, so that the product stays what it was.
  func applyOpposite(_ activations: inout TensorMatrix)
  /// Changes that back.
  func undoOpposite(_ activations: inout TensorMatrix)
}

extension PreparedTransform {
  /// A rotation is its own opposite.
  public func applyOpposite(_ activations: inout TensorMatrix) { apply(&activations) }
  public func undoOpposite(_ activations: inout TensorMatrix) { undo(&activations) }
}

/// Every transform by its name.
public enum TransformRegistry {
  /// One line for each kind: its name, what it is, and how a number after the colon makes one (nil: the default).
  public static let kinds: [CureKind<any Transform>] = [
    CureKind("channel-scale", "divide each channel by its largest |a|") { try ChannelScale($0) },
    CureKind("smooth", "SmoothQuant: move a share (0.5) of the channels' range to the other factor") {
      try Smooth($0)
    },
    CureKind(
      "hadamard", "rotate blocks of channels by a Hadamard matrix with random signs", words: Hadamard.words
    ) { try Hadamard($0, $1) },
    CureKind("rotation", "rotate blocks of channels by a random orthogonal matrix") {
      try RandomRotation($0)
    },
    CureKind("split", "keep the largest share (0.001) of the elements aside, exactly") {
      try OutlierSplit($0)
    },
    CureKind("awq", "AWQ: scale channels by a power of their mean |a|, the power searched") {
      try ScaleSearch($0)
    },
  ]

  /// The transform of a name. Throws `CureError`.
  public static func transform(named text: String) throws -> any Transform {
    try CureKind.make(text, from: kinds, "transform")
  }
}

/// The largest power of two that divides `n`.
func largestPowerOfTwo(dividing n: Int) -> Int { n <= 0 ? 1 : n & -n }
