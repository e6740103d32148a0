import NumKit
import NumKitNumbers

/// What treatments restore of a tensor under some schemes, and which to take.
public struct CureStudy: Sendable {
  /// What stands out of the tensor.
  public let profile: TensorProfile
  /// A group for each scheme that fits as it is.
  public let groups: [CureGroup]
  /// Schemes that do not.
  public let skipped: [SkippedTreatment]

  /// Measures every treatment of every scheme, the scheme as it is first.
  ///
  /// - Parameters:
  ///   - tensor: the tensor, rows by columns, read several times.
  ///   - profile: what stands out of it.
  ///   - schemes: the treatments of each scheme.
  ///   - context: what calibrations and transforms know beside it.
  ///   - skipsUnfit: whether treatments that do not fit are left out; otherwise they throw. A scheme that does not fit as it is is left
  ///     out where there are others.
  ///   - threads: on how many threads treatments are tried; results do not depend on it.
  ///   - progress: is told how many treatments were tried.
  /// - Throws: `CureError` and `SchemeError` for what does not fit, and what reading throws.
  public init(
    _ tensor: TensorBands, profile: TensorProfile, schemes: [[Treatment]], context: CureContext,
    skipsUnfit: Bool, threads: Int = 1, progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    let (settings, median) = (profile.settings, profile.medianMagnitude)
    let isFinite = profile.finiteCount == profile.count
    let all = schemes.flatMap { $0 }
    final class Worker {
      var found: [(index: Int, result: Result<TreatmentResult, any Error>)] = []
    }
    let found = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: all.count, progress: progress, make: { Worker() },
      body: { worker, index in
        let result = Result {
          try TreatmentResult(
            all[index], tensor,
            isMassive: { $0.isFinite && settings.isMassive(Double($0.magnitude), median: median) },
            isFinite: isFinite, context: context)
        }
        worker.found.append((index, result))
      }, merge: { $0.found += $1.found }
    ).found.sorted { $0.index < $1.index }.map(\.result)
    var groups: [CureGroup] = []
    var unfit: [SkippedTreatment] = []
    var rest = found[...]
    for treatments in schemes {
      let own = rest.prefix(treatments.count)
      rest = rest.dropFirst(treatments.count)
      var results: [TreatmentResult] = []
      var skipped: [SkippedTreatment] = []
      for (k, (treatment, result)) in zip(treatments, own).enumerated() {
        do {
          results.append(try result.get())
        } catch {
          guard k > 0 ? skipsUnfit : schemes.count > 1, let one = SkippedTreatment(treatment, error) else {
            throw error
          }
          skipped.append(one)
          if k == 0 { break }
        }
      }
      // The scheme as it is comes first: without it there is nothing to cure.
      if let plain = results.first {
        groups.append(CureGroup(plain, Array(results.dropFirst()), skipped: skipped))
      } else {
        unfit += skipped
      }
    }
    self.profile = profile
    self.groups = groups
    skipped = unfit
  }

  /// The same of a tensor in memory.
  public init(
    _ matrix: TensorMatrix, schemes: [[Treatment]], context: CureContext, skipsUnfit: Bool, threads: Int = 1
  ) throws {
    let profile = try matrix.values.withUnsafeBufferPointer {
      try TensorProfile(MemorySource($0, rows: matrix.rows, columns: matrix.columns), threads: threads)
    }
    try self.init(
      TensorBands(matrix), profile: profile, schemes: schemes, context: context, skipsUnfit: skipsUnfit,
      threads: threads)
  }
}

/// A scheme and what helps it.
public struct CureGroup: Sendable {
  /// The scheme as it is.
  public let plain: TreatmentResult
  /// The treatments, in the order tried.
  public let treated: [TreatmentResult]
  /// Treatments that do not fit, and why.
  public let skipped: [SkippedTreatment]

  package init(_ plain: TreatmentResult, _ treated: [TreatmentResult], skipped: [SkippedTreatment] = []) {
    self.plain = plain
    self.treated = treated
    self.skipped = skipped
  }

  /// The scheme as it is, then those that lose fewest numbers and of these restore most.
  public var ranking: [TreatmentResult] {
    [plain]
      + treated.enumerated().sorted {
        let (a, b) = ($0.element, $1.element)
        if a.statistics.lostCount != b.statistics.lostCount {
          return a.statistics.lostCount < b.statistics.lostCount
        }
        return (restored(b), $0.offset) < (restored(a), $1.offset)
      }.map(\.element)
  }

  /// dB that a treatment restores: of the product with the activations where there are any, else of what is not massive.
  public func restored(_ result: TreatmentResult) -> Double {
    let (now, before) = (result.outputSqnr ?? result.rest.sqnr, plain.outputSqnr ?? plain.rest.sqnr)
    return now == before ? 0 : now - before
  }

  /// By so many dB the whole may be worse off before that is a sacrifice.
  public static let sacrificeLimit = 3.0

  /// Whether a treatment buys the rest with the massive ones: the whole is clearly worse off, or less of it is left.
  public func sacrifices(_ result: TreatmentResult) -> Bool {
    // Judged by its product a weight may well err more: where that does not matter.
    result.outputSqnr == nil && result.statistics.sqnr < plain.statistics.sqnr - Self.sacrificeLimit
      || result.statistics.lostCount > plain.statistics.lostCount
  }

  /// What a bit is worth in a finer grid: 20·log10(2) dB.
  public static let decibelsPerBit = 6.02

  /// What a treatment restores beyond what its bits would in a finer grid.
  public func gain(_ result: TreatmentResult) -> Double {
    restored(result) - Self.decibelsPerBit * (result.bitsPerWeight - plain.bitsPerWeight)
  }

  /// The least that a cure must restore, in dB.
  public static let leastRestored = 1.0

  /// The treatment that loses least and of those gains most, in the order tried; nil where none saves a lost number, or restores
  /// more than `leastRestored` and more than its bits are worth. None that sacrifices anything.
  public var best: TreatmentResult? {
    let helping = treated.filter {
      !sacrifices($0)
        && ($0.statistics.lostCount < plain.statistics.lostCount
          || restored($0) > Self.leastRestored && gain($0) > 0)
    }
    return helping.min { ($0.statistics.lostCount, -gain($0)) < ($1.statistics.lostCount, -gain($1)) }
  }

  /// What looks like a cure and is none: restores much of the rest at the cost of the whole.
  public var sacrificing: [TreatmentResult] {
    treated.filter { restored($0) > Self.leastRestored && sacrifices($0) }
  }
}
