import NumKit
import Reports

/// What of an exponential's error is left where it is used.
struct ReachTable {
  let outcomes: [ApproximationStudy.Outcome]

  var table: Table {
    typealias C = ReachColumns
    var table = Table("reach", rows: outcomes.count)
    table.title = "the same rows as logits"
    table.add(ErrorColumns.algorithm) { .text(outcomes[$0].name) }
    table.add(C.stored) { .text(outcomes[$0].storage.name) }
    table.add(C.softmax) { .number(outcomes[$0].softmaxUlp) }
    table.add(C.atPeak) { .number(outcomes[$0].softmaxAtPeak) }
    table.add(C.logSumExp) { .number(outcomes[$0].logSumExpUlp) }
    table.add(C.moved) { .number(outcomes[$0].moved) }
    table.add(C.output) { .number(outcomes[$0].output) }
    return table
  }
}
