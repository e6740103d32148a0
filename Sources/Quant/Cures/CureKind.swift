/// A kind of cure: what a registry lists.
public struct CureKind<Product>: Sendable {
  /// The name before the colon.
  public let name: String
  /// What it does.
  public let summary: String
  /// Words that may stand after the colon, and what each means.
  public let words: KeyValuePairs<String, String>
  /// Whether it is for such schemes; by name it can be asked of any.
  let suits: @Sendable (any Scheme) -> Bool
  private let make: @Sendable (Double?, Set<String>) throws -> Product

  init(
    _ name: String, _ summary: String, suits: @escaping @Sendable (any Scheme) -> Bool = { _ in true },
    _ make: @escaping @Sendable (Double?) throws -> Product
  ) {
    self.init(name, summary, words: [:], suits: suits) { number, _ in try make(number) }
  }

  init(
    _ name: String, _ summary: String, words: KeyValuePairs<String, String>,
    suits: @escaping @Sendable (any Scheme) -> Bool = { _ in true },
    _ make: @escaping @Sendable (Double?, Set<String>) throws -> Product
  ) {
    self.name = name
    self.summary = summary
    self.words = words
    self.suits = suits
    self.make = make
  }

  /// `name`, `name:number`, `name:word` or both, with commas between; `what` is what such a kind makes.
  static func make(_ text: String, from kinds: [CureKind], _ what: String) throws -> Product {
    let parts = text.lowercased().split(separator: ":", omittingEmptySubsequences: false)
    guard let first = parts.first, let kind = kinds.first(where: { $0.name == first }), parts.count <= 2
    else {
      throw CureError.unknown(text, of: what, known: kinds.map(\.name))
    }
    if parts.count == 1 { return try kind.make(nil, []) }
    var number: Double?
    var words: Set<String> = []
    for part in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
      if kind.words.contains(where: { $0.key == part }) {
        words.insert(String(part))
      } else if let found = Double(part), found.isFinite, number == nil {
        number = found
      } else {
        let known = kind.words.isEmpty ? "" : ", and none of \(kind.words.map(\.key).joined(separator: ", "))"
        throw CureError.parameter("'\(text)': \(part) is no number\(known)")
      }
    }
    return try kind.make(number, words)
  }
}

/// A number as a name shows it.
func shortName(_ x: Double) -> String { x == x.rounded() && x.magnitude < 1e9 ? "\(Int(x))" : "\(x)" }
