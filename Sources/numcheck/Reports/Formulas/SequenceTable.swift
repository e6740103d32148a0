import NumKit
import Reports

/// Errors along a sequence.
struct SequenceTable {
  let octaves: [SequenceStudy.Octave]

  static let error = Column(
    "error", "sequence.error", .decides,
    "the largest error of a result from this token to the next octave, relative to its row's largest",
    sense: .lowerIsBetter)

  var table: Table {
    var table = Table("sequence", rows: octaves.count)
    table.title = "along the sequence"
    table.add(ErrorColumns.algorithm) { .text(octaves[$0].name) }
    table.add(PositionColumns.from) { .count(octaves[$0].from) }
    table.add(Self.error) { .number(octaves[$0].error) }
    return table
  }
}
