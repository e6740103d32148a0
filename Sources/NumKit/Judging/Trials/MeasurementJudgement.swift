import NumKitQuestions

/// What to read first and what to take, for questions of one part.
extension Measurement {
  /// The order to read the entries in: the worst verdict first, then more rows with NaN, then the larger error at a row's peak.
  public var readingOrder: [Int] {
    entries.indices.sorted {
      let (a, b) = (entries[$0].parts[0], entries[$1].parts[0])
      if a.verdict != b.verdict { return a.verdict > b.verdict }
      if a.kernel.nanRows != b.kernel.nanRows { return a.kernel.nanRows > b.kernel.nanRows }
      if a.kernel.maxUlpAtPeak != b.kernel.maxUlpAtPeak {
        return a.kernel.maxUlpAtPeak > b.kernel.maxUlpAtPeak
      }
      return $0 < $1
    }
  }

  /// Whether no row had anything to hold a result against.
  public var isEmpty: Bool { entries.allSatisfy { $0.parts[0].kernel.finiteTruths == 0 } }

  /// Which candidate to take: a promise that holds before a small error that nothing promises, then the smaller error at a row's
  /// peak, then the smaller bound. nil where all are bugs, or nothing was measured.
  public var best: Int? {
    entries.indices.filter {
      let part = entries[$0].parts[0]
      return part.verdict != .bug && part.kernel.finiteCount > 0
    }.min {
      let (a, b) = (entries[$0].parts[0], entries[$1].parts[0])
      if a.verdict != b.verdict { return a.verdict < b.verdict }
      if a.kernel.maxUlpAtPeak != b.kernel.maxUlpAtPeak {
        return a.kernel.maxUlpAtPeak < b.kernel.maxUlpAtPeak
      }
      return a.boundUlp < b.boundUlp
    }
  }
}

extension Measurement.Entry {
  /// What is wrong with it; nil where its verdict is no bug.
  public var fault: Fault? { parts[0].verdict == .bug ? Fault(parts[0].kernel, trace) : nil }
}
