import NumKit
import Reports
import Searching
import StabilityTesting

/// Rows and their worst results, for people and machines.
enum SearchWords {
  /// How many numbers of a row are shown.
  private static let shown = 12

  /// `[1, -inf 3 times, …]`: equal neighbours counted.
  static func row(_ row: [Double], width: Int = 1, _ word: (Double) -> String = { Figures.number($0) })
    -> String
  {
    if width > 1 { return pairs(row, width, word) }
    var words: [String] = []
    var k = 0
    while k < row.count {
      var end = k + 1
      while end < row.count && row[end].bitPattern == row[k].bitPattern { end += 1 }
      if words.count == shown {
        words.append("… \(Figures.count(row.count)) in all")
        break
      }
      let times = end - k
      words.append(word(row[k]) + (times > 1 ? " \(Figures.count(times)) times" : ""))
      k = end
    }
    return "[\(words.joined(separator: ", "))]"
  }

  /// The same of pairs: `[(1, 2), (0, 1) 3 times]`.
  private static func pairs(_ row: [Double], _ width: Int, _ word: (Double) -> String) -> String {
    let all = stride(from: 0, to: row.count, by: width).map { start in
      "(" + row[start..<min(start + width, row.count)].map(word).joined(separator: ", ") + ")"
    }
    var words: [String] = []
    var k = 0
    while k < all.count {
      let end = all[k...].firstIndex { $0 != all[k] } ?? all.count
      if words.count == shown {
        words.append("… \(Figures.count(all.count)) in all")
        break
      }
      words.append(all[k] + (end - k > 1 ? " \(Figures.count(end - k)) times" : ""))
      k = end
    }
    return "[\(words.joined(separator: ", "))]"
  }

  /// What is said of a simplest row.
  static func lines(_ shrunk: ShrunkRow, _ inputs: NumberFormat, _ format: NumberFormat, width: Int)
    -> [String]
  {
    let row = shrunk.evaluation.row
    return [
      "  row      \(Self.row(row, width: width))",
      "  hex      \(Self.row(row, width: width) { Figures.hex($0) })",
      "  bits     \(Self.row(row, width: width) { Figures.bits($0, .float(inputs)) ?? "" }) (\(inputs.name))",
      "  results  \(result(shrunk.evaluation, format))",
    ]
  }

  /// `result 1 is nan, exactly 0.5 (0x1p-1): …`.
  static func result(_ evaluation: Evaluation, _ format: NumberFormat) -> String {
    if let fault = evaluation.fault { return "none: \(fault)" }
    if let steps = evaluation.batchSteps, steps > 0 {
      return "change by \(Figures.short(steps)) ulp beside other rows"
    }
    guard let worst = evaluation.judgement.worst else { return "none" }
    func spelled(_ x: Double) -> String { "\(Figures.number(x)) (\(Figures.hex(x)))" }
    var text = "result \(worst.index) is \(spelled(worst.computed)), exactly \(spelled(worst.exact))"
    if !worst.ulp.isNaN {
      text += ": \(Figures.short(worst.ulp)) ulp"
      if !worst.allowed.isNaN {
        text += ", allowed \(Figures.short(worst.allowed / format.ulp(of: worst.exact)))"
      }
    }
    return text
  }

  /// The same for machines.
  static func witness(_ shrunk: ShrunkRow, _ inputs: NumberFormat, _ format: NumberFormat, width: Int)
    -> JSONValue
  {
    let choices = Search.choices(shrunk.evaluation.row, width: width)
    var members = [JSONValue.Member("choices", .text(ChoiceText.text(choices)))]
    if let fault = shrunk.evaluation.fault { members.append(.init("fault", .text(fault.description))) }
    if let worst = shrunk.evaluation.judgement.worst, shrunk.evaluation.fault == nil {
      members += [
        .init("index", .integer(worst.index)), .init("computed", .spelled(worst.computed, .float(format))),
        .init("exact", .spelled(worst.exact, nil)), .init("rounded", .spelled(worst.rounded, .float(format))),
        .init("ulp", .number(worst.ulp)), .init("allowed", .number(worst.allowed)),
      ]
    }
    return .members(members)
  }
}
