/// Every scheme by its name.
public enum SchemeRegistry {
  /// One line for each file or folder in Schemes.
  public static let families: [SchemeFamily] = [
    castFamily,
    integerFamily,
    llmInt8Family,
    microscalingFamily,
    nvfp4Family,
    nvint4Family,
    bitsandbytesFamily,
    dynamic8Family,
    higgsFamily,
    any4Family,
    turboQuantFamily,
    quipSharpFamily,
    ggmlFamily,
  ]

  /// The default list.
  public static let all: [any Scheme] = families.flatMap { $0.defaults() }

  /// The default list and the dialects, what a glob looks through.
  public static let known: [any Scheme] = all + families.flatMap { $0.variants() }

  /// The scheme of a name, in any case; granularities and dialects need not be in `known`.
  ///
  /// Throws `SchemeError.unknown`.
  public static func scheme(named text: String) throws -> any Scheme {
    let wanted = text.lowercased()
    if let exact = known.first(where: { $0.name == wanted }) { return exact }
    guard let name = SchemeName(text) else { throw SchemeError.unknown(text) }
    for family in families {
      if let scheme = family.make(name) { return scheme }
    }
    throw SchemeError.unknown(text)
  }

  /// The dialects of what a name begins with, in the registry's order, releases last; empty where nothing begins so.
  public static func dialects(of base: String) -> [String] {
    var list: [String] = []
    for family in families {
      let names = (family.defaults() + family.variants()).compactMap { SchemeName($0.name) }.filter {
        $0.base == base
      }
      if names.isEmpty { continue }
      list += names.map { $0.dialects.joined(separator: ",") } + family.releases
    }
    return list.enumerated().filter { k, name in !name.isEmpty && list.firstIndex(of: name) == k }.map(
      \.element)
  }

  /// Whose numbers a scheme's are, the release or the specification; empty where it is nobody's in particular.
  public static func origin(of scheme: any Scheme) -> String {
    guard let name = SchemeName(scheme.name) else { return "" }
    return families.first { $0.make(name) != nil }?.origin(name) ?? ""
  }

  /// The scheme of a name, or all known ones that a glob (`*`, `?`) matches, in the registry's order.
  ///
  /// Throws `SchemeError.unknown` where there is none.
  public static func schemes(matching pattern: String) throws -> [any Scheme] {
    guard pattern.contains("*") || pattern.contains("?") else { return [try scheme(named: pattern)] }
    let glob = Array(pattern.lowercased().unicodeScalars)
    let found = known.filter { matches(Array($0.name.unicodeScalars), glob) }
    if found.isEmpty { throw SchemeError.unknown(pattern) }
    return found
  }

  /// Whether all of `text` matches `glob`: after a mismatch the last star takes one more character.
  static func matches(_ text: [Unicode.Scalar], _ glob: [Unicode.Scalar]) -> Bool {
    var (t, g) = (0, 0)
    var retry: (text: Int, glob: Int)?
    while t < text.count {
      if g < glob.count, glob[g] == "*" {
        retry = (t, g + 1)
        g += 1
      } else if g < glob.count, glob[g] == "?" || glob[g] == text[t] {
        t += 1
        g += 1
      } else if let star = retry {
        retry = (star.text + 1, star.glob)
        (t, g) = (star.text + 1, star.glob)
      } else {
        return false
      }
    }
    return glob[g...].allSatisfy { $0 == "*" }
  }
}
