/// A way of choosing scales or codes within a scheme.
public protocol Calibration: Sendable {
  /// The name, with its number: `percentile:99.9`.
  var name: String { get }

  /// Makes the scheme so used ready for a tensor of finite numbers.
  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder
}

/// Every calibration by its name.
public enum CalibrationRegistry {
  /// One line for each kind.
  public static let kinds: [CureKind<any Calibration>] = [
    CureKind("minmax", "the scale from the largest |a|, as the scheme has it") { try MinMax($0) },
    CureKind("percentile", "clip each group at a percentile (99.9) of its |a|") { try PercentileClip($0) },
    CureKind("mse", "clip each group where its squared error is smallest") { try MSEClip($0) },
    CureKind("kl", "clip where the histogram keeps the most information (KL divergence)") {
      try EntropyClip($0)
    },
    CureKind("stochastic", "round up or down at random, so that the mean is right") {
      try StochasticRounding($0)
    },
    CureKind("awq-clip", "AWQ: clip each group where its product with the activations is best") {
      try ProductClip($0)
    },
    CureKind(
      "imatrix", "ggml's types as llama-quantize writes them with an importance matrix",
      suits: { $0 is any WeightedScheme }
    ) { try ImportanceMatrix($0) },
    CureKind("any4", "any4's codebooks, weighted by the activations", suits: { $0 is Any4 }) {
      try LearnedCodebooks($0)
    },
    CureKind("hqq", "HQQ: fit each group's zero point to a heavy-tailed error") { try HQQ($0) },
    CureKind(
      "gptq", "GPTQ: make up for each column's error in the next, by the activations' Hessian",
      words: GPTQ.words
    ) { try GPTQ($0, $1) },
  ]

  /// The calibration of a name. Throws `CureError`.
  public static func calibration(named text: String) throws -> any Calibration {
    try CureKind.make(text, from: kinds, "calibration")
  }
}

/// Nothing but the scheme.
struct MinMax: Calibration {
  var name: String { "minmax" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("minmax takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder {
    try SchemeCoder(scheme, tensor)
  }
}
