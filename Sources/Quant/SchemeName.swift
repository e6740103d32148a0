/// The parts of a scheme's name: `base[@granularity][:dialect[,dialect…]]`, in lower case.
///
/// The granularity may also stand last (`int8:127.5@g32`).
public struct SchemeName: Sendable, Hashable {
  /// What comes first: `int8`, `mxfp4`.
  public var base: String
  /// Which elements share a scale; nil where the name does not say.
  public var granularity: Granularity?
  /// What follows the colon.
  public var dialects: [String]

  /// Reads a name; nil if it is not of that form.
  public init?(_ text: String) {
    var rest = Substring(text.lowercased())
    var granularity: Granularity?
    if let at = rest.firstIndex(of: "@") {
      let after = rest[rest.index(after: at)...]
      let end = after.firstIndex(of: ":") ?? after.endIndex
      guard let found = Granularity(after[..<end]) else { return nil }
      granularity = found
      rest = rest[..<at] + after[end...]
    }
    let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
    guard let base = parts.first, !base.isEmpty, parts.count <= 2 else { return nil }
    self.base = String(base)
    self.granularity = granularity
    dialects =
      parts.count == 1
      ? [] : parts[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if dialects.contains("") { return nil }
  }

  /// The name of a scheme from its parts.
  static func joined(_ base: String, _ granularity: Granularity?, _ dialects: [String]) -> String {
    base + (granularity.map { "@\($0.name)" } ?? "")
      + (dialects.isEmpty ? "" : ":" + dialects.joined(separator: ","))
  }

  /// Takes the first dialect that `table` knows away and returns what it stands for.
  mutating func take<Value>(_ table: KeyValuePairs<String, Value>) -> Value? {
    for (index, dialect) in dialects.enumerated() {
      if let found = table.first(where: { $0.key == dialect }) {
        dialects.remove(at: index)
        return found.value
      }
    }
    return nil
  }

  /// What a table says of the first dialect that it knows.
  func first<Value>(of table: KeyValuePairs<String, Value>) -> Value? {
    var copy = self
    return copy.take(table)
  }

  /// Whether nothing is left that nobody took.
  var isUsedUp: Bool { dialects.isEmpty }
}
