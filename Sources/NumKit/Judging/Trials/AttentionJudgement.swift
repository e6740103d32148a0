import NumKitKernels
import NumKitNumbers
import NumKitQuestions

extension AttentionMeasurement.Entry {
  /// What is wrong with it; nil where its verdict is no bug.
  public var fault: Fault? { verdict == .bug ? Fault(kernel, sights.trace) : nil }
}

extension AttentionMeasurement {
  /// The order to read the entries in: the worst verdict first, then more rows with NaN, then the larger error.
  public var readingOrder: [Int] {
    entries.indices.sorted {
      let (a, b) = (entries[$0], entries[$1])
      if a.verdict != b.verdict { return a.verdict > b.verdict }
      if a.kernel.nanRows != b.kernel.nanRows { return a.kernel.nanRows > b.kernel.nanRows }
      if a.sums.rmse != b.sums.rmse { return a.sums.rmse > b.sums.rmse }
      return $0 < $1
    }
  }

  /// Whether no query had anything to hold an output against.
  public var isEmpty: Bool { entries.allSatisfy { $0.kernel.finiteTruths == 0 } }

  /// The algorithm whose outputs are nearest to the truth of the inputs as given; nil where all are bugs, or nothing was measured.
  public var best: Entry? {
    readingOrder.map { entries[$0] }.filter { $0.verdict != .bug && $0.kernel.finiteCount > 0 }
      .min { $0.totalSums.rmse < $1.totalSums.rmse }
  }

  /// What limits `entry`; nil where nothing does, or it is a bug.
  public func caution(_ entry: Entry) -> Caution? {
    switch entry.verdict {
    case .ok, .bug: return nil
    case .vacuous: return .tooLarge
    case .illConditioned:
      return Caution(entry.kernel, inherent: inherent, inherentShare: inherentShare)
    }
  }

  /// From this mean mass on the first tokens on, a head counts as a sink.
  public static let sinkThreshold = 0.3

  /// Heads that are sinks, in truth and as the baseline computes it.
  public var sinkHeads: (exact: Int, computed: Int) {
    (
      heads.count { $0.sinkMass > Self.sinkThreshold },
      heads.count { $0.computedSinkMass > Self.sinkThreshold }
    )
  }

  /// The largest change of a head's mass on the first tokens; 0 where no head has any.
  public var sinkShift: Double { shift(\.sinkMass, \.computedSinkMass) }

  /// The largest change of a head's mean entropy, in nats; 0 where no head has any.
  public var entropyShift: Double { shift(\.entropy, \.computedEntropy) }

  private func shift(_ exact: KeyPath<Head, Double>, _ computed: KeyPath<Head, Double>) -> Double {
    heads.reduce(0) {
      let d = ($1[keyPath: exact] - $1[keyPath: computed]).magnitude
      return d.isNaN ? $0 : Swift.max($0, d)
    }
  }
}

extension BackwardMeasurement {
  /// The gradient to look at first: one with a wrong special value, else that of the largest relative error. nil where nothing was
  /// measured.
  public var worst: (entry: Int, gradient: AttentionGradient)? {
    let all = entries.indices.flatMap { k in AttentionGradient.allCases.map { (entry: k, gradient: $0) } }
    let bug = all.first { entries[$0.entry][$0.gradient].verdict == .bug }
    return bug
      ?? all.filter { entries[$0.entry][$0.gradient].kernel.finiteCount > 0 }.max {
        entries[$0.entry][$0.gradient].sums.relativeL1 < entries[$1.entry][$1.gradient].sums.relativeL1
      }
  }

  /// Whether no gradient had anything to hold a result against.
  public var isEmpty: Bool {
    entries.allSatisfy { e in AttentionGradient.allCases.allSatisfy { e[$0].kernel.finiteTruths == 0 } }
  }
}
