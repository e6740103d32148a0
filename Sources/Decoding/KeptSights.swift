import NumKit

/// What is seen of sets that somebody kept, row by row, beside the truth's and what rounding may make of it.
package struct KeptSights: Sendable {
  /// A row whose set is not the truth's.
  package struct Row: Sendable, Hashable {
    package let row: Int
    /// Tokens that are kept and should not be, and the other way round, the most probable first.
    package let added: [Int]
    package let lost: [Int]
  }

  /// Rows with an answer.
  package private(set) var rows = 0
  /// Rows whose set is not the truth's, and those of them in which rounding does not explain it.
  package private(set) var other = 0
  package private(set) var wrong = 0
  /// Rows in which rounding may make another set of it, and those without any bound.
  package private(set) var open = 0
  package private(set) var unbounded = 0
  /// The first of the rows that are not the truth's, wrong ones before others, and of those that are open.
  package private(set) var firstOther: [(row: Row, isWrong: Bool)] = []
  package private(set) var firstOpen: [Int] = []

  /// How many rows are named.
  private static let named = 4

  /// Looks at `results`, whose numbers are ones of `format`, of a sampler that computes and sums in these formats.
  package static func look(
    _ formula: SamplingFormula, at results: any ResultSource<FormulaQuestion<SamplingFormula>>,
    _ format: NumberFormat, on rows: some RowSource, compute: NumberFormat, accumulator: NumberFormat,
    threads: Int
  ) throws -> KeptSights {
    let roundings = SamplerRoundings(compute: compute, accumulator: accumulator)
    return try ParallelRows(threads: threads, chunk: 1).reduce(
      count: rows.rowCount, progress: nil, make: { Worker() },
      body: { worker, row in
        var x = [Double](repeating: 0, count: rows.length)
        try x.withUnsafeMutableBufferPointer { try rows.read(row, into: $0) }
        guard let truth = SamplingTruth(x, formula.chain) else { return }
        var y = x
        let item = FormulaQuestion<SamplingFormula>.Item(row: row, values: x, formula: formula)
        try y.withUnsafeMutableBufferPointer { try results.results(of: item, into: $0) }
        let edges = roundings.flatMap { SamplingEdges(x, truth, formula.chain, $0) }
        worker.sights.add(row, y, truth, edges, formula.isMask ? 0 : format.smallestNormal)
      }, merge: { $0.sights.merge($1.sights) }
    ).sights
  }

  private final class Worker { var sights = KeptSights() }

  /// A token whose share is below `least` may be lost where it is stored.
  private mutating func add(
    _ row: Int, _ y: [Double], _ truth: SamplingTruth, _ edges: SamplingEdges?, _ least: Double
  ) {
    rows += 1
    if edges == nil { unbounded += 1 }
    if edges.map({ !$0.isDecided }) ?? false {
      open += 1
      firstOpen.append(row)
    }
    var (added, lost): ([Int], [Int]) = ([], [])
    var isWrong = false
    for (place, token) in truth.order.enumerated() {
      let (isKept, should) = (y[token] != 0, place < truth.kept)
      guard isKept != should, isKept || truth.probabilities[token] >= least else { continue }
      if isKept { added.append(token) } else { lost.append(token) }
      // Logits of −∞ stand behind all places.
      let isOpen = edges.map { place < $0.sure.count && $0.possible[place] && !$0.sure[place] } ?? true
      isWrong = isWrong || !isOpen
    }
    if !added.isEmpty || !lost.isEmpty {
      other += 1
      wrong += isWrong ? 1 : 0
      firstOther.append((Row(row: row, added: added, lost: lost), isWrong))
    }
    forget()
  }

  private mutating func forget() {
    firstOther = Array(
      firstOther.sorted { ($0.isWrong ? 0 : 1, $0.row.row) < ($1.isWrong ? 0 : 1, $1.row.row) }
        .prefix(Self.named))
    firstOpen = Array(firstOpen.sorted().prefix(Self.named))
  }

  private mutating func merge(_ other: KeptSights) {
    rows += other.rows
    self.other += other.other
    wrong += other.wrong
    open += other.open
    unbounded += other.unbounded
    firstOther += other.firstOther
    firstOpen += other.firstOpen
    forget()
  }
}
