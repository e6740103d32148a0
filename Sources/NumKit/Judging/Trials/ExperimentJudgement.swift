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
  /// NaN in rows whose truth has none; in which stage an overflow came before it.
  case nan(rows: Int, after: Stage?)
  /// Finite results that came out infinite.
  case overflow(results: Int, after: Stage?)
  /// Results that should be NaN or infinite and are not.
  case special(results: Int)
  /// An overflow inside that spoils results, or loses so many of them to zero.
  case spoiled(by: Stage, lost: Int)
  /// Results that err by more than a sound bound allows.
  case aboveBound(results: Int)

  /// The gravest of what statistics and trace of a faulty algorithm show.
  init(_ statistics: ErrorStatistics, _ trace: StageTrace) {
    let birth = trace.firstOverflow?.stage
    if statistics.nanRows > 0 {
      self = .nan(rows: statistics.nanRows, after: birth)
    } else if statistics.overflow > 0 {
      self = .overflow(results: statistics.overflow, after: birth)
    } else if statistics.specialMismatches > 0 {
      self = .special(results: statistics.specialMismatches)
    } else if statistics.aboveBound == 0, let birth {
      self = .spoiled(by: birth, lost: statistics.underflow)
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

  /// Whether no row had anything to hold a result against.
  public var isEmpty: Bool { entries.allSatisfy { $0.kernel.finiteCount == 0 } }

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
      // From n·u of a quarter on, sums alone may lose all.
      return Double(length) * configuration.accumulator.unitRoundoff >= 0.25 ? .tooLong : .tooLarge
    case .illConditioned:
      if inherent > entry.kernel.maxNormwise { return .inputs(inherent) }
      let near = entry.kernel.borderlineSpecials
      return near > 0 ? .borderline(results: near) : .conditioning(entry.kernel.maxNormwise)
    }
  }
}
