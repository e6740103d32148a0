/// What a file of schemes tells the registry.
public struct SchemeFamily: Sendable {
  /// The file or folder in Schemes, without `.swift`.
  public let file: String
  /// The schemes that a comparison of everything shows.
  public let defaults: @Sendable () -> [any Scheme]
  /// Dialects that only a name or a glob asks for.
  public let variants: @Sendable () -> [any Scheme]
  /// Dialects by the releases that have them, which are names of some of these: `torchao-0.16`.
  public let releases: [String]
  /// The scheme of a name, if it is this family's.
  public let make: @Sendable (SchemeName) -> (any Scheme)?
  /// Whose numbers a scheme's are: a specification, a release; empty where it is nobody's in particular.
  public let origin: @Sendable (SchemeName) -> String

  public init(
    file: String, defaults: @escaping @Sendable () -> [any Scheme],
    variants: @escaping @Sendable () -> [any Scheme] = { [] }, releases: [String] = [],
    origin: @escaping @Sendable (SchemeName) -> String = { _ in "" },
    make: @escaping @Sendable (SchemeName) -> (any Scheme)?
  ) {
    self.origin = origin
    self.file = file
    self.defaults = defaults
    self.variants = variants
    self.releases = releases
    self.make = make
  }

  /// A family of a fixed list, found by their exact names; the dialects among them (with a colon) are variants.
  public init(
    file: String, _ schemes: [any Scheme], origin: @escaping @Sendable (SchemeName) -> String = { _ in "" }
  ) {
    self.init(
      file: file, defaults: { schemes.filter { !$0.name.contains(":") } },
      variants: { schemes.filter { $0.name.contains(":") } }, origin: origin,
      make: { name in
        let wanted = SchemeName.joined(name.base, name.granularity, name.dialects)
        return schemes.first { $0.name == wanted }
      })
  }
}
