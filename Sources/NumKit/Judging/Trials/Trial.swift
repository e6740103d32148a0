import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// One question, some candidates, a prover and a source of items: asked, held against the truth, measured. The answer does not
/// depend on `threads`.
public struct Trial<Q: Question>: Sendable {
  /// Which inputs a truth is of.
  public enum Side: Sendable {
    /// As stored: what a candidate gets, and is judged by.
    case stored
    /// As given, before any rounding.
    case given
  }

  /// The question.
  public var question: Q
  /// Who answers.
  public var candidates: [any Candidate<Q>]
  /// Makes a prover for one thread.
  public var prover: @Sendable (Side) throws -> any Prover<Q>
  /// The format of each part's results, in whose ulps errors are counted.
  public var formats: [NumberFormat]
  /// What becomes of results too large for the format.
  public var overflow = Overflow.special
  /// Whether errors are gathered result by result: ulps, bounds, witnesses.
  public var measuresResults = true
  /// Whether single figures of whole tensors are gathered: RMSE, cosine.
  public var measuresSums = false
  /// How many items a thread takes at a time.
  public var chunk = 8
  /// On how many threads.
  public var threads = 1
  /// What a share of its items is called where the process does a share only (`Sharing`); nil: all of them are asked here.
  package var sharedAs: String?

  /// Results of every part in `format`, on one thread, unless said otherwise.
  public init(
    _ question: Q, candidates: [any Candidate<Q>], format: NumberFormat, threads: Int = 1,
    prover: @escaping @Sendable (Side) throws -> any Prover<Q>
  ) {
    self.question = question
    self.candidates = candidates
    self.prover = prover
    self.threads = threads
    formats = Array(repeating: format, count: question.parts.count)
  }

  /// Asks every candidate about every item.
  ///
  /// - Throws: `TrialError` where there is nothing to do; what source, prover and candidates throw.
  public func run(
    on source: some ItemSource<Q>, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> Measurement<Q> {
    guard !candidates.isEmpty else { throw TrialError.noCandidates }
    return try run(on: source, observer: Unwatched<Q>(), progress: progress).measurement
  }

  /// The same, watched by an observer for each thread; without candidates the truth alone is watched.
  public func run<O: Observer>(
    on source: some ItemSource<Q>, observer: @autoclosure () -> O, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> (measurement: Measurement<Q>, observer: O) where O.Q == Q {
    guard source.itemCount > 0 else { throw TrialError.noItems }
    if let fault = ArithmeticFault.here { throw fault }
    let (count, chunk) = (source.itemCount, Swift.max(1, chunk))
    func blank() throws -> TrialWorker<Q, O> { try TrialWorker(self, source.makeItem, observer()) }
    func measured(_ items: Range<Int>) throws -> TrialWorker<Q, O> {
      try ParallelRows(threads: threads, chunk: chunk).reduce(
        count: items.count, progress: progress, make: blank,
        body: { worker, index in try worker.measure(items.lowerBound + index, of: source) },
        merge: { $0.merge($1) })
    }
    guard let sharedAs else {
      let worker = try measured(0..<count)
      return (worker.measurement(items: count), worker.observer)
    }
    // Whole chunks: candidates may answer the items of one together.
    let worker = try Sharing.share(
      sharedAs, units: (count + chunk - 1) / chunk, make: blank,
      work: { try measured($0.lowerBound * chunk..<Swift.min($0.upperBound * chunk, count)) },
      merge: { $0.merge($1) })
    return (worker.measurement(items: count), worker.observer)
  }
}

/// Why a trial cannot run.
public enum TrialError: Error, Hashable, CustomStringConvertible {
  /// There is nothing to ask about.
  case noItems
  /// There is nobody to ask.
  case noCandidates

  public var description: String {
    switch self {
    case .noItems: "there are no rows with elements to work on"
    case .noCandidates: "no algorithm to run"
    }
  }
}

/// One candidate's errors in one part of the results.
public struct PartErrors: Sendable {
  /// Against the truth of the inputs as stored: its own.
  public internal(set) var kernel: ErrorStatistics
  /// Against the truth of the inputs as given: its own and the format's.
  public internal(set) var total: ErrorStatistics
  /// Its own as single figures, where they were asked for.
  public internal(set) var sums = ErrorSums()
  /// The same against the truth of the inputs as given.
  public internal(set) var totalSums = ErrorSums()
  /// What the bound is worth, at worst over rows.
  public internal(set) var bound = RowBound.sound
  /// The largest bound on a result's error, over the rows that have one, in units of the error.
  public internal(set) var boundUlp = 0.0
  /// What to make of it.
  public internal(set) var verdict = Verdict.ok

  /// Nothing measured.
  init(_ overflow: Overflow) {
    kernel = ErrorStatistics(overflow: overflow)
    total = kernel
  }
}

/// What a trial found.
public struct Measurement<Q: Question>: Sendable {
  /// One candidate's.
  public struct Entry: Sendable {
    /// The candidate, with what its threads gathered.
    public internal(set) var candidate: any Candidate<Q>
    /// Errors, part by part.
    public internal(set) var parts: [PartErrors]
    /// Where the first NaN and overflow were born, and how near overflow came.
    public internal(set) var trace = StageTrace()
  }

  /// One for each candidate, in the order asked.
  public let entries: [Entry]
  /// How the truth was proven.
  public let certificate: Certificate
  /// The largest normwise relative change that storing the inputs alone made to a row of each part's truth.
  public let inherent: [Double]
  /// The largest such change in ulps.
  public let inherentUlp: [Double]
  /// The largest relative change of a result that carries a share of its row (`ErrorStatistics.leastShare`).
  public let inherentShare: [Double]
  /// Whether storing changed an input.
  public let inputsRounded: Bool
  /// Finite inputs that the format cannot hold, where the source counts them.
  public let overflowedInputs: Int
  /// Items that hold any.
  public let overflowedItems: Int
  /// Items.
  public let items: Int
}

/// Sees nothing.
private struct Unwatched<Q: Question>: Observer, Portable {
  var wantsProfiles: Bool { false }
  mutating func merge(_ other: Unwatched) {}
  mutating func carry(_ c: inout Carrier) throws {}
}
