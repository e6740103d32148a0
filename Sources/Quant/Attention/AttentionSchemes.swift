/// The schemes there are: a new one is a record beside the others of its family, and a line here.
public enum AttentionSchemes {
  /// In the order they are shown.
  public static let all: [AttentionScheme] = [
    FlashSchemes.blockScales,
    FlashSchemes.tensorScales,
    SageSchemes.first,
    SageSchemes.wide,
    SageSchemes.token,
    SageSchemes.rough,
    SageSchemes.integer,
    SageSchemes.second8,
    SageSchemes.second4,
    CacheSchemes.four,
    CacheSchemes.two,
  ]

  /// Those that only their names ask for: where a release is not what its paper says.
  public static let releases: [AttentionScheme] = [
    FlashSchemes.released, SageSchemes.firstReleased, SageSchemes.secondReleased, CacheSchemes.fourReleased,
    CacheSchemes.twoReleased,
  ]

  /// The scheme of this name, in any case.
  public static func named(_ name: String) -> AttentionScheme? {
    (all + releases).first { $0.name == name.lowercased() }
  }
}
