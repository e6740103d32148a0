import NumKit

/// What a kernel's authors say of it, to be held against a fingerprint: `accumulate=f32,order=blocked:128,p=bf16`.
package struct PlanClaims: Sendable, Equatable {
  package struct One: Sendable, Equatable {
    package let name: String
    package let value: String
  }
  package let list: [One]

  /// What a claim came to.
  package enum Verdict: String, Sendable { case confirmed, refuted, undecided = "not decidable" }

  /// Every name that can be claimed.
  package static let names = [
    "maximum", "compute", "accumulate", "order", "p", "rounding", "exp", "shift", "subnormals", "nan", "fma",
    "overflow",
    "sum-rounding", "sum-range", "double-rounding", "variance", "rescale", "plus-infinity",
    "minus-infinity-row",
    "value-order",
    "value-accumulate", "value-sum-rounding", "zero-times-infinity",
  ]
  /// Those whose value is a format.
  private static let formats = ["compute", "accumulate", "value-accumulate"]

  package init(parsing text: String) throws {
    var list: [One] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard pair.count == 2, !pair[0].isEmpty, !pair[1].isEmpty else {
        throw FingerprintError("claim '\(part)': must be NAME=VALUE, like accumulate=f32,order=sequential")
      }
      guard Self.names.contains(pair[0]) else {
        throw FingerprintError("no claim '\(pair[0])'; there are: \(Self.names.joined(separator: ", "))")
      }
      guard !list.contains(where: { $0.name == pair[0] }) else {
        throw FingerprintError("claim '\(pair[0])' stands there twice")
      }
      if Self.formats.contains(pair[0]), Self.precision(pair[1]) == nil {
        throw FingerprintError("claim '\(part)': not a format to compute in, nor a number of bits like 24")
      }
      if pair[0].hasSuffix("order"), !OrderName.isKnown(pair[1]) {
        throw FingerprintError(
          "claim '\(part)': orders are sequential, reversed, pairwise[:N], blocked:N, split-k:S, lanes:N, folded"
        )
      }
      if pair[0] == "p", DType(pair[1])?.numberFormat == nil {
        throw FingerprintError("claim '\(part)': not a format")
      }
      list.append(One(name: pair[0], value: pair[1]))
    }
    self.list = list
  }

  private static func precision(_ text: String) -> Int? {
    if let n = Int(text) { return (1...64).contains(n) ? n : nil }
    guard let format = DType(text)?.numberFormat, format.hasZero else { return nil }
    return format.precision
  }

  /// What a fingerprint says of a claim.
  package static func verdict(_ one: One, _ found: KernelFingerprint) -> Verdict {
    guard let trait = found[one.name.replacing("-", with: " ")], let value = trait.value else {
      return .undecided
    }
    if formats.contains(one.name), let bits = precision(one.value) {
      switch value {
      case .bits(let n): return n == bits ? .confirmed : .refuted
      case .atLeastBits(let n): return bits < n ? .refuted : .undecided
      case .word: return .undecided
      }
    }
    guard case .word(let word) = value else { return .undecided }
    if one.name.hasSuffix("order") {
      // A tree without a name is known all the same, of the main sum.
      let isMain = one.name == "order"
      let count = isMain ? found.tree?.leaves.count ?? found.length : found.length
      return OrderName.holds(one.value, of: word, tree: isMain ? found.tree : nil, count: count)
        ? .confirmed : .refuted
    }
    if one.name == "p" {
      guard word == "more than f16" else {
        return DType(one.value)?.numberFormat?.name == word ? .confirmed : .refuted
      }
      return (precision(one.value) ?? 0) <= 11 ? .refuted : .undecided
    }
    // Said in a sentence, claimed in a word.
    if ["that of \(one.value)", "products are \(one.value)", "products \(one.value)"].contains(word) {
      return .confirmed
    }
    // `within 2 ulp` may be claimed as `within-2-ulp`.
    return word == one.value || word.replacing(", ", with: "-").replacing(" ", with: "-") == one.value
      ? .confirmed : .refuted
  }
}
