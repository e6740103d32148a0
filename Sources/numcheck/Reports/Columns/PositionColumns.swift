import Reports

/// Columns of positions as a kernel makes them.
enum PositionColumns {
  static let alike = Column(
    "alike from", "alike.first", .decides,
    "the first position whose sines and cosines are all those of the next: the two cannot be told apart",
    sense: .higherIsBetter)
  static let off = Column(
    "off from", "off.first", .decides, "the first position with a sine or cosine off by more than --limit",
    sense: .higherIsBetter)
  static let offPair = Column("pair", "off.pair", .detail, "the pair of that sine or cosine")
  static let notFinite = Column(
    "not finite from", "notFinite.first", .useful, "the first position with a NaN or an infinity",
    sense: .higherIsBetter)
  static let error = Column(
    "sine error", "encoding.error", .decides, "the largest error of a sine or cosine, amplitude included",
    sense: .lowerIsBetter)
  static let score = Column(
    "score error", "scores.error", .decides,
    "the largest error of a score q.k, relative to |q||k|, with keys 0, 1, 16 and 256 positions before the query, which "
      + "exactly depends on the distance alone", sense: .lowerIsBetter)
  static let scoresOff = Column(
    "scores off from", "scores.first", .decides,
    "where the first octave of positions begins in which a score is off by more than --limit",
    sense: .higherIsBetter)
  static let from = Column(
    "position", "from", .decides, "the first position of an octave", key: true)
  static let alongSequence = Column(
    "error", "sequence.error", .decides,
    "the largest error of a result from this token to the next octave, relative to its row's largest",
    sense: .lowerIsBetter)

  static let all = [alike, off, offPair, notFinite, error, score, scoresOff, from, alongSequence]
}
