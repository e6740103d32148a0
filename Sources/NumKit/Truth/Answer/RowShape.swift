import NumKitQuestions

/// What a row is made of, and the row without its special values: the limits τ → 0 and τ → ∞, the policies for
/// masked rows and +∞ all come down to a row of equal logits.
struct RowShape {
  /// What can be said before any arithmetic.
  enum Kind {
    /// At least one finite logit, none +∞; or a special row that the policy has made such.
    case finite
    /// A NaN is present, or the policy answers NaN.
    case nan
    /// Nothing but −∞, and the policy does not answer 1/n: each probability is 0.
    case masked
  }

  var kind: Kind
  /// Whether a NaN is present.
  var hasNaN = false
  /// The logits to compute with, if they are not the row's own: 0 where the mass is, −∞ elsewhere.
  var usesReplacement = false
  /// The largest logit.
  var maximum = -Double.infinity
  /// The smallest finite logit.
  var minimum = Double.infinity
  /// The first place where the largest stands.
  var argmax = 0
  /// How many logits are finite.
  var finiteCount = 0
  /// Whether all finite logits are equal: then every probability is rational.
  var isLevel = true
  /// What the logits are still to be divided by: 1 where a limit has been taken.
  var temperature = 1.0
  /// The largest of the row as it came: what the log-sum-exp needs of special rows.
  var originalMaximum = -Double.infinity
}

extension RowShape {
  /// Looks at `row`; writes to `replacement` if the row has to be replaced.
  init(
    _ row: UnsafeBufferPointer<Double>, temperature: Double, specialValues: SpecialValues,
    replacement: inout [Double]
  ) {
    self.init(kind: .finite)
    var minimum = Double.infinity
    for (i, x) in row.enumerated() {
      hasNaN = hasNaN || x.isNaN
      if x > maximum {
        maximum = x
        argmax = i
      }
      if x != -.infinity {
        finiteCount += 1
        minimum = Swift.min(minimum, x)
      }
    }
    originalMaximum = maximum
    self.temperature = temperature
    self.minimum = minimum
    isLevel = minimum == maximum
    if hasNaN {
      kind = .nan
    } else if maximum == .infinity {
      if specialValues == .ieee { kind = .nan } else { keep(row, &replacement) { $0 == .infinity } }
    } else if finiteCount == 0 {
      switch specialValues {
      case .ieee: kind = .nan
      case .safe: kind = .masked
      case .uniform: keep(row, &replacement) { _ in true }
      }
    } else if temperature == 0 {
      let largest = maximum
      keep(row, &replacement) { $0 == largest }
    } else if temperature == .infinity {
      keep(row, &replacement) { $0 != -.infinity }
    }
  }

  /// Replaces the row by 0 where `isKept` and −∞ elsewhere.
  private mutating func keep(
    _ row: UnsafeBufferPointer<Double>, _ replacement: inout [Double], where isKept: (Double) -> Bool
  ) {
    replacement.removeAll(keepingCapacity: true)
    finiteCount = 0
    for (i, x) in row.enumerated() {
      let kept = isKept(x)
      replacement.append(kept ? 0 : -.infinity)
      if kept {
        if finiteCount == 0 { argmax = i }
        finiteCount += 1
      }
    }
    maximum = 0
    minimum = 0
    isLevel = true
    usesReplacement = true
    temperature = 1
  }
}
