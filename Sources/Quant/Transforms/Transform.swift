/// A change of the tensor that is undone after decoding, which leaves the scheme an easier one between.
public protocol Transform: Sendable {
  /// The name, with its number: `smooth:0.5`.
  var name: String { get }

  /// Chooses what it needs for a tensor and the scheme that follows.
  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
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
    CureKind(
      "awq", "AWQ: scale channels by a power of their mean |a|, the power searched", words: ScaleSearch.words
    ) { try ScaleSearch($0, $1) },
  ]

  /// The transform of a name. Throws `CureError`.
  public static func transform(named text: String) throws -> any Transform {
    try CureKind.make(text, from: kinds, "transform")
  }
}

/// The largest power of two that divides `n`.
func largestPowerOfTwo(dividing n: Int) -> Int { n <= 0 ? 1 : n & -n }
