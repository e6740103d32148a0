import NumKit

/// What counts as standing out.
public struct ScanSettings: Sendable, Hashable {
  /// Whose median a massive activation is held against. It changes the answer: a token of large values has a large median
  /// of its own.
  public enum MedianScope: String, Sendable, Hashable, CaseIterable {
    /// The median |a| of the whole tensor.
    case tensor
    /// The median |a| of the element's own row.
    case token
  }

  /// A massive activation has |a| > this (Sun et al., "Massive Activations in Large Language Models", arXiv 2402.17762,
  /// §2: 100).
  public var massiveLimit = 100.0
  /// … and |a| ≥ this times the median |a| (ibid.: 1000).
  public var massiveRatio = 1000.0
  /// Whose median that is.
  public var medianScope = MedianScope.tensor
  /// An element of an outlier channel has |x| ≥ this (Dettmers et al., "LLM.int8()", arXiv 2208.07339, §3: 6).
  public var outlierLimit: Float = 6
  /// How many of the largest magnitudes are kept with their places.
  public var placeCount = 8
  /// The formats whose losses are counted.
  public var formats: [NumberFormat] = FormatRegistry.all.compactMap(\.dtype.numberFormat).filter {
    $0.significandBits < 23 && $0.hasZero
  }

  public init() {}

  /// Whether |a| passes both limits.
  public func isMassive(_ magnitude: Double, median: Double) -> Bool {
    magnitude > massiveLimit && magnitude >= massiveRatio * median
  }

  /// Whether |a| is massive or passes half of each limit.
  public func isNear(_ magnitude: Double, median: Double) -> Bool {
    magnitude > massiveLimit / 2 && magnitude >= massiveRatio / 2 * median
  }
}
