import NumKit

/// One expected result of `fixtures/options`: its rounding to each format, by both kinds of overflow.
public struct GoldenResult: Sendable {
  public let index: Int
  public let special: [Double]
  public internal(set) var saturated: [Double]
  /// 36 digits, or `nan`, `inf`, `-inf`.
  public let decimal: String

  /// The words of an r line.
  init?(_ words: [Substring]) {
    let numbers = words.dropFirst(2).dropLast().compactMap { Double($0) }
    guard words.count > 3, numbers.count == words.count - 3, let index = Int(words[1]) else { return nil }
    self.index = index
    special = numbers
    saturated = numbers
    decimal = String(words[words.count - 1])
  }

  /// The log-sum-exp of a query.
  init(special: [Double], saturated: [Double], _ decimal: String) {
    (index, self.special, self.saturated, self.decimal) = (0, special, saturated, decimal)
  }

  public func expected(_ column: Int, _ overflow: Overflow) -> Double {
    overflow == .special ? special[column] : saturated[column]
  }
}

/// One row of `fixtures/options/rows.txt`.
public struct GoldenRowOptions: Sendable {
  public let operation: RowOperation
  public fileprivate(set) var parameters: OperationParameters
  public fileprivate(set) var logits: [Double] = []
  public fileprivate(set) var results: [GoldenResult] = []

  /// All of them, with the formats of their results.
  public static func all() throws -> (formats: [NumberFormat], rows: [GoldenRowOptions]) {
    var formats: [NumberFormat] = []
    var rows: [GoldenRowOptions] = []
    for line in try fixtureText("options/rows.txt").split(separator: "\n") {
      let words = line.split(separator: " ")
      let numbers = words.dropFirst().compactMap { Double($0) }
      switch words[0] {
      case "formats": formats = words.dropFirst().compactMap { DType(String($0))?.numberFormat }
      case "case":
        guard let operation = RowOperation(rawValue: String(words[1])), let tau = Double(words[2]),
          let policy = SpecialValues(rawValue: String(words[3])), let target = Int(words[4])
        else { throw UnreadableFixture(line: String(line)) }
        rows.append(
          GoldenRowOptions(
            operation: operation,
            parameters: OperationParameters(temperature: tau, target: target, specialValues: policy)))
      case "x": rows[rows.count - 1].logits = numbers
      case "v": rows[rows.count - 1].parameters.cotangent = numbers
      case "r":
        guard let result = GoldenResult(words) else { throw UnreadableFixture(line: String(line)) }
        rows[rows.count - 1].results.append(result)
      case "s":
        let last = rows[rows.count - 1].results.count - 1
        rows[rows.count - 1].results[last].saturated = numbers
      default: throw UnreadableFixture(line: String(line))
      }
    }
    return (formats, rows)
  }
}

/// A line of a fixture that the tests cannot read.
public struct UnreadableFixture: Error { let line: String }

/// Whether two results are one: NaN is NaN, and a zero has its sign.
public func areSame(_ a: Double, _ b: Double) -> Bool { a == b && a.sign == b.sign || a.isNaN && b.isNaN }
