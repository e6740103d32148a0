import NumKit

/// What was found of one property of a kernel.
package enum TraitValue: Sendable, Equatable {
  /// `subtracted`, `lanes:16`.
  case word(String)
  /// So many bits of significand, the leading one counted.
  case bits(Int)
  /// So many at least: what is finer leaves no trace in results of this format.
  case atLeastBits(Int)

  package var text: String {
    switch self {
    case .word(let word): word
    case .bits(let n): "\(n) bits"
    case .atLeastBits(let n): "at least \(n) bits"
    }
  }

  /// What `text` says.
  package init(parsing text: String) {
    let words = text.split(separator: " ")
    if words.count == 2, words[1] == "bits", let n = Int(words[0]) {
      self = .bits(n)
    } else if words.count == 4, text.hasPrefix("at least "), words[3] == "bits", let n = Int(words[2]) {
      self = .atLeastBits(n)
    } else {
      self = .word(text)
    }
  }
}

/// A property of a kernel, found by inputs alone, with the probe that shows it.
package struct Trait: Sendable, Equatable {
  /// `accumulate`.
  package let name: String
  /// Nil where no probe decides.
  package let value: TraitValue?
  /// The probe and what it gave; where nothing is decided, why.
  package let evidence: String

  package init(_ name: String, _ value: TraitValue?, _ evidence: String) {
    (self.name, self.value, self.evidence) = (name, value, evidence)
  }

  package static func undecided(_ name: String, _ reason: String) -> Trait { Trait(name, nil, reason) }
}
