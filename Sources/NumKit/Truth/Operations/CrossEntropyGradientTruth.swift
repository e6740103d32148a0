import NumKitQuestions

/// pᵢ − [i = t]: rational exactly where pᵢ is. For the target it is −(S − e_t)/S, with the others summed so that
/// nothing cancels.
enum EnclosedCrossEntropyGradient: EnclosedOperation {
  static func enclose(_ i: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed {
    guard i == row.parameters.target else { return EnclosedSoftmax.enclose(i, row, into: result) }
    if row.isMasked(i) { return .known(-1) }
    if row.shape.finiteCount == 1 { return .known(0) }
    if row.shape.isLevel {
      return row.quotient(1 - row.shape.finiteCount, row.shape.finiteCount, into: result)
    }
    row.others(i, into: row.scratch(1))
    result.setShare(of: row.scratch(1), beside: row.exponential(i))
    result.negate()
    return .irrational
  }

  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double {
    i == parameters.target ? -1 : 0
  }
}
