/// A limit held against one figure.
package struct Check: Sendable {
  /// What was asked for, as `--check` spells it: `ulp.max<=3`.
  package let name: String
  /// What the figure is of: an algorithm, a tensor; empty for the run.
  package let place: String
  package let outcome: Outcome
  package let value: JSONValue
  package let limit: JSONValue
  /// What failed, by how much, where; empty where it passed.
  package let message: String
  /// Whether the command itself asks for it, so that it is told of only where it fails.
  package let isImplied: Bool
  /// Where it is written down; nil for a flag.
  package var location: Location?

  package enum Outcome: Sendable, Hashable {
    case passed, failed
    /// There is no figure to hold a limit against, which is no pass.
    case withoutValue
  }

  package var passed: Bool { outcome == .passed }

  package init(
    _ name: String, _ place: String = "", _ outcome: Outcome, value: JSONValue, limit: JSONValue,
    message: String,
    implied isImplied: Bool = false
  ) {
    self.name = name
    self.place = place
    self.outcome = outcome
    self.value = value
    self.limit = limit
    self.message = message
    self.isImplied = isImplied
  }
}

/// A limit on a named figure: `ulp.max<=3`, `shifted:ulp.max<=bound.ulp`, `verdict!=bug`.
///
/// A figure is what stands in JSON at that path of a result, or, where results have none, of the report. What stands before the
/// last colon selects results by their names, `*` and `?` matching as in file names.
package struct Limit: Sendable, Equatable {
  /// The results it is for; all where empty.
  package let selector: String
  /// The figure's path.
  package let figure: String
  package let relation: Relation
  /// A number, a word, or another figure's path.
  package let bound: String
  /// The flag that this stands for, for messages; nil for `--check` itself.
  package let flag: String?
  /// Whether the command itself asks for it.
  package var isImplied = false

  package enum Relation: String, Sendable, CaseIterable {
    // The longer signs first: that is how they are found.
    case atMost = "<="
    case atLeast = ">="
    case equal = "=="
    case unequal = "!="
    case below = "<"
    case above = ">"

    func holds(_ a: Double, _ b: Double) -> Bool {
      switch self {
      case .atMost: a <= b
      case .atLeast: a >= b
      case .equal: a == b
      case .unequal: a != b
      case .below: a < b
      case .above: a > b
      }
    }

    /// What a value is that does not keep it.
    var failure: String {
      switch self {
      case .atMost: "above"
      case .atLeast: "below"
      case .equal: "not"
      case .unequal: "and must not be"
      case .below: "not below"
      case .above: "not above"
      }
    }
  }

  package init(_ figure: String, _ relation: Relation, _ bound: String, flag: String? = nil) {
    selector = ""
    self.figure = figure
    self.relation = relation
    self.bound = bound
    self.flag = flag
  }

  /// A limit as it is written; throws `LimitError.form` for anything else.
  package init(parsing text: String) throws(LimitError) {
    let scalars = text.unicodeScalars
    var found: (range: Range<String.Index>, relation: Relation)?
    scan: for start in scalars.indices {
      for relation in Relation.allCases where scalars[start...].starts(with: relation.rawValue.unicodeScalars)
      {
        found = (start..<scalars.index(start, offsetBy: relation.rawValue.count), relation)
        break scan
      }
    }
    guard let found else { throw .form(text) }
    let left = Self.trimmed(text[..<found.range.lowerBound])
    let right = Self.trimmed(text[found.range.upperBound...])
    let colon = left.lastIndex(of: ":")
    let path = colon.map { Self.trimmed(left[left.index(after: $0)...]) } ?? left
    // No order needs to be kept with an infinity, and none is with NaN.
    let isExact = found.relation == .equal || found.relation == .unequal
    guard !path.isEmpty, !right.isEmpty, !right.contains(where: { "<>=!".contains($0) }),
      Double(right).map({ $0.isFinite || $0.isInfinite && isExact }) ?? true
    else { throw .form(text) }
    selector = colon.map { String(Self.trimmed(left[..<$0])) } ?? ""
    figure = String(path)
    relation = found.relation
    bound = String(right)
    flag = nil
  }

  private static func trimmed(_ text: Substring) -> Substring {
    let start = text.drop { $0 == " " }
    return start[..<(start.lastIndex { $0 != " " }.map { start.index(after: $0) } ?? start.startIndex)]
  }

  /// As it would be written.
  package var name: String {
    (selector.isEmpty ? "" : selector + ":") + figure + relation.rawValue + bound
  }
}

/// Why a limit cannot be held against a report.
package enum LimitError: Error, Equatable, CustomStringConvertible {
  /// It is not FIGURE, a sign, LIMIT.
  case form(String)
  /// There is no such figure.
  case figure(String, near: [String])
  /// There is no such result.
  case selector(String, names: [String])
  /// The figure is compared with a word, or by order with what has none.
  case kind(String, figure: String)
  /// The figure never says that word.
  case word(String, figure: String, words: [String])

  package var description: String {
    switch self {
    case .form(let text):
      return "--check '\(text)': must be FIGURE<=LIMIT (or >=, <, >, ==, !=), like ulp.max<=3"
    case .figure(let name, let near):
      return "no figure '\(name)' in this report"
        + (near.isEmpty ? "" : "; did you mean \(near.joined(separator: " or "))?")
        + (near.isEmpty ? "; '--format json' shows its figures, 'numcheck list figures' all there are" : "")
    case .selector(let name, let names):
      let shown = names.prefix(12).joined(separator: ", ")
      return "no result '\(name)' in this report; there are: \(shown)\(names.count > 12 ? ", …" : "")"
    case .word(let word, let figure, let words):
      return "no \(figure) is '\(word)': it is \(words.joined(separator: ", "))"
    case .kind(let name, let figure): return "--check '\(name)': '\(figure)' is not compared like that"
    }
  }
}
