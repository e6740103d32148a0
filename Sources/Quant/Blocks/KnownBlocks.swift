/// What a survey of the whole tensor settles for a `BlockedScheme`.
struct KnownBlocks: Sendable {
  /// The tensor's scale.
  let tensor: Float
  /// The blocks of a row where all rows share them: as encoding chooses them, and as decoding reads them back.
  let blocks: (chosen: [BlockScale], restored: [BlockScale])?
}
