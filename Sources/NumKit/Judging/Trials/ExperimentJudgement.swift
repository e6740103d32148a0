import NumKitKernels
import NumKitNumbers
import NumKitQuestions

extension Verdict: Comparable {
  /// How bad it is: a bug is worse than a bound that says nothing, that worse than a question that asks too much.
  private var rank: Int {
    switch self {
    case .ok: 0
    case .illConditioned: 1
    case .vacuous: 2
    case .bug: 3
    }
  }

  public static func < (a: Verdict, b: Verdict) -> Bool { a.rank < b.rank }
}

/// What is wrong with an algorithm whose verdict is `bug`.
public enum Fault: Sendable, Hashable {
  /// NaN in rows whose truth has none; which infinity came before it in the first of them.
  case nan(rows: Int, after: StageTrace.Birth?)
  /// Finite results that came out infinite; the first infinity on the way to them.
  case overflow(results: Int, after: StageTrace.Birth?)
  /// Results that should be NaN or infinite and are not.
  case special(results: Int)
  /// An overflow inside that spoils results, or loses so many of them to zero.
  case spoiled(by: Stage, lost: Int)
  /// Results that err by more than a sound bound allows.
  case aboveBound(results: Int)

  /// The gravest of what statistics and trace of a faulty algorithm show.
  init(_ statistics: ErrorStatistics, _ trace: StageTrace) {
    if statistics.nanRows > 0 {
      // Formats without infinities overflow to NaN, which is then the first to be born.
      self = .nan(
        rows: statistics.nanRows, after: trace.firstNaN == nil ? trace.firstOverflow : trace.causeOfNaN)
    } else if statistics.overflow > 0 {
      self = .overflow(
        results: statistics.overflow, after: trace.causeOfInfinity ?? trace.firstHarm ?? trace.firstOverflow)
    } else if statistics.specialMismatches > 0 {
      self = .special(results: statistics.specialMismatches)
    } else if statistics.aboveBound == 0, let birth = trace.firstHarm ?? trace.firstOverflow {
      self = .spoiled(by: birth.stage, lost: statistics.underflow)
    } else {
      self = .aboveBound(results: statistics.aboveBound)
    }
  }
}

/// What limits an algorithm that is no bug.
public enum Caution: Sendable, Hashable {
  /// No bound can promise its errors: rows are too long for sums in the accumulator's format.
  case tooLong
  /// No bound can promise its errors: the numbers are too large for the compute format.
  case tooLarge
  /// No bound can promise its errors: 1 − p cancels where one logit leads.
  case cancelling
  /// Rounding the inputs alone moves results by this share of them.
  case inputs(Double)
  /// So many results are as near to the largest number as the bound is wide: rounding decides whether they overflow.
  case borderline(results: Int)
  /// The rows' conditioning lets results be off by this share of them.
  case conditioning(Double)
}

extension ExperimentResult.Entry {
  /// What is wrong with it; nil where its verdict is no bug.
  public var fault: Fault? { verdict == .bug ? Fault(kernel, trace) : nil }
}

extension ExperimentResult {
  /// The order to read the entries in: the worst verdict first, then more rows with NaN, then the larger error.
  public var readingOrder: [Int] {
    entries.indices.sorted {
      let (a, b) = (entries[$0], entries[$1])
      if a.verdict != b.verdict { return a.verdict > b.verdict }
      if a.kernel.nanRows != b.kernel.nanRows { return a.kernel.nanRows > b.kernel.nanRows }
      if a.kernel.maxUlp != b.kernel.maxUlp { return a.kernel.maxUlp > b.kernel.maxUlp }
      return $0 < $1
    }
  }

  /// Whether no row had anything to hold a result against: a finite truth.
  public var isEmpty: Bool { entries.allSatisfy { $0.kernel.finiteTruths == 0 } }

  /// The algorithm to take: a promise that holds before a small error that nothing promises, then the smaller error, then the
  /// smaller bound. nil where all are bugs, or nothing was measured.
  public var best: Entry? {
    readingOrder.map { entries[$0] }.filter { $0.verdict != .bug && $0.kernel.finiteCount > 0 }.min {
      if $0.verdict != $1.verdict { return $0.verdict < $1.verdict }
      if $0.kernel.maxUlp != $1.kernel.maxUlp { return $0.kernel.maxUlp < $1.kernel.maxUlp }
      return $0.boundUlp < $1.boundUlp
    }
  }

  /// What limits `entry`; nil where nothing does, or it is a bug.
  public func caution(_ entry: Entry, _ configuration: KernelConfiguration) -> Caution? {
    switch entry.verdict {
    case .ok, .bug: return nil
    case .vacuous:
      if entry.algorithm.operation == .softmaxJacobian, entry.algorithm.arithmetic?.ending == .quotient {
        return .cancelling
      }
      // From n·u of a quarter on, sums alone may lose all.
      return Double(length) * configuration.accumulator.unitRoundoff >= 0.25 ? .tooLong : .tooLarge
    case .illConditioned:
      return Caution(entry.kernel, inherent: inherent, inherentShare: inherentShare)
    }
  }
}

extension Caution {
  /// What makes answers that keep their bound be off by much: rounded inputs, the edge of overflow, or conditioning.
  init(_ kernel: ErrorStatistics, inherent: Double, inherentShare: Double) {
    let (own, inputs) = (Swift.max(kernel.maxNormwise, kernel.maxShare), Swift.max(inherent, inherentShare))
    if inputs > own {
      self = .inputs(inputs)
    } else if kernel.borderlineSpecials > 0 {
      self = .borderline(results: kernel.borderlineSpecials)
    } else {
      self = .conditioning(own)
    }
  }
}
