import NumKit

/// A known way to get an answer wrong, with a kernel that does.
public struct PlantedDefect<Q: Question>: Sendable {
  /// What it is called.
  public let name: String
  /// What is wrong, in a few words.
  public let summary: String
  /// Answers wrongly.
  let kernel: any Candidate<Q>

  init(_ name: String, _ summary: String, _ kernel: any Candidate<Q>) {
    (self.name, self.summary, self.kernel) = (name, summary, kernel)
  }

  /// What `verify` says of a kernel that answers another question.
  init(mistake: String, _ kernel: any Candidate<Q>) {
    let words = mistake.filter { $0 != "'" }.split { !($0.isLetter || $0.isNumber || "+./".contains($0)) }
    self.init(words.joined(separator: "-"), mistake, kernel)
  }

  /// Of the tails that kernels lose one element and one block are planted: other lengths show no more.
  static func isPlanted(_ mistake: String) -> Bool {
    guard let length = mistake.firstMatch(of: #/^last ([0-9]+) /#) else { return true }
    return length.1 == "32"
  }
}

/// Another candidate, of whom nothing is promised.
struct Unbounded<Q: Question>: Candidate {
  private var other: any Candidate<Q>

  init(_ other: any Candidate<Q>) { self.other = other }

  var name: String { other.name }

  func prepared() throws -> Unbounded {
    func prepare<C: Candidate<Q>>(_ candidate: C) throws -> any Candidate<Q> { try candidate.prepared() }
    return Unbounded(try prepare(other))
  }

  mutating func answer(
    _ item: Q.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    try other.answer(item, into: results, trace: &trace)
  }
}

/// Another's results, of which something is made.
struct Remade<Q: Question>: Candidate {
  private var other: Unbounded<Q>
  private let remake: @Sendable ([Double]) -> [Double]

  init(_ other: any Candidate<Q>, _ remake: @escaping @Sendable ([Double]) -> [Double]) {
    self.other = Unbounded(other)
    self.remake = remake
  }

  var name: String { other.name }

  func prepared() throws -> Remade {
    var own = self
    own.other = try other.prepared()
    return own
  }

  mutating func answer(
    _ item: Q.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    try other.answer(item, into: results, trace: &trace)
    let y = remake(Array(results))
    for i in results.indices { results[i] = y[i] }
  }
}

extension PlantedDefect {
  /// Right results, of which the defect makes its own.
  init(_ defect: ResultDefect, _ right: any Candidate<Q>, _ format: NumberFormat) {
    self.init(defect.rawValue, defect.summary, Remade(right) { defect.apply($0, format) })
  }

  /// `wide` has results in a format that holds more digits.
  init(truncating wide: any Candidate<Q>, to format: NumberFormat) {
    self.init(
      "truncation", "results cut, not rounded to nearest", Remade(wide) { $0.map { format.truncate($0) } })
  }
}
