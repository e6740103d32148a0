import NumKit

/// Defects planted one at a time in a right kernel, and what rules make of the results: which are caught, which pass.
public struct MutationStudy<Q: Question>: Sendable {
  /// The right kernel, its question and the truth.
  private let trial: Trial<Q>
  /// A kernel that does everything in the results' format: what rules compare errors with that allow what it errs by.
  private let plain: any Candidate<Q>
  /// What is planted.
  public private(set) var defects: [PlantedDefect<Q>]
  /// Other right kernels: what one of them may err by is no harm either.
  private var others: [any Candidate<Q>] = []
  /// What is to catch it.
  private let rules: [ToleranceRule]

  /// `trial` has the right kernel alone.
  init(
    _ trial: Trial<Q>, plain: any Candidate<Q>, defects: [PlantedDefect<Q>], rules: [ToleranceRule]
  ) {
    (self.trial, self.plain, self.defects, self.rules) = (trial, plain, defects, rules)
  }

  /// How many items a thread takes at a time.
  public var chunk: Int { trial.chunk }

  /// The same with some of the defects.
  public func planting(_ isPlanted: (String) -> Bool) -> MutationStudy {
    var other = self
    other.defects = defects.filter { isPlanted($0.name) }
    return other
  }

  /// The same where the widest bound of `others`, too, is what a right kernel may err by.
  public func beside(_ others: [any Candidate<Q>]) -> MutationStudy {
    var study = self
    study.others = others
    return study
  }

  /// Runs the right kernel and every defective one; the right kernel comes first.
  ///
  /// - Throws: what the trial throws.
  public func run(
    on source: some ItemSource<Q>, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> [MutationOutcome] {
    let format = trial.formats[0]
    // The bound is always among the limits, last: it says what is harmless.
    let limits = rules.map { $0.limit(format) } + [.bound]
    var trial = trial
    let right = trial.candidates[0]
    trial.candidates = [right, Unbounded(plain)] + defects.map { Unbounded($0.kernel) }
    trial.measuresResults = false
    let judges = Judges(
      trial.question, [right] + others, (0...defects.count).map { _ in Judgement(limits, format) })
    let (_, seen) = try trial.run(on: AsStored(source: source), observer: judges, progress: progress)
    return seen.judgements.enumerated().map { k, judgement in
      var judgement = judgement
      judgement.finish()
      return MutationOutcome(defect: k == 0 ? nil : defects[k - 1].name, judgement: judgement)
    }
  }

  /// One thread's: the right kernel answers first, then the plain one, then the others.
  private struct Judges: Observer {
    private let question: Q
    private var models: [(any ErrorModel<Q>)?]
    private var layout: [ResultRow] = []
    private var profile: Q.Profile?
    private var truth: RowTruth?
    private var right: [Double] = []
    private(set) var judgements: [Judgement]

    init(_ question: Q, _ right: [any Candidate<Q>], _ judgements: [Judgement]) {
      self.question = question
      self.judgements = judgements
      models = right.map { $0.errorModel() }
    }

    mutating func see(stored: Answered<Q>, given: Answered<Q>) {
      profile = stored.profile
      layout.removeAll(keepingCapacity: true)
      question.layout(of: stored.item, into: &layout)
    }

    mutating func see(
      candidate k: Int, _ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth],
      flat: [FlatTruth]
    ) {
      guard let row = layout.first, let profile else { return }
      let exact = flat[0].value
      let y = Array(results[0..<exact.count])
      if k == 0 {
        right = y
        truth = RowTruth(
          truth: truths[0], exact: exact, rounded: truths[0].rounded,
          bounds: widest(row, of: item, profile, exact), plain: y)
      } else if k == 1 {
        truth?.plain = y
        if let truth { judgements[0].add(row: row.row, right, truth) }
      } else if let truth {
        judgements[k - 1].add(row: row.row, y, truth)
        if y.map(\.bitPattern) != right.map(\.bitPattern) { judgements[k - 1].noteDifference() }
      }
    }

    /// NaN where one has no bound.
    private mutating func widest(
      _ row: ResultRow, of item: Q.Item, _ profile: Q.Profile, _ exact: [Double]
    ) -> [Double] {
      var widest = [Double](repeating: 0, count: exact.count)
      for k in models.indices {
        let bounds = row.bounds(by: &models[k], of: item, profile, exact: exact)
        for i in exact.indices {
          let bound = bounds?[i] ?? .nan
          widest[i] = widest[i].isNaN || bound.isNaN ? .nan : Swift.max(widest[i], bound)
        }
      }
      return widest
    }

    mutating func merge(_ other: Judges) {
      for k in judgements.indices { judgements[k].merge(other.judgements[k]) }
    }
  }
}

/// Items of which nobody asks how they were given.
private struct AsStored<S: ItemSource>: ItemSource {
  typealias Q = S.Q
  let source: S
  var itemCount: Int { source.itemCount }
  func makeItem() -> Q.Item { source.makeItem() }
  func read(_ index: Int, given: inout Q.Item, stored: inout Q.Item) throws -> InputChange {
    _ = try source.read(index, given: &given, stored: &stored)
    return InputChange()
  }
}

/// What became of one kernel.
public struct MutationOutcome: Sendable {
  /// What was planted; nil for the right kernel.
  public let defect: String?
  /// What the rules say.
  public let judgement: Judgement
  /// Whether it answers as a right kernel may on these rows, so that no rule can be blamed for accepting it.
  public var isHarmless: Bool { !judgement.differs || judgement.isWithinBound }
}

extension [MutationOutcome] {
  /// For each of so many rules the defects that do harm and that it accepts.
  public func passing(_ rules: Int) -> [[String]] {
    (0..<rules).map { k in
      dropFirst().filter { !$0.isHarmless && $0.judgement.verdicts[k].accepts }.compactMap(\.defect)
    }
  }
}

extension Judgement {
  /// Whether every result is within its sound bound: the last limit of a study.
  var isWithinBound: Bool { verdicts.last?.accepts ?? false }
}
