/// A kind of cure: what a registry lists.
public struct CureKind<Product>: Sendable {
  /// The name before the colon.
  public let name: String
  /// What it does.
  public let summary: String
  private let make: @Sendable (Double?) throws -> Product

  init(_ name: String, _ summary: String, _ make: @escaping @Sendable (Double?) throws -> Product) {
    self.name = name
    self.summary = summary
    self.make = make
  }

  /// `name` or `name:number`; `what` is what such a kind makes.
  static func make(_ text: String, from kinds: [CureKind], _ what: String) throws -> Product {
    let parts = text.lowercased().split(separator: ":", omittingEmptySubsequences: false)
    guard let first = parts.first, let kind = kinds.first(where: { $0.name == first }), parts.count <= 2
    else {
      throw CureError.unknown(text, of: what, known: kinds.map(\.name))
    }
    if parts.count == 1 { return try kind.make(nil) }
    guard let number = Double(parts[1]), number.isFinite else {
      throw CureError.parameter("'\(text)': \(parts[1]) is no number")
    }
    return try kind.make(number)
  }
}

/// A number as a name shows it.
func shortName(_ x: Double) -> String { x == x.rounded() && x.magnitude < 1e9 ? "\(Int(x))" : "\(x)" }
