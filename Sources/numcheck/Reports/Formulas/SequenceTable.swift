import NumKit
import Reports

/// Errors along a sequence.
struct SequenceTable {
  let octaves: [SequenceStudy.Octave]

  var table: Table {
    var table = Table("sequence", rows: octaves.count)
    table.title = "along the sequence"
    table.add(ErrorColumns.algorithm) { .text(octaves[$0].name) }
    table.add(PositionColumns.from) { .count(octaves[$0].from) }
    table.add(PositionColumns.alongSequence) { .number(octaves[$0].error) }
    return table
  }
}
