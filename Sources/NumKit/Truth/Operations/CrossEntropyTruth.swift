import NumKitQuestions

/// log S − x_t: the log-softmax of the target, with the sign turned; so rational if and only if that is.
enum EnclosedCrossEntropy: EnclosedOperation {
  static func begin(_ row: EnclosedRow) { EnclosedLogSoftmax.begin(row) }

  static func enclose(_ i: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed {
    switch EnclosedLogSoftmax.enclose(row.parameters.target, row, into: result) {
    case .known(let value): return .known(value == 0 ? 0 : -value)
    case .rational: return .rational
    case .irrational:
      result.negate()
      return .irrational
    }
  }

  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double { .infinity }
}
